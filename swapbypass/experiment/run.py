#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The swap-pressure experiment: the same programs and working sets in guests
that never swap, swap to virtio-blk, zram or symswap, or use SwapBypass.

Ends with a table, the targets of SwapBypass, a CSV file and plots in
results/<date>/. The exit status tells whether all jobs ran and all data was
right; a missed target shows in the table alone unless --strict is given.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import dataclasses
import pathlib
import re
import time
from collections.abc import Sequence

import jobs
import nested
import report
from jobs import Guest, Job, Outcome
from modes import PRESSURE, taking_part
from plan import EXTRA_TIER, Plan
from report import Results
from rig import Bench, ending, hardware, measure
from rig.guest import HOSTS
from rig.measure import say
from sharing import Sharing

CALIBRATION_MEM = 144


def run_guest(bench: measure.Runner, guest: Guest, files: pathlib.Path) -> list[Outcome]:
    """Boots a guest for its jobs; whatever goes wrong becomes their error."""
    start = time.monotonic()

    def failed(error: str, hung: bool = False) -> list[Outcome]:
        wall = time.monotonic() - start
        return [Outcome(job, wall, error=error, hung=hung) for job in guest.jobs]

    try:
        result = bench.run(guest.command(), files=files, **guest.options())
    except Exception as error:
        return failed(f"{type(error).__name__}: {error}")
    if result.status is None:
        # The rig says why; its first line is enough here, the rest is for
        # the log.
        if not guest.jobs[0].hopeless():
            say("         " + result.explain().replace("\n", "\n         | "))
        return failed((result.error or "no status").split("\n", 1)[0], True)

    wall = (time.monotonic() - start) / len(guest.jobs)
    moments = [result.host_before, *result.host_marks, result.host_after]
    return [jobs.parse(job, wall, part, before, after) for job, part, before, after in
            zip(guest.jobs, guest.parts(result.stdout, result.stderr), moments, moments[1:])]


def describe(outcome: Outcome) -> str:
    """The progress line of a finished job."""
    if outcome.no_room():
        return f"{outcome.error} ({outcome.wall:.0f} s), as expected"
    if outcome.error:
        return f"FAILED after {outcome.wall:.0f} s: {outcome.error}"
    passes = outcome.kernel()
    text = f"first {measure.number(outcome.first())} s"
    if len(passes) > 1:
        text += f", steady {measure.number(outcome.steady())} s"
    last = passes[-1]
    if not last.complete:
        text += (f"; pass {last.number} cut short after {last.seconds:.1f} s, "
                 f"{100 * last.work / last.total:.0f}% done")
    if outcome.verified and outcome.verified[0] != outcome.verified[1]:
        checked, total = outcome.verified
        text += f"; verified {100 * checked / total:.0f}% of the data"
    return text + f"  [{outcome.wall:.0f} s]"


def say_outcomes(outcomes: list[Outcome]) -> None:
    """One line for each job of a guest."""
    for outcome in outcomes:
        say(f"         {outcome.job.name()}: {describe(outcome)}")


def calibrate(bench: measure.Runner, files: pathlib.Path) -> int:
    """MiB that a guest needs for itself."""
    out = measure.checked(bench.run("cat /proc/meminfo", files=files, guest_mem=CALIBRATION_MEM,
                                    paging="shadow", swap="none", timeout=120), "the first guest")
    found = re.search(r"^MemAvailable:\s+(\d+) kB", out, re.M)
    if not found:
        raise RuntimeError(f"the first guest did not tell its free memory\n{out}")
    return CALIBRATION_MEM - int(found[1]) // 1024


def highest_tier(guests: Sequence[Guest], seconds: float) -> int:
    """The highest tier with which all guests are expected to fit."""
    for tier in range(EXTRA_TIER, 0, -1):
        left = [g.up_to(tier) for g in guests]
        if sum(g.expect() for g in left if g) <= seconds:
            return tier
    return 0


def run_all(bench: measure.Runner, todo: Sequence[Guest], files: pathlib.Path,
            deadline: float = 0) -> tuple[list[Outcome], list[Job]]:
    """Runs the jobs of the guests in @todo; returns the outcomes and the jobs
    that were left out."""
    outcomes: list[Outcome] = []
    left_out: list[Job] = []
    start = time.monotonic()
    expected = 0.0
    for number, guest in enumerate(todo, 1):
        spent = time.monotonic() - start
        if deadline:
            # As fast or slow as this machine was so far.
            pace = spent / expected if expected else 1
            tier = highest_tier(todo[number - 1:], (deadline - spent) / pace)
            left_out += [j for j in guest.jobs if j.tier > tier]
            left = guest.up_to(tier)
            if not left:
                continue
            guest = left
        expected += guest.expect()
        say(f"[{spent:4.0f} s] {number}/{len(todo)} {guest.name()} ...")
        done = run_guest(bench, guest, files)
        outcomes += done
        say_outcomes(done)
        if done[0].hung and not done[0].no_room():
            # Guests of an emulated host hang now and then. The hang stays
            # in the report; the second try is for the number.
            done = run_guest(bench, guest, files)
            outcomes += done
            say("         again:")
            say_outcomes(done)
    return outcomes, left_out


def count_near_one(benches: measure.Benches, plan: Plan, files: pathlib.Path) -> list[Outcome]:
    """Runs the jobs of the targets near 1 once more on machines that count
    instructions. What else a processor does changes no count, so that two
    machines run at a time."""
    say()
    say("What is compared within a few percent, in instructions: 10^9 of them are a second")

    def on_machine(guests: list[Guest]) -> list[Outcome]:
        with benches(host=plan.host, icount=True, smp=1) as bench:
            return run_all(bench, guests, files)[0]

    halves = type(plan)(plan.free, plan.overhead, host=plan.host, icount=True).near_one()
    with concurrent.futures.ThreadPoolExecutor(len(halves)) as pool:
        return [o for done in pool.map(on_machine, halves) for o in done]


@dataclasses.dataclass
class Measured:
    """All that one run of the experiment gave."""
    plan: Plan
    outcomes: list[Outcome]
    left_out: list[Job]
    sharing: Sharing | None     # in the experiment that has it
    counted: list[Outcome]

    def targets(self) -> list[measure.Target]:
        """Those of this experiment."""
        if self.plan.host != "symbiotic":
            return []
        make = nested.targets if self.sharing else report.targets
        found = make(Results(self.outcomes), Results(self.counted), self.plan.ws,
                     self.plan.gups_table())
        return found + (self.sharing.targets() if self.sharing else [])

    def lost(self) -> bool:
        """Whether something is missing, or wrong."""
        return bool(Results(self.outcomes).lost() or Results(self.counted).lost() or
                    self.sharing and self.sharing.errors)

    def text(self) -> list[str]:
        """The lines of the report."""
        plan, results, counted = self.plan, Results(self.outcomes), Results(self.counted)
        tables = nested.tables if self.sharing else report.tables
        lines = ["", *tables(results, plan.ws, plan.gups_table(), plan.free)]
        if self.sharing:
            lines += self.sharing.text()
            lines += nested.fill_table(counted, "10^9 instructions")
        lines += report.noise_text(results, plan.ws)
        lines += report.memory_text(self.outcomes, plan.free)
        if not self.sharing and not plan.full and plan.host != "bare-metal":
            lines.append("Peers ran in the paging mode that was better for them when both were "
                         "measured: " + ", ".join(f"{m.name} {m.better}" for m in
                                                  taking_part(PRESSURE) if m.copies))
        lines += [f"left out for lack of time: {job.name()}" for job in self.left_out]
        lost = results.lost() + counted.lost()
        for outcome in results.failed + counted.failed:
            word = "FAILED" if outcome in lost else "failed, but not when repeated"
            lines.append(f"{word}: {outcome.job.name()}: {outcome.error}")
        return lines


def write_report(found: Measured, args: argparse.Namespace) -> int:
    """Prints and stores everything; returns the exit status."""
    about = measure.about(args.host, timed=not args.icount,
                          counted=args.icount or bool(found.counted))
    out = measure.Report(args.results, "nested" if args.nested else "", about)
    out.csv(report.CSV_COLUMNS, report.csv_rows(
        [(o, about.row(args.icount)) for o in found.outcomes] +
        [(o, about.row(True)) for o in found.counted]))
    for program in ("stream", "gups"):
        lines = report.picture(Results(found.outcomes), program, found.plan.free)
        if lines:
            out.plot(program, lines)
    status = out.finish(found.text(), found.targets(), args.strict,
                        "Targets, at a working set of twice the guest's free memory:")
    return 1 if found.lost() else status


def arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses the command line."""
    parser = measure.arguments(__doc__, targets=True, time_only=True)
    parser.add_argument("--full", action="store_true",
                        help="the full sweep: all sizes, both paging modes")
    parser.add_argument("--nested", action="store_true",
                        help="the swap window in place, under nested paging, and its peers")
    parser.add_argument("--host", choices=HOSTS, default="symbiotic",
                        help="the machine under the guest; without SwapBypass on the others")
    parser.add_argument("--free", type=int, metavar="MiB",
                        help="free memory of the guest (default 64; with --nested, which has "
                        "many more guests, 32)")
    parser.add_argument("--icount", action="store_true",
                        help="count instructions (10^9 are a second) instead of measuring time; "
                        "on an emulated machine")
    parser.add_argument("--seconds", type=float, default=280,
                        help="leave out points of the plot to take no longer for the part in time "
                        "(not with --full)")
    parser.add_argument("--programs", type=pathlib.Path, default=measure.PROGRAMS,
                        help="directory with the static programs")
    parser.add_argument("--only", metavar="PATTERN", help="run only jobs whose name matches")
    parser.add_argument("--list", action="store_true", help="print the jobs and end")
    args = parser.parse_args(argv)
    args.free = args.free or (32 if args.nested else 64)
    return args


def list_jobs(plan: Plan) -> None:
    """Prints the jobs, those of a guest behind its first."""
    for guest in plan.guests():
        for job in guest.jobs:
            say(("" if job is guest.jobs[0] else "  ") + job.name() +
                (f" (tier {job.tier})" if job.tier else ""))


def main(argv: Sequence[str] | None = None, benches: measure.Benches = Bench) -> int:
    """Runs the experiment; returns the exit status."""
    args = arguments(argv)
    kind = nested.NestedPlan if args.nested else Plan
    if args.list:
        list_jobs(kind(args.free, 50, args.full, host=args.host))
        return 0
    if benches is Bench:
        measure.build_programs(args.programs)

    counting = not (args.time_only or args.icount or args.only or args.host != "symbiotic" or
                    hardware.kind() != "emulated")
    with benches(host=args.host, icount=args.icount, smp=1 if args.icount else 2) as bench:
        overhead = calibrate(bench, args.programs)
        plan = kind(args.free, overhead, args.full, host=args.host, icount=args.icount,
                    repeats=1 if args.icount or counting else 2, counted=counting)
        todo = plan.guests()
        if args.only:
            todo = [Guest.of([j]) for g in todo for j in g.jobs if re.search(args.only, j.name())]
        say(f"a guest needs {overhead} MiB for itself: {overhead + args.free} MiB of memory leave "
            f"{args.free} MiB free")
        outcomes, left_out = run_all(bench, todo, args.programs,
                                     0 if args.full or args.nested else args.seconds)
        sharing = Sharing.measure(bench, plan, args.programs) if args.nested else None
    counted = count_near_one(benches, plan, args.programs) if counting else []
    return write_report(Measured(plan, outcomes, left_out, sharing, counted), args)


if __name__ == "__main__":
    ending.exit_when_told(main)
