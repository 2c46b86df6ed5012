#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the microbenchmark with a made-up rig. Runs by itself."""

import contextlib
import io
import re
import sys
import types
import unittest

import micro


class FakeBench:
    """Answers as the guest's test interface does."""
    ratio = 1.1
    status = 0

    def __init__(self, host, icount):
        assert host == "symbiotic"
        self.unit = 3 if icount else 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def run(self, cmd, **_):
        """Pretends to run the loops."""
        rounds = int(re.search(r"-lt (\d+)", cmd)[1])
        calls = int(re.search(r"echo (\d+) >", cmd)[1])
        text = ""
        for number in range(rounds):
            # The first round is slow, and the machine's load changes.
            base = calls * 28000 * (5 if number == 0 else 1 + number % 3)
            text += (f"hypercall calls {calls} ns {base} tsc "
                     f"{base * self.unit} status 0\n")
            base = int(base * self.ratio)
            text += (f"symcall calls {calls} ns {base} tsc "
                     f"{base * self.unit} status {self.status}\n")
        return types.SimpleNamespace(status=0, stdout=text, stderr="")


def run(bench):
    """Runs the benchmark; returns (status, output)."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        status = micro.main(["--strict"], bench)
    return status, text.getvalue()


class Micro(unittest.TestCase):
    """The benchmark as a whole."""

    def test_fast(self):
        """Below the bar, whatever the load does."""
        status, text = run(FakeBench)
        self.assertEqual(status, 0, text)
        self.assertEqual(text.count("ratio 1.100"), 4)

    def test_slow(self):
        """Above the bar."""
        class Slow(FakeBench):
            """A slow symcall."""
            ratio = 1.3
        status, text = run(Slow)
        self.assertEqual(status, 1)
        self.assertEqual(text.count("MISS"), 4)

    def test_failing_calls(self):
        """A loop of failing calls is no result."""
        class Broken(FakeBench):
            """Calls that fail."""
            status = -5
        with self.assertRaises(RuntimeError):
            run(Broken)


if __name__ == "__main__":
    outcome = unittest.main(exit=False, verbosity=2).result
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - bad} passed, {bad} failed, 0 skipped")
    sys.exit(bad > 0)
