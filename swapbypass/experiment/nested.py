# SPDX-License-Identifier: GPL-2.0
"""The swap window in place, under nested paging, beside all that competes with
it: which jobs run, and the bars and tables of them."""

import dataclasses
import pathlib
import re

import report
from jobs import (BYPASS, DIMM, IN_PLACE, MODE_TEXT, MODES, NEVER, QUARTER,
                  VIRTIO, ZRAM, ZSWAP, Guest, curve_contents)
from plan import BAR_SIZE, Plan
from report import Bar, first, steady

SHADOW = (BYPASS,)
# Compressible contents stand for data where a mode cannot hold any other.
COMPRESSES = (ZRAM, ZSWAP)

# The smallest working set of the sweep over sizes and strides.
SWEEP_FROM = "1024"             # KiB


class NestedPlan(Plan):
    """Makes the jobs. All programs run at the size of the bars."""

    def pagings(self, mode):
        return ("shadow" if mode in SHADOW else "nested",)

    def random_access(self, mode, program, **more):
        """A job of many small operations, whose passes a slow mode cannot end."""
        return self.job(program, mode, self.pagings(mode)[0], self.bar_ws(),
                        **more)

    def stream_and_gups(self, mode):
        """What the bars near 1 compare."""
        paging = self.pagings(mode)[0]
        return [self.job("stream", mode, paging, self.bar_ws(),
                         contents="compressible" if mode in COMPRESSES else
                         "random"),
                self.job("gups", mode, paging, self.gups_table(BAR_SIZE))]

    def of_mode(self, mode):
        """The jobs of one guest."""
        jobs = self.stream_and_gups(mode)
        jobs.append(self.random_access(
            mode, "kv", passes=4, options=("-u", "200000")))
        jobs.append(self.random_access(
            mode, "forkmix", passes=3, options=("-u", "20", "-p", "4"),
            expect=20))
        if mode in COMPRESSES:
            jobs.append(self.job("stream", mode, "nested", self.bar_ws(),
                                 contents="constant"))
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
        modes = (NEVER, IN_PLACE, DIMM, ZRAM, ZSWAP, VIRTIO, BYPASS)
        guests = [self.of_mode(m) for m in modes]
        guests += [self.shifting(m)
                   for m in (NEVER, IN_PLACE, QUARTER, ZRAM, VIRTIO)]
        return [Guest.of(jobs) for jobs in guests]

    def near_one(self):
        return [[Guest.of(self.stream_and_gups(mode))]
                for mode in (NEVER, IN_PLACE)]


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
                           swap=swap, swap_size=2 * ws, qemu_args=qemu_args,
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


# ---- the report ---------------------------------------------------------

def _zram(results, value, ws):
    """zram's better pass over contents that it can hold."""
    found = [results.best(value, "stream", ZRAM, ws, contents=c)
             for c in ("constant", "compressible")]
    return min((f for f in found if f[0] is not None),
               key=lambda f: f[0], default=(None, None))


@dataclasses.dataclass
class Extra:
    """What is measured besides the jobs."""
    seconds: dict               # from give_back()
    errors: list

    @classmethod
    def measure(cls, bench, plan, files, say):
        """Runs it all."""
        say("getting memory and giving it back ...")
        return cls(*give_back(bench, plan, files))

    def bars(self):
        """The bar that rests on this."""
        return [give_back_bar(self.seconds)]

    def text(self):
        """Lines of the report."""
        return (give_back_text(self.seconds) +
                [f"FAILED {error}" for error in self.errors])


def bars(results, counted, ws, table):
    """The bars at a working set of twice the free memory."""
    def both(program, mode, size):
        return [r.best(steady(program), program, mode, size, "nested",
                       contents=None) for r in (results, counted)]

    def best(program, mode, size, value=steady):
        return results.best(value(program), program, mode, size, "nested",
                            contents=None)

    compare = report.compare
    return [
        report.exact("STREAM steady: in place / never swaps", 1.03,
                     *zip(both("stream", IN_PLACE, ws),
                          both("stream", NEVER, ws))),
        report.exact("GUPS steady: in place / never swaps", 1.03,
                     *zip(both("gups", IN_PLACE, table),
                          both("gups", NEVER, table))),
        compare("STREAM first pass: zram / in place", 10, True,
                _zram(results, steady("stream"), ws),
                best("stream", IN_PLACE, ws, first)),
        compare("Random updates: zram / in place", 15, True,
                best("gups", ZRAM, table), best("gups", IN_PLACE, table)),
        compare("Fork and exec: zram / in place", 1, True,
                best("forkmix", ZRAM, ws), best("forkmix", IN_PLACE, ws)),
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
