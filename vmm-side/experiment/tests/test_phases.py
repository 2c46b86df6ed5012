#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the experiment on phases with a made-up rig."""

from __future__ import annotations

import contextlib
import csv
import io
import pathlib
import tempfile
import unittest
import unittest.mock

import phases
from rig import Guest, Result
from rig.fake import FakeBench

# Seconds of a phase, by paging mode.
TOOK = {"shadow": (40, 11, 10, 30, 12), "nested": (12, 12, 25, 14, 15),
        "auto": (12, 11, 10, 15, 12)}


class Machine(FakeBench):
    """Answers as the script and the programs do."""
    lost = ""

    def answer(self, guest: Guest) -> Result:
        """Pretends to run one of the two."""
        if "gups -m" in guest.cmd.split("\n")[-1] and "phase" not in guest.cmd:
            extra = 2 if guest.host_cmd else 0
            out = "".join(f"pass kernel=update pass={n} seconds={0.0131 + (n < extra)}\n"
                          for n in range(phases.PASSES))
            return Result(status=0, out=out.encode(), host_status=0,
                          host_before={"exits": 10}, host_after={"exits": 10 + 5000 * bool(extra)})
        now, out = 100.0, ""
        for number, (name, took) in enumerate(zip(phases.PHASES, TOOK[guest.paging])):
            if name != self.lost:
                out += (f"phase name={name} begin={now} end={now + took} switches={number} "
                        "paging=x\n")
            now += took
        return Result(status=0, out=out.encode())


class Hasty(Machine):
    """Leaves one out."""
    lost = "kv"


def run(bench: type[FakeBench], *args: str) -> tuple[str, list[dict[str, str]], int]:
    """What the experiment says, writes and returns."""
    said = io.StringIO()
    with tempfile.TemporaryDirectory() as where, contextlib.redirect_stdout(said):
        status = phases.main(["--results", where, "--programs", where, *args], bench)
        file = next(pathlib.Path(where).glob("*/summary.csv"))
        with open(file, encoding="utf-8") as rows:
            return said.getvalue(), list(csv.DictReader(rows)), status


class PhasesTest(unittest.TestCase):
    """Times, targets and what a change costs."""

    def test_table(self) -> None:
        """All modes in both units, and the changes."""
        text, rows, status = run(Machine)
        self.assertEqual(status, 0)
        self.assertIn("MISS  fills, s: auto / the better mode", text)
        self.assertIn("PASS  gups, s: auto / the better mode", text)
        self.assertIn("PASS  all, s: auto / the better mode", text)
        self.assertEqual(len(rows), 2 * 15 + 15 + len(phases.SIZES))
        costs = {float(r["value"]) for r in rows if r["paging"] == "changes"}
        self.assertEqual(costs, {0.4})
        self.assertEqual(run(Machine, "--strict")[2], 1)

    def test_short(self) -> None:
        """A phase that is too short is no target in time."""
        text, _, _ = run(Machine, "--time-only", "--part", "phases")
        self.assertIn("stream, s", text)
        with unittest.mock.patch.dict(TOOK, {p: (9,) * 5 for p in TOOK}):
            text, _, _ = run(Machine, "--time-only", "--part", "phases")
        self.assertNotIn("stream, s", text)

    def test_incomplete(self) -> None:
        """A run that lacks a phase is none."""
        with self.assertRaisesRegex(RuntimeError, "not all phases"):
            run(Hasty)


if __name__ == "__main__":
    unittest.main()
