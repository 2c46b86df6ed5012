#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the cost benchmark with a made-up rig. Runs by itself."""

import contextlib
import io
import sys
import types
import unittest

import cost


class FakeBench:
    """Counts as the rig would."""
    kvm = 1.002                 # instructions of the extended KVM
    exits = 1.0                 # exits of the extended KVM

    def __init__(self, host, icount):
        assert icount and host != "bare-metal"
        self.host = host

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def run(self, cmd, symbiotic=True, **_):
        """Pretends to run the loop."""
        assert cmd.startswith("exec ./procloop ")
        assert not symbiotic
        factor = self.kvm if self.host == "symbiotic" else 1.0
        extra = self.exits if self.host == "symbiotic" else 1
        return types.SimpleNamespace(
            status=0, stderr="", host_before={"exits": 50},
            host_after={"exits": 50 + int(10000 * extra)},
            stdout=f"boot tsc={int(1e9 * factor)}\n"
                   f"loop rounds=100 tsc={int(2e8 * factor)}\n")


def run(bench, *argv, guest=1.001):
    """Runs the benchmark; returns (status, output)."""
    def boot(kernel, _, rounds):
        factor = guest if kernel == "guest" else 1.0
        return cost.counts(f"boot tsc={int(1e9 * factor)}\n"
                           f"loop rounds={rounds} tsc={int(2e8 * factor)}\n")
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        status = cost.main(["--strict", *argv], bench, boot)
    return status, text.getvalue()


class Cost(unittest.TestCase):
    """The benchmark as a whole."""

    def test_cheap(self):
        """Below the bars."""
        status, text = run(FakeBench)
        self.assertEqual(status, 0, text)
        self.assertEqual(text.count("PASS"), 7)
        self.assertIn("+0.100%", text)

    def test_dear_kernel(self):
        """0.6% more instructions is too much."""
        status, text = run(FakeBench, guest=1.006)
        self.assertEqual(status, 1)
        self.assertIn("MISS  boot and loop", text)

    def test_no_result(self):
        """A machine that stopped in the loop gives no count."""
        self.assertIsNone(cost.counts("boot tsc=12\n"))

    def test_dear_exits(self):
        """2% more exits is too much."""
        class Dear(FakeBench):
            """A KVM that exits more."""
            exits = 1.02
        status, text = run(Dear, "--part", "kvm")
        self.assertEqual(status, 1)
        self.assertIn("MISS  exits, nested", text)


if __name__ == "__main__":
    outcome = unittest.main(exit=False, verbosity=2).result
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - bad} passed, {bad} failed, 0 skipped")
    sys.exit(bad > 0)
