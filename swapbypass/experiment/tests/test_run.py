#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the experiment driver with a made-up rig: targets, tables, the CSV file and the
plots. No guest is started."""

from __future__ import annotations

import contextlib
import csv
import io
import pathlib
import tempfile
import unittest
from typing import Any

import jobs
import plan
import run
from fake_bench import GIVE_BACK, FakeBench
from jobs import Job


class Experiment(unittest.TestCase):
    """The driver as a whole."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.results = pathlib.Path(made.name)

    def experiment(self, bench: type[FakeBench], *argv: str) -> tuple[int, str]:
        """Runs the driver; returns (status, output)."""
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            status = run.main(["--results", str(self.results), *argv], bench)
        return status, text.getvalue()

    def made(self, name: str) -> pathlib.Path:
        """A file that the last run has made."""
        directory = max(self.results.iterdir(), key=lambda path: path.stat().st_mtime_ns)
        return directory / name

    def rows(self) -> list[dict[str, str]]:
        """The CSV file."""
        with open(self.made("summary.csv"), encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def test_good_run(self) -> None:
        """All targets pass and every file is written."""
        status, text = self.experiment(FakeBench, "--strict")
        self.assertEqual(status, 0, text)
        self.assertNotIn("MISS", text)
        self.assertNotIn("----", text)
        self.assertIn("out of memory; it keeps", text)
        self.assertEqual(text.count("  PASS  "), 11)
        for name in ("summary.csv", "table.txt", "versions.txt"):
            self.assertTrue(self.made(name).stat().st_size)
        if "no plot: gnuplot is not installed" not in text:
            for name in ("stream.png", "stream.svg"):
                self.assertTrue(self.made(name).stat().st_size)

    def test_slow_peer(self) -> None:
        """A peer that is not slow here is nobody's fault, but being slower than
        never swapping is."""
        _, text = self.experiment(FakeBench, "--time-only")
        self.assertRegex(text, r"PASS  STREAM in time: .* 1\.03  \(target <= 1\.15\)\n.*"
                         "the peer takes 403 times ours, 417 times never swapping")

        class Slow(FakeBench):
            """Still a hundred times as fast as virtio-blk."""
            slow = 1.2
        _, text = self.experiment(Slow, "--time-only")
        self.assertRegex(text, r"MISS  STREAM in time: .* 1\.24  \(target <= 1\.15\)\n")

    def test_csv(self) -> None:
        """The columns that programs read, and each kind of row."""
        self.experiment(FakeBench)
        rows = self.rows()
        self.assertEqual(",".join(rows[0]),
                         "benchmark,mode,paging,guest memory,working set,pass,"
                         "seconds,rate,swap-ins,swap-outs,bypass maps,"
                         "symcalls,exits,versions")
        bypass = [r for r in rows if r["mode"] == "bypass"]
        self.assertEqual(bypass[0]["pass"], "1")
        self.assertEqual(bypass[0]["swap-ins"], "100")
        self.assertEqual(bypass[0]["bypass maps"], "11")
        self.assertEqual(bypass[0]["exits"], "")
        job = [r for r in bypass if r["pass"] == "job"][0]
        self.assertEqual((job["exits"], job["bypass maps"], job["symcalls"]),
                         ("90000", "40000", "2500"))
        self.assertTrue([r for r in bypass if r["pass"] == "exit"])
        virtio = [r for r in rows if r["mode"] == "virtio-blk"]
        self.assertEqual(virtio[-1]["exits"], "90000")
        cut = [r for r in rows if r["pass"] == "1 partial"]
        self.assertEqual({r["mode"] for r in cut}, {"virtio-blk", "zram", "symswap"})

    def test_miss(self) -> None:
        """A target that is missed says so, and only --strict makes it fail."""
        class Slow(FakeBench):
            """SwapBypass at half its speed."""
            slow = 2.0
        status, text = self.experiment(Slow)
        self.assertEqual(status, 0)
        self.assertIn("MISS  STREAM steady: SwapBypass / never", text)
        status, _ = self.experiment(Slow, "--strict")
        self.assertEqual(status, 1)

    def test_wrong_data(self) -> None:
        """Wrong data fails the run and gives no number."""
        class Wrong(FakeBench):
            """SwapBypass loses data."""
            damage = "bypass"
        status, text = self.experiment(Wrong)
        self.assertEqual(status, 1)
        self.assertIn("WRONG DATA: 2 elements", text)
        self.assertIn("----  STREAM steady: SwapBypass", text)

    def test_hang(self) -> None:
        """A guest that hangs fails its jobs and leaves the others."""
        class Hang(FakeBench):
            """zram never answers."""
            crash = "zram"
        status, text = self.experiment(Hang)
        self.assertEqual(status, 1)
        self.assertIn("zram, nested: timeout after 9 s\n", text)
        self.assertIn("PASS  GUPS: virtio-blk / SwapBypass", text)
        self.assertIn("----  STREAM, constant contents: zram / SwapBypass", text)

    def test_hang_once(self) -> None:
        """One hang is repeated and reported, but is no failure."""
        class Hang(FakeBench):
            """zram does not answer once."""
            crash = "zram"
            hangs = 1
        status, text = self.experiment(Hang)
        self.assertEqual(status, 0)
        self.assertIn("failed, but not when repeated: stream constant", text)
        self.assertIn("PASS  STREAM, constant contents: zram", text)

    def test_icount(self) -> None:
        """Instructions: all targets, and nothing twice."""
        status, text = self.experiment(FakeBench, "--icount")
        self.assertEqual(status, 0)
        self.assertEqual(text.count("  PASS  "), 11)
        self.assertIn("10^9 are a second", text)
        names = [j.name() for g in plan.Plan(64, 48, icount=True).guests() for j in g.jobs]
        self.assertEqual(len(set(names)), len(names))
        self.assertTrue(all(r["versions"].endswith("; instructions") for r in self.rows()))

    def test_near_one(self) -> None:
        """Targets near 1 are judged by instructions, if these were counted."""
        class Noisy(FakeBench):
            """Times of SwapBypass that mean nothing."""
            def __init__(self, **machine: Any) -> None:
                super().__init__(**machine)
                self.slow = 1.0 if self.machine.icount else 2.0

        status, text = self.experiment(Noisy)
        self.assertEqual(status, 0)
        self.assertIn("PASS  STREAM steady: SwapBypass / never", text)
        self.assertIn("instructions; in time 2.07: ", text)
        self.assertEqual({r["versions"].endswith("; instructions") for r in self.rows()},
                         {True, False})
        _, text = self.experiment(Noisy, "--time-only")
        self.assertIn("MISS  STREAM steady: SwapBypass / never", text)

    def test_no_time(self) -> None:
        """Without time the optional jobs are left out by name."""
        status, text = self.experiment(FakeBench, "--seconds", "1e-6")
        self.assertEqual(status, 0)
        self.assertIn("left out for lack of time: stream random 192", text)
        self.assertIn("PASS  STREAM, constant contents: zram", text)

    def test_only(self) -> None:
        """One job alone, whose targets were not measured."""
        status, text = self.experiment(FakeBench, "--only", "gups 128 MiB, bypass")
        self.assertEqual(status, 0)
        self.assertEqual({(r["benchmark"], r["mode"]) for r in self.rows()},
                         {("gups update", "bypass")})
        self.assertNotIn("PASS", text)

    def test_nested(self) -> None:
        """The experiment of the window in place: targets and tables."""
        status, text = self.experiment(FakeBench, "--nested", "--strict")
        self.assertEqual(status, 0, text)
        self.assertEqual(text.count("  PASS  "), 17)
        self.assertRegex(text, r"first touch in place +2.10 +2 +0.15 +0.80\n")
        self.assertRegex(text, r"never swaps \(enough memory\) +2.00 +2 +0.15 +-\n")
        self.assertRegex(text, r"first touch in place +64 +1 +1.500 +0.078 +0.150 +1.728\n")
        self.assertRegex(text, r"plug a DIMM of .* 3.00\n")
        self.assertRegex(text, r"swapon of the window +0.25\n")
        self.assertRegex(text, r"symbioticd moves the grants +6667 +2\+1 \(7\)  ")
        self.assertRegex(text, r" 2 +64 +800.5 +800.5 ")
        self.assertRegex(text, r"1/4 granted +0.04 +0.04")
        self.assertIn(("kv mix", "in-place", "nested"),
                      {(r["benchmark"], r["mode"], r["paging"]) for r in self.rows()})

    def test_nested_miss(self) -> None:
        """A balloon that is faster, and a program that does not hold."""
        class Balloon(FakeBench):
            """Memory goes back at once."""
            give_back = {**GIVE_BACK, "balloon": 0.1, "exit": 1.2}
            damage = "in-place"
            turns = "two_guests: no answer from /run/x\n"
        status, text = self.experiment(Balloon, "--nested")
        self.assertEqual(status, 1)
        self.assertIn("FAILED two guests, halves: two_guests: no answer", text)
        self.assertIn("MISS  Half the window back", text)
        self.assertIn("MISS  A process's window back", text)
        self.assertIn("FAILED spike, first touch: ", text)
        self.assertIn("----  A spike's memory back", text)
        self.assertIn("WRONG DATA", text)

    def test_spike_miss(self) -> None:
        """One that is slower to fill, and one that is slow to go."""
        class Slow(FakeBench):
            """Such ones."""
            give_back = {**GIVE_BACK, "spike": 1.1}
            spike_fill = {"none": 1.0, "in-place": 1.2}
        _, text = self.experiment(Slow, "--nested")
        self.assertRegex(text, r"MISS  Fill of a spike, 4 x the memory: .* 1.20 ")
        self.assertRegex(text, r"MISS  A spike's memory back with the host, .* 1.10 ")

    def test_full(self) -> None:
        """The full sweep runs both paging modes and judges the better."""
        status, text = self.experiment(FakeBench, "--full")
        self.assertEqual(status, 0)
        self.assertRegex(text, r"zram +nested")
        self.assertRegex(text, r"zram +shadow")
        if "no plot" not in text:
            self.assertTrue(self.made("gups.png").stat().st_size)

    def test_other_hosts(self) -> None:
        """Without SwapBypass and its targets elsewhere."""
        for host in ("bare-metal", "plain-kvm"):
            status, text = self.experiment(FakeBench, "--host", host)
            self.assertEqual(status, 0)
            self.assertNotIn("SwapBypass", text)
            self.assertNotIn("Targets", text)
            self.assertIn("virtio-blk swap", text)


class Fitting(unittest.TestCase):
    """What fits the time."""

    def test_tiers(self) -> None:
        """No point of another tier."""
        guests = plan.Plan(64, 48).guests()

        def up_to(tier: int) -> list[jobs.Guest]:
            return [left for g in guests if (left := g.up_to(tier))]

        def expect(tier: int) -> float:
            return sum(g.expect() for g in up_to(tier))

        for tier in range(plan.EXTRA_TIER + 1):
            self.assertEqual(run.highest_tier(guests, expect(tier)), tier)
        self.assertEqual(run.highest_tier(guests, 0), 0)
        kept: list[Job] = [j for g in up_to(0) for j in g.jobs]
        self.assertEqual({j.ws for j in kept if j.program == "stream"}, {32, 128})


if __name__ == "__main__":
    unittest.main()
