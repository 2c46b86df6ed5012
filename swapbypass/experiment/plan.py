# SPDX-License-Identifier: GPL-2.0
"""Which jobs the default experiment and the full sweep run, in the order of
their importance: what the bars need comes first, so that a slow machine loses
only points of the plot."""

from jobs import (BYPASS, KERNELS, MODES, NEVER, NO_PRESSURE, PEERS, SYMSWAP,
                  VIRTIO, ZRAM, Guest, Job, curve_contents)

# The paging mode that suited each peer better when both were measured, by
# factors of 1.6 to 3; `--full` runs both and judges by the better again.
PEER_PAGING = {VIRTIO: "nested", ZRAM: "nested", SYMSWAP: "nested"}

# Working sets as multiples of the guest's free memory.
SIZES = (0.5, 1.0, 1.5, 2.0, 3.0)
BAR_SIZE = 2.0

GUPS_UPDATES = 1_000_000

# What exists on each host: the shared window needs our QEMU, the bypass our
# KVM as well.
HOST_MODES = {
    "symbiotic": MODES + (NO_PRESSURE,),
    "plain-kvm": (NEVER, VIRTIO, ZRAM, SYMSWAP),
    "bare-metal": (NEVER, VIRTIO, ZRAM),
}


class Plan:
    """Makes the jobs for a guest with @free MiB of free memory, when the
    kernel and user space of such a guest take @overhead MiB."""

    def __init__(self, free, overhead, full=False, peer_paging=None,
                 host="symbiotic"):
        self.free = free
        self.overhead = overhead
        self.full = full
        self.host = host
        self.peer_paging = peer_paging or PEER_PAGING

    def working_set(self, size):
        """MiB of a working set of @size times the free memory."""
        return max(3, round(self.free * size))

    def bar_ws(self):
        """The working set at which the bars are judged."""
        return self.working_set(BAR_SIZE)

    def gups_table(self, size):
        """The largest power of two that is not above the working set."""
        return 1 << (self.working_set(size).bit_length() - 1)

    def memory(self, mode, ws):
        """Guest memory for a job."""
        if mode in (NEVER, NO_PRESSURE):
            # Enough that not even the page cache is under pressure.
            return self.overhead + ws + 128
        return self.overhead + self.free

    def job(self, program, mode, paging, ws, **more):
        """A job with the limits that the mode needs."""
        slow = mode in PEERS and ws > self.free
        args = {
            "program": program, "mode": mode, "paging": paging, "ws": ws,
            "guest_mem": self.memory(mode, ws),
            # Good ones of many short passes stand out of a noisy machine.
            "passes": 24, "expect": 10,
        }
        if program == "gups":
            args.update(updates=GUPS_UPDATES, passes=11, expect=13)
        if slow:
            # Many passes of a fast peer, one of a slow one.
            args.update(passes=12, pass_limit=12, run_limit=6, check_limit=3,
                        expect=30)
            if program == "gups":
                args.update(pass_limit=5, run_limit=0, expect=25)
            if mode == VIRTIO:
                # Swapping out first would take as long as a pass.
                args.update(page_out=False)
            if self.full:
                args.update(pass_limit=90, run_limit=60, check_limit=30,
                            expect=150)
        args.update(more)
        return Job(**args)

    def pagings(self, mode):
        """The paging modes to run a mode in."""
        if self.host == "bare-metal":
            return ("none",)
        if mode in (BYPASS, NO_PRESSURE):
            return ("shadow",)      # SwapBypass rests on shadow paging
        if mode == NEVER:
            return ("shadow", "nested")
        if self.full:
            return ("shadow", "nested")
        return (self.peer_paging[mode],)

    def bars(self):
        """The jobs that the bars of the issue need."""
        ws, table = self.bar_ws(), self.gups_table(BAR_SIZE)
        jobs = []
        # The ratio between these is judged at 5%: take turns.
        for repeat in range(2):
            for mode in (NEVER, BYPASS, NO_PRESSURE)[:3 - repeat]:
                jobs.append(self.job("stream", mode, self.pagings(mode)[0], ws,
                                     repeat=repeat,
                                     time_exit=mode == BYPASS))
            for mode in (NEVER, BYPASS):
                jobs.append(self.job("gups", mode, self.pagings(mode)[0], table,
                                     repeat=repeat))
        # Incompressible data does not fit into zram, so the constant arrays
        # that it stores for free stand for it: its best case.
        for contents in ("constant", "compressible"):
            jobs.append(self.job("stream", BYPASS, "shadow", ws,
                                 contents=contents))
            if contents == "compressible":
                jobs += [self.job("stream", ZRAM, p, ws, contents=contents)
                         for p in self.pagings(ZRAM)]
        for mode in (ZRAM, VIRTIO, SYMSWAP):
            for paging in self.pagings(mode):
                jobs.append(self.job("stream", mode, paging, ws,
                                     contents=curve_contents(mode),
                                     time_exit=mode == SYMSWAP))
                if self.full or mode != SYMSWAP:
                    jobs.append(self.job("gups", mode, paging, table))
        if "shadow" not in self.pagings(SYMSWAP):
            # The exit of a process is compared under the same paging mode,
            # as often as SwapBypass exits above.
            jobs += [self.job("stream", SYMSWAP, "shadow", ws, passes=1,
                              check_limit=2, time_exit=True, repeat=repeat)
                     for repeat in range(2)]
        return jobs

    def sweep(self):
        """The other points of the plot."""
        jobs = []
        for mode in (NEVER, BYPASS) + PEERS:
            for paging in self.pagings(mode):
                for size in SIZES:
                    if size == BAR_SIZE and (mode, paging) != (NEVER, "nested"):
                        continue        # the bars have it
                    if (mode == NEVER and paging == "nested" and
                            not self.full and size != BAR_SIZE):
                        continue
                    jobs.append(self.point("stream", mode, paging,
                                           self.working_set(size),
                                           contents=curve_contents(mode)))
        # The usual constant arrays, and what zram cannot hold.
        jobs.append(self.point("stream", NEVER, self.pagings(NEVER)[0],
                               self.bar_ws(), contents="constant"))
        jobs.append(self.point("stream", ZRAM, self.pagings(ZRAM)[0],
                               self.bar_ws()))
        if not self.full:
            jobs.append(self.point("gups", SYMSWAP, self.pagings(SYMSWAP)[0],
                                   self.gups_table(BAR_SIZE)))
        return jobs

    def point(self, program, mode, paging, ws, **more):
        """A job of the sweep: optional, and short unless this is the full
        sweep, which fits no time anyway."""
        args = {"optional": True, "expect": 5}
        if not self.full and mode in PEERS and ws > self.free:
            args.update(pass_limit=3, run_limit=3, check_limit=2, expect=12)
        elif self.full:
            del args["expect"]
        args.update(more)
        return self.job(program, mode, paging, ws, **args)

    def full_extra(self):
        """What only the full sweep has: all kernels, all GUPS sizes, and the
        constant arrays everywhere."""
        jobs = []
        ws = self.bar_ws()
        for mode in (NEVER, BYPASS) + PEERS:
            for paging in self.pagings(mode):
                jobs.append(self.job("stream", mode, paging, ws,
                                     contents=curve_contents(mode),
                                     kernels=KERNELS, optional=True))
                if mode in (VIRTIO, SYMSWAP):
                    jobs.append(self.job("stream", mode, paging, ws,
                                         contents="constant", optional=True))
        for size in (0.5, 1.0, 4.0):
            table = self.gups_table(size)
            for mode in (NEVER, BYPASS) + PEERS:
                for paging in self.pagings(mode):
                    jobs.append(self.job("gups", mode, paging, table,
                                         optional=True))
        return jobs

    def guests(self):
        """All jobs in order, each in the guest that it runs in: a fresh one,
        except that the points of one curve share a guest to save its boot."""
        bars, curves = self.bars(), self.sweep()
        if self.full:
            bars, curves = bars + curves + self.full_extra(), []
        guests = [Guest((j,)) for j in bars]
        kinds = dict.fromkeys((j.mode, j.paging) for j in curves)
        guests += [Guest(tuple(j for j in curves if (j.mode, j.paging) == kind))
                   for kind in kinds]
        return [g for g in guests if g.jobs[0].mode in HOST_MODES[self.host]]
