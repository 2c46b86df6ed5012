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
import math
import os
import re

import common
from common import GUESTS, fields, say

COUNT = {"kitten": "symbiotic",
         "linux": "awk '{n += $2} END {print \"cpu0 irqs\", n}' /proc/interrupts"}


def measure(bench, guest, paging, seconds, threshold):
    """One run: the summary, and a histogram {ns: detours}."""
    script = f"{COUNT[guest]}\n@selfish {seconds} {threshold}\n{COUNT[guest]}"
    out = common.run(bench, guest, script, guest_mem=256, smp=1, paging=paging,
                     timeout=int(seconds) + 60)
    bins = {b["from_ns"]: b["detours"] for b in map(fields, re.findall(r"^bin .*$", out, re.M))}
    summary = fields(re.search(r"^selfish .*$", out, re.M).group(0))
    before, after = (int(n) for n in re.findall(r"^cpu0.* irqs (\d+)$", out, re.M))
    summary["irqs"] = after - before
    return summary, bins


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


def per_second(runs):
    """The histogram over all runs of a guest, per second."""
    seconds = sum(s["seconds"] for s, _ in runs)
    sums = {}
    for _, bins in runs:
        for ns, count in bins.items():
            sums[ns] = sums.get(ns, 0) + count
    return {ns: count / seconds for ns, count in sorted(sums.items())}


def plot(found, out):
    """Detours per second by their length."""
    lines = []
    for shift, guest in enumerate(GUESTS):
        lines += [f"${guest} << EOD"]
        lines += [f"{math.log2(ns) + 0.3 + 0.4 * shift:.2f} {rate:.4f}"
                  for ns, rate in per_second(found[guest]).items()] or ["NaN NaN"]
        lines += ["EOD"]
    every = [ns for g in GUESTS for ns in per_second(found[g])]
    ticks = [int(math.log2(ns)) for ns in sorted(set(every))]
    ticks += [ticks[-1] + 1] if ticks else []
    lines += ["set terminal svg size 1000,500 font 'sans,13'", f"set output '{out}'",
              "set title 'Detours of a task that only computes'", "set border 3", "set tics nomirror",
              "set logscale y", "set format y '%g'", "set grid ytics lc rgb '#dddddd'",
              "set xtics (" + ", ".join(f"'{2 ** t / 1000:g}' {t}" for t in ticks) + ")",
              "set xlabel 'length (us)'", "set ylabel 'per second (log scale)'", "set key below",
              "set boxwidth 0.38", "set style fill solid",
              "plot $linux with boxes lc rgb '#b2182b' title 'guest-linux', "
              "$kitten with boxes lc rgb '#1b7837' title 'guest-kitten'", ""]
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
        out.writerow(("guest", "run", "from_ns", "detours"))
        for guest in GUESTS:
            for n, (_, bins) in enumerate(found[guest]):
                out.writerows((guest, n, f"{ns:.0f}", f"{count:.0f}") for ns, count in bins.items())
    reason = plot(found, directory / "noise.svg")
    say(f"no plot: {reason}" if reason else f"written: {os.path.relpath(directory)}/noise.{{txt,csv,svg}}")
    return 0


if __name__ == "__main__":
    from rig import ending
    ending.exit_when_told(main)
