# SPDX-License-Identifier: GPL-2.0
"""What experiments share: how a guest's answer is read, what was measured on what, targets,
tables, and the files that are left in results/. An experiment says what it measures.

A target is a number that a measurement shall reach, with a threshold on one side. A report
shows all of its targets with PASS or MISS. They are no tests: a missed one changes the exit
status only with --strict, since times depend on the machine and on what else it does.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import datetime
import functools
import os
import pathlib
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from . import hardware, images
from .bench import Result

TOP = pathlib.Path(__file__).resolve().parents[2]
# The static programs of swapbypass/bench, for any guest.
PROGRAMS = TOP / "build" / "bench"


class Runner(Protocol):
    """What an experiment needs of a Bench. Its tests have one that makes answers up."""

    def run(self, cmd: str, **options: Any) -> Result:
        """Runs a shell command in a fresh guest."""

    def run_l1(self, cmd: str, *, paging: str, timeout: float) -> Result:
        """Runs one in the host machine."""


# Bench itself, or what a test has in its place.
Benches = Callable[..., AbstractContextManager[Runner]]


def say(text: str = "") -> None:
    """Prints a line at once, so that a long run shows its progress."""
    print(text, flush=True)


# ---- asking a guest -------------------------------------------------------------

def script(path: pathlib.Path, *args: object) -> str:
    """A file with a shell script as a command, with arguments."""
    words = " ".join(shlex.quote(str(a)) for a in args)
    return f"set -- {words}\n" + path.read_text(encoding="ascii")


def checked(result: Result, what: str = "") -> str:
    """The output of a run that went well. Of one that did not, an error that says why."""
    if result.status == 0:
        return result.stdout
    why = result.explain() if result.status is None else \
        f"status {result.status}\n{result.stderr}{result.stdout}".strip()
    raise RuntimeError(f"{what}: {why}" if what else why)


def fields(line: str) -> dict[str, str]:
    """The words of the form key=value in a line."""
    return dict(re.findall(r"(\w+)=(\S+)", line))


def build_programs(out: pathlib.Path) -> None:
    """Makes the programs of swapbypass/bench."""
    subprocess.run(["make", "-s", "-C", str(TOP / "swapbypass" / "bench"), f"O={out.resolve()}"],
                   check=True)


# ---- numbers and targets --------------------------------------------------------

def ratio(above: float | None, below: float | None) -> float | None:
    """None if one of them was not measured."""
    return above / below if above is not None and below else None


def number(value: float | None, form: str = "{:.3f}") -> str:
    """A number for a table; "-" if it was not measured."""
    return "-" if value is None else form.format(value)


@dataclasses.dataclass
class Target:
    """@value shall be at least or at most @limit."""
    text: str
    value: float | None
    limit: float
    at_least: bool = False
    detail: str = "not measured"
    form: str = "{:.2f}"        # of both numbers

    def verdict(self) -> str:
        """PASS, MISS, or ---- if it was not measured."""
        if self.value is None:
            return "----"
        good = self.value >= self.limit if self.at_least else self.value <= self.limit
        return "PASS" if good else "MISS"

    def lines(self) -> list[str]:
        """For the report."""
        sign = ">=" if self.at_least else "<="
        return [f"  {self.verdict()}  {self.text:<58}{number(self.value, self.form):>9}  "
                f"(target {sign} {self.form.format(self.limit)})",
                f"        {self.detail}"]


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """The lines of a table: the first column to the left, numbers to the right, each as wide
    as its widest cell. No rows, no lines."""
    cells = [[str(c) for c in row] for row in (head, *rows)]
    if len(cells) == 1:
        return []
    widths = [max(map(len, column)) for column in zip(*cells)]
    return ["  " + "  ".join(c.rjust(w) if i else c.ljust(w)
                             for i, (c, w) in enumerate(zip(row, widths))).rstrip()
            for row in cells]


# ---- what it was measured with --------------------------------------------------

TIMED = {
    "emulated": """\
all of it: L0 is QEMU's software emulation (TCG) of an AMD-V machine,
and L1 and the guest run on it. Real are the kernels, KVM, QEMU and the
programs; seconds are those of the emulation. Ratios carry over roughly,
absolute rates do not; an exit costs about 30 us here.""",
    "bare-metal": "the guest's machine, by QEMU (TCG); no KVM is involved",
    "hardware": "nothing, or no more than one level: this CPU has svm or vmx",
}
COUNTED = """\
instructions, by the emulator (-icount): 10^9 are a second, of the whole
machine: guest, KVM and QEMU. The same every time. Not in it: what an exit
costs the processor itself, and misses of caches and TLBs."""


@dataclasses.dataclass(frozen=True)
class About:
    """What a measurement was made with."""
    short: str                  # for each row of a CSV file
    lines: list[str]            # for people

    def row(self, counted: bool = False) -> str:
        """For a row of a CSV file; one where instructions were counted says so."""
        return self.short + ("; instructions" if counted else "")


@functools.cache
def first_line(*command: str) -> str:
    """The first line that a command prints, or nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False,
                              cwd=TOP)
    except OSError:
        return ""
    return done.stdout.split("\n", 1)[0].strip()


def _qemu(program: str) -> str:
    found = re.search(r"version (\S+)", first_line(program, "--version"))
    return found[1] if found else "unknown"


def _release(kernel: str) -> str:
    """The version of a kernel that was built here."""
    return images.read(images.BUILD / kernel / "include/config/kernel.release").strip() or "unknown"


def _model() -> str:
    found = re.search(r"^model name\s*: (.*)$", images.read(pathlib.Path("/proc/cpuinfo")), re.M)
    return found[1].strip() if found else "unknown"


def about(host: str = "symbiotic", timed: bool = True, counted: bool = False) -> About:
    """Looks at the project, the kernels, the QEMUs and this machine. @timed, @counted: what was
    measured."""
    kind = hardware.kind()
    project = first_line("git", "describe", "--always", "--dirty") or "unknown"
    guest = _release("guest")
    if host != "bare-metal":
        own = os.uname().release if kind == "local" else _release(images.L1_KERNEL["host"])
        host = f"{host} {own}"
    inner, outer = _qemu(str(images.QEMU)), _qemu("qemu-system-x86_64")
    lines = [f"date          {datetime.datetime.now().astimezone():%F %T %z}",
             f"project       {project}",
             f"guest kernel  {guest}",
             f"host          {host}",
             f"QEMU          {inner} in L1, {outer} as L0",
             f"machine       {os.cpu_count()} x {_model()}"]
    notes = {}
    if timed:
        below = "hardware" if kind != "emulated" else host
        notes["emulated"] = TIMED.get(below, TIMED["emulated"])
    if counted:
        notes["counted"] = COUNTED
    for name, text in notes.items():
        first, *rest = text.splitlines()
        lines += [f"{name:<14}{first}", *(f"{'':14}{line}" for line in rest)]
    return About(f"symbiotic {project}; guest {guest}; host {host}; qemu {inner} on {outer}", lines)


# ---- what is left of it ---------------------------------------------------------

PLOT_HEAD = ["set border 3 lw 1 lc rgb '#444444'", "set tics nomirror",
             "set grid ytics lc rgb '#dddddd' lw 1 dt 1", "set logscale y", "set format y '%g'"]
TERMINALS = {"png": "pngcairo", "svg": "svg"}


def gnuplot(lines: Iterable[str]) -> str:
    """Runs a script; returns why it did not work, or nothing."""
    if not shutil.which("gnuplot"):
        return "gnuplot is not installed (package gnuplot-nox)"
    done = subprocess.run(["gnuplot"], input="\n".join(lines) + "\n", text=True,
                          capture_output=True, timeout=60, check=False)
    return f"gnuplot: {done.stderr.strip()}" if done.returncode else ""


def new_directory(base: pathlib.Path, name: str = "") -> pathlib.Path:
    """BASE/<date>[-NAME], or with -2 and so on behind it."""
    stem = "-".join(filter(None, (datetime.date.today().isoformat(), name)))
    for count in range(1, 1000):
        path = base / (stem if count == 1 else f"{stem}-{count}")
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            continue
    raise RuntimeError(f"too many results in {base}")


class Report:
    """The files of one run of an experiment, in a directory of its own."""

    def __init__(self, base: pathlib.Path, name: str, made_with: About) -> None:
        self.about = made_with
        self.directory = new_directory(base, name)
        self._files: list[pathlib.Path] = []
        self._no_plot = ""

    def csv(self, columns: Sequence[str], rows: Iterable[Mapping[str, object] | Sequence[object]],
            name: str = "summary.csv") -> None:
        """Writes a table for programs. A row that is a mapping may lack columns."""
        self._files.append(self.directory / name)
        with open(self._files[-1], "w", newline="", encoding="utf-8") as file:
            out = csv.writer(file, lineterminator="\n")
            out.writerow(columns)
            out.writerows([row.get(c, "") for c in columns] if isinstance(row, Mapping) else row
                          for row in rows)

    def plot(self, name: str, lines: Sequence[str], size: str = "1000,700") -> None:
        """Draws a picture, once for each kind of file: gnuplot's lines without a terminal."""
        for kind, terminal in TERMINALS.items():
            path = self.directory / f"{name}.{kind}"
            self._no_plot = gnuplot([f"set terminal {terminal} size {size} font 'sans,13'",
                                     f"set output '{path}'", *PLOT_HEAD, *lines])
            if self._no_plot:
                return
            self._files.append(path)

    def finish(self, lines: Sequence[str], targets: Sequence[Target] = (), strict: bool = False,
               heading: str = "Targets:") -> int:
        """Prints and writes the text, with the targets and what it was made with behind it;
        returns the exit status."""
        text = list(lines)
        if targets:
            text += ["", heading, *(line for t in targets for line in t.lines())]
        text += ["", *self.about.lines]
        for name, content in (("versions.txt", self.about.lines), ("table.txt", text)):
            (self.directory / name).write_text("\n".join(content) + "\n", encoding="utf-8")
        for line in text:
            say(line)
        say()
        if self._no_plot:
            say(f"no plot: {self._no_plot}")
        for path in [self.directory / "table.txt", *self._files]:
            say(f"written: {os.path.relpath(path)}")
        return 1 if strict and any(t.verdict() != "PASS" for t in targets) else 0


def arguments(doc: str | None, *, targets: bool = False,
              time_only: bool = False) -> argparse.ArgumentParser:
    """A parser with the options of all experiments; @targets: also of those that have targets,
    @time_only: of those that count instructions besides."""
    parser = argparse.ArgumentParser(description=(doc or "").split("\n\n", maxsplit=1)[0])
    parser.add_argument("--results", type=pathlib.Path, default=TOP / "results",
                        help="a directory is made there for this run's files")
    if targets:
        parser.add_argument("--strict", action="store_true", help="fail if a target is missed")
    if time_only:
        parser.add_argument("--time-only", action="store_true",
                            help="do not measure in instructions as well")
    return parser
