#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The null symcall against the null hypercall: `make bench-micro`.

Both run on the same VM in one run, in turns, from inside the guest: loops of
hypercalls that do nothing, and one hypercall that makes KVM do as many symcalls
that do nothing. A symcall needs one entry and one exit as well, so a ratio of
1.0 is the limit; the bar is 1.25.

Once in time, and once in instructions, under an emulator that counts them
(-icount): there the guest's time-stamp counter advances with the instructions
of the whole machine, KVM's included.
"""

import argparse
import re
import statistics

BAR = 1.25

SCRIPT = """
d=/sys/kernel/debug/symbiotic
i=0
while [ $i -lt {rounds} ]; do
	echo {calls} >$d/hypercall || exit 1
	echo hypercall $(cat $d/hypercall)
	echo {calls} >$d/symcall || exit 1
	echo symcall $(cat $d/symcall)
	i=$((i + 1))
done
"""

LINE = re.compile(r"^(hypercall|symcall) calls (\d+) ns (\d+) tsc (\d+) "
                  r"status (-?\d+)$", re.M)


def say(text=""):
    """Prints a line at once."""
    print(text, flush=True)


def measure(bench, paging, calls, rounds):
    """Returns {kind: [(ns, tsc) of one call]}, without the first round."""
    result = bench.run(SCRIPT.format(rounds=rounds, calls=calls),
                       guest_mem=256, paging=paging, timeout=300)
    found = {"hypercall": [], "symcall": []}
    for kind, done, nanos, ticks, status in LINE.findall(result.stdout):
        if status != "0":
            raise RuntimeError(f"a {kind} failed with status {status}")
        found[kind].append((int(nanos) / int(done), int(ticks) / int(done)))
    if result.status != 0 or len(found["symcall"]) != rounds:
        raise RuntimeError(result.stderr.strip() or result.stdout
                           if result.status is not None
                           else result.explain())
    return {kind: values[1:] for kind, values in found.items()}


def show(title, unit, found, which):
    """Prints one line; returns whether the bar is met."""
    hyper = [v[which] for v in found["hypercall"]]
    sym = [v[which] for v in found["symcall"]]
    # Neighbours in time saw the same load of the machine.
    ratio = statistics.median(s / h for s, h in zip(sym, hyper))
    good = ratio <= BAR
    say(f"  {'PASS' if good else 'MISS'}  {title:<28} hypercall "
        f"{statistics.median(hyper):>9.0f} {unit}   symcall "
        f"{statistics.median(sym):>9.0f} {unit}   ratio {ratio:.3f} "
        f"(bar {BAR}, limit 1.0)")
    return good


def main(argv=None, bench_class=None):
    """Runs the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=21)
    parser.add_argument("--no-icount", action="store_true",
                        help="time alone")
    parser.add_argument("--strict", action="store_true",
                        help="fail if a bar is missed")
    args = parser.parse_args(argv)
    if bench_class is None:
        from rig import Bench as bench_class    # pylint: disable=C0415

    good = True
    say(f"Null symcall and null hypercall, medians of {args.rounds - 1} "
        f"rounds of {args.calls} calls each, in turns")
    for icount in (False, True)[:1 if args.no_icount else 2]:
        with bench_class(host="symbiotic", icount=icount) as bench:
            for paging in ("nested", "shadow"):
                found = measure(bench, paging, args.calls, args.rounds)
                if icount:
                    good &= show(f"instructions, {paging} paging", "insn",
                                 found, 1)
                else:
                    good &= show(f"time, {paging} paging", "ns", found, 0)
    return 1 if args.strict and not good else 0


if __name__ == "__main__":
    from rig import ending
    ending.exit_when_told(main)
