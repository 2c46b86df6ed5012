# SPDX-License-Identifier: GPL-2.0
"""The swap window in place, under nested paging, beside all that competes with
it: which jobs run, and the targets and tables of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import report
from jobs import Guest, Job, Outcome
from modes import (FILL, FIRST_TOUCH, FIRST_TOUCH_QUARTER, IN_PLACE, MODES, NESTED, NEVER, QUARTER,
                   ROOMY_AUTO, ROOMY_OFF, SHIFT, SWEEP, ZRAM, Mode, taking_part)
from plan import TARGET_SIZE, Plan
from report import Best, Results, Value
from rig.measure import Target, number, table

# The smallest working set of the sweep over sizes and strides.
SWEEP_FROM = "1024"             # KiB

FIRST_PASSES = 4

# Of the job that fills memory, in a row: the host has memory behind slots that were used.
FILLS = 3
FILL_PASSES = 2
# A spike: working set, as a multiple of the free memory.
SPIKE_SIZE = 4.0


class NestedPlan(Plan):
    """Makes the jobs. All programs run at the size of the targets."""

    def pagings(self, mode: Mode) -> tuple[str, ...]:
        """Nested, where that can be."""
        return (mode.device.paging or "nested",)

    def small_operations(self, mode: Mode, program: str, **more: Any) -> Job:
        """A job of many small operations, whose passes a slow mode cannot end."""
        return self.job(program, mode, self.pagings(mode)[0], self.ws, **more)

    def streams(self, mode: Mode) -> list[Job]:
        """Over incompressible data; over two other kinds where they are what a mode is for."""
        kinds = ("compressible", "constant") if mode.compresses else ("random",)
        return [self.job("stream", mode, self.pagings(mode)[0], self.ws, contents=c)
                for c in kinds]

    def gups(self, mode: Mode) -> Job:
        """Its updates turn the table into what cannot be compressed."""
        short = {"passes": 2} if mode.compresses else {}
        return self.job("gups", mode, self.pagings(mode)[0], self.gups_table(), **short)

    def forkmix(self, mode: Mode) -> Job:
        """Forks and execs."""
        return self.small_operations(mode, "forkmix", passes=3, options=("-u", "20", "-p", "4"),
                                     expect=20)

    def of_mode(self, mode: Mode) -> list[Job]:
        """The jobs of one guest, but for GUPS."""
        jobs = self.streams(mode)
        if mode is IN_PLACE:
            # There is one first pass in a run, and the peers' best of many is
            # compared with it.
            jobs += [dataclasses.replace(jobs[0], repeat=i, passes=2)
                     for i in range(1, FIRST_PASSES)]
        jobs += self.beside_fills(mode)
        if SWEEP in mode.parts:
            # The sweep needs no limit: it prints each point as it is done.
            jobs.append(self.job("memperf", mode, "nested", self.gups_table(), passes=1,
                                 page_out=False, run_limit=10, pass_limit=0, check_limit=0,
                                 expect=15, options=("-f", SWEEP_FROM)))
        return jobs

    def shifting(self, mode: Mode) -> Job:
        """A working set of which another tenth is hot in each pass."""
        job = self.small_operations(mode, "shift", run_limit=0,
                                    options=("-u", "100000", "-H", "95", "-S"))
        # Counted ones, too: pages move in the background, from pass to pass.
        return dataclasses.replace(job, passes=10)

    def beside_fills(self, mode: Mode) -> list[Job]:
        """What first touches are not to make slower."""
        return [self.forkmix(mode),
                self.small_operations(mode, "kv", passes=4, options=("-u", "200000"))]

    def fills(self, mode: Mode) -> list[Job]:
        """Memory that is filled, used a little and given back, some times; and a spike."""
        return [self.job("fill", mode, "nested", ws, passes=FILL_PASSES, page_out=False,
                         run_limit=0, pass_limit=0, time_exit=True, repeat=repeat)
                for ws in (self.ws, self.working_set(SPIKE_SIZE)) for repeat in range(FILLS)]

    def guests(self) -> list[Guest]:
        """All of them."""
        guests = []
        for mode in taking_part(NESTED):
            guests += [self.of_mode(mode), [self.gups(mode)]]
        guests += [self.beside_fills(FIRST_TOUCH)]
        guests += [[self.shifting(mode)] for mode in taking_part(SHIFT)]
        guests += [self.fills(mode) for mode in taking_part(FILL)]
        return [Guest.of(jobs) for jobs in guests]

    def near_one(self) -> list[list[Guest]]:
        """The guests of the targets near 1."""
        return [[Guest.of([*self.streams(mode), self.gups(mode)]),
                 *(Guest.of(jobs) for jobs in others), Guest.of([self.shifting(shifts)]),
                 *(Guest.of(self.fills(filled)) for filled in fills)]
                for mode, others, shifts, fills in (
                    (NEVER, ([self.forkmix(ZRAM)],
                             *map(self.beside_fills, (FIRST_TOUCH, ROOMY_AUTO, ROOMY_OFF))),
                     QUARTER, (NEVER,)),
                    (IN_PLACE, (self.beside_fills(IN_PLACE),), FIRST_TOUCH_QUARTER,
                     (IN_PLACE, FIRST_TOUCH)))]


def targets(results: Results, counted: Results, ws: int, gups_table: int) -> list[Target]:
    """Those at a working set of twice the free memory."""
    def best(found: Results, program: str, mode: Mode, value: Value = Outcome.steady,
             contents: str | None = None) -> Best | None:
        return found.best(value, program, mode, gups_table if program == "gups" else ws, "nested",
                          contents)

    def near_one(text: str, limit: float, program: str, peer: Mode, ours: Mode = IN_PLACE,
                 value: Value = Outcome.steady) -> Target:
        timed, count = ((best(r, program, ours, value), best(r, program, peer, value))
                        for r in (results, counted))
        return report.exact(text, limit, timed, count)

    def filled(text: str, limit: float, size: int, value: Value) -> Target:
        timed, count = ((r.best(value, "fill", FIRST_TOUCH, size, "nested"),
                         r.best(value, "fill", NEVER, size, "nested"))
                        for r in (results, counted))
        return report.exact(text, limit, timed, count)

    def first_pass(contents: str) -> Target:
        return report.over_peer(f"STREAM first pass: zram, {contents} / in place", 10,
                                best(results, "stream", ZRAM, contents=contents),
                                best(results, "stream", IN_PLACE, Outcome.first),
                                best(results, "stream", NEVER))

    return [
        near_one("STREAM steady: in place / never swaps", 1.03, "stream", NEVER),
        near_one("GUPS steady: in place / never swaps", 1.03, "gups", NEVER),
        first_pass("constant"), first_pass("compressible"),
        report.over_peer("Random updates: zram / in place", 15, best(results, "gups", ZRAM),
                         best(results, "gups", IN_PLACE), best(results, "gups", NEVER)),
        # Not dearer. Counts of a mix of processes differ by 0.5 % from run to run.
        near_one("Fork and exec: in place / zram", 1.01, "forkmix", ZRAM),
        near_one("Fork and exec: first touch / in place", 1.01, "forkmix", IN_PLACE, FIRST_TOUCH),
        near_one("Key-value store: first touch / in place", 1.01, "kv", IN_PLACE, FIRST_TOUCH),
        # Counted alone.
        near_one("Fork and exec, enough memory: first touch auto / off", 1.01, "forkmix",
                 ROOMY_OFF, ROOMY_AUTO),
        near_one("Key-value store, enough memory: first touch auto / off", 1.01, "kv",
                 ROOMY_OFF, ROOMY_AUTO),
        # What is hot should not be what the grant is too small for.
        near_one("Other hot keys in each pass, 1/4 granted: first touch / in place", 1, "shift",
                 QUARTER, FIRST_TOUCH_QUARTER, Outcome.all_passes),
        filled("Fill, passes and exit: first touch / never swaps", 1.05, ws, Outcome.whole),
        filled("Fill of a spike, twice as much: first touch / never swaps", 1.1,
               round(ws * SPIKE_SIZE / TARGET_SIZE), lambda outcome: outcome.fill_seconds),
    ]


def sweep_table(results: Results) -> list[str]:
    """Bandwidth of loads over working-set size and stride."""
    found = {o.job.mode: o for o in results.outcomes if o.job.program == "memperf"}
    rates = {mode: {(p.total, int(p.kernel.split()[1])): p.rate
                    for p in reversed(found[mode].passes) if p.kernel.startswith("load ")}
             for mode in MODES if mode in found}
    points = sorted({point for of_mode in rates.values() for point in of_mode})
    if not points:
        return []
    return ["Loads, MB/s by working set and stride (memperf; a sum over all words, the first "
            "pass at each stride)",
            *table(["MiB", "stride", *(mode.name for mode in rates)],
                   [[f"{size / 2**20:g}", stride,
                     *(f"{of_mode[size, stride]:.1f}" if (size, stride) in of_mode else "-"
                       for of_mode in rates.values())] for size, stride in points]), ""]


def shift_table(results: Results, ws: int) -> list[str]:
    """Each pass has other hot keys: how long it takes from pass to pass."""
    rows = []
    for mode in MODES:
        best = results.best(Outcome.steady, "shift", mode, ws)
        if best:
            rows.append([mode.text, *(f"{'' if p.complete else '~'}{p.full_seconds():.2f}"
                                      for p in best.outcome.kernel())])
    if not rows:
        return []
    most = max(map(len, rows))
    return ["Key-value store, 95% of the operations on a tenth of the keys, another tenth in each "
            "pass: seconds per pass",
            *table(["mode", *map(str, range(1, most))],
                   [row + ["-"] * (most - len(row)) for row in rows]), ""]


def fill_table(results: Results, what: str) -> list[str]:
    """Each time that memory was filled, used and given back."""
    rows = [[o.job.mode.text, str(o.job.ws), str(o.job.repeat + 1),
             *(number(seconds, "{:.3f}") for seconds in (
                 o.fill_seconds, sum(p.full_seconds() for p in o.kernel()), o.exit_seconds,
                 o.whole()))]
            for mode in MODES for o in results.outcomes
            if o.job.program == "fill" and o.job.mode is mode and o.whole() is not None]
    if not rows:
        return []
    return [f"Memory filled, used in {FILL_PASSES} passes and given back: {what}",
            *table(["mode", "MiB", "time", "fill", "passes", "exit", "all"], rows), ""]


def memory_text(results: Results) -> list[str]:
    """What is left of the guest's own memory in each mode."""
    found = {o.job.mode: o.memory / 1024 for o in results.outcomes
             if o.memory and o.job.mode.swaps}
    if not found:
        return []
    return ["Memory of a guest, MemTotal in MiB: " + ", ".join(
        f"{mode.name} {found[mode]:.1f}" for mode in MODES if mode in found), ""]


def tables(results: Results, ws: int, gups_table: int, free: int) -> list[str]:
    """The readable tables."""
    lines = []
    for contents in ("random", "constant", "compressible"):
        lines += report.program_table(results, "stream", ws, contents, free)
    for program, size in (("gups", gups_table), ("kv", ws), ("forkmix", ws)):
        lines += report.program_table(results, program, size, "random", free)
    return (lines + report.LEGEND + fill_table(results, "seconds") + shift_table(results, ws) +
            sweep_table(results) + memory_text(results))
