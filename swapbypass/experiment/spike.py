#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Four guests that need much memory in turns, on a host that has memory for half of them:
`make run-spike`.

A guest's job is a build, many short processes, and behind it a program that needs four times
the memory that the guest has when it rests. Two guests have a job at any time. What the
guests can do about it is what is compared: compress, swap, or get memory from the host and
give it back.

Ends with a table, the targets, a CSV file and a plot of the host's memory in
results/<date>-spike/.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import statistics
from collections.abc import Iterator, Sequence

from rig import Bench, Result, ending, measure
from rig.measure import Target, number, say, script, table

HERE = pathlib.Path(__file__).resolve().parent

# By the MiB of a guest that rests: what the program fills, what a guest has in all then, and
# what QEMU needs besides, for each.
DATA, LARGE, QEMU_MIB = 4, 5, 32
UNITS = 100             # short processes of a job's build
PASSES = 3              # over the data
# A guest's line to host_cmd.
PORT = ("-chardev pipe,id=host,path=$WORK/host\n"
        "-device virtserialport,chardev=host,name=host\n")
# What its policy goes by; and, with reporting, what gives back.
STATISTICS = "-device virtio-balloon-pci,id=balloon"


@dataclasses.dataclass(frozen=True)
class Peer:
    """A way to have memory for a spike."""
    name: str
    text: str
    about: str                  # its configuration, for the report
    swap: str = "none"
    store: str = "tmpfs"
    ours: bool = False
    large: bool = False         # the guest boots with all that it may have
    reporting: bool = False     # of a window, by the rig
    who: str = "nobody"         # spike.sh's
    qemu_args: str = ""
    colour: str = "#444444"


OURS = Peer("window", "window, first touch in place",
            "a window of eight times the memory, mode in-place, first_touch=auto; free page "
            "reporting; symbioticd grants, twice a second, what the host has beyond the guests' "
            "own memory, and leaves 16 MiB to a guest at rest", "in-place", ours=True,
            reporting=True, who="symbioticd", colour="#1b7837")
PEERS = (
    OURS,
    dataclasses.replace(OURS, name="window-alone", text="the same, no page reporting",
                        about="the other half of that pair: free memory stays with the guest",
                        reporting=False, colour="#a6dba0"),
    Peer("zram", "zram", "all data compresses to a quarter or less; lzo-rle, of four times the "
         "memory", "zram", colour="#e08214"),
    Peer("virtio-blk", "swap on virtio-blk", "a file on the host's disk, which the host caches in "
         "what it has left", "virtio-blk", "disk", colour="#b2182b"),
    Peer("balloon", "balloon, free page reporting",
         "all memory from the beginning, deflate-on-oom; a script of the host looks once a "
         "second: below 80 % of the host's memory all may have all, above 90 % the guest with "
         "most available gives what is too much, but keeps 48 MiB", large=True, who="balloon",
         qemu_args=f"{STATISTICS},free-page-reporting=on,deflate-on-oom=on", colour="#2166ac"),
    Peer("virtio-mem", "virtio-mem, and zram till then",
         "blocks of 2 MiB, in memory blocks of 128 MiB of Linux's, online_movable; the same kind "
         "of script: a guest with less than a quarter of its memory available gets as much again, "
         "one with more than that available gives all but half of it back", "virtio-mem",
         who="virtio-mem", qemu_args=STATISTICS, colour="#8073ac"),
)


@dataclasses.dataclass(frozen=True)
class Sizes:
    """All in MiB, and as large as a guest that rests."""
    small: int

    @property
    def data(self) -> int:
        """Of the program behind the build."""
        return self.small * DATA

    @property
    def large(self) -> int:
        """Of a guest that has a job."""
        return self.small * LARGE

    @property
    def limit(self) -> int:
        """Of the host, for all guests."""
        return 2 * self.large + 4 * QEMU_MIB

    @property
    def budget(self) -> int:
        """Of symbioticd: what is left when two guests use all of their own memory, and those
        that rest half of it."""
        return 2 * self.large - 3 * self.small

    @property
    def swap(self) -> int:
        """Room for all of the data, of a peer."""
        return 1 << (self.data - 1).bit_length()

    @property
    def window(self) -> int:
        """Twice as much: first touches leave an eighth of the slots to others, and a window has
        room for its own struct pages. It is no memory until it is used, but for those."""
        return 2 * self.swap

    @property
    def machine(self) -> dict[str, int]:
        """Of the host's options. On its disk: what it swaps out itself, and what four guests
        do."""
        return {"memory": max(6144, self.limit + 2048), "disk": (8 + 4 * DATA) * self.small + 1024}


@dataclasses.dataclass
class Ended:
    """What a guest says at its end."""
    kills: int
    stall: float
    counters: dict[str, int]


@dataclasses.dataclass
class Turn:
    """A job."""
    good: bool
    build: float
    spike: float


@dataclasses.dataclass
class Outcome:
    """What four guests have done."""
    peer: Peer
    seconds: float = 0
    turns: list[Turn] = dataclasses.field(default_factory=list)
    guests: list[Ended] = dataclasses.field(default_factory=list)
    # (seconds, MiB in memory, MiB that the host has swapped out)
    host: list[tuple[float, float, float]] = dataclasses.field(default_factory=list)
    error: str = ""

    @property
    def done(self) -> list[Turn]:
        """The jobs that came to their end."""
        return [turn for turn in self.turns if turn.good]

    @property
    def rate(self) -> float:
        """Of these, a minute."""
        return 60 * len(self.done) / self.seconds

    @property
    def kills(self) -> int:
        """By the guests' kernels."""
        return sum(guest.kills for guest in self.guests)

    @property
    def stall(self) -> float:
        """The longest."""
        return max(guest.stall for guest in self.guests)

    @property
    def counters(self) -> dict[str, int]:
        """Of all guests."""
        names = {name: None for guest in self.guests for name in guest.counters}
        return {name: sum(g.counters.get(name, 0) for g in self.guests) for name in names}


def parse(peer: Peer, result: Result) -> Outcome:
    """Reads what spike.sh has printed."""
    out = Outcome(peer)
    for line in result.host_out.splitlines():
        kind, *rest = line.split() or [""]
        if kind == "job" and len(rest) == 5:
            status, begin, built, end = int(rest[1]), *map(float, rest[2:])
            out.turns.append(Turn(status == 0, built - begin, end - built))
        elif kind == "host" and len(rest) == 3:
            at, used, swapped = map(float, rest)
            out.host.append((at, used / 2**20, swapped / 2**20))
        elif kind == "end" and len(rest) >= 3:
            counters = {k: int(v) for k, v in measure.fields(line).items()}
            out.guests.append(Ended(int(rest[1]), float(rest[2]), counters))
        elif kind == "took":
            out.seconds = float(rest[0])
    if result.status != 0 or result.host_status != 0 or len(out.guests) != 4 or not out.seconds:
        why = [line for line in result.host_out.splitlines() if "spike:" in line]
        out.error = why[0] if why else result.explain()
    return out


def run_peer(bench: measure.Runner, peer: Peer, sizes: Sizes, args: argparse.Namespace) -> Outcome:
    """Four guests."""
    who = f"{peer.who}:{sizes.budget}" if peer.who == "symbioticd" else peer.who
    host_cmd = script(HERE / "spike.sh", who, sizes.limit, sizes.small, sizes.large, args.jobs,
                      args.seconds)
    cmd = script(HERE / "guest" / "spike.sh", sizes.small // 4, UNITS, sizes.data, PASSES)
    result = bench.run(cmd, files=args.programs, kernel="guest" if peer.ours else "stock",
                       symbiotic=peer.ours, paging="nested", swap=peer.swap,
                       swap_size=sizes.window if peer.ours else sizes.swap,
                       swap_store=peer.store, reporting=peer.reporting,
                       guest_mem=sizes.large if peer.large else sizes.small,
                       qemu_args=PORT + peer.qemu_args, host_cmd=host_cmd,
                       timeout=args.seconds + 360)
    return parse(peer, result)


# ---- the report -----------------------------------------------------------------

def median(values: Sequence[float]) -> float | None:
    """None if there are none."""
    return statistics.median(values) if values else None


def main_table(found: Sequence[Outcome]) -> list[str]:
    """One line for each peer."""
    def row(o: Outcome) -> list[object]:
        used = [mib for _, mib, _ in o.host]
        return [o.peer.text, f"{o.rate:.2f}", len(o.done), len(o.turns) - len(o.done),
                number(median([t.build for t in o.done]), "{:.1f}"),
                number(median([t.spike for t in o.done]), "{:.1f}"), f"{o.stall:.2f}", o.kills,
                number(statistics.fmean(used) if used else None, "{:.0f}"),
                number(max(used, default=None), "{:.0f}"),
                number(max((s for _, _, s in o.host), default=None), "{:.0f}")]

    return table(["", "jobs/min", "jobs", "failed", "build s", "spike s", "stall s", "OOM kills",
                  "host MiB", "most", "swapped"], [row(o) for o in found if not o.error])


def page_table(found: Sequence[Outcome]) -> list[str]:
    """What the guests' kernels have done with pages, of all guests."""
    good = [o for o in found if not o.error]
    names = {name: None for o in good for name in o.counters}
    return table(["pages", *(o.peer.name for o in good)],
                 [[name, *(o.counters.get(name, "-") for o in good)] for name in names])


def targets(found: Sequence[Outcome]) -> list[Target]:
    """Ours is first in jobs a minute, and kills nobody."""
    good = {o.peer: o for o in found if not o.error}
    ours = good.get(OURS)
    others = [o for o in good.values() if not o.peer.ours]
    first = Target("Jobs per minute: ours / the best peer", None, 1, at_least=True)
    kills = Target("OOM kills, ours", None, 0, form="{:.0f}")
    if ours and others:
        best = max(others, key=lambda o: o.rate)
        first.value = measure.ratio(ours.rate, best.rate)
        first.detail = f"{ours.rate:.2f} / {best.rate:.2f}, {best.peer.text}"
        if not best.rate:
            first.detail = "no peer has done a job"
    if ours:
        kills.value = ours.kills
        kills.detail = "; ".join(f"{o.peer.name} {o.kills}" for o in others) or "no peer"
    return [first, kills]


def picture(found: Sequence[Outcome], sizes: Sizes) -> list[str]:
    """gnuplot's lines."""
    lines, plots = [], []
    for o in found:
        if o.error or len(o.host) < 2:
            continue
        name = o.peer.name.replace("-", "_")
        lines += [f"${name} << EOD", *(f"{at - o.host[0][0]:.1f} {used:.1f} {used + swapped:.1f}"
                                       for at, used, swapped in o.host), "EOD"]
        plots += [f"${name} using 1:2 with lines lw 2 lc rgb '{o.peer.colour}' "
                  f"title '{o.peer.text}'",
                  f"${name} using 1:3 with lines lw 1 dt 3 lc rgb '{o.peer.colour}' notitle"]
    if not plots:
        return []
    return [*lines, "unset logscale y", "set format y '%.0f'", "set yrange [0:]",
            "set title \"Memory of the host that four guests use\" font ',16'",
            "set xlabel 'seconds'", "set ylabel 'MiB (dotted: with what the host has swapped out)'",
            f"set arrow 1 from graph 0, first {sizes.limit} to graph 1, first {sizes.limit} "
            "nohead dt 2 lc rgb '#888888'",
            f"set label 1 'all that there is: {sizes.limit} MiB' at graph 0.01, "
            f"first {sizes.limit} offset 0,0.6 tc rgb '#666666' font ',11'",
            "set key below center vertical maxrows 3 Left reverse width 1 spacing 1.3 font ',12'",
            "plot " + ", \\\n     ".join(plots)]


COLUMNS = ("peer", "what", "at or guest", "value", "more")


def rows(found: Sequence[Outcome]) -> Iterator[tuple[object, ...]]:
    """All that was measured."""
    for o in found:
        if o.error:
            yield o.peer.name, "error", "", o.error.splitlines()[0], ""
            continue
        yield o.peer.name, "jobs per minute", "", f"{o.rate:.3f}", len(o.done)
        for turn in o.turns:
            yield (o.peer.name, "job" if turn.good else "failed job", "", f"{turn.build:.2f}",
                   f"{turn.spike:.2f}")
        for i, guest in enumerate(o.guests, 1):
            yield o.peer.name, "longest stall, OOM kills", i, f"{guest.stall:.3f}", guest.kills
            for name, value in guest.counters.items():
                yield o.peer.name, name, i, value, ""
        for at, used, swapped in o.host:
            yield (o.peer.name, "host MiB, swapped", f"{at - o.host[0][0]:.1f}", f"{used:.1f}",
                   f"{swapped:.1f}")


def text(found: Sequence[Outcome], sizes: Sizes, args: argparse.Namespace) -> list[str]:
    """The report, but for the targets."""
    wrapped = [f"  {o.peer.text}: {o.peer.about}" for o in found]
    return ["", f"Four guests of {sizes.small} MiB; a job is {UNITS} short processes, then a "
            f"program that fills {sizes.data} MiB, uses them {PASSES} times and ends;",
            f"two at a time, in turns; until {args.jobs} are done, or for {args.seconds} s. The "
            f"host has {sizes.limit} MiB for all: two guests of {sizes.large}, and QEMU.",
            *main_table(found), "",
            "  build, spike: median of a job's parts; stall: the longest time that a program was "
            "late which wakes up ten",
            "  times a second and looks at 1 MiB; host: mean and most of what four guests use, "
            "most of what the host has swapped out.", "",
            *page_table(found), "", "How each is configured:", *wrapped,
            *(f"FAILED: {o.peer.text}: {o.error}" for o in found if o.error)]


def main(argv: Sequence[str] | None = None, benches: measure.Benches = Bench) -> int:
    """Runs the experiment; returns the exit status."""
    parser = measure.arguments(__doc__, targets=True)
    parser.add_argument("--guest", type=int, default=256, metavar="MiB",
                        help="memory of a guest that rests, of which all else follows (256)")
    parser.add_argument("--jobs", type=int, default=8, help="until so many are done (8)")
    parser.add_argument("--seconds", type=int, default=100, help="or for so long (100)")
    parser.add_argument("--only", default="", metavar="PATTERN",
                        help="only peers whose name matches: " + ", ".join(p.name for p in PEERS))
    parser.add_argument("--programs", type=pathlib.Path, default=measure.PROGRAMS,
                        help="directory with the static programs")
    args = parser.parse_args(argv)
    # Of virtio-mem: its size is a multiple of Linux's memory blocks.
    if args.guest < 64 or args.guest % 32:
        parser.error("--guest: at least 64, and a multiple of 32")
    if benches is Bench:
        measure.build_programs(args.programs)

    sizes, found = Sizes(args.guest), []
    with benches(host="symbiotic", **sizes.machine) as bench:
        for peer in (p for p in PEERS if re.search(args.only, p.name)):
            say(f"{peer.text} ...")
            found.append(run_peer(bench, peer, sizes, args))
            last = found[-1]
            say(f"    FAILED: {last.error}" if last.error else
                f"    {last.rate:.2f} jobs a minute, {last.kills} OOM kills, longest stall "
                f"{last.stall:.2f} s")
    report = measure.Report(args.results, "spike", measure.about())
    report.csv(COLUMNS, rows(found))
    lines = picture(found, sizes)
    if lines:
        report.plot("memory", lines)
    status = report.finish(text(found, sizes, args), targets(found), args.strict)
    return 1 if any(o.error for o in found) else status


if __name__ == "__main__":
    ending.exit_when_told(main)
