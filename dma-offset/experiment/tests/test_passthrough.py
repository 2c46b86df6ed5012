#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the passthrough experiment with a made-up rig."""

from __future__ import annotations

import contextlib
import csv
import io
import pathlib
import tempfile
import unittest

import passthrough
from rig import Guest, Result
from rig.fake import FakeBench


class Disk(FakeBench):
    """Answers as ioload and the edu device's driver do."""
    extra = 90                  # instructions of the offset
    guard = "changed 0 bytes"

    def answer(self, guest: Guest) -> Result:
        """Pretends to run a load."""
        assert ("edu" in guest.passthrough) == self.machine.icount
        text = "".join(f"{load} requests 100 ns 200000000 tsc 3000000 median 1900000 "
                       "worst 2500000\n" for load in ("seq-read", "rand-read"))
        if self.machine.icount:
            times = int(guest.cmd.split("\n", 1)[0].split()[2])
            text += "".join(f"cost times {times} with {times * (500 + self.extra + i)} "
                            f"without {times * 500}\n" for i in range(3))
        return Result(status=0, out=text.encode(), guard=self.guard)


def run(bench: type[Disk], *argv: str) -> tuple[int, str, list[dict[str, str]]]:
    """Runs the experiment; returns (status, output, rows of the CSV file)."""
    text = io.StringIO()
    with tempfile.TemporaryDirectory() as results:
        with contextlib.redirect_stdout(text):
            status = passthrough.main(["--strict", "--results", results, *argv], bench)
        [path] = pathlib.Path(results).glob("*-passthrough/summary.csv")
        with open(path, encoding="utf-8") as file:
            return status, text.getvalue(), list(csv.DictReader(file))


class Passthrough(unittest.TestCase):
    """The experiment as a whole."""

    def test_cheap(self) -> None:
        """The best of three, in percent of a request."""
        status, text, rows = run(Disk)
        self.assertEqual(status, 0, text)
        self.assertRegex(text, r"PASS .* 0\.300%  \(target <= 1\.000%\)\n +90\.0 / 30000 ")
        self.assertEqual({r["machine"] for r in rows}, {"passthrough", "bare metal", "virtio-blk"})
        self.assertEqual({r["MiB/s"] for r in rows if r["load"] == "seq-read"}, {"62.5"})

    def test_dear(self) -> None:
        """More than a hundredth is too much."""
        class Dear(Disk):
            """An offset that does much."""
            extra = 310
        status, text, _ = run(Dear)
        self.assertEqual(status, 1)
        self.assertIn("  MISS  the offset's share", text)

    def test_time_only(self) -> None:
        """Nothing to miss."""
        status, text, rows = run(Disk, "--time-only")
        self.assertEqual(status, 0)
        self.assertNotIn("Targets", text)
        self.assertEqual(len(rows), 6)

    def test_guard(self) -> None:
        """A device that wrote elsewhere ends it."""
        class Wild(Disk):
            """Memory that changed."""
            guard = "changed 4096 bytes"
        with self.assertRaisesRegex(RuntimeError, "memory outside the guest: changed 4096"):
            run(Wild)


if __name__ == "__main__":
    unittest.main()
