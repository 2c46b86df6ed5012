#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the modules experiment with a made-up rig."""

from __future__ import annotations

import contextlib
import csv
import io
import pathlib
import tempfile
import unittest

import modules
from rig import Guest, Result
from rig.fake import FakeBench


class Loads(FakeBench):
    """Answers as the two scripts do."""
    lost = ""                   # a way that is not measured each time

    def took(self, way: str, rounds: int, micros: int) -> str:
        """What took says: a nanosecond has three ticks, but where instructions are counted. The
        first round is dear."""
        ticks = 1 if self.machine.icount else 3
        return "".join(f"took {way} ns {(micros + 900 * (i == 0)) * 1000} "
                       f"tsc {(micros + 900 * (i == 0)) * 1000 * ticks} status 0\n"
                       for i in range(rounds - (way == self.lost)))

    def answer(self, guest: Guest) -> Result:
        """Pretends to load modules."""
        rounds = int(guest.host_cmd.split()[1])
        assert guest.cmd.startswith(f"set -- {rounds}\n")
        out = "77000 modules/nvme.ko\n" + self.took("insmod", rounds, 20000)
        out += "".join(f"[    1.{i:06}] symbiotic: module nvme loaded, from the VMM, in 25000 us\n"
                       for i in range(rounds))
        said = self.took("list", rounds, 8000) + self.took("load", rounds, 40000)
        return Result(status=0, out=out.encode(), host_said=said.encode())


def run(bench: type[Loads], *argv: str) -> tuple[str, list[dict[str, str]]]:
    """Runs the experiment; returns (output, rows of the CSV file)."""
    text = io.StringIO()
    with tempfile.TemporaryDirectory() as results:
        with contextlib.redirect_stdout(text):
            assert modules.main(["--results", results, *argv], bench) == 0
        [path] = pathlib.Path(results).glob("*-modules/summary.csv")
        with open(path, encoding="utf-8") as file:
            return text.getvalue(), list(csv.DictReader(file))


class Modules(unittest.TestCase):
    """The experiment as a whole."""

    def test_table(self) -> None:
        """Medians of all rounds but the first, in time and in instructions."""
        text, rows = run(Loads, "--rounds", "4")
        self.assertIn("nvme.ko, 77000 bytes, medians of 3 rounds:\n", text)
        self.assertEqual([(r["way"], r["ms"], r["million instructions"], r["of insmod"])
                          for r in rows],
                         [("insmod, in the guest", "20.0", "20.00", "1.00"),
                          ("symcall module load, in the host", "40.0", "40.00", "2.00"),
                          ("of that, the guest's thread", "25.0", "25.00", "1.25"),
                          ("symcall module list", "8.0", "8.00", "0.40")])

    def test_a_round_is_missing(self) -> None:
        """Nothing is said of the rest then."""
        for way in ("insmod", "list", "load"):
            class Lost(Loads):
                """One less."""
                lost = way
            with self.subTest(way=way), self.assertRaisesRegex(RuntimeError, "not 11 rounds"):
                run(Lost)


if __name__ == "__main__":
    unittest.main()
