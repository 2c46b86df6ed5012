# SPDX-License-Identifier: GPL-2.0
"""The swap window in place, under nested paging, beside all that competes with
it: which jobs run, and the bars and tables of them."""

import dataclasses
import pathlib
import re

import report
from jobs import (BYPASS, DIMM, IN_PLACE, MODE_TEXT, MODES, NEVER, PMEM,
                  QUARTER, VIRTIO, ZRAM, ZSWAP, Guest, curve_contents)
from plan import BAR_SIZE, Plan
from report import Bar, first, steady

SHADOW = (BYPASS,)
# Compressible contents stand for data where a mode cannot hold any other.
COMPRESSES = (ZRAM, ZSWAP)

# The smallest working set of the sweep over sizes and strides.
SWEEP_FROM = "1024"             # KiB

FIRST_PASSES = 4


class NestedPlan(Plan):
    """Makes the jobs. All programs run at the size of the bars."""

    def pagings(self, mode):
        return ("shadow" if mode in SHADOW else "nested",)

    def random_access(self, mode, program, **more):
        """A job of many small operations, whose passes a slow mode cannot end."""
        return self.job(program, mode, self.pagings(mode)[0], self.bar_ws(),
                        **more)

    def streams(self, mode):
        """Over incompressible data; over two other kinds where that cannot be
        held."""
        kinds = ("compressible", "constant") if mode in COMPRESSES else \
            ("random",)
        return [self.job("stream", mode, self.pagings(mode)[0], self.bar_ws(),
                         contents=c) for c in kinds]

    def gups(self, mode):
        """Its updates turn the table into what cannot be compressed."""
        short = {"passes": 2} if mode in COMPRESSES else {}
        return self.job("gups", mode, self.pagings(mode)[0],
                        self.gups_table(BAR_SIZE), **short)

    def forkmix(self, mode):
        """Forks and execs."""
        return self.random_access(mode, "forkmix", passes=3,
                                  options=("-u", "20", "-p", "4"), expect=20)

    def of_mode(self, mode):
        """The jobs of one guest, but for GUPS."""
        jobs = self.streams(mode)
        if mode == IN_PLACE:
            # There is one first pass in a run, and the peers' best of many is
            # compared with it.
            jobs += [dataclasses.replace(jobs[0], repeat=i, passes=2)
                     for i in range(1, FIRST_PASSES)]
        jobs.append(self.random_access(
            mode, "kv", passes=4, options=("-u", "200000")))
        jobs.append(self.forkmix(mode))
        if mode in (NEVER, IN_PLACE, DIMM, ZRAM):
            # The sweep needs no limit: it prints each point as it is done.
            jobs.append(self.job(
                "memperf", mode, "nested", self.gups_table(BAR_SIZE), passes=1,
                page_out=False, run_limit=10, pass_limit=0, check_limit=0,
                expect=15, options=("-f", SWEEP_FROM)))
        return jobs

    def shifting(self, mode):
        """A working set of which another tenth is hot in each pass."""
        return [self.random_access(
            mode, "shift", passes=10, run_limit=0,
            options=("-u", "100000", "-H", "95", "-S"))]

    def guests(self):
        guests = []
        for mode in (NEVER, IN_PLACE, DIMM, ZRAM, ZSWAP, PMEM, VIRTIO, BYPASS):
            guests += [self.of_mode(mode), [self.gups(mode)]]
        guests += [self.shifting(m)
                   for m in (NEVER, IN_PLACE, QUARTER, ZRAM, VIRTIO)]
        return [Guest.of(jobs) for jobs in guests]

    def near_one(self):
        never, in_place = (self.streams(mode) + [self.gups(mode)]
                           for mode in (NEVER, IN_PLACE))
        return [[Guest.of(never), Guest.of([self.forkmix(ZRAM)])],
                [Guest.of(in_place), Guest.of([self.forkmix(IN_PLACE)])]]


# ---- getting and giving back --------------------------------------------

WORD = "/sys/kernel/symbiotic/{}_word"
READY = f"echo 1 >{WORD.format('guest')}; " \
        f"until [ $(($(cat {WORD.format('host')}))) = 1 ]; do sleep 0.1; done"

# With a process that has its data in place, and uses it.
HOLD = ("./kv -m {ws} -n 1000 -u 1000000 -o >/dev/null & p=$!; "
        "until [ $(cat /sys/block/symswap0/symswap/in_place) -gt {least} ]; "
        "do sleep 0.1; done; ")

# Tells when the memory has gone, and when it has come again.
PLUGGED = ("mem() { sed -n 's/^MemTotal: *\\([0-9]*\\) .*/\\1/p' /proc/meminfo; }; "
           f"full=$(mem); (until [ $(cat {WORD.format('host')}) = 0x2 ] && "
           "[ $(mem) -lt $((full / 2)) ]; do sleep 0.1; done; "
           f"echo 3 >{WORD.format('guest')}; "
           "until [ $(mem) -ge $full ]; do :; done; "
           f"echo 2 >{WORD.format('guest')}) & ")


def room_for(ws):
    """MiB of a window or DIMM with room for a working set twice: a window's are a
    power of two, a DIMM's a multiple of Linux's memory blocks."""
    return max(128, 1 << (2 * ws - 1).bit_length())


def give_back(bench, plan, files):
    """Seconds to get memory and to give half of it back, by the way."""
    ws = plan.bar_ws()
    half = ws * 256 // 2
    hold = HOLD.format(ws=ws, least=ws * 200)
    swapon = ("swapoff /dev/symswap0; read from _ </proc/uptime; swapon /dev/symswap0; "
              "read to _ </proc/uptime; echo swapon $from $to; ")
    roomy = plan.memory(NEVER, ws)
    runs = (
        ("grant", swapon + hold + f"kill -STOP $p; {READY}", IN_PLACE,
         plan.memory(IN_PLACE, ws), (), f"grant {half}"),
        ("grant, in use", hold + READY, IN_PLACE, plan.memory(IN_PLACE, ws), (),
         f"grant {half}"),
        ("balloon", READY, "none", roomy, ("-device", "virtio-balloon-pci"),
         f"balloon {(roomy - ws // 2) << 20}"),
        ("dimm", PLUGGED + READY, DIMM, plan.memory(IN_PLACE, ws), (), "dimm"),
    )
    seconds, errors = {}, []
    text = (pathlib.Path(__file__).resolve().parent /
            "give_back.sh").read_text(encoding="ascii")
    for name, cmd, swap, memory, qemu_args, script in runs:
        result = bench.run(cmd, files=files, guest_mem=memory, paging="nested",
                           swap=swap, swap_size=room_for(ws), qemu_args=qemu_args,
                           host_cmd=f"set -- {script}\n{text}", timeout=150)
        found = dict(re.findall(r"^(\S+) ([0-9.]+)$", result.host_out, re.M))
        if result.status != 0 or not found:
            errors.append(f"{name}: " + (result.host_out.strip() or
                                         result.explain()))
            continue
        took = re.search(r"^swapon (\S+) (\S+)$", result.stdout, re.M)
        if took:
            seconds["swapon"] = float(took[2]) - float(took[1])
        for key, value in found.items():
            seconds[key if key != "grant" else name] = float(value)
    return seconds, errors


GIVE_BACK_TEXT = {
    "swapon": "get: swapon of the window",
    "dimm": "get: plug a DIMM of twice the working set",
    "grant": "give half the working set back: grant, its process at rest",
    "grant, in use": "give half the working set back: grant, in use",
    "balloon": "give as much back: balloon, from free memory",
    "dimm-back": "give all back: unplug the DIMM, not in use",
}


def give_back_text(seconds):
    """Lines of the report."""
    return (["Getting memory and giving it back, seconds by the host's clock"] +
            [f"  {text:<58} {seconds[key]:8.2f}"
             for key, text in GIVE_BACK_TEXT.items() if key in seconds] + [""])


# ---- two guests, one budget ---------------------------------------------

OPERATIONS = 50000              # of a pass: short, so that whole ones count
TURN = 15                       # seconds
TURNS = 4

# Begins, rests, works and ends as the host says.
OBEY = (f"said() {{{{ echo $(($(cat {WORD.format('host')}))); }}}}; "
        "until [ $(said) = 1 ]; do sleep 0.1; done; "
        f"./kv -m {{ws}} -n 1000 -u {OPERATIONS} -o >/dev/shm/kv & p=$!; "
        "until grep -q ^pass /dev/shm/kv; do sleep 0.1; done; "
        f"echo 1 >{WORD.format('guest')}; before=$(grep -c ^pass /dev/shm/kv); "
        "while :; do case $(said) in 1) kill -CONT $p ;; 2) kill -STOP $p ;; "
        "3) break ;; esac; sleep 0.1; done; kill -CONT $p; kill $p; "
        "echo passes $(($(grep -c ^pass /dev/shm/kv) - before))")

POLICY_TEXT = {
    "daemon": "swapd.sh moves the grants",
    "halves": "half for each, for good",
    "all": "no grants: the host swaps",
}


@dataclasses.dataclass
class Shared:
    """What two guests did with one way to share the host's memory."""
    rate: float                 # operations per second, of both
    turns: list                 # (pages in place of both, the host's swap-ins)


def two_guests(bench, plan, files):
    """Two guests in turns. The host has memory for what one of them cannot
    keep in its own, and a little more. Returns Shared by policy, and errors."""
    ws, memory = plan.bar_ws() * 5 // 4, plan.memory(IN_PLACE, plan.bar_ws())
    budget = plan.bar_ws() * 3 // 4
    # All memory but the windows' is there before the host's limit is.
    ram = ("-object", f"memory-backend-ram,id=ram,prealloc=on,size={memory}M",
           "-machine", "memory-backend=ram")
    text = (pathlib.Path(__file__).resolve().parent /
            "two_guests.sh").read_text(encoding="ascii")
    shared, errors = {}, []
    for policy in POLICY_TEXT:
        # Room for the windows' struct pages, and KVM's tables.
        args = f"{policy} {budget * 256} {budget + 16} {TURN}"
        result = bench.run(OBEY.format(ws=ws), files=files, guest_mem=memory,
                           paging="nested", swap="in-place",
                           swap_size=room_for(plan.bar_ws()), qemu_args=ram, host_cmd=f"set -- {args}\n{text}",
                           timeout=180 + TURNS * TURN)
        passes = re.findall(r"^passes (\d+)$", result.stdout + result.host_out,
                            re.M)
        turns = re.findall(r"^turn \d+ in-place (\d+) (\d+) swap-ins (\d+)$",
                           result.host_out, re.M)
        if result.status != 0 or len(passes) != 2 or len(turns) != TURNS:
            errors.append(f"two guests, {policy}: " + (
                result.host_out.strip() or result.explain()))
            continue
        shared[policy] = Shared(
            sum(map(int, passes)) * OPERATIONS / (TURNS * TURN),
            [tuple(map(int, t)) for t in turns])
    return shared, errors


def two_guests_text(shared, plan):
    """Lines of the report."""
    if not shared:
        return []
    ws = plan.bar_ws()
    return ([f"Two guests with {ws * 5 // 4} MiB of data each, one busy, then the "
             f"other; {ws * 3 // 4} MiB of the host for both windows",
             f"  {'':<28}{'operations/s':>13}   after each turn, MiB in place "
             "(pages that the host read from disk)"] +
            [f"  {POLICY_TEXT[policy]:<28}{found.rate:>13.0f}   " + "  ".join(
                f"{a // 256}+{b // 256} ({swapped})"
                for a, b, swapped in found.turns)
             for policy, found in shared.items()] + [""])


# ---- the report ---------------------------------------------------------

@dataclasses.dataclass
class Extra:
    """What is measured besides the jobs."""
    plan: NestedPlan
    seconds: dict               # from give_back()
    shared: dict                # from two_guests()
    errors: list

    @classmethod
    def measure(cls, bench, plan, files, say):
        """Runs it all."""
        say("getting memory and giving it back ...")
        seconds, errors = give_back(bench, plan, files)
        say("two guests, one budget ...")
        shared, more = two_guests(bench, plan, files)
        return cls(plan, seconds, shared, errors + more)

    def bars(self):
        """The bar that rests on this."""
        return [give_back_bar(self.seconds)]

    def text(self):
        """Lines of the report."""
        return (give_back_text(self.seconds) +
                two_guests_text(self.shared, self.plan) +
                [f"FAILED {error}" for error in self.errors])


def bars(results, counted, ws, table):
    """The bars at a working set of twice the free memory."""
    def both(program, mode, size):
        return [r.best(steady(program), program, mode, size, "nested",
                       contents=None) for r in (results, counted)]

    def near_one(text, limit, program, peer, size):
        return report.exact(text, limit, *zip(both(program, IN_PLACE, size),
                                              both(program, peer, size)))

    def first_pass(contents):
        return report.over_never(
            f"STREAM first pass: zram, {contents} / in place", 10,
            results.best(steady("stream"), "stream", ZRAM, ws,
                         contents=contents),
            results.best(first("stream"), "stream", IN_PLACE, ws,
                         contents=None),
            both("stream", NEVER, ws)[0])

    return [
        near_one("STREAM steady: in place / never swaps", 1.03, "stream",
                 NEVER, ws),
        near_one("GUPS steady: in place / never swaps", 1.03, "gups", NEVER,
                 table),
        first_pass("constant"), first_pass("compressible"),
        report.compare("Random updates: zram / in place", 15, True,
                       both("gups", ZRAM, table)[0],
                       both("gups", IN_PLACE, table)[0]),
        near_one("Fork and exec: in place / zram", 1, "forkmix", ZRAM, ws),
    ]


def give_back_bar(seconds):
    """@seconds: of each way to give half the window back, by name."""
    lent, balloon = seconds.get("grant"), seconds.get("balloon")
    ratio = balloon / lent if lent and balloon else None
    detail = "not measured"
    if ratio is not None:
        detail = f"{balloon:.2f} s / {lent:.2f} s"
    return Bar("Half the window back: balloon / grant", ratio, 1, True, detail)


def _sweep(results):
    """Bandwidth of loads over working-set size and stride."""
    found = {o.job.mode: o for o in results.outcomes
             if o.job.program == "memperf"}
    points = sorted({(p.total, p.kernel) for o in found.values()
                     for p in o.passes if p.kernel.startswith("load ")},
                    key=lambda p: (p[0], int(p[1].split()[1])))
    if not points:
        return []
    modes = [m for m in MODES if m in found]
    lines = ["Loads, MB/s by working set and stride (memperf; a sum over all "
             "words, the first pass at each stride)",
             f"  {'MiB':>6} {'stride':>7}" + "".join(f"{m:>13}" for m in modes)]
    for size, kernel in points:
        row = f"  {size / 2**20:>6g} {kernel.split()[1]:>7}"
        for mode in modes:
            rates = [p.rate for p in found[mode].passes
                     if (p.total, p.kernel) == (size, kernel)]
            row += f"{rates[0]:>13.1f}" if rates else f"{'-':>13}"
        lines.append(row)
    return lines + [""]


def _shift(results, ws):
    """Each pass has other hot keys: how long it takes from pass to pass."""
    lines = []
    for mode in MODES:
        _, out = results.best(steady("shift"), "shift", mode, ws)
        if out is None:
            continue
        lines.append(f"  {MODE_TEXT[mode]:<30} " + " ".join(
            ("" if p.complete else "~") + f"{p.full_seconds():.2f}"
            for p in out.kernel("mix")))
    head = ("Key-value store, 95% of the operations on a tenth of the keys, "
            "another tenth in each pass: seconds per pass")
    return [head] + lines + [""] if lines else []


def _memory(results):
    """What is left of the guest's own memory in each mode."""
    found = {o.job.mode: o.memory / 1024 for o in results.outcomes
             if o.memory and o.job.mode not in (NEVER, DIMM)}
    if not found:
        return []
    return ["Memory of a guest, MemTotal in MiB: " + ", ".join(
        f"{m} {found[m]:.1f}" for m in MODES if m in found), ""]


def table(results, ws, gups_table, free):
    """The readable tables."""
    lines = []
    for contents in ("random", "constant", "compressible"):
        lines += report.table_text(results, "stream", ws, contents, free)
    for program, size in (("gups", gups_table), ("kv", ws), ("forkmix", ws)):
        lines += report.table_text(results, program, size,
                                   curve_contents(NEVER), free)
    return (lines + report.LEGEND + _shift(results, ws) + _sweep(results) +
            _memory(results))
