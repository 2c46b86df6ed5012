# SPDX-License-Identifier: GPL-2.0
"""KTAP, the dialect in which all tests here say their results: counted, and written.

    KTAP version 1
    1..2
      KTAP version 1
      1..1
      ok 1 what is counted: a result without others inside
    ok 1 a test of several
    not ok 2 another test # SKIP, or what there is to say

What is nested is indented further than what it belongs to. The plan, 1..N, may come last,
for a script that finds out as it goes; but it must come, or the test has died. Only nested
tests need none (KUnit's tests with parameters have none). Any other line is for people.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable

VERSION = "KTAP version 1"
_LINE = re.compile(r"( *)(?:(KTAP version 1)|1\.\.(\d+)|(not )?ok \d+ ?(?:- )?([^#]*)(#.*)?)\s*")


@dataclasses.dataclass(frozen=True)
class Counts:
    """How many tests had which result."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.passed + other.passed, self.failed + other.failed,
                      self.skipped + other.skipped)

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


PASSED, FAILED, SKIPPED = Counts(passed=1), Counts(failed=1), Counts(skipped=1)


@dataclasses.dataclass
class _Level:
    """The documents of one depth. Programs that run at the same time mix theirs, so what
    counts is that their plans together are as many as their results."""

    documents: int = 0
    plans: int = 0
    planned: int = 0
    results: int = 0
    failed: bool = False


class Reader:
    """Counts the results in lines of text, and lists in `problems` what is not well."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.problems: list[str] = []
        self._levels: dict[int, _Level] = {}

    @property
    def documents(self) -> int:
        """How many outermost documents there were: none, and the text is no KTAP."""
        return self._levels[0].documents if 0 in self._levels else 0

    def take(self, line: str) -> None:
        """Take the next line."""
        m = _LINE.fullmatch(line.rstrip("\r\n"))
        if not m:
            return
        depth, number = len(m.group(1)), m.group(3)
        if m.group(2):
            self._levels.setdefault(depth, _Level()).documents += 1
        elif depth not in self._levels:
            return      # it only looks like one
        elif number:
            self._levels[depth].plans += 1
            self._levels[depth].planned += int(number)
        else:
            self._result(depth, bool(m.group(4)), m.group(5).strip(), m.group(6) or "")

    def _result(self, depth: int, bad: bool, name: str, note: str) -> None:
        inside = self._close(depth)
        self._levels[depth].results += 1
        if any(level.results for level in inside):
            # Those inside have been counted, unless this one has failed on its own.
            if bad and not any(level.failed for level in inside):
                self._fail(depth, name)
        elif bad:
            self._fail(depth, name)
        else:
            skipped = re.match(r"#\s*skip", note, re.IGNORECASE)
            self.counts += SKIPPED if skipped else PASSED
        self._levels[depth].failed |= bad or any(level.failed for level in inside)

    def _close(self, depth: int) -> list[_Level]:
        """End what is nested deeper."""
        inside = sorted((d for d in self._levels if d > depth), reverse=True)
        levels = [self._levels.pop(d) for d in inside]
        for d, level in zip(inside, levels):
            if level.plans and level.planned != level.results:
                level.failed = True
                self._fail(d, f"{level.results} results of {level.planned} that were planned")
        return levels

    def _fail(self, depth: int, what: str) -> None:
        self.counts += FAILED
        self.problems.append(" " * depth + f"not ok {what}")
        if depth in self._levels:
            self._levels[depth].failed = True

    def end(self) -> None:
        """The text ends: so must all that has begun."""
        if self._close(0):
            self._fail(0, "a test ended in the middle of those inside")
        level = self._levels.get(0, _Level())
        if level.documents != level.plans:
            self._fail(0, f"a test ended early: {level.plans} plans for {level.documents} tests")
        elif level.planned != level.results:
            self._fail(0, f"{level.results} results of {level.planned} that were planned")


def read(text: str | Iterable[str]) -> Reader:
    """Count the results in a whole text."""
    reader = Reader()
    for line in text.splitlines() if isinstance(text, str) else text:
        reader.take(line)
    reader.end()
    return reader


def result(number: int, name: str, good: bool, note: str = "") -> str:
    """A line of result."""
    return f"{'' if good else 'not '}ok {number} {name}" + (f" # {note}" if note else "")
