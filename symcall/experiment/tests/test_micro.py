#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the microbenchmark with a made-up rig."""

from __future__ import annotations

import contextlib
import csv
import io
import pathlib
import tempfile
import unittest
from unittest import mock

import micro
from rig import Guest, Result
from rig.fake import FakeBench


class Loops(FakeBench):
    """Answers as the guest's test interface does."""
    ratio = 0.9
    change = 1.0
    status = 0

    def answer(self, guest: Guest) -> Result:
        """Pretends to run the loops."""
        unit = 3 if self.machine.icount or self.machine.l0 == "bochs" else 1
        rounds, calls = map(int, guest.cmd.split("\n", 1)[0].split()[2:])
        text = ""
        for number in range(rounds):
            # The first round is slow, and the machine's load changes.
            base = calls * 28000 * (5 if number == 0 else 1 + number % 3)
            base = int(base * (self.change if guest.vm_paging else 1))
            text += f"hypercall calls {calls} ns {base} tsc {base * unit} status 0\n"
            base = int(base * self.ratio)
            text += (f"symcall calls {calls} ns {base} tsc {base * unit} "
                     f"status {self.status}\n")
        return Result(status=0, out=text.encode())

    def answer_l1(self, cmd: str, paging: str) -> Result:
        """Pretends to be KVM's test."""
        base = 4500
        text = f"hypercall {base} ns, symcall {base * self.ratio:.0f} ns, ratio {self.ratio:.3f}\n"
        return Result(status=0, out=text.encode() if cmd == "symbiotic_test -b 3000" else b"")


def run(bench: type[Loops], *argv: str) -> tuple[int, str, list[dict[str, str]]]:
    """Runs the experiment; returns (status, output, rows of the CSV file)."""
    text = io.StringIO()
    with tempfile.TemporaryDirectory() as results:
        with contextlib.redirect_stdout(text):
            status = micro.main(["--strict", "--results", results, *argv], bench)
        [path] = pathlib.Path(results).glob("*-micro/summary.csv")
        with open(path, encoding="utf-8") as file:
            return status, text.getvalue(), list(csv.DictReader(file))


class Micro(unittest.TestCase):
    """The benchmark as a whole."""

    def test_fast(self) -> None:
        """Below the target, whatever the load does."""
        status, text, rows = run(Loops)
        self.assertEqual(status, 0, text)
        report = text.split("Targets:")[1]
        self.assertEqual(report.count("0.900  (target <= 1.250)"), 2)
        self.assertEqual(report.count("0.900  (target <= 0.930)"), 2)
        self.assertEqual(report.count("0.900  (target <= 1.500)"), 1)
        self.assertEqual(report.count("0.900  (target <= 2.000)"), 1)
        self.assertIn("instructions, VT-x, shadow paging: symcall / hypercall, Linux: 0.900", text)
        # Two kinds, two modes of paging, two clocks and VT-x, the mode that may change, and no
        # first round; KVM's tests.
        self.assertEqual(len(rows), 2 * 2 * (4 * 20 + 1))
        self.assertEqual({(r["call"], r["value"]) for r in rows if "tests" in r["machine"]},
                         {("hypercall", "900.0"), ("symcall", "810.0")})
        self.assertEqual({r["value"] for r in rows if r["call"] == "hypercall" and
                          r["unit"] == "instructions"},
                         {"900.0", "84000.0", "168000.0", "252000.0"})

    def test_time_only(self) -> None:
        """A third of it."""
        _, text, rows = run(Loops, "--time-only")
        self.assertEqual(text.split("Targets:")[1].count("PASS"), 2)
        self.assertEqual({r["unit"] for r in rows}, {"ns"})

    def test_slow(self) -> None:
        """Above the targets of AMD-V: in instructions, and in time as well."""
        for slow, missed in ((1.0, 2), (1.3, 4)):
            class Slow(Loops):
                """A slow symcall."""
                ratio = slow
            with self.subTest(ratio=slow):
                status, text, _ = run(Slow)
                self.assertEqual(status, 1)
                report = text.split("Targets:")[1]
                self.assertEqual(report.count("MISS"), missed)
                self.assertEqual(report.count("MISS  instructions, AMD-V"), 2)

    def test_may_change(self) -> None:
        """0.6 % for a choice that nobody makes is too much, counted."""
        class Dear(Loops):
            """A KVM that pays for what may be."""
            change = 1.006
        status, text, _ = run(Dear)
        self.assertEqual(status, 1)
        report = text.split("Targets:")[1]
        self.assertEqual(report.count("MISS"), 4)
        self.assertRegex(report, r"MISS  instructions, AMD-V, shadow paging: symcall, may change / "
                         r"fixed +1\.0060  \(target <= 1\.0050\)")
        report = run(Loops)[1].split("Targets:")[1]
        self.assertEqual(report.count("may change / fixed"), 4)

    def test_hardware(self) -> None:
        """Time is that of the processor that is there; what is counted is emulated."""
        for kind, flag, name in (("nested", "vmx", "VT-x"), ("local", "vmx", "VT-x"),
                                 ("nested", "svm", "AMD-V"), ("emulated", "vmx", "AMD-V")):
            with self.subTest(kind=kind, flag=flag), \
                    mock.patch("rig.hardware.kind", return_value=kind), \
                    mock.patch("rig.hardware.cpu_flags", return_value={flag}):
                report = run(Loops)[1].split("Targets:")[1]
                self.assertEqual(report.count("time, "), 2)
                self.assertEqual(report.count(f"time, {name}, "), 2)
                # Of these, four are of the mode that may change.
                self.assertEqual(report.count("instructions, AMD-V, "), 6)
                self.assertEqual(report.count("instructions, VT-x, "), 2)

    def test_failing_calls(self) -> None:
        """A loop of failing calls is no result."""
        class Broken(Loops):
            """Calls that fail."""
            status = -5
        with self.assertRaisesRegex(RuntimeError, "symcall failed with status -5"):
            run(Broken)

    def test_missing_rounds(self) -> None:
        """Nor is a loop that ended early."""
        class Short(Loops):
            """The last line is missing."""
            def answer(self, guest: Guest) -> Result:
                whole = super().answer(guest).out
                return Result(status=0, out=whole[:whole.rindex(b"symcall")])
        with self.assertRaisesRegex(RuntimeError, "not 21 rounds"):
            run(Short)


if __name__ == "__main__":
    unittest.main()
