# SPDX-License-Identifier: GPL-2.0
"""Turns the outcomes of an experiment into the table, the bars, the CSV file
and the plot."""

import csv
import dataclasses
import shutil
import subprocess

from jobs import (BYPASS, GUEST_COUNTERS, MAIN_PASS, MODES, MODE_TEXT, NEVER,
                  NO_PRESSURE, SYMSWAP, VIRTIO, ZRAM, curve_contents)

CSV_COLUMNS = ("benchmark", "mode", "paging", "guest memory", "working set",
               "pass", "seconds", "rate", "swap-ins", "swap-outs",
               "bypass maps", "symcalls", "exits", "versions")

# KVM's statistics of a whole job, by our column.
HOST_COUNTERS = {"bypass maps": "bypass_maps", "symcalls": "symcalls",
                 "exits": "exits"}


class Results:
    """The outcomes of all jobs, with the questions that the report asks."""

    def __init__(self, outcomes):
        self.outcomes = [o for o in outcomes if not o.error]
        self.no_room = [o for o in outcomes if o.no_room()]
        self.failed = [o for o in outcomes if o.error and
                       o not in self.no_room]

    def lost(self):
        """Failures that no second try has made good. Only a guest that gave
        no answer gets one; wrong data never does."""
        good = {o.job for o in self.outcomes}
        return [o for o in self.failed if not o.hung or o.job not in good]

    def find(self, program, mode, ws, paging=None, contents="random",
             kernels=("triad",)):
        """The outcomes of the jobs of one kind; all contents if it is None."""
        return [o for o in self.outcomes
                if o.job.program == program and o.job.mode == mode and
                o.job.ws == ws and paging in (None, o.job.paging) and
                (program != "stream" or
                 (contents in (None, o.job.contents) and
                  o.job.kernels == kernels))]

    def best(self, value, *args, **kwargs):
        """The lowest value over repetitions and paging modes, and the outcome
        that it is from; (None, None) if no job gave one."""
        found = [(value(o), o) for o in self.find(*args, **kwargs)]
        found = [f for f in found if f[0] is not None]
        return min(found, key=lambda f: f[0], default=(None, None))


def kernel_of(program):
    """The kernel that stands for a program in ratios."""
    return MAIN_PASS[program][0]


def steady(program):
    """Seconds of a steady pass of an outcome."""
    return lambda o: o.steady(kernel_of(program))


def first(program):
    """Seconds of the first pass of an outcome."""
    return lambda o: o.first(kernel_of(program))


def exit_seconds(outcome):
    """Seconds that the process's exit took."""
    return outcome.exit_seconds


@dataclasses.dataclass
class Bar:
    """One bar of the issue: @value must be at least or at most @limit."""
    text: str
    value: float
    limit: float
    at_least: bool
    detail: str = ""

    def verdict(self):
        """PASS, MISS, or ---- if it was not measured."""
        if self.value is None:
            return "----"
        good = (self.value >= self.limit if self.at_least
                else self.value <= self.limit)
        return "PASS" if good else "MISS"


def _ratio(above, below):
    return above / below if above is not None and below else None


def _partial(outcome):
    kernel = kernel_of(outcome.job.program)
    return " (from a part of a pass)" if outcome.estimated(kernel) else ""


def compare(text, limit, at_least, upper, lower):
    """The bar over the ratio of two (value, outcome) pairs."""
    ratio = _ratio(upper[0], lower[0])
    detail = "not measured"
    if ratio is not None:
        detail = (f"{upper[0]:.3f} s{_partial(upper[1])} / {lower[0]:.3f} s; "
                  f"paging {upper[1].job.paging} / {lower[1].job.paging}")
    return Bar(text, ratio, limit, at_least, detail)


def over_never(text, limit, peer, ours, never):
    """A bar over the ratio of two (value, outcome) pairs that says what the ratio
    would be if nothing were swapped: how slow the peer is we do not decide."""
    bar = compare(text, limit, True, peer, ours)
    most = _ratio(peer[0], never[0])
    if most is not None:
        bar.detail += f"; to never swapping, the most there is: {most:.2f}"
    return bar


def exact(text, limit, timed, counted):
    """A bar near 1 over the ratio of two (value, outcome) pairs: judged by
    @counted, where the values are instructions, if there are any."""
    bar = compare(text, limit, False, *timed)
    ratio = _ratio(counted[0][0], counted[1][0])
    if ratio is not None:
        seconds = _number(bar.value, "{:.2f}")
        bar.value = ratio
        bar.detail = (f"{counted[0][0]:.4f} / {counted[1][0]:.4f} x 10^9 "
                      f"instructions; in time {seconds}: {bar.detail}")
    return bar


NO_PRESSURE_TEXT = "STREAM without pressure: SwapBypass enabled / disabled"


def no_pressure_bar(results, ws):
    """"Nothing measurable": the difference is below what the runs without
    SwapBypass differ among themselves, at least 2%."""
    off = [p.full_seconds() for o in results.find("stream", NEVER, ws, "shadow")
           for p in o.kernel("triad")[1:]]
    on, _ = results.best(steady("stream"), "stream", NO_PRESSURE, ws, "shadow")
    if on is None or not off:
        return Bar(NO_PRESSURE_TEXT, None, 1.02, False, "not measured")
    low, _ = results.best(steady("stream"), "stream", NEVER, ws, "shadow")
    noise = sorted(off)[len(off) // 2] / low
    return Bar(NO_PRESSURE_TEXT, on / low, max(1.02, noise), False,
               f"{on:.3f} s / {low:.3f} s; median pass without it is "
               f"{100 * (noise - 1):.0f}% above the best")


def near_one(results, counted, ws, table):
    """The bars near 1."""
    def stream(mode, value=steady("stream")):
        return [r.best(value, "stream", mode, ws, "shadow")
                for r in (results, counted)]

    def gups(mode):
        return [r.best(steady("gups"), "gups", mode, table, "shadow")
                for r in (results, counted)]

    found = [
        exact("STREAM steady: SwapBypass / never swaps", 1.05,
               *zip(stream(BYPASS), stream(NEVER))),
        exact("GUPS steady: SwapBypass / never swaps", 1.05,
               *zip(gups(BYPASS), gups(NEVER))),
        exact("process exit: SwapBypass / symswap", 1.2,
               *zip(stream(BYPASS, exit_seconds),
                    stream(SYMSWAP, exit_seconds))),
    ]
    if not counted.find("stream", NO_PRESSURE, ws, "shadow"):
        return found + [no_pressure_bar(results, ws)]
    return found + [exact(NO_PRESSURE_TEXT, 1.02,
                           *zip(stream(NO_PRESSURE), stream(NEVER)))]


def bars(results, counted, ws, table):
    """The bars of section 5, at a working set of twice the free memory."""
    def stream(mode, paging=None, value=steady("stream"), **more):
        return results.best(value, "stream", mode, ws, paging, **more)

    def gups(mode, paging=None):
        return results.best(steady("gups"), "gups", mode, table, paging)

    # Whatever the arrays hold: SwapBypass never looks at it.
    bypass = stream(BYPASS, contents=None)
    bypass_first = stream(BYPASS, value=first("stream"), contents=None)
    return near_one(results, counted, ws, table) + [
        compare("STREAM, constant contents: zram / SwapBypass", 8,
                 True, stream(ZRAM, contents="constant"),
                 bypass),
        compare("STREAM, compressible contents: zram / SwapBypass",
                 8, True, stream(ZRAM, contents="compressible"),
                 bypass),
        compare("GUPS: zram / SwapBypass", 12, True,
                 gups(ZRAM), gups(BYPASS)),
        over_never("STREAM: virtio-blk / SwapBypass", 100, stream(VIRTIO),
                   bypass, stream(NEVER)),
        compare("GUPS: virtio-blk / SwapBypass", 100, True,
                 gups(VIRTIO), gups(BYPASS)),
        compare("STREAM first pass: zram, constant / SwapBypass", 3,
                 True, stream(ZRAM, contents="constant"),
                 bypass_first),
        compare("STREAM first pass: zram, compressible / SwapBypass",
                 3, True, stream(ZRAM, contents="compressible"),
                 bypass_first),
    ]


def noise_text(results, ws):
    """How much a pass that nothing should disturb varied."""
    times = sorted(p.full_seconds()
                   for o in results.find("stream", NEVER, ws, "shadow")
                   for p in o.kernel("triad")[1:])
    if not times:
        return []
    good = times[len(times) // 10]
    middle = times[len(times) // 2] / good
    text = (f"Noise: a tenth of {len(times)} never-swap passes took less than "
            f"{good:.3f} s, half less than {good * middle:.3f} s")
    if middle > 1.15:
        text += " - something else ran on this machine; ratios near 1 mean little"
    return [text]


def bars_text(all_bars):
    """The bars as lines of text."""
    lines = []
    for bar in all_bars:
        value = f"{bar.value:8.2f}" if bar.value is not None else "       -"
        sign = ">=" if bar.at_least else "<="
        lines.append(f"  {bar.verdict()}  {bar.text:<54}{value}  "
                     f"(bar {sign} {bar.limit:.4g})")
        lines.append(f"        {bar.detail}")
    return lines


def _number(value, form="{:.3f}"):
    return "-" if value is None else form.format(value)


def _count(value):
    return "-" if value is None else f"{value:d}"


def column(entry, name):
    """The guest's counter of a pass for one of our columns, or None."""
    return entry.counters.get(GUEST_COUNTERS[name].rsplit("/", 1)[1])


PROGRAM_TEXT = {
    "stream": "STREAM triad", "gups": "GUPS", "kv": "Key-value store",
    "shift": "Key-value store, another tenth hot in each pass",
    "forkmix": "Fork and exec, as in a build",
    "memperf": "Loads by stride",
}


def table_text(results, program, ws, contents, free):
    """One line for each mode and paging mode at one working set."""
    kernel = kernel_of(program)
    kinds = {(o.job.mode, o.job.paging) for o in results.outcomes
             if o.job.program == program and o.job.ws == ws}
    never, _ = results.best(steady(program), program, NEVER, ws,
                            contents=contents)
    unit = MAIN_PASS[program][1]
    head = (f"  {'mode':<30} {'paging':<7} {'first s':>9} {'steady s':>9} "
            f"{unit:>10} {'x never':>8} {'swap-ins':>9} {'maps':>7} "
            f"{'symcalls':>8} {'exits/job':>10}")
    lines = []
    for mode in MODES:
        for paging in ("shadow", "nested", "none"):
            if (mode, paging) not in kinds:
                continue
            value, out = results.best(steady(program), program, mode, ws,
                                      paging, contents)
            if out is None:
                continue
            start, _ = results.best(first(program), program, mode, ws, paging,
                                    contents)
            passes = out.kernel(kernel)
            best = out.steady_pass(kernel)
            form = "{:.6f}" if program == "gups" else "{:.1f}"
            mark = "~" if not best.complete else " "
            lines.append(
                f"  {MODE_TEXT[mode]:<30} {paging:<7} {_number(start):>9} "
                f"{mark + _number(value):>9} "
                f"{_number(best.rate, form):>10} "
                f"{_number(_ratio(value, never), '{:.2f}'):>8} "
                f"{_count(passes[0].counters.get('pswpin')):>9} "
                f"{_count(out.host.get('bypass_maps')):>7} "
                f"{_count(out.host.get('symcalls')):>8} "
                f"{_count(out.host.get('exits')):>10}")
    for out in results.no_room:
        if (program, ws, contents) == ("stream", out.job.ws,
                                       out.job.contents):
            lines.append(f"  {MODE_TEXT[out.job.mode]:<30} "
                         f"{out.job.paging:<7} {out.error}: zram keeps the "
                         "pages in the guest's memory")
    if not lines:
        return []
    title = PROGRAM_TEXT[program]
    if program == "stream":
        title += f", {'incompressible' if contents == 'random' else contents} contents"
    return [f"{title}, {ws} MiB in a guest with {free} MiB free "
            f"({ws / free:.1f}x)", head] + lines + [""]


LEGEND = [
    "  first = first pass, with everything swapped out before it; steady = "
    "good later pass (best tenth dropped).",
    "  ~ = scaled up from the part of a pass that the time limit allowed; "
    "swap-ins of the first pass;",
    "  maps, symcalls and exits: of the whole job, without the boot; x never: "
    "by the best never-swap run.", ""]


def table(results, ws, gups_table, free):
    """The readable tables."""
    lines = []
    lines += table_text(results, "stream", ws, "random", free)
    lines += table_text(results, "stream", ws, "constant", free)
    lines += table_text(results, "stream", ws, "compressible", free)
    lines += table_text(results, "gups", gups_table, "random", free)
    lines += LEGEND
    lines += curve_text(results, free)
    lines += exit_text(results, ws)
    return lines


def curve_text(results, free):
    """STREAM triad, seconds per steady pass over the working set."""
    sizes = sorted({o.job.ws for o in results.outcomes
                    if o.job.program == "stream"})
    if not sizes:
        return []
    lines = ["STREAM triad, seconds of a steady pass by working set (best "
             "paging mode; incompressible,",
             "but constant contents for zram, because others do not fit)",
             "  " + f"{'mode':<30}" +
             "".join(f"{s:>6} MiB" for s in sizes)]
    for mode in MODES:
        cells = []
        for ws in sizes:
            value, out = results.best(steady("stream"), "stream", mode, ws,
                                      contents=curve_contents(mode))
            mark = "~" if out and out.estimated("triad") else ""
            cells.append(f"{mark + _number(value):>10}")
        if any(c.strip() != "-" for c in cells):
            lines.append("  " + f"{MODE_TEXT[mode]:<30}" + "".join(cells))
    lines.append("  " + f"{'':<30}" +
                 "".join(f"{f'{s / free:.1f}x':>10}" for s in sizes))
    return lines + [""]


def exit_text(results, ws):
    """How long processes took to exit."""
    lines = []
    for mode, paging in ((BYPASS, "shadow"), (SYMSWAP, "shadow"),
                         (SYMSWAP, "nested"), (SYMSWAP, "none")):
        value, _ = results.best(exit_seconds, "stream", mode, ws, paging)
        if value is not None:
            lines.append(f"  {MODE_TEXT[mode]:<30} {paging:<7} {value:.3f} s")
    return ["Exit of a process with that working set"] + lines + [""] \
        if lines else []


def write_csv(path, measured):
    """One row for each pass, one for a process's exit, and one for the whole
    job: exits can be counted only there, because the guest does not see the
    statistics of KVM. @measured: (outcome, what it was measured with) pairs."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.DictWriter(file, CSV_COLUMNS, lineterminator="\n")
        out.writeheader()
        for outcome, versions in measured:
            job = outcome.job
            for entry in outcome.passes:
                out.writerow(_row(
                    job, entry.kernel, versions,
                    str(entry.number) + ("" if entry.complete else " partial"),
                    seconds=f"{entry.seconds:.6f}", rate=f"{entry.rate:.9g}",
                    **{"swap-ins": entry.counters.get("pswpin", ""),
                       "swap-outs": entry.counters.get("pswpout", ""),
                       "bypass maps": _blank(column(entry, "bypass maps")),
                       "symcalls": _blank(column(entry, "symcalls"))}))
            kernel = kernel_of(job.program)
            if outcome.exit_seconds is not None:
                out.writerow(_row(job, kernel, versions, "exit",
                                  seconds=f"{outcome.exit_seconds:.6f}"))
            out.writerow(_row(
                job, kernel, versions,
                "job" + (": " + outcome.error if outcome.error else ""),
                seconds=f"{outcome.wall:.1f}",
                **{ours: _blank(outcome.host.get(name))
                   for ours, name in HOST_COUNTERS.items()}))


def _blank(value):
    return "" if value is None else value


def _row(job, kernel, versions, number, **more):
    name = f"{job.program} {kernel}"
    if job.program == "stream":
        name = f"stream {kernel} {job.contents}"
    row = dict.fromkeys(CSV_COLUMNS, "")
    row.update({"benchmark": name, "mode": job.mode, "paging": job.paging,
                "guest memory": job.guest_mem, "working set": job.ws,
                "pass": number, "versions": versions})
    row.update(more)
    return row


# ---- plot ---------------------------------------------------------------

PLOT_STYLE = {
    NEVER: ("#b8b8b8", 7), VIRTIO: ("#b2182b", 9), ZRAM: ("#e08214", 7),
    SYMSWAP: ("#8073ac", 11), BYPASS: ("#1b7837", 5),
}


def _curve(results, program, mode):
    """(size, seconds, estimated) of the best steady pass over sizes."""
    points = []
    sizes = sorted({o.job.ws for o in results.outcomes
                    if o.job.program == program and o.job.mode == mode})
    for ws in sizes:
        value, out = results.best(steady(program), program, mode, ws,
                                  contents=curve_contents(mode))
        if value is not None:
            points.append((ws, value, out.estimated(kernel_of(program))))
    return points


def plot_script(results, free, program, out, terminal):
    """The gnuplot script of one picture, data included."""
    lines, curves, labels = [], [], []
    scale = 1.0
    modes = [m for m in MODES if _curve(results, program, m)]
    everything = []
    for mode in modes:
        points = _curve(results, program, mode)
        everything += points
        name = mode.replace("-", "_")
        lines += [f"${name} << EOD"] + [
            f"{ws} {sec * scale:.6f}" for ws, sec, _ in points] + ["EOD"]
        lines += [f"${name}_cut << EOD"] + [
            f"{ws} {sec * scale:.6f}" for ws, sec, cut in points if cut
        ] + ["EOD"]
        color, point = PLOT_STYLE[mode]
        # The two lowest curves lie on each other: one is seen through the
        # other.
        look = "lw 2" if mode != NEVER else "lw 6"
        title = MODE_TEXT[mode]
        if program == "stream" and curve_contents(mode) == "constant":
            title += " (constant data; other does not fit)"
        curves.append(f"${name} using 1:2 with linespoints {look} pt {point} "
                      f"ps 1.4 lc rgb '{color}' title '{title}'")
        if any(cut for _, _, cut in points):
            curves.append(f"${name}_cut using 1:2 with points pt 6 ps 3 "
                          f"lw 1.5 lc rgb '{color}' notitle")
            labels.append(mode)
    if not everything:
        return None
    sizes = sorted({ws for ws, _, _ in everything})
    low = min(sec for _, sec, _ in everything) / 2
    high = max(sec for _, sec, _ in everything) * 3
    what = ("GUPS: a million random updates" if program == "gups" else
            "STREAM triad, incompressible data: one steady pass")
    if labels:
        curves.append("NaN with points pt 6 ps 2 lw 1.5 lc rgb '#777777' "
                      "title 'circled: scaled up from a part of a pass'")
    return "\n".join(lines + [
        f"set terminal {terminal}",
        f"set output '{out}'",
        f"set title \"{what}\" font ',16'",
        "set border 3 lw 1 lc rgb '#444444'",
        "set tics nomirror",
        "set grid ytics lc rgb '#dddddd' lw 1 dt 1",
        "set logscale y",
        "set format y '%g'",
        "set xlabel 'working set (MiB)'",
        "set ylabel 'seconds (log scale)'",
        "set xtics (" + ", ".join(f"'{s}' {s}" for s in sizes) + ")",
        f"set xrange [{sizes[0] * 0.8:.1f}:{sizes[-1] * 1.05:.1f}]",
        f"set yrange [{low:.6g}:{high:.6g}]",
        f"set arrow 1 from {free}, graph 0 to {free}, graph 1 nohead dt 2 "
        "lc rgb '#888888'",
        f"set label 1 'free memory of the guest: {free} MiB' at {free}, "
        "graph 0.97 offset 0.7,0 tc rgb '#666666' font ',11'",
        "set key below center vertical maxrows 3 Left reverse width 1 "
        "spacing 1.3 font ',12'",
        "plot " + ", \\\n     ".join(curves), ""])


def plot(results, free, directory):
    """Draws the pictures; returns the files, or a reason why not."""
    if not shutil.which("gnuplot"):
        return [], "gnuplot is not installed (package gnuplot-nox)"
    made = []
    for program in ("stream", "gups"):
        # One point is no curve.
        if len({o.job.ws for o in results.outcomes
                if o.job.program == program}) < 2:
            continue
        for kind, terminal in (
                ("png", "pngcairo size 1000,700 font 'sans,13'"),
                ("svg", "svg size 1000,700 font 'sans,13'")):
            out = directory / f"{program}.{kind}"
            script = plot_script(results, free, program, out, terminal)
            if script is None:
                continue
            done = subprocess.run(["gnuplot"], input=script, text=True,
                                  capture_output=True, timeout=60,
                                  check=False)
            if done.returncode:
                return made, "gnuplot: " + done.stderr.strip()
            made.append(out)
    return made, None
