#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""HPC Challenge, of the package hpcc, with one process, as a judge that is not ours: on the
machine itself, under shadow paging, under nested paging, and with a VMM that chooses:
`make bench-hpcc`.

What it reports are rates; so here, in time, and where clocks count instructions: there a
second is 10^9 instructions of the whole machine below the guest.
"""

from __future__ import annotations

import argparse
import itertools
import pathlib
import re
import subprocess
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from rig import Bench, ending, measure
from rig.measure import Target, say

HERE = measure.TOP / "vmm-side" / "experiment"
# Where it runs, as options of a guest.
NATIVE = "native"
STATIC = ("shadow", "nested")
PLACES: dict[str, dict[str, Any]] = {
    NATIVE: {"host": "bare-metal"}, **{p: {"paging": p} for p in (*STATIC, "auto")}}
UNITS = {False: "s", True: "10^9 instructions"}
# Of a rate: what it is called here, and there, and what it counts: 10^9 of these.
RATES = {
    "RandomAccess": ("MPIRandomAccess_GUPs", "updates", 1.0),
    "RandomAccess, local": ("SingleRandomAccess_GUPs", "updates", 1.0),
    "HPL": ("HPL_Tflops", "flop", 1000.0),
    "DGEMM": ("SingleDGEMM_Gflops", "flop", 1.0),
    "PTRANS": ("PTRANS_GBs", "bytes", 1.0),
    "STREAM triad": ("SingleSTREAM_Triad", "bytes", 1.0),
    "FFT": ("SingleFFT_Gflops", "flop", 1.0),
}
JUDGED = ("RandomAccess", "HPL")
MOST = 1.05


class Report(NamedTuple):
    """What one run has reported: rates by their names here, and about it."""
    rates: dict[str, float]
    about: dict[str, str]


# By place, one for each round.
Found = dict[str, list[Report]]


def read_report(text: str) -> Report:
    """Of a run in which all was right; else an error."""
    summary = dict(re.findall(r"^(\w+)=(\S+)$", text, re.M))
    wrong = [f"{name}={value}" for name, value in summary.items()
             if name.endswith("_Errors") and value != "0"]
    if summary.get("Success") != "1" or wrong or "FAILED" in text or \
            not re.search(r"^\|\|Ax-b\|\|.* PASSED$", text, re.M):
        raise RuntimeError(f"HPC Challenge: not all is right: {' '.join(wrong)}\n{text}")
    return Report({name: float(summary[there]) * factor
                   for name, (there, _, factor) in RATES.items()}, summary)


def run_hpcc(bench: measure.Runner, place: str, args: argparse.Namespace) -> Report:
    """One boot."""
    # Three matrices: its own, and what others of its parts need at the same time.
    memory = 192 + 3 * 8 * args.n ** 2 // 2 ** 20
    result = bench.run(measure.script(HERE / "hpcc.sh", args.n, args.nb), files=args.programs,
                       guest_mem=memory, timeout=3600, **PLACES[place])
    return read_report(measure.checked(result, place))


def best(found: Found, place: str, what: str) -> float:
    """The highest rate of all rounds."""
    return max(report.rates[what] for report in found[place])


def targets(found: Found, counted: bool) -> Iterator[Target]:
    """Auto is never much slower than the better of the other modes."""
    for what in JUDGED:
        rates = {place: best(found, place, what) for place in PLACES}
        yield Target(f"{what}, {UNITS[counted]}: the better mode / auto",
                     max(rates[p] for p in STATIC) / rates["auto"], MOST, form="{:.3f}",
                     detail=", ".join(f"{place} {rate:.4g}" for place, rate in rates.items()))


def table(found: Found, counted: bool) -> list[str]:
    """The lines of one table: rates, and how near to native they are."""
    rows = []
    for what, (_, of, _) in RATES.items():
        rates = {place: best(found, place, what) for place in PLACES}
        rows.append([what, of, *(f"{rate:.4f}" for rate in rates.values()),
                     *(f"{rates[p] / rates[NATIVE]:.2f}" for p in PLACES if p != NATIVE)])
    return measure.table(["rate", f"10^9 of, per {UNITS[counted]}", *PLACES,
                          *(f"{p}/{NATIVE}" for p in PLACES if p != NATIVE)], rows)


def title(about: dict[str, str]) -> str:
    """What was run: all that decides how large it is."""
    version = ".".join(about[f"Version{part}"] for part in ("Major", "Minor", "Micro"))
    return (f"HPC Challenge {version}, one process: HPL of {about['HPL_N']}, blocks of "
            f"{about['HPL_NB']}; RandomAccess of {int(about['MPIRandomAccess_N']) >> 17} MiB, "
            f"{about['MPIRandomAccess_ExeUpdates']} updates; "
            f"STREAM of {about['STREAM_VectorSize']}, FFT of {about['FFT_N']}")


def main(argv: Sequence[str] | None = None, benches: measure.Benches = Bench) -> int:
    """Runs the experiment; returns the exit status."""
    parser = measure.arguments(__doc__, targets=True, time_only=True)
    parser.add_argument("--n", type=int, default=2000, help="the matrix of HPL has N x N")
    parser.add_argument("--nb", type=int, default=80, help="in blocks of NB x NB")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--programs", type=pathlib.Path,
                        default=measure.TOP / "build" / "hpcc")
    args = parser.parse_args(argv)
    if benches is Bench:
        subprocess.run([HERE / "hpcc_files.sh", args.programs], check=True)

    lines: list[str] = []
    wanted: list[Target] = []
    rows: list[tuple[object, ...]] = []
    for counted in (False,) if args.time_only else (False, True):
        with benches(host="symbiotic", icount=counted) as bench:
            found: Found = {place: [] for place in PLACES}
            # Counted instructions nearly repeat: one round is enough.
            rounds = range(1, 2 if counted else args.rounds + 1)
            for number, place in itertools.product(rounds, PLACES):
                report = run_hpcc(bench, place, args)
                found[place].append(report)
                say(f"  {place}, round {number}: " + ", ".join(
                    f"{what} {report.rates[what]:.4f}" for what in JUDGED) +
                    f"; {report.about['paging_switches']} changes of the mode")
                rows += [(place, number, what, f"{rate:.6g}", f"10^9 {RATES[what][1]}",
                          UNITS[counted]) for what, rate in report.rates.items()]
        lines = lines or [title(found[NATIVE][0].about)]
        lines += ["", *table(found, counted)]
        wanted += targets(found, counted)

    made = measure.Report(args.results, "hpcc", measure.about(counted=not args.time_only))
    made.csv(("place", "round", "rate", "value", "of", "per"), rows)
    return made.finish(lines, wanted, args.strict)


if __name__ == "__main__":
    ending.exit_when_told(main)
