#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the experiment with HPC Challenge, with a made-up rig."""

from __future__ import annotations

import contextlib
import csv
import io
import pathlib
import tempfile
import unittest

import hpcc
from rig import Guest, Result
from rig.fake import FakeBench

# 10^6 updates of RandomAccess, and 10^9 operations of HPL, by place.
TOOK = {"bare-metal": (90, 1.0), "shadow": (80, 0.9), "nested": (30, 0.8), "auto": (72, 0.9)}
REPORT = """\
||Ax-b||_oo/(eps*(||A||_oo*||x||_oo+||b||_oo)*N)=        0.0061929 ...... PASSED
Begin of Summary section.
VersionMajor=1
VersionMinor=5
VersionMicro=0
Success=1
HPL_Tflops={hpl}
HPL_N=2000
HPL_NB=80
SingleDGEMM_Gflops=0.5
PTRANS_GBs=0.25
MPIRandomAccess_N=2097152
MPIRandomAccess_Errors={errors}
MPIRandomAccess_ExeUpdates=8388608
MPIRandomAccess_GUPs={gups}
SingleRandomAccess_GUPs=0.1
STREAM_VectorSize=1333333
SingleSTREAM_Triad=3.5
FFT_N=524288
SingleFFT_Gflops=0.4
End of Summary section.
########################################################################
paging_switches=2
"""


class Machine(FakeBench):
    """Answers as the program does."""
    errors = 0

    def answer(self, guest: Guest) -> Result:
        """Pretends to run it."""
        gups, hpl = TOOK[guest.host if guest.bare else guest.paging]
        return Result(status=0, out=REPORT.format(gups=gups / 1000, hpl=hpl / 1000,
                                                  errors=self.errors).encode())


class Wrong(Machine):
    """Has lost an update."""
    errors = 1


def run(bench: type[FakeBench], *args: str) -> tuple[str, list[dict[str, str]], int]:
    """What the experiment says, writes and returns."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as where, contextlib.redirect_stdout(said):
        status = hpcc.main(["--results", where, "--programs", where, *args], bench)
        file = next(pathlib.Path(where).glob("*/summary.csv"))
        with open(file, encoding="utf-8") as rows:
            return said.getvalue(), list(csv.DictReader(rows)), status


class HpccTest(unittest.TestCase):
    """Rates, targets, and runs that are none."""

    def test_table(self) -> None:
        """All places in both units."""
        text, rows, status = run(Machine)
        self.assertEqual(status, 0)
        self.assertIn("HPL of 2000, blocks of 80; RandomAccess of 16 MiB", text)
        self.assertEqual(text.count("RandomAccess of 16 MiB"), 1)
        self.assertIn("MISS  RandomAccess, s: the better mode / auto", text)
        self.assertIn("PASS  HPL, 10^9 instructions: the better mode / auto", text)
        self.assertRegex(text, r"HPL +flop +1\.0000 +0\.9000 +0\.8000 +0\.9000 +0\.90 +0\.80")
        self.assertEqual(len(rows), 2 * len(hpcc.PLACES) * len(hpcc.RATES))
        self.assertEqual(run(Machine, "--strict", "--time-only")[2], 1)

    def test_rounds(self) -> None:
        """The best of all rounds counts, in time."""
        rows = run(Machine, "--rounds", "2")[1]
        self.assertEqual(len(rows), 3 * len(hpcc.PLACES) * len(hpcc.RATES))

    def test_wrong(self) -> None:
        """What it has found wrong is no result."""
        with self.assertRaisesRegex(RuntimeError, "MPIRandomAccess_Errors=1"):
            run(Wrong)
        right = REPORT.format(gups=1, hpl=1, errors=0)
        hpcc.read_report(right)
        for changed in (right.replace("PASSED", "FAILED"), right.replace("Success=1", ""),
                        right + "WALL 500 500 80 80 1 1 0.00 FAILED 3.9 0.00\n",
                        right.replace("||Ax-b||", "||Ax||")):
            with self.assertRaisesRegex(RuntimeError, "not all is right"):
                hpcc.read_report(changed)


if __name__ == "__main__":
    unittest.main()
