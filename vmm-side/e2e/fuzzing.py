# SPDX-License-Identifier: GPL-2.0
"""What the fuzzers that boot machines have in common: figures, which add up over runs, and
the table of the faults that they must find. Both stay in build/fuzz, as CSV, so that a long
run can be done in pieces, one after the other or side by side: who wants to begin anew
removes the file."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import datetime
import fcntl
import pathlib
import re
import subprocess
import threading
from collections.abc import Iterable, Iterator

TOP = pathlib.Path(__file__).resolve().parents[2]
FUZZ = TOP / "build" / "fuzz"
FINDS = FUZZ / "finds"
# What a fault has to be found in, and the longest program that shows it.
FAULT_SECONDS, FAULT_STEPS = 300, 12
SAY_SECONDS = 60
AT_SECONDS = 10         # how often the programs say it, so how old their last word can be
_AT = re.compile(r"^@at (\d+): (\d+) programs, (\d+) operations,.* ([\d.]+) s$", re.M)


@dataclasses.dataclass(frozen=True)
class At:
    """How far a fuzzer has come: the next program's number, and what was done."""
    next: int = 0
    programs: int = 0
    operations: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        rate = self.operations / self.seconds if self.seconds else 0
        return (f"{self.programs} programs, {self.operations} operations "
                f"in {self.seconds:.0f} s, {rate:.0f} a second")


def at(text: str, first: int = 0) -> At:
    """What it has said last; it began with program @first."""
    said = _AT.findall(text)
    if not said:
        return At(next=first)
    number, programs, operations, seconds = said[-1]
    return At(int(number), int(programs), int(operations), float(seconds))


@contextlib.contextmanager
def progress(bench: pathlib.Path) -> Iterator[None]:
    """Say how far the job of that bench has come, while there is something new."""
    over = threading.Event()

    def watch() -> None:
        before = At()
        while not over.wait(SAY_SECONDS):
            jobs = [d for d in bench.glob("[0-9]*") if d.name.isdigit()]
            text = ""
            with contextlib.suppress(OSError, ValueError):
                text = (max(jobs, key=lambda d: int(d.name)) / "out").read_text(errors="replace")
            now = at(text)
            if now.operations != before.operations:
                print(f"# {now}", flush=True)
            before = now

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def commit() -> str:
    """Of the tree that is being tried."""
    r = subprocess.run(["git", "-C", TOP, "describe", "--always", "--dirty"],
                       capture_output=True, text=True, check=False)
    return r.stdout.strip() or "-"


class Table:
    """A CSV file in build/fuzz, to which several may append."""

    def __init__(self, path: pathlib.Path, fields: Iterable[str]) -> None:
        self._path, self._fields = path, ["date", "commit", *fields]

    def rows(self) -> list[dict[str, str]]:
        """All that it has."""
        if not self._path.exists():
            return []
        with open(self._path, newline="") as f:
            return list(csv.DictReader(f))

    def append(self, row: dict[str, str]) -> None:
        """One more."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        now = datetime.datetime.now(datetime.timezone.utc)
        with open(self._path, "a", newline="") as f:
            fcntl.flock(f, fcntl.LOCK_EX)
            f.seek(0, 2)
            writer = csv.DictWriter(f, self._fields)
            if not f.tell():
                writer.writeheader()
            writer.writerow({"date": f"{now:%Y-%m-%d %H:%M}", "commit": commit(), **row})


class Figures:
    """What was done by a fuzzer with a kernel, of which there are several modes."""

    def __init__(self, fuzzer: str, kernel: str, path: pathlib.Path = FUZZ / "figures.csv") -> None:
        self._fuzzer, self._kernel = fuzzer, kernel
        self._table = Table(path, ("fuzzer", "mode", "kernel", "seed", "first", "next", "programs",
                                   "operations", "seconds", "finds"))

    def _rows(self, mode: str) -> list[dict[str, str]]:
        key = (self._fuzzer, mode, self._kernel)
        return [r for r in self._table.rows() if (r["fuzzer"], r["mode"], r["kernel"]) == key]

    def operations(self, mode: str) -> int:
        """So far, with all seeds."""
        return sum(int(r["operations"]) for r in self._rows(mode))

    def next(self, mode: str, seed: int) -> int:
        """The first program of a seed that has not been executed."""
        return max((int(r["next"]) for r in self._rows(mode) if int(r["seed"]) == seed), default=0)

    def add(self, mode: str, seed: int, first: int, done: At, finds: int) -> None:
        """A piece is over."""
        self._table.append({
            "fuzzer": self._fuzzer, "mode": mode, "kernel": self._kernel, "seed": str(seed),
            "first": str(first), "next": str(done.next), "programs": str(done.programs),
            "operations": str(done.operations), "seconds": f"{done.seconds:.1f}",
            "finds": str(finds)})


@dataclasses.dataclass(frozen=True)
class Found:
    """How a fault was found; steps is 0 if it was not. @also is what the same program finds
    with nothing left out: then it is something else."""
    fault: str
    mode: str
    seconds: float = 0.0
    operations: int = 0
    steps: int = 0
    also: str = ""

    @property
    def good(self) -> bool:
        """Soon, by a short program, and by no other cause."""
        return 0 < self.steps <= FAULT_STEPS and self.seconds <= FAULT_SECONDS and not self.also


class Faults:
    """The table of a fuzzer's faults, one run of each after the other or in pieces."""

    def __init__(self, fuzzer: str, path: pathlib.Path = FUZZ / "faults.csv") -> None:
        self._fuzzer = fuzzer
        self._table = Table(path, ("fuzzer", "fault", "mode", "seconds", "operations", "steps",
                                   "verdict"))

    def add(self, found: Found) -> None:
        """One has been tried."""
        self._table.append({
            "fuzzer": self._fuzzer, "fault": found.fault, "mode": found.mode,
            "seconds": f"{found.seconds:.1f}" if found.steps else "-",
            "operations": str(found.operations), "steps": str(found.steps or "-"),
            "verdict": "PASS" if found.good else "MISS"})

    def lines(self, faults: Iterable[str]) -> Iterator[str]:
        """The last run of each of them, as Markdown has tables."""
        last = {r["fault"]: r for r in self._table.rows() if r["fuzzer"] == self._fuzzer}
        yield "| left out | mode | s | operations | steps | |"
        yield "| --- | --- | --- | --- | --- | --- |"
        for fault in faults:
            row = last.get(fault, {})
            yield "| " + " | ".join([fault, *(row.get(f, "-") for f in (
                "mode", "seconds", "operations", "steps", "verdict"))]) + " |"
