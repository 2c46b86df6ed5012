#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the two guests' experiments with a made-up rig."""

from __future__ import annotations

import contextlib
import csv
import io
import pathlib
import tempfile
import unittest
from typing import Any

import noise
import paging
from rig import Guest, Result
from rig.fake import FakeBench


class Programs(FakeBench):
    """Answers as the programs do, in either guest."""
    wrong = b""

    runs = 0
    interrupts = 0

    def answer(self, guest: Guest) -> Result:
        """Pretends to run the commands, line by line."""
        self.runs += 1
        assert ("./" in guest.cmd) == (guest.kernel == "guest")
        text = "".join(getattr(self, self.program(line))(guest.kernel, guest.paging)
                       for line in guest.cmd.splitlines())
        return Result(status=0, out=text.encode().replace(self.wrong or b"\0", b""))

    @staticmethod
    def program(line: str) -> str:
        """Which method answers."""
        word = line.split()[0].removeprefix("./")
        return {"awk": "symbiotic"}.get(word, word)

    def stream(self, kernel: str, paging: str) -> str:
        """Every second run is a slow one."""
        slow = (1 if kernel == "kitten" else 2) * (1 if paging == "nested" else 3)
        slow *= 10 if self.runs <= 4 and not self.machine.icount else 1
        return (f"init seconds={0.2 * slow}\npass kernel=copy pass=1 seconds=0.001\n"
                f"pass kernel=triad pass=1 seconds={0.08 * slow}\n"
                f"pass kernel=triad pass=2 seconds={0.06 * slow}\nverify result=ok\n")

    def gups(self, *_: str) -> str:
        """The same for all."""
        return "init seconds=0.3\npass kernel=update pass=1 seconds=0.5\nverify result=ok\n"

    def symbiotic(self, kernel: str, _: str) -> str:
        """Interrupts so far."""
        self.interrupts += 10 if kernel == "kitten" else 1000
        return f"cpu0 irqs {self.interrupts}\n"

    @staticmethod
    def selfish(kernel: str, _: str) -> str:
        """A histogram of one length."""
        return ("bin from_ns=4096 detours=20\n"
                f"selfish seconds=2 per_second=10 longest_ns=9000 "
                f"lost_percent={14 if kernel == 'kitten' else 29}\n")


def run(main: Any, bench: type[Programs], *argv: str) -> tuple[str, list[dict[str, str]]]:
    """Runs an experiment; returns its output and the rows of its CSV file."""
    text = io.StringIO()
    with tempfile.TemporaryDirectory() as results:
        with contextlib.redirect_stdout(text):
            assert main(["--results", results, *argv], bench) == 0
        [path] = pathlib.Path(results).glob("*/summary.csv")
        with open(path, encoding="utf-8") as file:
            return text.getvalue(), list(csv.DictReader(file))


class Paging(unittest.TestCase):
    """Shadow against nested paging."""

    def test_both_clocks(self) -> None:
        """The best of the rounds, and the ratios."""
        text, rows = run(paging.main, Programs)
        self.assertEqual(len(rows), 2 * 2 * 2 * 4)
        for unit in ("ms", "10^6 instructions"):
            self.assertEqual({(r["guest"], r["paging"]): r["value"] for r in rows
                              if r["unit"] == unit and r["what"] == "stream triad"},
                             {("kitten", "shadow"): "180.000", ("kitten", "nested"): "60.000",
                              ("linux", "shadow"): "360.000", ("linux", "nested"): "120.000"})
        self.assertRegex(text, r"stream triad .* 3\.00 +3\.00\n")
        self.assertRegex(text, r"gups .* 1\.00 +1\.00\n")

    def test_wrong_results(self) -> None:
        """Good times of wrong results are an error."""
        class Wrong(Programs):
            """One program does not say that all is well."""
            wrong = b"verify result=ok\n"
        with self.assertRaisesRegex(RuntimeError, "kitten: wrong results"):
            run(paging.main, Wrong)


class Noise(unittest.TestCase):
    """Detours."""

    def test_table(self) -> None:
        """One line for each guest, and the lengths."""
        text, rows = run(noise.main, Programs)
        self.assertRegex(text, r"kitten +nested +10\.0 +9 +14\.000 +5\.0\n")
        self.assertRegex(text, r"linux +nested +10\.0 +9 +29\.000 +500\.0\n")
        self.assertEqual(rows[0], {"guest": "kitten", "run": "1", "from_ns": "4096",
                                   "detours": "20"})
        self.assertEqual(len(rows), 2 * 3)
        self.assertTrue("noise.svg" in text or "no plot: gnuplot is not installed" in text)

    def test_no_summary(self) -> None:
        """A program that died is an error."""
        class Dead(Programs):
            """Its last line is missing."""
            wrong = b"selfish "
        with self.assertRaisesRegex(RuntimeError, "kitten: no result"):
            run(noise.main, Dead)


if __name__ == "__main__":
    unittest.main()
