#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run test suites one after the other and add up their counts:

    suites.py [--beside NAME=COMMAND]... NAME=COMMAND...

One that is --beside runs while the others do, and is shown after them: it keeps a CPU busy
that they do not need.

A suite says its results by KTAP. Shown are the outermost, and what is inside those that are
not good; build/log/suites/NAME has everything. A suite that fails without saying so, or that
does not say all that it has planned, counts as a failure: nothing that goes wrong may look
like success. The last line is `N passed, N failed, N skipped`.
"""

from __future__ import annotations

import argparse
import contextlib
import pathlib
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from typing import IO, TextIO

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


@contextlib.contextmanager
def started(command: str, output: int | IO[str]) -> Iterator[subprocess.Popen[str]]:
    """A suite that runs, in a session of its own; it ends when we are interrupted."""
    with subprocess.Popen(command, shell=True, stdout=output, text=True, errors="replace",
                          start_new_session=True) as p:
        try:
            yield p
        except ending.Interrupted:
            ending.stop_session(p)
            raise


def follow(name: str, process: subprocess.Popen[str], lines: Iterable[str]) -> ktap.Counts:
    """Show what a suite says, until it ends; returns its counts."""
    print(f"== {name}", flush=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    start, reader = time.monotonic(), ktap.Reader()
    with open(LOGS / name, "w", encoding="utf-8") as log:
        shown = Shown(log)
        for line in lines:
            reader.take(line)
            shown.take(line)
        process.wait()
    shown.end()
    said = len(reader.problems)
    reader.end()
    for problem in reader.problems[said:]:
        print(f"{name}: {problem}")
    counts = reader.counts
    if not reader.documents or process.returncode and not counts.failed:
        print(f"{name}: status {process.returncode}, "
              + ("no failure" if reader.documents else "no results"))
        counts += ktap.FAILED
    print(f"== {name}: {counts}, {time.monotonic() - start:.0f} s", flush=True)
    return counts


def later(process: subprocess.Popen[str], output: IO[str]) -> Iterator[str]:
    """What a suite has said beside the others."""
    process.wait()
    output.seek(0)
    yield from output


def suite(text: str) -> tuple[str, str]:
    """(name, command) of an argument."""
    name, found, command = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError(f"{text}: not a suite")
    return name, command


def main() -> int:
    """Returns the exit status."""
    ap = argparse.ArgumentParser(description="Run test suites.")
    ap.add_argument("--beside", type=suite, action="append", default=[])
    ap.add_argument("suites", type=suite, nargs="*")
    a = ap.parse_args()
    results = []
    with contextlib.ExitStack() as stack:
        beside = []
        for name, command in a.beside:
            output = stack.enter_context(
                tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace"))
            beside.append((name, stack.enter_context(started(command, output)), output))
        for name, command in a.suites:
            with started(command, subprocess.PIPE) as p:
                assert p.stdout
                results.append((name, follow(name, p, p.stdout)))
        for name, p, output in beside:
            results.append((name, follow(name, p, later(p, output))))
    failed = [name for name, counts in results if counts.failed]
    if failed:
        print(f"failed suites: {', '.join(failed)}")
    total = sum((counts for _, counts in results), ktap.Counts())
    print(total)
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    ending.exit_when_told(main)
