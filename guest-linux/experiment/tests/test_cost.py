#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the cost experiment with a made-up rig."""

from __future__ import annotations

import contextlib
import io
import pathlib
import tempfile
import unittest

import cost
from rig import Guest, Result
from rig.fake import FakeBench


class Loop(FakeBench):
    """Counts as the rig would."""
    kvm = 1.002                 # instructions of the extended KVM
    exits = 1.0                 # exits of the extended KVM
    change = 1.001              # both, of a VM that may change its paging mode

    def answer(self, guest: Guest) -> Result:
        """Pretends to run the loop."""
        assert guest.cmd.startswith("exec ./procloop ")
        assert self.machine.icount and not guest.symbiotic
        factor = self.kvm if self.host == "symbiotic" else 1.0
        extra = self.exits if self.host == "symbiotic" else 1
        if guest.vm_paging:
            factor, extra = factor * self.change, extra * self.change
        return Result(status=0, host_before={"exits": 50},
                      host_after={"exits": 50 + int(10000 * extra)},
                      out=b"boot tsc=%d\nloop rounds=100 tsc=%d\n" % (1e9 * factor, 2e8 * factor))


def run(bench: type[Loop], *argv: str, guest: float = 1.001) -> tuple[int, str, str]:
    """Runs the experiment; returns (status, output, the CSV file)."""
    def boot(kernel: str, _: pathlib.Path, rounds: int) -> cost.Counts:
        factor = guest if kernel == "guest" else 1.0
        found = cost.counts(f"boot tsc={1e9 * factor:.0f}\n"
                            f"loop rounds={rounds} tsc={2e8 * factor:.0f}\n")
        assert found
        return found
    text = io.StringIO()
    with tempfile.TemporaryDirectory() as results:
        with contextlib.redirect_stdout(text):
            status = cost.main(["--strict", "--results", results, "--programs", results, *argv],
                               bench, boot)
        [path] = pathlib.Path(results).glob("*-cost/summary.csv")
        return status, text.getvalue(), path.read_text(encoding="utf-8")


class Cost(unittest.TestCase):
    """The experiment as a whole."""

    def test_cheap(self) -> None:
        """Below the targets."""
        status, text, rows = run(Loop)
        self.assertEqual(status, 0, text)
        self.assertEqual(text.count("  PASS  "), 9)
        self.assertRegex(text, r"guest kernel, total: .* 1\.00100  \(target <= 1\.00500\)")
        self.assertIn("guest,none,2,total,1201200000\n", rows)
        self.assertIn("symbiotic,shadow,2,exits,10000\n", rows)
        self.assertIn("may-change,shadow,2,exits,10009\n", rows)

    def test_dear_kernel(self) -> None:
        """0.6% more instructions is too much."""
        status, text, _ = run(Loop, guest=1.006)
        self.assertEqual(status, 1)
        self.assertIn("MISS  guest kernel, total", text)

    def test_no_result(self) -> None:
        """A machine that stopped in the loop gives no count."""
        self.assertIsNone(cost.counts("boot tsc=12\n"))

    def test_dear_exits(self) -> None:
        """2% more exits is too much."""
        class Dear(Loop):
            """A KVM that exits more."""
            exits = 1.02
        status, text, _ = run(Dear, "--part", "kvm")
        self.assertEqual(status, 1)
        self.assertIn("MISS  KVM, exits, nested", text)
        self.assertIn("PASS  KVM, instructions, nested", text)

    def test_dear_choice(self) -> None:
        """0.6% for a mode that is never changed is too much."""
        class Dear(Loop):
            """A KVM that pays for what may be."""
            change = 1.006
        status, text, _ = run(Dear, "--part", "paging")
        self.assertEqual(status, 1)
        self.assertEqual(text.count("  MISS  paging mode"), 4)
        self.assertNotIn("KVM, ", text)

    def test_hang(self) -> None:
        """One guest that hangs is run again; two are too many."""
        class Hang(Loop):
            """Gives no status for a while."""
            left = 1

            def answer(self, guest: Guest) -> Result:
                if Hang.left:
                    Hang.left -= 1
                    return Result(error="timeout")
                return super().answer(guest)
        status, text, _ = run(Hang, "--part", "kvm")
        self.assertEqual(status, 0)
        self.assertIn("failed, once more: procloop: timeout\n", text)
        Hang.left = 2
        with self.assertRaisesRegex(RuntimeError, "procloop: timeout"):
            run(Hang, "--part", "kvm")


if __name__ == "__main__":
    unittest.main()
