# SPDX-License-Identifier: GPL-2.0
"""Which jobs the default experiment and the full sweep run, and which of them
share a guest to save its boot. What the bars need always runs; the other points
of the plot have tiers, so that a slow machine loses the same points of every
curve."""

from jobs import (BYPASS, ENOUGH, KERNELS, NEVER, NO_PRESSURE, PEERS, SYMSWAP,
                  VIRTIO, ZRAM, Guest, Job, curve_contents)

# The paging mode that suited each peer better when both were measured, by
# factors of 1.6 to 3; `--full` runs both and judges by the better again.
PEER_PAGING = {VIRTIO: "nested", ZRAM: "nested", SYMSWAP: "nested"}

# Working sets as multiples of the guest's free memory.
BAR_SIZE = 2.0

# The other points of the plot, by multiple of the free memory: their tier. The
# first one always runs: one point is no curve.
SIZE_TIERS = {0.5: 0, 3.0: 1, 1.5: 2, 1.0: 3}
EXTRA_TIER = 4

GUPS_UPDATES = 1_000_000

# What exists on each host: the shared window needs our QEMU, the bypass our
# KVM as well.
HOST_MODES = {
    "symbiotic": (NEVER, VIRTIO, ZRAM, SYMSWAP, BYPASS, NO_PRESSURE),
    "plain-kvm": (NEVER, VIRTIO, ZRAM, SYMSWAP),
    "bare-metal": (NEVER, VIRTIO, ZRAM),
}


class Plan:
    """Makes the jobs for a guest with @free MiB of free memory, when the
    kernel and user space of such a guest take @overhead MiB."""

    def __init__(self, free, overhead, full=False, peer_paging=None,
                 host="symbiotic", icount=False, repeats=1, counted=False):
        self.free = free
        self.icount = icount
        # What is compared within a few percent is counted afterwards: the jobs
        # for nothing else are not run in time.
        self.counted = counted
        # Of what is compared within a few percent; where clocks count
        # instructions nothing is gained by repeating.
        self.repeats = repeats
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
        if mode in ENOUGH:
            # Enough that not even the page cache is under pressure.
            return self.overhead + ws + 128
        return self.overhead + self.free

    def job(self, program, mode, paging, ws, **more):
        """A job with the limits that the mode needs."""
        pressure = mode not in ENOUGH and ws > self.free
        slow = mode in PEERS and pressure
        args = {
            "program": program, "mode": mode, "paging": paging, "ws": ws,
            "guest_mem": self.memory(mode, ws),
            # Good ones of many short passes stand out of a noisy machine.
            "passes": 16, "expect": 2 + ws * (0.15 if pressure else 0.05),
        }
        if program == "gups":
            args.update(updates=GUPS_UPDATES, passes=9)
        if slow:
            # Many passes of a fast peer, one of a slow one.
            args.update(passes=12, pass_limit=12, run_limit=6, check_limit=3,
                        expect=20)
            if program == "gups":
                args.update(pass_limit=5, run_limit=0)
            if mode == VIRTIO:
                # Swapping out first would take as long as a pass.
                args.update(page_out=False)
            if self.full:
                args.update(pass_limit=90, run_limit=60, check_limit=30,
                            expect=150)
        args.update(more)
        if self.icount:
            # Such a second takes five to ten.
            args.update(passes=min(2, args["passes"]), run_limit=0,
                        expect=args["expect"] * 1.5)
            if slow:
                args.update(pass_limit=2, check_limit=0.2)
                if program == "gups" or mode == VIRTIO:
                    args.update(pass_limit=1, passes=1)
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

    def pairs(self, mode, repeat):
        """STREAM and GUPS at the size of the bars."""
        paging = self.pagings(mode)[0]
        return [self.job("stream", mode, paging, self.bar_ws(), repeat=repeat,
                         time_exit=mode == BYPASS),
                self.job("gups", mode, paging, self.gups_table(BAR_SIZE),
                         repeat=repeat)]

    def points(self, mode, paging):
        """The other points of a mode's curve."""
        return [self.point("stream", mode, paging, self.working_set(size),
                           tier, contents=curve_contents(mode))
                for size, tier in sorted(SIZE_TIERS.items())]

    def shadow(self):
        """Guests that need SwapBypass, and what is compared with them within
        5%: these take turns."""
        ws = self.bar_ws()
        guests = []
        for repeat in range(self.repeats):
            never, bypass = self.pairs(NEVER, repeat), self.pairs(BYPASS, repeat)
            if repeat == self.repeats - 1:
                # SwapBypass never looks at the data: this one stands for the
                # compressible contents too that zram gets.
                bypass.append(self.point("stream", BYPASS, "shadow", ws, 1,
                                         contents="constant"))
                bypass += self.points(BYPASS, "shadow")
            guests += [never, bypass]
            if not repeat and not self.counted:
                guests.append([self.no_pressure()])
        # As often as SwapBypass exits above.
        if "shadow" not in self.pagings(SYMSWAP) and not self.counted:
            guests.append([self.exit(repeat) for repeat in range(self.repeats)])
        return guests

    def no_pressure(self):
        """SwapBypass with enough memory."""
        return self.job("stream", NO_PRESSURE, "shadow", self.bar_ws())

    def exit(self, repeat=0):
        """The exit of a process is compared under the same paging mode. What
        did not fit is swapped out by then."""
        return self.job("stream", SYMSWAP, "shadow", self.bar_ws(), passes=1,
                        pass_limit=1, check_limit=1, page_out=False, expect=14,
                        time_exit=True, repeat=repeat)

    def near_one(self):
        """The guests of the bars near 1, which noise makes meaningless: to be
        run where instructions are counted, in two halves that take about as
        long as each other."""
        return [[Guest.of(jobs) for jobs in half] for half in (
            ([self.exit()], [self.no_pressure()]),
            (self.pairs(BYPASS, 0), self.pairs(NEVER, 0)))]

    def peers(self):
        """Guests of the peers, each in its paging modes."""
        ws, table = self.bar_ws(), self.gups_table(BAR_SIZE)
        guests = []
        for mode in (ZRAM, VIRTIO, SYMSWAP):
            for paging in self.pagings(mode):
                jobs = [self.job("stream", mode, paging, ws,
                                 contents=curve_contents(mode),
                                 time_exit=mode == SYMSWAP),
                        self.job("gups", mode, paging, table,
                                 tier=EXTRA_TIER if mode == SYMSWAP else 0)]
                guests.append(jobs)
                if mode != ZRAM:
                    jobs += self.points(mode, paging)
                    continue
                # Incompressible data does not fit into zram: constant arrays,
                # which it stores for free, are its best case, and others that
                # compress well a fair one.
                guests.append([self.job("stream", mode, paging, ws,
                                        contents="compressible")])
                guests.append(self.points(mode, paging))
                # What zram cannot hold has a guest of its own: the kernel kills
                # the program, or looks for memory without end.
                guests.append([self.point("stream", mode, paging, ws,
                                          EXTRA_TIER, expect=30)])
        return guests

    def point(self, program, mode, paging, ws, tier, **more):
        """A job of the plot: it can be left out, and is short unless this is
        the full sweep, which fits no time anyway."""
        args = {"tier": tier}
        if not self.full and mode in PEERS and ws > self.free:
            args.update(pass_limit=3, run_limit=3, check_limit=2, expect=10)
        elif not self.full:
            args.update(passes=6)
        args.update(more)
        return self.job(program, mode, paging, ws, **args)

    def never(self):
        """What no bar needs of never swapping. Last: by then the machine's speed
        is known, and of the cheapest curve no point is left out in error."""
        ws, paging = self.bar_ws(), self.pagings(NEVER)[0]
        # The usual constant arrays as well.
        guests = [self.points(NEVER, paging) +
                  [self.point("stream", NEVER, paging, ws, EXTRA_TIER,
                              contents="constant")]]
        if "nested" in self.pagings(NEVER):
            jobs = [self.point("stream", NEVER, "nested", ws, EXTRA_TIER)]
            guests.append(jobs + self.points(NEVER, "nested") if self.full
                          else jobs)
        return guests

    def full_extra(self):
        """What only the full sweep has: all kernels, all GUPS sizes, and the
        constant arrays everywhere."""
        guests = []
        ws = self.bar_ws()
        for mode in (NEVER, BYPASS, VIRTIO, ZRAM, SYMSWAP):
            for paging in self.pagings(mode):
                jobs = [self.job("stream", mode, paging, ws,
                                 contents=curve_contents(mode),
                                 kernels=KERNELS)]
                if mode in (VIRTIO, SYMSWAP):
                    jobs.append(self.job("stream", mode, paging, ws,
                                         contents="constant"))
                jobs += [self.job("gups", mode, paging, self.gups_table(size))
                         for size in (0.5, 1.0, 4.0)]
                guests += [[j] for j in jobs]
        return guests

    def guests(self):
        """The guests in order, with the jobs that run in each."""
        guests = self.shadow() + self.peers() + self.never()
        if self.full:
            # One job each: nothing that another one left behind.
            guests = [[j] for jobs in guests for j in jobs] + self.full_extra()
        return [Guest.of(jobs) for jobs in guests
                if jobs[0].mode in HOST_MODES[self.host]]
