# SPDX-License-Identifier: GPL-2.0
"""Which jobs the default experiment and the full sweep run, and which of them
share a guest to save its boot. What the targets need always runs; the other points
of the plot have tiers, so that a slow machine loses the same points of every
curve."""

from __future__ import annotations

import dataclasses
from typing import Any

from jobs import KERNELS, Guest, Job
from modes import BYPASS, NEVER, NO_PRESSURE, PRESSURE, SYMSWAP, VIRTIO, ZRAM, Mode, taking_part

# Working sets as multiples of the guest's free memory.
TARGET_SIZE = 2.0

# The other points of the plot, by multiple of the free memory: their tier. The
# first one always runs: one point is no curve.
SIZE_TIERS = {0.5: 0, 3.0: 1, 1.5: 2, 1.0: 3}
EXTRA_TIER = 4

GUPS_UPDATES = 1_000_000
# Whose GUPS a target compares.
GUPS_TARGETS = (VIRTIO, ZRAM)


@dataclasses.dataclass
class Plan:
    """Makes the jobs for a guest with @free MiB of free memory, when the kernel and user space
    of such a guest take @overhead MiB."""
    free: int
    overhead: int
    full: bool = False
    host: str = "symbiotic"
    icount: bool = False
    # Of what is compared within a few percent; where clocks count instructions nothing is
    # gained by repeating.
    repeats: int = 1
    # What is compared within a few percent is counted afterwards: the jobs for nothing else
    # are not run in time.
    counted: bool = False

    def working_set(self, size: float) -> int:
        """MiB of a working set of @size times the free memory."""
        return max(3, round(self.free * size))

    @property
    def ws(self) -> int:
        """The working set at which the targets are judged."""
        return self.working_set(TARGET_SIZE)

    def gups_table(self, size: float = TARGET_SIZE) -> int:
        """The largest power of two that is not above the working set."""
        return 1 << (self.working_set(size).bit_length() - 1)

    def memory(self, mode: Mode, ws: int) -> int:
        """Guest memory for a job."""
        # Enough that not even the page cache is under pressure.
        return self.overhead + (ws + 128 if mode.roomy else self.free)

    def job(self, program: str, mode: Mode, paging: str, ws: int, **more: Any) -> Job:
        """A job with the limits that the mode needs."""
        pressure = not mode.roomy and ws > self.free
        slow = mode.copies and pressure
        args: dict[str, Any] = {
            # Good ones of many short passes stand out of a noisy machine.
            "passes": 16, "expect": 2 + ws * (0.15 if pressure else 0.05)}
        if program == "gups":
            args.update(updates=GUPS_UPDATES, passes=9)
        if slow:
            # Many passes of a fast peer, one of a slow one.
            args.update(passes=12, pass_limit=12, run_limit=6, check_limit=3, expect=20)
            if program == "gups":
                args.update(pass_limit=5, run_limit=0)
            if mode.crawls:
                args.update(page_out=False)
            if self.full:
                args.update(pass_limit=90, run_limit=60, check_limit=30, expect=150)
        args.update(more)
        if self.icount:
            # Such a second takes five to ten.
            args.update(passes=min(2, args["passes"]), run_limit=0, expect=args["expect"] * 1.5)
            if slow:
                args.update(pass_limit=2, check_limit=0.2)
                if program == "gups" or mode.crawls:
                    args.update(pass_limit=1, passes=1)
        return Job(program, mode, paging, ws, self.memory(mode, ws), **args)

    def pagings(self, mode: Mode) -> tuple[str, ...]:
        """The paging modes to run a mode in; the better one alone, but for the full sweep,
        which judges by the better again."""
        if self.host == "bare-metal":
            return ("none",)
        return mode.pagings if self.full or mode is NEVER else mode.pagings[:1]

    def pairs(self, mode: Mode, repeat: int) -> list[Job]:
        """STREAM and GUPS at the size of the targets."""
        paging = self.pagings(mode)[0]
        return [self.job("stream", mode, paging, self.ws, repeat=repeat,
                         time_exit=mode is BYPASS),
                self.job("gups", mode, paging, self.gups_table(), repeat=repeat)]

    def points(self, mode: Mode, paging: str) -> list[Job]:
        """The other points of a mode's curve."""
        return [self.point(mode, paging, self.working_set(size), tier, contents=mode.contents)
                for size, tier in sorted(SIZE_TIERS.items())]

    def shadow(self) -> list[list[Job]]:
        """Guests that need SwapBypass, and what is compared with them within
        5%: these take turns."""
        guests = []
        for repeat in range(self.repeats):
            never, bypass = self.pairs(NEVER, repeat), self.pairs(BYPASS, repeat)
            if repeat == self.repeats - 1:
                # SwapBypass never looks at the data: this one stands for the
                # compressible contents too that zram gets.
                bypass.append(self.point(BYPASS, "shadow", self.ws, 1, contents="constant"))
                bypass += self.points(BYPASS, "shadow")
            guests += [never, bypass]
            if not repeat and not self.counted:
                guests.append([self.no_pressure()])
        # As often as SwapBypass exits above.
        if "shadow" not in self.pagings(SYMSWAP) and not self.counted:
            guests.append([self.exit(repeat) for repeat in range(self.repeats)])
        return guests

    def no_pressure(self) -> Job:
        """SwapBypass with enough memory."""
        return self.job("stream", NO_PRESSURE, "shadow", self.ws)

    def exit(self, repeat: int = 0) -> Job:
        """The exit of a process is compared under the same paging mode. What
        did not fit is swapped out by then."""
        return self.job("stream", SYMSWAP, "shadow", self.ws, passes=1, pass_limit=1,
                        check_limit=1, page_out=False, expect=14, time_exit=True, repeat=repeat)

    def near_one(self) -> list[list[Guest]]:
        """The guests of the targets near 1, which noise makes meaningless: to be run where
        instructions are counted, in two halves that take about as long as each other."""
        return [[Guest.of(jobs) for jobs in half] for half in (
            ([self.exit()], [self.no_pressure()]),
            (self.pairs(BYPASS, 0), self.pairs(NEVER, 0)))]

    def peers(self) -> list[list[Job]]:
        """Guests of the peers, each in its paging modes."""
        guests = []
        for mode in taking_part(PRESSURE):
            for paging in self.pagings(mode) if mode.copies else ():
                tier = 0 if mode in GUPS_TARGETS else EXTRA_TIER
                jobs = [self.job("stream", mode, paging, self.ws, contents=mode.contents,
                                 time_exit=mode is SYMSWAP),
                        self.job("gups", mode, paging, self.gups_table(), tier=tier)]
                guests.append(jobs)
                if not mode.inside:
                    jobs += self.points(mode, paging)
                    continue
                # Incompressible data does not fit: constant arrays, which zram
                # stores for free, are its best case, and others that compress
                # well a fair one.
                guests.append([self.job("stream", mode, paging, self.ws,
                                        contents="compressible")])
                guests.append(self.points(mode, paging))
                # What does not fit has a guest of its own: the kernel kills the
                # program, or looks for memory without end.
                guests.append([self.point(mode, paging, self.ws, EXTRA_TIER, expect=30)])
        return guests

    def point(self, mode: Mode, paging: str, ws: int, tier: int, **more: Any) -> Job:
        """A job of STREAM's plot: it can be left out, and is short unless this is the full
        sweep, which fits no time anyway."""
        args: dict[str, Any] = {"tier": tier}
        if not self.full and mode.copies and ws > self.free:
            args.update(pass_limit=3, run_limit=3, check_limit=2, expect=10)
        elif not self.full:
            args.update(passes=6)
        args.update(more)
        return self.job("stream", mode, paging, ws, **args)

    def never(self) -> list[list[Job]]:
        """What no target needs of never swapping. Last: by then the machine's speed
        is known, and of the cheapest curve no point is left out in error."""
        paging = self.pagings(NEVER)[0]
        # The usual constant arrays as well.
        guests = [self.points(NEVER, paging) +
                  [self.point(NEVER, paging, self.ws, EXTRA_TIER, contents="constant")]]
        if "nested" in self.pagings(NEVER):
            jobs = [self.point(NEVER, "nested", self.ws, EXTRA_TIER)]
            guests.append(jobs + self.points(NEVER, "nested") if self.full else jobs)
        return guests

    def full_extra(self) -> list[list[Job]]:
        """What only the full sweep has: all kernels, all GUPS sizes, and the constant arrays
        over disks."""
        jobs = []
        for mode in taking_part(PRESSURE):
            for paging in self.pagings(mode):
                jobs.append(self.job("stream", mode, paging, self.ws, contents=mode.contents,
                                     kernels=KERNELS))
                if mode.copies and not mode.inside:
                    jobs.append(self.job("stream", mode, paging, self.ws, contents="constant"))
                jobs += [self.job("gups", mode, paging, self.gups_table(size))
                         for size in (0.5, 1.0, 4.0)]
        return [[j] for j in jobs]

    def guests(self) -> list[Guest]:
        """The guests in order, with the jobs that run in each."""
        guests = self.shadow() + self.peers() + self.never()
        if self.full:
            # One job each: nothing that another one left behind.
            guests = [[j] for jobs in guests for j in jobs] + self.full_extra()
        return [Guest.of(jobs) for jobs in guests if jobs[0].mode.exists(self.host)]
