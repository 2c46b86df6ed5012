#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Noise of the two guests under the same VMM: `make bench-noise`.

A task spins on the time-stamp counter and records every gap that is longer
than its loop can be (guest-kitten/user/tests/selfish.c). All that takes the
processor away is in there: the guest's own ticks, KVM, L1's kernel, and on an
emulated machine the machine below. Only the first differs between the guests,
and it is also counted: interrupts that the guest took while the task ran.
"""

from __future__ import annotations

import dataclasses
import math
import re
import statistics
from collections.abc import Sequence

import common
from common import GUESTS
from rig import Bench, ending, measure
from rig.measure import fields, say

COUNT = {"kitten": "symbiotic",
         "linux": "awk '{n += $2} END {print \"cpu0 irqs\", n}' /proc/interrupts"}
COLOURS = {"kitten": "#1b7837", "linux": "#b2182b"}
COLUMNS = ("guest", "paging", "detours/s", "longest us", "% lost", "interrupts in the guest/s")


@dataclasses.dataclass
class Run:
    """What one run of the program told."""
    seconds: float
    detours: float              # per second
    longest: float              # ns
    lost: float                 # percent
    interrupts: float           # per second
    lengths: dict[float, float]     # detours that took at least so many ns


def run_once(bench: measure.Runner, guest: str, paging: str, seconds: float,
             threshold: float) -> Run:
    """One run."""
    script = f"{COUNT[guest]}\n@selfish {seconds} {threshold}\n{COUNT[guest]}"
    out = common.run(bench, guest, script, guest_mem=256, smp=1, paging=paging,
                     timeout=int(seconds) + 60)
    summary = re.search(r"^selfish .*$", out, re.M)
    counts = re.findall(r"^cpu0.* irqs (\d+)$", out, re.M)
    if not summary or len(counts) != 2:
        raise RuntimeError(f"{guest}: no result\n{out}")
    found = {k: float(v) for k, v in fields(summary[0]).items()
             if k in ("seconds", "per_second", "longest_ns", "lost_percent")}
    bins = [fields(line) for line in re.findall(r"^bin .*$", out, re.M)]
    return Run(found["seconds"], found["per_second"], found["longest_ns"], found["lost_percent"],
               (int(counts[1]) - int(counts[0])) / found["seconds"],
               {float(b["from_ns"]): float(b["detours"]) for b in bins})


Found = dict[str, list[Run]]


def table(found: Found, paging: str) -> list[str]:
    """The medians over the runs of each guest."""
    def cells(runs: list[Run]) -> list[str]:
        def median(name: str) -> float:
            return float(statistics.median_high(getattr(run, name) for run in runs))
        return [f"{median('detours'):.1f}", f"{median('longest') / 1000:.0f}",
                f"{median('lost'):.3f}", f"{median('interrupts'):.1f}"]
    return measure.table(COLUMNS, [[g, paging, *cells(found[g])] for g in GUESTS])


def per_second(runs: list[Run]) -> dict[float, float]:
    """The lengths over all runs of a guest, per second."""
    seconds = sum(run.seconds for run in runs)
    every = sorted({ns for run in runs for ns in run.lengths})
    return {ns: sum(run.lengths.get(ns, 0) for run in runs) / seconds for ns in every}


def picture(found: Found) -> list[str]:
    """Detours per second by their length."""
    lines: list[str] = []
    for shift, guest in enumerate(GUESTS):
        lines += [f"${guest} << EOD"]
        lines += [f"{math.log2(ns) + 0.3 + 0.4 * shift:.2f} {rate:.4f}"
                  for ns, rate in per_second(found[guest]).items()] or ["NaN NaN"]
        lines += ["EOD"]
    ticks = sorted({int(math.log2(ns)) for runs in found.values() for run in runs
                    for ns in run.lengths})
    ticks += [ticks[-1] + 1] if ticks else []
    return [*lines, "set title 'Detours of a task that only computes'",
            "set xtics (" + ", ".join(f"'{2 ** t / 1000:g}' {t}" for t in ticks) + ")",
            "set xlabel 'length (us)'", "set ylabel 'per second (log scale)'", "set key below",
            "set boxwidth 0.38", "set style fill solid",
            "plot " + ", ".join(f"${g} with boxes lc rgb '{COLOURS[g]}' title 'guest-{g}'"
                                for g in reversed(GUESTS))]


def main(argv: Sequence[str] | None = None, benches: measure.Benches = Bench) -> int:
    """Runs the experiment; returns the exit status."""
    parser = measure.arguments(__doc__)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--threshold", type=float, default=2000, metavar="NS")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--icount", action="store_true",
                        help="on the machine whose clocks count instructions: nothing outside "
                        "disturbs it")
    parser.add_argument("--paging", choices=("shadow", "nested"), default="nested")
    args = parser.parse_args(argv)

    found: Found = {g: [] for g in GUESTS}
    with benches(host="symbiotic", icount=args.icount) as bench:
        # In turns, so that both see the same weather.
        for number in range(1, args.rounds + 1):
            for guest in GUESTS:
                found[guest].append(run_once(bench, guest, args.paging, args.seconds,
                                             args.threshold))
                say(f"  {guest} run {number}: {found[guest][-1].lost:.3f}% lost")

    lines = [f"Noise under the symbiotic VMM: {args.rounds} runs of {args.seconds:g} s each in "
             f"turns, medians; gaps over {args.threshold:g} ns"
             + (" of instructions" if args.icount else ""), "", *table(found, args.paging)]
    report = measure.Report(args.results, "noise",
                            measure.about(timed=not args.icount, counted=args.icount))
    report.csv(("guest", "run", "from_ns", "detours"),
               [(guest, number, f"{ns:.0f}", f"{count:.0f}") for guest, runs in found.items()
                for number, run in enumerate(runs, 1) for ns, count in run.lengths.items()])
    report.plot("noise", picture(found), "1000,500")
    return report.finish(lines)


if __name__ == "__main__":
    ending.exit_when_told(main)
