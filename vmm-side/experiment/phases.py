#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A guest that does one thing after the other, under shadow paging, under nested
paging, and with a VMM that chooses: `make bench-phases`.

Forks and execs, STREAM, GUPS, programs that fill their memory, and a key-value
store, in one boot; in time, and in instructions of the whole machine below the
guest. Then what a change of the mode costs, by the size of the data; and what a VM
has of another one on its host, which changes its mode.
"""

from __future__ import annotations

import argparse
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rig import Bench, ending, measure
from rig.measure import Target, say

HERE = measure.TOP / "vmm-side" / "experiment"
STATIC = ("shadow", "nested")
PAGINGS = (*STATIC, "auto")
PARTS = ("phases", "changes", "two")
PHASES = ("forks", "stream", "gups", "fills", "kv")
UNITS = {False: "s", True: "10^9 instructions"}
# A short run, with each done so often, says how often it takes the faster mode LONG or more. A
# shorter phase has more of the changes in it, and is not judged.
PROBE = (260, 14, 12, 3, 3)
LONG, AIM = 10.0, 13.0
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
    result = bench.run(measure.script(HERE / "phases.sh", args.mib, *times),
                       files=args.programs, paging=paging, guest_mem=args.mib * 2 + 160,
                       timeout=3600)
    lines = [measure.fields(line) for line in measure.checked(result, paging).splitlines()]
    rows = {f["name"]: f for f in lines if "name" in f}
    if set(rows) != set(args.phases):
        raise RuntimeError(f"{paging}: not all phases\n{result.stdout}")
    return Phases({n: float(f["end"]) - float(f["begin"]) for n, f in rows.items()},
                  {n: int(f["switches"]) for n, f in rows.items()})


def phases_of(found: Found) -> list[str]:
    """Those that were done."""
    return list(found["auto"][0].took)


def times_of(bench: measure.Runner, args: argparse.Namespace) -> list[int]:
    """How often each phase is done."""
    probe = [n if phase in args.phases else 0 for n, phase in zip(PROBE, PHASES)]
    runs = [run_phases(bench, paging, args, probe) for paging in STATIC]
    return [math.ceil(n * AIM * args.scale / max(best(runs, phase), 0.01)) if n else 0
            for n, phase in zip(probe, PHASES)]


def best(runs: Sequence[Phases], phase: str) -> float:
    """The fastest of all rounds."""
    return min(run.took[phase] for run in runs)


def total(runs: Sequence[Phases]) -> float:
    """The fastest round."""
    return min(run.total for run in runs)


def targets(found: Found, counted: bool) -> Iterator[Target]:
    """Auto is never much worse than the better of the others, and better over all phases; the
    latter in time alone, since in instructions nested paging has no price: see overall()."""
    unit = UNITS[counted]
    for phase in phases_of(found):
        static = {p: best(found[p], phase) for p in STATIC}
        auto, low = best(found["auto"], phase), min(static.values())
        short = low < LONG
        yield Target(f"{phase}, {unit}: auto / the better mode", None if short else auto / low,
                     MOST, form="{:.3f}", detail=f"{auto:.2f} / {low:.2f}; "
                     + ", ".join(f"{p} {v:.2f}" for p, v in static.items())
                     + (f"; shorter than {LONG:.0f}" if short else ""))
    if not counted and set(phases_of(found)) == set(PHASES):
        yield overall(found, counted)


def overall(found: Found, counted: bool) -> Target:
    """All phases together. A TLB miss is no instruction: counted, nested paging is the least that
    can be, and this is only to be seen."""
    auto, low = total(found["auto"]), min(total(found[p]) for p in STATIC)
    return Target(f"all, {UNITS[counted]}: auto / the better mode", auto / low, 1.0,
                  form="{:.3f}", detail=f"{auto:.2f} / {low:.2f}")


def table(found: Found, counted: bool) -> list[str]:
    """The lines of one table."""
    rows = [[phase, *(f"{best(found[p], phase):.2f}" for p in PAGINGS),
             " ".join(str(run.switches[phase]) for run in found["auto"])]
            for phase in phases_of(found)]
    rows.append(["all", *(f"{total(found[p]):.2f}" for p in PAGINGS), ""])
    return measure.table([UNITS[counted], *PAGINGS, "changes by then"], rows)


# ---- what a change costs --------------------------------------------------------

CHANGE_MIB = 256


class Change(NamedTuple):
    """What it takes until all of so much data is mapped again: seconds, or 10^9 instructions;
    exits."""
    mib: int
    to: str                     # the mode
    cost: float
    call: float                 # of that, the system call of who changes it
    exits: int
    steady: float               # a pass over the data without


def changes(bench: measure.Runner) -> list[Change]:
    """As KVM's tests measure it, whose guest has no operating system."""
    out = measure.checked(bench.run_l1(f"symbiotic_test -m {CHANGE_MIB} paging-cost",
                                       paging="nested", timeout=900))
    found = [Change(int(f["mib"]), f["to"], int(f["ns"]) / 1e9, int(f["call"]) / 1e9,
                    int(f["exits"]), int(f["pass"]) / 1e9)
             for f in map(measure.fields, out.splitlines()) if "mib" in f]
    if not found or found[-1].mib != CHANGE_MIB:
        raise RuntimeError(f"no cost of changes:\n{out}")
    return found


def changes_table(found: Sequence[Change], counted: bool) -> list[str]:
    """The lines of one table."""
    unit = "10^6 instructions" if counted else "ms"
    return measure.table(
        ["a change, MiB of data", "to", unit, "of it the call", "exits", "a pass without"],
        [[c.mib, c.to, f"{c.cost * 1000:.3f}", f"{c.call * 1000:.3f}", c.exits,
          f"{c.steady * 1000:.3f}"] for c in found])


# ---- two VMs --------------------------------------------------------------------

GUPS_TIMES = 40


class Two(NamedTuple):
    """What GUPS took beside another VM, in seconds, by what that did; changes of its mode."""
    took: dict[str, float]
    changes: int


BESIDE = ("rests", "works", "works, and changes its mode")


def two(bench: measure.Runner, args: argparse.Namespace) -> Two:
    """One boot of both; each has a processor of the host's, if there are two."""
    result = bench.run(measure.script(HERE / "two.sh", args.mib,
                                      max(1, round(GUPS_TIMES * args.scale))),
                       files=args.programs, paging="vm-shadow", guest_mem=args.mib + 128,
                       host_cmd=measure.script(HERE / "two_host.sh"), timeout=1800)
    lines = [measure.fields(line) for line in measure.checked(result, "two").splitlines()]
    took = {f["step"]: float(f["end"]) - float(f["begin"]) for f in lines if "step" in f}
    changed = measure.fields(result.host_out)
    if len(took) != len(BESIDE) or not int(changed.get("changes", 0)):
        raise RuntimeError(f"two: not all of it\n{result.stdout}{result.host_out}")
    return Two(dict(zip(BESIDE, took.values())), int(changed["changes"]))


def two_table(found: Two) -> list[str]:
    """The lines of one table."""
    rests, works, changing = found.took.values()
    rows = [[what, f"{took:.2f}", f"{took / rests:.3f}"] for what, took in found.took.items()]
    return [*measure.table(["GUPS, while the other VM", "s", "to the first"], rows),
            f"  {found.changes} changes in {changing:.0f} s; with them / without: "
            f"{changing / works:.3f}"]


# ---------------------------------------------------------------------------------

def main(argv: Sequence[str] | None = None, benches: measure.Benches = Bench) -> int:
    """Runs the experiment; returns the exit status."""
    parser = measure.arguments(__doc__, targets=True, time_only=True)
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--scale", type=float, default=1.0, help="of all phases")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--part", choices=(*PARTS, "all"), default="all")
    parser.add_argument("--phases", type=lambda text: text.split(","), default=PHASES,
                        help="only these, of " + ",".join(PHASES))
    parser.add_argument("--programs", default=measure.PROGRAMS)
    args = parser.parse_args(argv)
    if not set(args.phases) <= set(PHASES):
        parser.error("phases are " + ", ".join(PHASES))
    if benches is Bench:
        measure.build_programs(args.programs)

    parts = PARTS if args.part == "all" else (args.part,)
    lines: list[str] = []
    wanted: list[Target] = []
    rows: list[tuple[object, ...]] = []
    # Where clocks count instructions there is one processor for two VMs.
    timed_only = args.time_only or parts == ("two",)
    for counted in (False,) if timed_only else (False, True):
        with benches(host="symbiotic", icount=counted) as bench:
            # Counted instructions nearly repeat: one round is enough.
            rounds = range(1, 2 if counted else args.rounds + 1)
            if "phases" in parts:
                found: Found = {p: [] for p in PAGINGS}
                times = times_of(bench, args)
                for number, paging in itertools.product(rounds, PAGINGS):
                    found[paging].append(run_phases(bench, paging, args, times))
                    say(f"  {paging}, round {number}: {found[paging][-1].total:.1f} "
                        f"{UNITS[counted]}")
                lines += ["", "how often: " + ", ".join(
                    f"{phase} {n}" for phase, n in zip(PHASES, times) if n),
                    *table(found, counted)]
                if counted:
                    of_all = overall(found, counted)
                    lines.append(f"  {of_all.text}: {of_all.value:.3f}, no target")
                wanted += targets(found, counted)
                rows += [(p, number, phase, f"{run.took[phase]:.3f}", UNITS[counted],
                          run.switches[phase])
                         for p in PAGINGS for number, run in enumerate(found[p], 1)
                         for phase in phases_of(found)]
            if "changes" in parts:
                costs = changes(bench)
                lines += ["", *changes_table(costs, counted)]
                rows += [(f"to {c.to}", 1, f"{c.mib} MiB, {what}", value, unit, 1)
                         for c in costs
                         for what, value, unit in (("cost", f"{c.cost:.6f}", UNITS[counted]),
                                                   ("call", f"{c.call:.6f}", UNITS[counted]),
                                                   ("cost", c.exits, "exits"))]
            if "two" in parts and not counted:
                beside = two(bench, args)
                lines += ["", *two_table(beside)]
                rows += [("vm-shadow", 1, f"gups while the other VM {what}", f"{took:.3f}", "s",
                          beside.changes if what == BESIDE[-1] else 0)
                         for what, took in beside.took.items()]

    report = measure.Report(args.results, "phases", measure.about(counted=not timed_only))
    report.csv(("paging", "round", "what", "value", "unit", "changes"), rows)
    return report.finish(lines, wanted, args.strict)


if __name__ == "__main__":
    ending.exit_when_told(main)
