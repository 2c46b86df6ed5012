#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run the Python unit tests of a directory, test_*.py; KTAP on stdout: unittests.py DIR."""

from __future__ import annotations

import signal
import sys
import traceback
import types
import unittest
from typing import Optional, Type, Union

from e2e import ktap

ExcInfo = Union[tuple[Type[BaseException], BaseException, types.TracebackType],
                tuple[None, None, None]]


class KtapResult(unittest.TestResult):
    """Prints one result for each test, behind what was wrong in it or in its subtests."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = ktap.Counts()
        self._running = False
        self._trouble: list[str] = []
        self._note = ""

    def startTest(self, test: unittest.TestCase) -> None:
        super().startTest(test)
        self._running, self._trouble, self._note = True, [], ""

    def stopTest(self, test: unittest.TestCase) -> None:
        super().stopTest(test)
        self._running = False
        self._say(test.id())

    def _say(self, name: str) -> None:
        self.counts += ktap.FAILED if self._trouble else \
            ktap.SKIPPED if self._note else ktap.PASSED
        for line in "\n".join(self._trouble).splitlines():
            print(f"# {line}")
        print(ktap.result(self.number(), name, not self._trouble, self._note), flush=True)

    def number(self) -> int:
        """How many results there are."""
        return self.counts.passed + self.counts.failed + self.counts.skipped

    def addError(self, test: unittest.TestCase, err: ExcInfo) -> None:
        self._trouble.append("".join(traceback.format_exception(*err)))
        if not self._running:       # not in a test, but where several are set up
            self._say(str(test))

    def addFailure(self, test: unittest.TestCase, err: ExcInfo) -> None:
        self.addError(test, err)

    def addSubTest(self, test: unittest.TestCase, subtest: unittest.TestCase,
                   err: Optional[ExcInfo]) -> None:
        if err:
            self._trouble.append(subtest.id())
            self.addError(test, err)

    def addUnexpectedSuccess(self, test: unittest.TestCase) -> None:
        self._trouble.append("succeeds, which was not expected")

    def addSkip(self, test: unittest.TestCase, reason: str) -> None:
        self._note = f"SKIP {reason}"
        if not self._running:       # a whole class
            self._say(str(test))


def main(directory: str) -> int:
    """Returns the exit status."""
    # Tests of what a signal does start programs that take it. Behind nohup, or in the
    # background of a script, some are ignored, which children inherit.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    suite = unittest.defaultTestLoader.discover(directory)
    result = KtapResult()
    print(ktap.VERSION)
    suite.run(result)
    print(f"1..{result.number()}")
    return 1 if result.counts.failed or not result.counts.passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
