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
    asked: list[str] = []

    def answer(self, guest: Guest) -> Result:
        """Pretends to run the phases."""
        if guest.paging == "vm-shadow":
            return self.answer_two(guest)
        now, out = 100.0, ""
        asked = guest.cmd.split("\n")[0].split()[3:]
        for number, (name, times, took) in enumerate(zip(phases.PHASES, asked,
                                                         TOOK[guest.paging])):
            if name != self.lost and times != "0":
                out += (f"phase name={name} begin={now} end={now + took} switches={number} "
                        "paging=x\n")
            now += took
        self.asked.append(guest.cmd.split("\n")[0])
        return Result(status=0, out=out.encode())

    def answer_two(self, guest: Guest) -> Result:
        """And two VMs."""
        self.asked.append(guest.cmd.split("\n")[0])
        assert "second_start" in guest.host_cmd
        ends = (10, 11, 12.1)[:2 if self.lost else 3]
        return Result(status=0, host_said=b"changes=50\n", out="".join(
            f"two step={n} begin=0 end={end}\n" for n, end in enumerate(ends, 1)).encode())

    def answer_l1(self, cmd: str, paging: str) -> Result:
        """And KVM's tests."""
        assert paging == "nested"
        out = "1..1\n"
        for mib in (1, 4, 16, 64, int(cmd.split()[2])):
            out += (f"# cost mib={mib} to=shadow ns={mib * 1000000} call=50 exits={mib * 256} "
                    f"pass=70\n# cost mib={mib} to=nested ns=-20 call=10 exits=0 pass=80\n")
        return Result(status=0, out=(out + "ok 1 paging-cost\n").encode())


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
        self.assertIn("  all, 10^9 instructions: auto / the better mode: 0.769, no target\n", text)
        self.assertNotIn("PASS  all, 10^9", text)
        self.assertEqual(len(rows), 2 * 15 + 15 + 2 * 5 * 2 * 3 + 3)
        costs = {(r["what"], r["value"]) for r in rows if r["paging"] == "to shadow"}
        self.assertIn(("256 MiB, cost", "0.256000"), costs)
        self.assertIn(("256 MiB, cost", "65536"), costs)
        self.assertRegex(text, r"16 +shadow +16\.000 +0\.000 +4096 +0\.000")
        self.assertEqual(run(Machine, "--strict")[2], 1)

    def test_short(self) -> None:
        """A phase that is too short is no target in time."""
        text, _, _ = run(Machine, "--time-only", "--part", "phases")
        self.assertIn("PASS  stream, s", text)
        with unittest.mock.patch.dict(TOOK, {p: (9,) * 5 for p in TOOK}):
            text, _, status = run(Machine, "--time-only", "--part", "phases", "--strict")
        self.assertIn("----  stream, s", text)
        self.assertIn("shorter than 10", text)
        self.assertEqual(status, 1)

    def test_times(self) -> None:
        """How often each phase is done: by how long it took."""
        Machine.asked.clear()
        run(Machine, "--part", "phases", "--rounds", "1", "--time-only", "--scale", "2")
        self.assertEqual(Machine.asked, ["set -- 64 260 14 12 3 3"] * 2 +
                         ["set -- 64 564 34 32 6 7"] * 3)

    def test_some(self) -> None:
        """Some of the phases, which are all then."""
        Machine.asked.clear()
        text, rows, status = run(Machine, "--part", "phases", "--rounds", "1", "--time-only",
                                 "--phases", "gups,stream")
        self.assertEqual(status, 0)
        self.assertEqual(Machine.asked, ["set -- 64 0 14 12 0 0"] * 2 +
                         ["set -- 64 0 17 16 0 0"] * 3)
        self.assertIn("how often: stream 17, gups 16\n", text)
        self.assertNotIn("fills", text)
        self.assertNotIn("all, s", text)
        self.assertEqual({row["what"] for row in rows}, {"stream", "gups"})
        with contextlib.redirect_stderr(io.StringIO()), self.assertRaises(SystemExit):
            run(Machine, "--phases", "gups,none")

    def test_changes(self) -> None:
        """Changes alone, and KVM's tests that measure none."""
        text, rows, _ = run(Machine, "--part", "changes")
        self.assertNotIn("auto", text)
        self.assertEqual({r["paging"] for r in rows}, {"to shadow", "to nested"})
        with unittest.mock.patch.object(Machine, "answer_l1", return_value=Result(
                status=0, out=b"1..1\nok 1 paging-cost # SKIP this host\n")):
            with self.assertRaisesRegex(RuntimeError, "no cost of changes"):
                run(Machine, "--part", "changes")

    def test_two(self) -> None:
        """What a VM has of another one's changes; in time alone."""
        Machine.asked.clear()
        text, rows, _ = run(Machine, "--part", "two")
        self.assertEqual(Machine.asked, ["set -- 64 40"])
        self.assertRegex(text, r"works, and changes its mode +12\.10 +1\.210")
        self.assertIn("50 changes in 12 s; with them / without: 1.100\n", text)
        self.assertEqual([row["changes"] for row in rows], ["0", "0", "50"])
        with self.assertRaisesRegex(RuntimeError, "two: not all of it"):
            run(Hasty, "--part", "two")

    def test_incomplete(self) -> None:
        """A run that lacks a phase is none."""
        with self.assertRaisesRegex(RuntimeError, "not all phases"):
            run(Hasty)


if __name__ == "__main__":
    unittest.main()
