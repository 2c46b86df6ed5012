# SPDX-License-Identifier: GPL-2.0
"""Turns the outcomes of the swap experiments into tables, targets, rows of the CSV file and
pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Optional

from jobs import GUEST_COUNTERS, PROGRAMS, Job, Outcome, Pass
from modes import BYPASS, MODES, NEVER, NO_PRESSURE, SYMSWAP, VIRTIO, ZRAM, Mode
from rig.measure import Target, number, ratio, table

CSV_COLUMNS = ("benchmark", "mode", "paging", "guest memory", "working set",
               "pass", "seconds", "rate", "swap-ins", "swap-outs",
               "bypass maps", "symcalls", "exits", "versions")

# KVM's statistics of a whole job, by our column.
HOST_COUNTERS = {"bypass maps": "bypass_maps", "symcalls": "symcalls", "exits": "exits"}

# What is asked of an outcome.
Value = Callable[[Outcome], Optional[float]]


class Best(NamedTuple):
    """The lowest answer of several outcomes, and the one that gave it."""
    value: float
    outcome: Outcome

    @property
    def text(self) -> str:
        """Seconds, and where they are from."""
        return f"{self.value:.3f} s" + (" (from a part of a pass)" if self.outcome.estimated()
                                        else "")


def value_of(best: Best | None) -> float | None:
    """None if nothing was measured."""
    return best.value if best else None


class Results:
    """The outcomes of all jobs, with the questions that the report asks."""

    def __init__(self, outcomes: Iterable[Outcome]) -> None:
        everything = list(outcomes)
        self.outcomes = [o for o in everything if not o.error]
        self.no_room = [o for o in everything if o.no_room()]
        self.failed = [o for o in everything if o.error and o not in self.no_room]

    def lost(self) -> list[Outcome]:
        """Failures that no second try has made good. Only a guest that gave
        no answer gets one; wrong data never does."""
        good = {o.job for o in self.outcomes}
        return [o for o in self.failed if not o.hung or o.job not in good]

    def find(self, program: str, mode: Mode, ws: int, paging: str | None = None,
             contents: str | None = "random",
             kernels: tuple[str, ...] = ("triad",)) -> list[Outcome]:
        """The outcomes of the jobs of one kind; all contents if it is None."""
        return [o for o in self.outcomes
                if (o.job.program, o.job.mode, o.job.ws) == (program, mode, ws) and
                paging in (None, o.job.paging) and
                (program != "stream" or
                 (contents in (None, o.job.contents) and o.job.kernels == kernels))]

    def best(self, value: Value, program: str, mode: Mode, ws: int, paging: str | None = None,
             contents: str | None = "random") -> Best | None:
        """The lowest value over repetitions and paging modes."""
        found = [Best(v, o) for o in self.find(program, mode, ws, paging, contents)
                 if (v := value(o)) is not None]
        return min(found, key=lambda best: best.value) if found else None

    def passes(self, ws: int) -> list[float]:
        """Of STREAM, never swapping and later than the first: what nothing should disturb."""
        return sorted(p.full_seconds() for o in self.find("stream", NEVER, ws, "shadow")
                      for p in o.kernel()[1:])


def exit_seconds(outcome: Outcome) -> float | None:
    """Seconds that the process's exit took."""
    return outcome.exit_seconds


# ---- targets ------------------------------------------------------------

# Where half of the passes that nothing disturbs take so much longer than good ones, ratios
# near 1 mean little.
NOISE = 1.15

NO_PRESSURE_TEXT = "STREAM without pressure: SwapBypass enabled / disabled"


def compare(text: str, limit: float, upper: Best | None, lower: Best | None,
            at_least: bool = False) -> Target:
    """The target of a ratio."""
    if not upper or not lower:
        return Target(text, None, limit, at_least)
    return Target(text, ratio(upper.value, lower.value), limit, at_least,
                  f"{upper.text} / {lower.text}; "
                  f"paging {upper.outcome.job.paging} / {lower.outcome.job.paging}")


def over_peer(text: str, limit: float, peer: Best | None, ours: Best | None,
              never: Best | None) -> Target:
    """How many times as long a peer takes; and what never swapping would reach, since how slow
    the peer is we do not decide."""
    made = compare(text, limit, peer, ours, at_least=True)
    if made.value is not None and peer and never:
        made.detail += f"; over never swapping, the most there is: {peer.value / never.value:.2f}"
    return made


def beside_peer(text: str, limit: float, peer: Best | None, ours: Best | None,
                never: Best | None) -> Target:
    """A target beside never swapping, for a peer that is not slow enough everywhere for one
    over itself; with what ours and never swapping are over the peer."""
    made = compare(text, limit, ours, never)
    if peer and ours and never:
        made.detail += (f"; the peer takes {peer.value / ours.value:.0f} times ours, "
                        f"{peer.value / never.value:.0f} times never swapping")
    return made


# Of our side and the other one.
Pair = tuple[Optional[Best], Optional[Best]]


def exact(text: str, limit: float, timed: Pair, counted: Pair) -> Target:
    """A target near 1: judged by @counted, where the values are instructions, if there are
    any."""
    made = compare(text, limit, *timed)
    ours, other = counted
    if ours and other:
        seconds = number(made.value, "{:.2f}")
        made.value = ratio(ours.value, other.value)
        made.detail = (f"{ours.value:.4f} / {other.value:.4f} x 10^9 instructions; in time "
                       f"{seconds}: {made.detail}")
    return made


def no_pressure_target(results: Results, ws: int) -> Target:
    """"Nothing measurable": the difference is below what the runs without
    SwapBypass differ among themselves, at least 2%."""
    off = results.passes(ws)
    on, low = (results.best(Outcome.steady, "stream", mode, ws, "shadow")
               for mode in (NO_PRESSURE, NEVER))
    made = compare(NO_PRESSURE_TEXT, 1.02, on, low)
    if low and off:
        noise = off[len(off) // 2] / low.value
        made.limit = max(made.limit, noise)
        made.detail += f"; median pass without it is {100 * (noise - 1):.0f}% above the best"
    return made


def near_one(results: Results, counted: Results, ws: int, gups_table: int) -> list[Target]:
    """The targets near 1."""
    def target(text: str, limit: float, value: Value, program: str, ours: Mode,
               other: Mode) -> Target:
        size = gups_table if program == "gups" else ws
        timed, count = ((r.best(value, program, ours, size, "shadow"),
                         r.best(value, program, other, size, "shadow"))
                        for r in (results, counted))
        return exact(text, limit, timed, count)

    found = [
        target("STREAM steady: SwapBypass / never swaps", 1.05, Outcome.steady, "stream",
               BYPASS, NEVER),
        target("GUPS steady: SwapBypass / never swaps", 1.05, Outcome.steady, "gups",
               BYPASS, NEVER),
        target("process exit: SwapBypass / symswap", 1.2, exit_seconds, "stream",
               BYPASS, SYMSWAP),
    ]
    if not counted.find("stream", NO_PRESSURE, ws, "shadow"):
        return found + [no_pressure_target(results, ws)]
    return found + [target(NO_PRESSURE_TEXT, 1.02, Outcome.steady, "stream", NO_PRESSURE, NEVER)]


def targets(results: Results, counted: Results, ws: int, gups_table: int) -> list[Target]:
    """All of `make run`, at a working set of twice the free memory."""
    def stream(mode: Mode, contents: str | None = "random",
               value: Value = Outcome.steady) -> Best | None:
        return results.best(value, "stream", mode, ws, contents=contents)

    def gups(mode: Mode) -> Best | None:
        return results.best(Outcome.steady, "gups", mode, gups_table)

    # Whatever the arrays hold: SwapBypass never looks at it.
    bypass, bypass_first = stream(BYPASS, None), stream(BYPASS, None, Outcome.first)
    return near_one(results, counted, ws, gups_table) + [
        over_peer("STREAM, constant contents: zram / SwapBypass", 8,
                  stream(ZRAM, "constant"), bypass, stream(NEVER)),
        over_peer("STREAM, compressible contents: zram / SwapBypass", 8,
                  stream(ZRAM, "compressible"), bypass, stream(NEVER)),
        over_peer("GUPS: zram / SwapBypass", 12, gups(ZRAM), gups(BYPASS), gups(NEVER)),
        # In time, unlike the first: what exits and walks of page tables cost is no
        # instructions. It was 0.97 to 1.08, and within NOISE a time can mean nothing.
        beside_peer("STREAM in time: SwapBypass / never swaps", NOISE,
                    stream(VIRTIO), bypass, stream(NEVER)),
        over_peer("GUPS: virtio-blk / SwapBypass", 100, gups(VIRTIO), gups(BYPASS), gups(NEVER)),
        over_peer("STREAM first pass: zram, constant / SwapBypass", 3,
                  stream(ZRAM, "constant"), bypass_first, stream(NEVER)),
        over_peer("STREAM first pass: zram, compressible / SwapBypass", 3,
                  stream(ZRAM, "compressible"), bypass_first, stream(NEVER)),
    ]


# ---- tables -------------------------------------------------------------

TABLE_HEAD = ("mode", "paging", "first s", "steady s", "rate", "x never", "swap-ins", "maps",
              "symcalls", "exits/job")
LEGEND = [
    "  first = first pass, with everything swapped out before it; steady = "
    "good later pass (best tenth dropped).",
    "  ~ = scaled up from the part of a pass that the time limit allowed; "
    "swap-ins of the first pass;",
    "  maps, symcalls and exits: of the whole job, without the boot; x never: "
    "by the best never-swap run.", ""]


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)


def estimate(best: Best | None) -> str:
    """A number for a table, marked if it is scaled up."""
    return ("~" if best and best.outcome.estimated() else "") + number(value_of(best))


def mode_row(results: Results, job: Job, never: Best | None) -> list[str]:
    """The line of a job's mode and paging mode in the table of its program; nothing if it gave
    no result."""
    kind = (job.program, job.mode, job.ws, job.paging, job.contents)
    best, start = results.best(Outcome.steady, *kind), results.best(Outcome.first, *kind)
    entry = best.outcome.steady_pass() if best else None
    if not best or not entry:
        return []
    swap_ins = best.outcome.kernel()[0].counters.get("pswpin")
    return [job.mode.text, job.paging, number(value_of(start)), estimate(best),
            number(entry.rate, "{:.6f}" if job.program == "gups" else "{:.1f}"),
            number(ratio(best.value, value_of(never)), "{:.2f}"), _count(swap_ins),
            *(_count(best.outcome.host.get(name)) for name in HOST_COUNTERS.values())]


def program_table(results: Results, program: str, ws: int, contents: str, free: int) -> list[str]:
    """One line for each mode and paging mode at one working set."""
    def wanted(job: Job) -> bool:
        return (job.program, job.ws, job.contents) == (program, ws, contents)

    order = {mode: place for place, mode in enumerate(MODES)}
    jobs = {(order[o.job.mode], ("shadow", "nested", "none").index(o.job.paging)): o.job
            for o in results.outcomes if wanted(o.job) and o.job.mode in order}
    never = results.best(Outcome.steady, program, NEVER, ws, contents=contents)
    rows = [row for _, job in sorted(jobs.items()) if (row := mode_row(results, job, never))]
    short = [f"  {o.job.mode.text}, {o.job.paging}: {o.error}; it keeps the pages in the guest's "
             "memory" for o in results.no_room if program == "stream" and wanted(o.job)]
    if not rows and not short:
        return []
    title, unit = PROGRAMS[program].text, PROGRAMS[program].unit
    if program == "stream":
        title += f", {'incompressible' if contents == 'random' else contents} contents"
    head = [unit if cell == "rate" else cell for cell in TABLE_HEAD]
    return [f"{title}, {ws} MiB in a guest with {free} MiB free ({ws / free:.1f}x)",
            *table(head, rows), *short, ""]


def tables(results: Results, ws: int, gups_table: int, free: int) -> list[str]:
    """The readable tables of `make run`."""
    lines = []
    for contents in ("random", "constant", "compressible"):
        lines += program_table(results, "stream", ws, contents, free)
    lines += program_table(results, "gups", gups_table, "random", free)
    return lines + LEGEND + curve_table(results, free) + exit_table(results, ws)


def curve_table(results: Results, free: int) -> list[str]:
    """STREAM triad, seconds per steady pass over the working set."""
    sizes = sorted({o.job.ws for o in results.outcomes if o.job.program == "stream"})
    rows = []
    for mode in MODES:
        found = [results.best(Outcome.steady, "stream", mode, ws, contents=mode.contents)
                 for ws in sizes]
        if any(found):
            rows.append([mode.text, *map(estimate, found)])
    if not rows:
        return []
    return ["STREAM triad, seconds of a steady pass by working set (best paging mode; "
            "incompressible,", "but constant contents for zram, because others do not fit)",
            *table(["mode", *(f"{s} MiB" for s in sizes)],
                   rows + [["", *(f"{s / free:.1f}x" for s in sizes)]]), ""]


def exit_table(results: Results, ws: int) -> list[str]:
    """How long processes took to exit."""
    kinds = {(o.job.mode, o.job.paging): o.job.mode.text for o in results.outcomes
             if o.job.time_exit and o.job.ws == ws}
    found = {kind: results.best(exit_seconds, "stream", kind[0], ws, kind[1]) for kind in kinds}
    rows = [[text, kind[1], number(value_of(found[kind]))] for kind, text in kinds.items()]
    lines = table(["Exit of a process with that working set", "paging", "s"], rows)
    return lines + [""] if lines else []


def noise_text(results: Results, ws: int) -> list[str]:
    """How much a pass that nothing should disturb varied."""
    times = results.passes(ws)
    if not times:
        return []
    good, middle = times[len(times) // 10], times[len(times) // 2]
    text = (f"Noise: a tenth of {len(times)} never-swap passes took less than {good:.3f} s, half "
            f"less than {middle:.3f} s")
    if middle > NOISE * good:
        text += " - something else ran on this machine; ratios near 1 mean little"
    return [text]


def memory_text(outcomes: Iterable[Outcome], free: int) -> list[str]:
    """Whether the guests under pressure had the free memory they should."""
    seen = [o.available / 1024 for o in outcomes
            if o.available and (o.job.mode.copies or o.job.mode is BYPASS)]
    if not seen:
        return []
    return [f"MemAvailable before the programs ran: {min(seen):.0f} to {max(seen):.0f} MiB "
            f"(planned {free})"]


# ---- for programs -------------------------------------------------------

def csv_rows(measured: Iterable[tuple[Outcome, str]]) -> Iterator[dict[str, object]]:
    """One row for each pass, one for a process's exit, and one for the whole
    job: exits can be counted only there, because the guest does not see the
    statistics of KVM. @measured: (outcome, what it was measured with) pairs."""
    for outcome, versions in measured:
        job = outcome.job

        def row(kernel: str, number_: str, **more: object) -> dict[str, object]:
            contents = f" {job.contents}" if job.program == "stream" else ""
            return {"benchmark": f"{job.program} {kernel}{contents}", "mode": job.mode.name,
                    "paging": job.paging, "guest memory": job.guest_mem, "working set": job.ws,
                    "pass": number_, "versions": versions, **more}

        for entry in outcome.passes:
            yield row(entry.kernel, f"{entry.number}{'' if entry.complete else ' partial'}",
                      seconds=f"{entry.seconds:.6f}", rate=f"{entry.rate:.9g}",
                      **_columns(entry))
        if outcome.exit_seconds is not None:
            yield row(job.kernel, "exit", seconds=f"{outcome.exit_seconds:.6f}")
        yield row(job.kernel, "job" + (f": {outcome.error}" if outcome.error else ""),
                  seconds=f"{outcome.wall:.1f}",
                  **{ours: outcome.host.get(name, "") for ours, name in HOST_COUNTERS.items()})


def _columns(entry: Pass) -> dict[str, object]:
    """The guest's counters of a pass."""
    names = {"swap-ins": "pswpin", "swap-outs": "pswpout", **GUEST_COUNTERS}
    return {column: entry.counters.get(name, "") for column, name in names.items()}


# (MiB, seconds, whether they are scaled up)
Point = tuple[int, float, bool]


def _curve(results: Results, program: str, mode: Mode) -> list[Point]:
    """The best steady pass by size."""
    sizes = sorted({o.job.ws for o in results.outcomes
                    if o.job.program == program and o.job.mode == mode})
    return [(ws, best.value, best.outcome.estimated()) for ws in sizes
            if (best := results.best(Outcome.steady, program, mode, ws, contents=mode.contents))]


def _data(name: str, points: Sequence[Point]) -> list[str]:
    return [f"${name} << EOD", *(f"{ws} {sec:.6f}" for ws, sec, _ in points), "EOD"]


def picture(results: Results, program: str, free: int) -> list[str]:
    """gnuplot's lines of one picture, data included; none where no mode has two points, which
    is no curve."""
    curves = {mode: found for mode in MODES if (found := _curve(results, program, mode))}
    points = [p for found in curves.values() for p in found]
    sizes = sorted({ws for ws, _, _ in points})
    if len(sizes) < 2:
        return []
    lines, plots = [], []
    for mode, found in curves.items():
        name = mode.name.replace("-", "_")
        cut = [p for p in found if p[2]]
        lines += _data(name, found) + _data(f"{name}_cut", cut)
        # The two lowest curves lie on each other: one is seen through the
        # other.
        width = 6 if mode is NEVER else 2
        title = mode.text
        if program == "stream" and mode.contents == "constant":
            title += " (constant data; other does not fit)"
        plots.append(f"${name} using 1:2 with linespoints lw {width} pt {mode.point} ps 1.4 "
                     f"lc rgb '{mode.colour}' title '{title}'")
        if cut:
            plots.append(f"${name}_cut using 1:2 with points pt 6 ps 3 lw 1.5 "
                         f"lc rgb '{mode.colour}' notitle")
    if any(cut for _, _, cut in points):
        plots.append("NaN with points pt 6 ps 2 lw 1.5 lc rgb '#777777' "
                     "title 'circled: scaled up from a part of a pass'")
    low, high = min(sec for _, sec, _ in points) / 2, max(sec for _, sec, _ in points) * 3
    what = ("GUPS: a million random updates" if program == "gups" else
            "STREAM triad, incompressible data: one steady pass")
    return [
        *lines,
        f"set title \"{what}\" font ',16'",
        "set xlabel 'working set (MiB)'",
        "set ylabel 'seconds (log scale)'",
        "set xtics (" + ", ".join(f"'{s}' {s}" for s in sizes) + ")",
        f"set xrange [{sizes[0] * 0.8:.1f}:{sizes[-1] * 1.05:.1f}]",
        f"set yrange [{low:.6g}:{high:.6g}]",
        f"set arrow 1 from {free}, graph 0 to {free}, graph 1 nohead dt 2 lc rgb '#888888'",
        f"set label 1 'free memory of the guest: {free} MiB' at {free}, "
        "graph 0.97 offset 0.7,0 tc rgb '#666666' font ',11'",
        "set key below center vertical maxrows 3 Left reverse width 1 spacing 1.3 font ',12'",
        "plot " + ", \\\n     ".join(plots)]
