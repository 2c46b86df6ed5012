# SPDX-License-Identifier: GPL-2.0
"""Unit tests of what fuzzers have in common: pieces of long runs, and the table of faults."""

from __future__ import annotations

import pathlib
import subprocess
import tempfile
import unittest

from e2e import fuzzing

TOP = pathlib.Path(__file__).resolve().parents[3]

SAID = """@0
@at 64: 64 programs, 2900 operations, 311 pairs, 1204 places, 10.1 s
# 99 programs, 1 operations in 1 s, of something else
@at 70: 69 programs, 3100 operations, 315 pairs, 12.5 s
"""


class AtTest(unittest.TestCase):
    """What a fuzzer says of how far it has come."""

    def test_last(self) -> None:
        """The last word counts; both programs'."""
        self.assertEqual(fuzzing.at(SAID, 5), fuzzing.At(70, 69, 3100, 12.5))
        self.assertEqual(fuzzing.at("@at 7: 2 programs, 41 operations, 3.0 s\n", 5),
                         fuzzing.At(7, 2, 41, 3.0))

    def test_nothing(self) -> None:
        """Who has said nothing has done nothing, and begins where it did."""
        self.assertEqual(fuzzing.at("@5\n", 5), fuzzing.At(5, 0, 0, 0.0))

    def test_text(self) -> None:
        """For people."""
        self.assertEqual(str(fuzzing.at(SAID)),
                         "69 programs, 3100 operations in 12 s, 248 a second")


class FiguresTest(unittest.TestCase):
    """Pieces add up."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.path = pathlib.Path(directory.name) / "fuzz" / "table.csv"

    def test_pieces(self) -> None:
        """A seed goes on where it was; seeds, not modes and kernels, are one sum."""
        figures = fuzzing.Figures("fuzz-kvm", "debug", self.path)
        self.assertEqual((figures.operations("shadow"), figures.next("shadow", 1)), (0, 0))
        figures.add("shadow", 1, 0, fuzzing.At(10, 10, 100, 1.0), 0)
        figures.add("shadow", 1, 10, fuzzing.At(30, 19, 150, 1.0), 1)
        figures.add("shadow", 2, 0, fuzzing.At(5, 5, 50, 1.0), 0)
        figures.add("nested", 1, 0, fuzzing.At(90, 90, 900, 1.0), 0)
        fuzzing.Figures("fuzz-kvm", "host", self.path).add("shadow", 1, 0, fuzzing.At(7, 7, 70), 0)
        fuzzing.Figures("fuzz-mm", "debug", self.path).add("shadow", 1, 0, fuzzing.At(8, 8, 80), 0)
        self.assertEqual(figures.operations("shadow"), 300)
        self.assertEqual(figures.next("shadow", 1), 30)
        self.assertEqual(figures.next("shadow", 2), 5)
        self.assertEqual(figures.next("shadow", 3), 0)
        self.assertEqual(self.path.read_text().count("date,"), 1)

    def test_faults(self) -> None:
        """The last run of each counts, and one that was never tried is there."""
        table = fuzzing.Faults("fuzz-kvm", self.path)
        table.add(fuzzing.Found("LIST", "shadow", 300.0, 5))
        table.add(fuzzing.Found("LIST", "shadow", 1.8, 99, 1))
        table.add(fuzzing.Found("SEQ", "shadow", 9.0, 99, 13))
        table.add(fuzzing.Found("DROP", "shadow", 301.0, 99, 2))
        fuzzing.Faults("fuzz-mm", self.path).add(fuzzing.Found("LIST", "copy"))
        self.assertEqual(list(table.lines(["LIST", "SEQ", "DROP", "SYNC"]))[2:], [
            "| LIST | shadow | 1.8 | 99 | 1 | PASS |",
            "| SEQ | shadow | 9.0 | 99 | 13 | MISS |",
            "| DROP | shadow | 301.0 | 99 | 2 | MISS |",
            "| SYNC | - | - | - | - | - |"])

    def test_good(self) -> None:
        """What was not found is not good, however soon."""
        self.assertFalse(fuzzing.Found("LIST", "shadow").good)
        self.assertTrue(fuzzing.Found("LIST", "shadow", 300, 1, 12).good)
        self.assertFalse(fuzzing.Found("LIST", "shadow", 1, 1, 1, "it finds the same").good)


class PatchesTest(unittest.TestCase):
    """Faults of libFuzzer's programs, which `make fuzz-faults` applies when somebody calls it."""

    def test_apply(self) -> None:
        """None has been left behind by the code that it breaks."""
        patches = [patch for part in ("*", "vmm-side/*")
                   for patch in TOP.glob(f"{part}/tests/fuzz/faults/*.patch")]
        self.assertTrue(patches)
        for patch in patches:
            with self.subTest(patch.name):
                subprocess.run(["patch", "-d", TOP, "-p1", "-s", "--fuzz=0", "--dry-run", "-i",
                                patch], check=True)


if __name__ == "__main__":
    unittest.main()
