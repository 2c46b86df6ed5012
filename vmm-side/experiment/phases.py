#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A guest that does one thing after the other, under shadow paging, under nested
paging, and with a VMM that chooses: `make bench-phases`.

Forks and execs, STREAM, GUPS, programs that fill their memory, and a key-value
store, in one boot; in time, and in instructions of the whole machine below the
guest. Then what a change of the mode costs, by the size of the data.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rig import Bench, ending, measure
from rig.measure import Target, say

HERE = measure.TOP / "vmm-side" / "experiment"
STATIC = ("shadow", "nested")
PAGINGS = (*STATIC, "auto")
PHASES = ("forks", "stream", "gups", "fills", "kv")
UNITS = {False: "s", True: "10^9 instructions"}
# How often each is done: so that the faster mode takes ten seconds or more.
TIMES = {False: (1300, 70, 60, 22, 160), True: (300, 35, 150, 10, 70)}
# Shorter phases have more of the changes in them.
LONG = 10.0
MOST = 1.05


class Phases(NamedTuple):
    """What one boot gave: seconds, or 10^9 instructions, by phase; changes of the mode."""
    took: dict[str, float]
    switches: dict[str, int]

    @property
    def total(self) -> float:
        """Of all phases."""
        return sum(self.took.values())


# By paging mode, one for each round.
Found = dict[str, list[Phases]]


def run_phases(bench: measure.Runner, paging: str, args: argparse.Namespace,
               times: Sequence[int]) -> Phases:
    """One boot."""
    scale = [max(1, round(n * args.scale)) for n in times]
    result = bench.run(measure.script(HERE / "phases.sh", args.mib, *scale),
                       files=args.programs, paging=paging, guest_mem=args.mib * 2 + 160,
                       timeout=1500)
    lines = [measure.fields(line) for line in measure.checked(result, paging).splitlines()]
    rows = {f["name"]: f for f in lines if "name" in f}
    if set(rows) != set(PHASES):
        raise RuntimeError(f"{paging}: not all phases\n{result.stdout}")
    return Phases({n: float(f["end"]) - float(f["begin"]) for n, f in rows.items()},
                  {n: int(f["switches"]) for n, f in rows.items()})


def best(runs: Sequence[Phases], phase: str) -> float:
    """The fastest of all rounds."""
    return min(run.took[phase] for run in runs)


def total(runs: Sequence[Phases]) -> float:
    """The fastest round."""
    return min(run.total for run in runs)


def targets(found: Found, counted: bool) -> Iterator[Target]:
    """Auto is never much worse than the better of the others, and better over all."""
    unit = UNITS[counted]
    for phase in PHASES:
        static = {p: best(found[p], phase) for p in STATIC}
        auto, low = best(found["auto"], phase), min(static.values())
        if low >= LONG or counted:
            yield Target(f"{phase}, {unit}: auto / the better mode", auto / low, MOST,
                         form="{:.3f}", detail=f"{auto:.2f} / {low:.2f}; "
                         + ", ".join(f"{p} {v:.2f}" for p, v in static.items()))
    auto, low = total(found["auto"]), min(total(found[p]) for p in STATIC)
    yield Target(f"all, {unit}: auto / the better mode", auto / low, 1.0, form="{:.3f}",
                 detail=f"{auto:.2f} / {low:.2f}")


def table(found: Found, counted: bool) -> list[str]:
    """The lines of one table."""
    rows = [[phase, *(f"{best(found[p], phase):.2f}" for p in PAGINGS),
             " ".join(str(run.switches[phase]) for run in found["auto"])] for phase in PHASES]
    rows.append(["all", *(f"{total(found[p]):.2f}" for p in PAGINGS), ""])
    return measure.table([UNITS[counted], *PAGINGS, "changes by then"], rows)


# ---- what a change costs --------------------------------------------------------

SIZES = (1, 4, 16, 64)
PAIRS = 5
# Updates of a pass, which reach every page, and passes, which take longer than the changes.
# Counted, a pass costs the same in either mode, so what is more is the changes'.
UPDATES, PASSES = 1_000_000, 600


class Change(NamedTuple):
    """What a pair of changes costs, there and back."""
    mib: int
    cost: float                 # as above
    steady: float               # a pass without
    exits: float


def cost_of_change(bench: measure.Runner, mib: int, args: argparse.Namespace) -> Change:
    """Passes over all of the data while the mode changes, against the same without."""
    def run(paging: str, host_cmd: str) -> tuple[float, int]:
        result = bench.run(f"exec ./gups -m {mib} -u {UPDATES} -n {PASSES}", files=args.programs,
                           paging=paging, guest_mem=mib + 160, host_cmd=host_cmd, timeout=900)
        out = measure.checked(result, f"{mib} MiB")
        took = [float(f["seconds"]) for f in map(measure.fields, out.splitlines())
                if f.get("kernel") == "update"]
        if len(took) != PASSES or host_cmd and result.host_status != 0:
            raise RuntimeError(f"{mib} MiB: no result\n{out}{result.host_out}")
        return sum(took), result.host_after.get("exits", 0) - result.host_before.get("exits", 0)

    calm = [run(f"vm-{paging}", "") for paging in STATIC]
    took, exits = run("vm-nested", measure.script(HERE / "flips.sh", PAIRS))
    return Change(mib, (took - sum(t for t, _ in calm) / 2) / PAIRS, took / PASSES,
                  (exits - sum(e for _, e in calm) / 2) / PAIRS)


def changes_table(found: Sequence[Change]) -> list[str]:
    """The lines of one table."""
    return measure.table(
        ["MiB", f"{UNITS[True]} of a pair of changes", "exits", "a pass"],
        [[c.mib, f"{c.cost:.4f}", f"{c.exits:.0f}", f"{c.steady:.4f}"] for c in found])


# ---------------------------------------------------------------------------------

def main(argv: Sequence[str] | None = None, benches: measure.Benches = Bench) -> int:
    """Runs the experiment; returns the exit status."""
    parser = measure.arguments(__doc__, targets=True, time_only=True)
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--scale", type=float, default=1.0, help="of all phases")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--part", choices=("phases", "changes", "all"), default="all")
    parser.add_argument("--programs", default=measure.PROGRAMS)
    args = parser.parse_args(argv)
    if benches is Bench:
        measure.build_programs(args.programs)

    lines: list[str] = []
    wanted: list[Target] = []
    rows: list[tuple[object, ...]] = []
    for counted in (False,) if args.time_only else (False, True):
        with benches(host="symbiotic", icount=counted) as bench:
            # Counted instructions nearly repeat: one round is enough.
            rounds = range(1, 2 if counted else args.rounds + 1)
            found: Found = {p: [] for p in PAGINGS}
            for number, paging in itertools.product(rounds, PAGINGS):
                if args.part == "changes":
                    continue
                found[paging].append(run_phases(bench, paging, args, TIMES[counted]))
                say(f"  {paging}, round {number}: {found[paging][-1].total:.1f} {UNITS[counted]}")
            if args.part != "changes":
                lines += ["", *table(found, counted)]
                wanted += targets(found, counted)
                rows += [(p, number, phase, f"{run.took[phase]:.3f}", UNITS[counted],
                          run.switches[phase])
                         for p in PAGINGS for number, run in enumerate(found[p], 1)
                         for phase in PHASES]
            if args.part != "phases" and counted:
                changes = [cost_of_change(bench, mib, args) for mib in SIZES]
                lines += ["", *changes_table(changes)]
                rows += [("changes", 1, f"{c.mib} MiB", f"{c.cost:.5f}", UNITS[counted], 2)
                         for c in changes]

    report = measure.Report(args.results, "phases", measure.about(counted=not args.time_only))
    report.csv(("paging", "round", "what", "value", "unit", "changes"), rows)
    return report.finish(lines, wanted, args.strict)


if __name__ == "__main__":
    ending.exit_when_told(main)
