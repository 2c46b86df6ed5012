#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of what experiments share."""

from __future__ import annotations

import contextlib
import io
import pathlib
import subprocess
import tempfile
import unittest
from unittest import mock

from rig import Guest, OptionError, Result, measure
from rig.fake import FakeBench
from rig.measure import Target


class Targets(unittest.TestCase):
    """PASS, MISS, ----."""

    def test_limit(self) -> None:
        """A target is met at its limit, from either side."""
        self.assertEqual(Target("", 8.0, 8, at_least=True).verdict(), "PASS")
        self.assertEqual(Target("", 7.99, 8, at_least=True).verdict(), "MISS")
        self.assertEqual(Target("", 1.05, 1.05).verdict(), "PASS")
        self.assertEqual(Target("", 1.0501, 1.05).verdict(), "MISS")
        self.assertEqual(Target("", None, 1).verdict(), "----")

    def test_zero(self) -> None:
        """Nothing is a value, not the lack of one."""
        self.assertEqual(Target("", 0, 1).verdict(), "PASS")
        self.assertEqual(Target("", 0, 1, at_least=True).verdict(), "MISS")

    def test_lines(self) -> None:
        """The form is that of both numbers."""
        line, detail = Target("share", 0.0012, 0.01, form="{:.2%}", detail="why").lines()
        self.assertRegex(line, r"^  PASS  share +0\.12%  \(target <= 1\.00%\)$")
        self.assertEqual(detail.strip(), "why")

    def test_ratio(self) -> None:
        """None where something is missing."""
        self.assertEqual(measure.ratio(3, 2), 1.5)
        self.assertEqual(measure.ratio(0, 2), 0)
        for pair in ((None, 2), (3, None), (3, 0)):
            self.assertIsNone(measure.ratio(*pair))


class Guests(unittest.TestCase):
    """How they are asked, and their answers."""

    def test_checked(self) -> None:
        """A status that is not 0 and one that is missing are errors."""
        self.assertEqual(measure.checked(Result(status=0, out=b"x\n")), "x\n")
        with self.assertRaisesRegex(RuntimeError, "^loop: status 3\nbad$"):
            measure.checked(Result(status=3, err=b"bad\n"), "loop")
        with self.assertRaisesRegex(RuntimeError, "^timeout after 9 s\n"):
            measure.checked(Result(error="timeout after 9 s"))

    def test_script(self) -> None:
        """Arguments are what they were, and the shell sees them as the script's."""
        with tempfile.TemporaryDirectory() as made:
            path = pathlib.Path(made) / "args.sh"
            path.write_text("#!/bin/sh\nfor a; do echo \"<$a>\"; done\n", encoding="ascii")
            text = measure.script(path, 7, "two words", "$x'")
        done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
        self.assertEqual(done.stdout, "<7>\n<two words>\n<$x'>\n")

    def test_fields(self) -> None:
        """Words that are no pairs are none."""
        self.assertEqual(measure.fields("pass kernel=triad pass=1 seconds=0.5"),
                         {"kernel": "triad", "pass": "1", "seconds": "0.5"})
        self.assertEqual(measure.fields("MemTotal: 5 kB"), {})


class Fakes(unittest.TestCase):
    """The bench of the experiments' tests."""

    def test_options(self) -> None:
        """It refuses what the rig refuses."""
        class Echo(FakeBench):
            """Answers with the command."""
            def answer(self, guest: Guest) -> Result:
                return Result(status=0, out=guest.cmd.encode())
        with Echo(smp=1) as bench:
            self.assertEqual(bench.run("x", files="/nowhere", guest_mem=64).stdout, "x")
            for wrong in ({"swap": "bypass", "paging": "nested"}, {"swap": "tape"},
                          {"host": "plain-kvm", "swap": "bypass"}):
                with self.subTest(wrong), self.assertRaises(OptionError):
                    bench.run("x", **wrong)


class Tables(unittest.TestCase):
    """Columns."""

    def test_widths(self) -> None:
        """The first to the left, the others to the right."""
        self.assertEqual(measure.table(["mode", "s"], [["zram", 1], ["a longer one", "10.25"]]),
                         ["  mode              s",
                          "  zram              1",
                          "  a longer one  10.25"])

    def test_empty(self) -> None:
        """A head alone is no table."""
        self.assertEqual(measure.table(["mode", "s"], []), [])


class Reports(unittest.TestCase):
    """The files of a run."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.base = pathlib.Path(made.name)
        self.about = measure.About("short", ["date today"])

    def finish(self, report: measure.Report, *targets: Target,
               strict: bool = False) -> tuple[int, str]:
        """(status, what it prints)"""
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            status = report.finish(["a line"], targets, strict)
        return status, text.getvalue()

    def test_directories(self) -> None:
        """Every run has one of its own."""
        names = [measure.new_directory(self.base, name).name for name in ("", "", "cost", "cost")]
        self.assertRegex(" ".join(names), r"^(\S{10}) \1-2 \1-cost \1-cost-2$")

    def test_files(self) -> None:
        """Text, versions, rows of both kinds."""
        report = measure.Report(self.base, "test", self.about)
        report.csv(("a", "b"), [{"b": 2}, (3, "x,y")])
        status, text = self.finish(report, Target("one", 1, 1))
        self.assertEqual(status, 0)
        self.assertEqual((report.directory / "summary.csv").read_text(encoding="utf-8"),
                         "a,b\n,2\n3,\"x,y\"\n")
        table = (report.directory / "table.txt").read_text(encoding="utf-8")
        self.assertTrue(text.startswith(table))
        self.assertTrue(table.startswith("a line\n\nTargets:\n  PASS  one"))
        self.assertEqual((report.directory / "versions.txt").read_text(encoding="utf-8"),
                         "date today\n")
        self.assertIn("summary.csv\n", text)

    def test_status(self) -> None:
        """A missed or unmeasured target counts when it is asked for."""
        for value in (2, None):
            for strict in (False, True):
                report = measure.Report(self.base, "test", self.about)
                status, _ = self.finish(report, Target("", 1, 1), Target("", value, 1),
                                        strict=strict)
                self.assertEqual(status, int(strict))

    def test_no_gnuplot(self) -> None:
        """A picture that cannot be drawn is told, and is no error."""
        report = measure.Report(self.base, "test", self.about)
        with mock.patch("shutil.which", return_value=None):
            report.plot("picture", ["plot x"])
        status, text = self.finish(report)
        self.assertEqual(status, 0)
        self.assertIn("no plot: gnuplot is not installed", text)
        self.assertNotIn("picture", text)

    def test_about(self) -> None:
        """What was emulated, and what was counted."""
        with mock.patch("rig.hardware.kind", return_value="emulated"):
            both = "\n".join(measure.about(counted=True).lines)
            bare = "\n".join(measure.about("bare-metal").lines)
            count = measure.about(timed=False, counted=True)
        self.assertIn("emulated      all of it", both)
        self.assertIn("counted       instructions", both)
        self.assertIn("no KVM is involved", bare)
        self.assertNotIn("emulated   ", "\n".join(count.lines))
        self.assertTrue(count.row(True).endswith("; instructions"))
        self.assertFalse(count.row().endswith("; instructions"))
        with mock.patch("rig.hardware.kind", return_value="nested"):
            self.assertIn("no more than one level", "\n".join(measure.about().lines))


if __name__ == "__main__":
    unittest.main()
