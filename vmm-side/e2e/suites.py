#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run test suites one after the other and add up their counts: suites.py NAME=COMMAND...

A suite says its results by KTAP. Shown are the outermost, and what is inside those that are
not good; build/log/suites/NAME has everything. A suite that fails without saying so, or that
does not say all that it has planned, counts as a failure: nothing that goes wrong may look
like success. The last line is `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import time
from typing import TextIO

from e2e import ktap
from rig import ending

LOGS = pathlib.Path(__file__).resolve().parents[2] / "build" / "log" / "suites"


class Shown:
    """Shows lines of KTAP: what is nested only when what it belongs to is not good."""

    def __init__(self, log: TextIO) -> None:
        self._log = log
        self._held: list[str] = []

    def take(self, line: str) -> None:
        """The next line."""
        self._log.write(line)
        if line.startswith(" "):
            self._held.append(line)
            return
        if line.startswith("not ok"):
            self.end()
        self._held.clear()
        print(line, end="", flush=True)

    def end(self) -> None:
        """Show what was held back: what it belongs to has failed, or never came."""
        print("".join(self._held), end="", flush=True)
        self._held.clear()


def run(name: str, command: str) -> ktap.Counts:
    """Run one suite; returns its counts."""
    print(f"== {name}", flush=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    start, reader = time.monotonic(), ktap.Reader()
    with open(LOGS / name, "w", encoding="utf-8") as log, \
            subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, text=True,
                             errors="replace", start_new_session=True) as p:
        assert p.stdout
        shown = Shown(log)
        try:
            for line in p.stdout:
                reader.take(line)
                shown.take(line)
        except ending.Interrupted:
            ending.stop_session(p)
            raise
    shown.end()
    said = len(reader.problems)
    reader.end()
    for problem in reader.problems[said:]:
        print(f"{name}: {problem}")
    counts = reader.counts
    if not reader.documents or p.returncode and not counts.failed:
        print(f"{name}: status {p.returncode}, "
              + ("no failure" if reader.documents else "no results"))
        counts += ktap.FAILED
    print(f"== {name}: {counts}, {time.monotonic() - start:.0f} s", flush=True)
    return counts


def main() -> int:
    """Returns the exit status."""
    total = ktap.Counts()
    failed = []
    for spec in sys.argv[1:]:
        name, found, command = spec.partition("=")
        if not found:
            sys.exit(f"suites.py: {spec}: not a suite")
        counts = run(name, command)
        total += counts
        if counts.failed:
            failed.append(name)
    if failed:
        print(f"failed suites: {', '.join(failed)}")
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    ending.exit_when_told(main)
