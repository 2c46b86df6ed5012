#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Noise of the two guests under the same VMM: `make bench-noise`.

A task spins on the time-stamp counter and records every gap that is longer
than its loop can be (guest-kitten/user/tests/selfish.c). All that takes the
processor away is in there: the guest's own ticks, KVM, L1's kernel, and on an
emulated machine the machine below. Only the first differs between the guests,
and it is also counted: interrupts that the guest took while the task ran.
"""

import argparse
import csv
import os
import re
import sys

import common
from common import GUESTS, fields, say

COUNT = {"kitten": "symbiotic",
         "linux": "awk '{n += $2} END {print \"cpu0 irqs\", n}' /proc/interrupts"}


def measure(bench, guest, paging, seconds, threshold):
    """One run: the summary, and the detours as (at, ns)."""
    script = f"{COUNT[guest]}\n@selfish {seconds} {threshold}\n{COUNT[guest]}"
    out = common.run(bench, guest, script, guest_mem=256, smp=1, paging=paging,
                     timeout=int(seconds) + 60)
    detours = [(d["at"], d["ns"]) for d in map(fields, re.findall(r"^detour .*$", out, re.M))]
    summary = fields(re.search(r"^selfish .*$", out, re.M).group(0))
    before, after = (int(n) for n in re.findall(r"^cpu0.* irqs (\d+)$", out, re.M))
    summary["irqs"] = after - before
    return summary, detours


def median(runs, key):
    """The median over the runs of a guest."""
    values = sorted(r[key] for r in runs)
    return values[len(values) // 2]


def table(found, paging):
    """The lines of the table."""
    yield (f"{'guest':8} {'paging':8} {'detours/s':>10} {'longest us':>11} {'% lost':>8} "
           f"{'interrupts in the guest/s':>26}")
    for guest in GUESTS:
        runs = [s for s, _ in found[guest]]
        irqs = median(runs, "irqs") / median(runs, "seconds")
        yield (f"{guest:8} {paging:8} {median(runs, 'per_second'):10.1f} "
               f"{median(runs, 'longest_ns') / 1000:11.0f} {median(runs, 'lost_percent'):8.3f} "
               f"{irqs:26.1f}")


def plot(found, out):
    """Every detour of the last run of each guest: when, and how long."""
    lines = []
    for guest in GUESTS:
        lines += [f"${guest} << EOD"]
        lines += [f"{at / 1e9:.6f} {ns / 1000:.3f}" for at, ns in found[guest][-1][1]] or ["NaN NaN"]
        lines += ["EOD"]
    lines += ["set terminal svg size 1000,500 font 'sans,13'", f"set output '{out}'",
              "set title 'Detours of a task that only computes'", "set border 3", "set tics nomirror",
              "set logscale y", "set format y '%g'", "set grid ytics lc rgb '#dddddd'",
              "set xlabel 'time (s)'", "set ylabel 'detour (us, log scale)'",
              "set key below",
              "plot $linux with points pt 7 ps 0.4 lc rgb '#b2182b' title 'guest-linux', "
              "$kitten with points pt 7 ps 0.5 lc rgb '#1b7837' title 'guest-kitten'", ""]
    return common.gnuplot("\n".join(lines))


def main(argv=None):
    """Runs the experiment; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--threshold", type=float, default=2000, metavar="NS")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--icount", action="store_true",
                        help="on the machine whose clocks count instructions: nothing outside disturbs it")
    parser.add_argument("--paging", choices=("shadow", "nested"), default="nested")
    args = parser.parse_args(argv)
    from rig import Bench   # pylint: disable=C0415

    found = {g: [] for g in GUESTS}
    with Bench(host="symbiotic", icount=args.icount) as bench:
        # In turns, so that both see the same weather.
        for _ in range(args.rounds):
            for guest in GUESTS:
                found[guest].append(measure(bench, guest, args.paging, args.seconds, args.threshold))
    lines = [f"Noise under the symbiotic VMM: {args.rounds} runs of {args.seconds:g} s each in turns, "
             f"medians; gaps over {args.threshold:g} ns"
             + (" of instructions" if args.icount else ""), ""] + list(table(found, args.paging))
    for line in lines:
        say(line)

    directory = common.results_directory()
    (directory / "noise.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    with open(directory / "noise.csv", "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        out.writerow(("guest", "run", "at_ns", "ns"))
        for guest in GUESTS:
            for n, (_, detours) in enumerate(found[guest]):
                out.writerows((guest, n, f"{at:.0f}", f"{ns:.0f}") for at, ns in detours)
    reason = plot(found, directory / "noise.svg")
    say(f"no plot: {reason}" if reason else f"written: {os.path.relpath(directory)}/noise.{{txt,csv,svg}}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
