#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the experiment driver with a made-up rig: the parser, the bars, the
table, the CSV and the plot. No guest is started.

Runs by itself; ends with a line of counts. --keep DIR leaves the report of the
made-up experiment there, to look at."""

import contextlib
import csv
import io
import os
import pathlib
import re
import sys
import tempfile
import types
import unittest

import jobs
import plan
import report
import run

KEEP = None

# Seconds that a pass over one MiB takes in each mode under pressure.
PER_MIB = {"none": 0.0006, "bypass": 0.00062, "symswap": 0.08,
           "zram": 0.045, "virtio-blk": 0.25, "in-place": 0.00061,
           "dimm": 0.0006, "zswap": 0.06,
           "virtio-pmem": 0.06}
# Of the ways to give memory back.
GIVE_BACK = {"grant": 0.5, "balloon": 2.0, "dimm": 3.0}


class FakeBench:
    """Answers as the rig would, from a simple model of the times."""
    damage = ""                 # mode whose data comes back wrong
    crash = ""                  # mode whose guest hangs
    hangs = 100                 # so many times
    slow = 1.0                  # factor on SwapBypass
    give_back = GIVE_BACK
    turns = "turn 1 in-place 512 256 swap-ins 7\n" * 4 + "passes 5\n"

    def __init__(self, host="symbiotic", icount=False, smp=2):
        self.host = host
        self.icount = icount
        assert smp == 1 or not icount

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return False

    def run(self, cmd, **options):
        """Pretends to run a guest, with one job or several."""
        parts = cmd.split(f"echo '{jobs.PART}'; ")[1:]
        if not parts:
            return self.part(cmd, **options)
        result = self.part(parts[0], **options)
        if result.status is None:
            return result
        for name in ("stdout", "stderr"):
            setattr(result, name, "")
        marks = cmd.count("echo mark >&3; read -r _ <&3")
        assert marks == len(parts) - 1
        moments = [{k: v + i * (result.host_after[k] - v)
                    for k, v in result.host_before.items()}
                   for i in range(len(parts) + 1)]
        result.host_marks = moments[1:-1]
        result.host_after = moments[-1]
        for text in parts:
            part = self.part(text, **options)
            result.stdout += (f"{jobs.PART}\n{part.stdout}"
                              f"{jobs.PART_STATUS} {part.status}\n")
            result.stderr += f"{jobs.PART}\n{part.stderr}"
        result.status = 0
        return result

    def part(self, cmd, files=None, guest_mem=512, paging="shadow",
             swap="none", timeout=120, host_cmd=None, **_):
        """Pretends to run one job."""
        free = guest_mem - 48
        text = f"MemTotal: {guest_mem * 1024} kB\n" \
               f"MemAvailable: {free * 1024} kB\n"
        before = {"exits": 1000, "bypass_maps": 5, "symcalls": 1}
        if "uname -r" in cmd:
            return self.result(0, "6.12.0-test\n" + text, before, before)
        if swap == self.crash and self.hangs:
            type(self).hangs -= 1
            return types.SimpleNamespace(
                status=None, error="timeout after 9 s\n--- QEMU ---",
                explain=lambda: "timeout after 9 s\n--- guest console ---")
        assert swap != "bypass" or paging == "shadow"
        assert self.host == "symbiotic" or swap != "bypass"
        if host_cmd:
            way = host_cmd.split()[2]
            result = self.result(0, "swapon 5.00 5.25\npasses 3\n", before,
                                 before)
            result.host_out = f"{way} {self.give_back[way]}\n" \
                if way in self.give_back else self.turns
            return result
        program = re.search(r"exec \./(\w+)", cmd)[1]
        text += {"stream": self.stream, "gups": self.gups, "kv": self.mix,
                 "forkmix": self.mix, "memperf": self.memperf
                 }[program](cmd, swap, free)
        status = 0
        if swap == "zram" and "-c random" in cmd and \
                int(re.search(r"-m (\d+)", cmd)[1]) > free:
            return self.result(137, text, before, before)
        if self.damage == swap:
            text = text.replace("result=ok checked=9 of=9 wrong=0",
                                "result=WRONG checked=9 of=9 wrong=2")
            status = 1
        after = {"exits": 91000, "bypass_maps": 40005, "symcalls": 2501}
        return self.result(status, text, before, after)

    @staticmethod
    def result(status, stdout, before, after):
        """The rig's Result."""
        return types.SimpleNamespace(
            status=status, stdout=stdout, stderr="", console="",
            host_before=before, host_marks=[], host_after=after,
            host_out="6.12.0-host\n")

    def pace(self, swap, ws, free):
        """Seconds of a pass."""
        pace = PER_MIB["none"]
        if ws > free * 0.9:
            pace = PER_MIB[swap] * (self.slow if swap == "bypass" else 1)
        return pace * ws

    def passes(self, swap, count, seconds, limit, line):
        """The pass lines, cut short at the limit."""
        text = ""
        for number in range(1, count + 1):
            now = seconds * (6 if number == 1 and swap == "bypass" else 1)
            done = min(1.0, limit / now) if limit else 1.0
            text += (line(number, now * done, done) +
                     f" complete={int(done == 1.0)} pswpin=100 pswpout=90"
                     " pgmajfault=7 answered_pages=11 queries=3\n")
            if done < 1.0:
                break
        return text

    def stream(self, cmd, swap, free):
        """Output of the stream program."""
        ws = int(re.search(r"-m (\d+)", cmd)[1])
        count = int(re.search(r"-n (\d+)", cmd)[1])
        limit = float((re.search(r"-t (\S+)", cmd) or [0, 0])[1])
        elements = (ws << 20) // 24
        kernels = re.search(r"-k (\S+)", cmd)[1].split(",")

        def line(number, seconds, done):
            size = int(elements * 24 * done)
            return (f"pass kernel={kernels[-1]} pass={number} "
                    f"seconds={seconds:.6f} bytes={size} "
                    f"rate_mbs={size / seconds / 1e6:.3f}")
        return (f"stream bytes={elements * 24} elements={elements} "
                f"passes={count} contents=random\ninit seconds=1.5\n" +
                self.passes(swap, count, self.pace(swap, ws, free), limit,
                            line) +
                "verify result=ok checked=9 of=9 wrong=0 seconds=0.1\n" +
                ("exit seconds=0.15\n" if " -x" in cmd else ""))

    def gups(self, cmd, swap, free):
        """Output of the gups program."""
        ws = int(re.search(r"-m (\d+)", cmd)[1])
        count = int(re.search(r"-n (\d+)", cmd)[1])
        updates = int(re.search(r"-u (\d+)", cmd)[1])
        limit = float((re.search(r"-t (\S+)", cmd) or [0, 0])[1])

        def line(number, seconds, done):
            return (f"pass kernel=update pass={number} seconds={seconds:.6f} "
                    f"updates={int(updates * done)} "
                    f"rate_gups={updates * done / seconds * 1e-9:.9f}")
        return (f"gups bytes=1 words=1 passes={count} "
                f"updates_per_pass={updates}\n" +
                self.passes(swap, count, self.pace(swap, ws, free) * 30,
                            limit, line) +
                "verify result=ok checked=9 of=9 wrong=0 seconds=0.1\n")


    def mix(self, cmd, swap, free):
        """Output of kv and forkmix."""
        count, ops, ws = (int(re.search(rf"-{o} (\d+)", cmd)[1]) for o in "num")
        limit = float((re.search(r"-t (\S+)", cmd) or [0, 0])[1])
        name = "unit" if "forkmix" in cmd else "mix"

        def line(number, seconds, done):
            return (f"pass kernel={name} pass={number} seconds={seconds:.6f} "
                    f"ops={int(ops * done)} rate_per_s={ops * done / seconds}")
        return (f"prog bytes=1 passes={count} ops_per_pass={ops}\n" +
                self.passes(swap, count, self.pace(swap, ws, free), limit,
                            line) +
                "verify result=ok checked=9 of=9 wrong=0 seconds=0.1\n")

    @staticmethod
    def memperf(*_):
        """Output of memperf: two sizes and two strides."""
        return "".join(
            f"pass kernel={kernel} bytes={size << 20} stride={stride} pass=1 "
            f"seconds={size / stride / 100:.6f} rate_mbs={100 * stride}.5 "
            "pswpin=0 pswpout=0 pgmajfault=0\n"
            for size in (1, 2) for stride in (1, 8)
            for kernel in ("load", "update")) + \
            "verify result=ok checked=1 of=1\n"


def experiment(bench, *argv):
    """Runs the driver; returns (status, output, results directory)."""
    base = pathlib.Path(KEEP or tempfile.mkdtemp())
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        status = run.main(["--results", str(base), *argv], bench)
    made = sorted(base.iterdir(), key=os.path.getmtime)[-1]
    return status, text.getvalue(), made


class Experiment(unittest.TestCase):
    """The driver as a whole."""

    def test_good_run(self):
        """All bars pass and every file is written."""
        status, text, made = experiment(FakeBench, "--strict")
        self.assertEqual(status, 0, text)
        self.assertNotIn("MISS", text)
        self.assertNotIn("----", text)
        self.assertIn("out of memory: zram", text)
        self.assertEqual(text.count("  PASS  "), 11)
        for name in ("summary.csv", "table.txt", "versions.txt"):
            self.assertTrue((made / name).stat().st_size)
        if "no plot: gnuplot is not installed" not in text:
            for name in ("stream.png", "stream.svg"):
                self.assertTrue((made / name).stat().st_size)

    def test_csv(self):
        """The columns of the issue, and each kind of row."""
        _, _, made = experiment(FakeBench)
        with open(made / "summary.csv", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
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
        self.assertEqual({r["mode"] for r in cut},
                         {"virtio-blk", "zram", "symswap"})

    def test_miss(self):
        """A bar that is missed says so, and only --strict makes it fail."""
        class Slow(FakeBench):
            """SwapBypass at half its speed."""
            slow = 2.0
        status, text, _ = experiment(Slow)
        self.assertEqual(status, 0)
        self.assertIn("MISS  STREAM steady: SwapBypass / never", text)
        status, _, _ = experiment(Slow, "--strict")
        self.assertEqual(status, 1)

    def test_wrong_data(self):
        """Wrong data fails the run and gives no number."""
        class Wrong(FakeBench):
            """SwapBypass loses data."""
            damage = "bypass"
        status, text, _ = experiment(Wrong)
        self.assertEqual(status, 1)
        self.assertIn("WRONG DATA: 2 elements", text)
        self.assertIn("----  STREAM steady: SwapBypass", text)

    def test_hang(self):
        """A guest that hangs fails its jobs and leaves the others."""
        class Hang(FakeBench):
            """zram never answers."""
            crash = "zram"
        status, text, _ = experiment(Hang)
        self.assertEqual(status, 1)
        self.assertIn("zram, nested: timeout after 9 s\n", text)
        self.assertIn("PASS  STREAM: virtio-blk / SwapBypass", text)
        self.assertIn("----  STREAM, constant contents: zram / SwapBypass", text)

    def test_hang_once(self):
        """One hang is repeated and reported, but is no failure."""
        class Hang(FakeBench):
            """zram does not answer once."""
            crash = "zram"
            hangs = 1
        status, text, _ = experiment(Hang)
        self.assertEqual(status, 0)
        self.assertIn("failed, but not when repeated: stream constant", text)
        self.assertIn("PASS  STREAM, constant contents: zram", text)

    def test_icount(self):
        """Instructions: all bars, and nothing twice."""
        status, text, _ = experiment(FakeBench, "--icount")
        self.assertEqual(status, 0)
        self.assertEqual(text.count("  PASS  "), 11)
        self.assertIn("a second is 10^9", text)
        names = [j for g in plan.Plan(64, 48, icount=True).guests()
                 for j in g.jobs]
        self.assertEqual(len({j.name() for j in names}), len(names))

    def test_near_one(self):
        """Bars near 1 are judged by instructions, if these were counted."""
        class Noisy(FakeBench):
            """Times of SwapBypass that mean nothing."""
            def __init__(self, host="symbiotic", icount=False, smp=2):
                super().__init__(host, icount, smp)
                self.slow = 1.0 if icount else 2.0

        status, text, made = experiment(Noisy)
        self.assertEqual(status, 0)
        self.assertIn("PASS  STREAM steady: SwapBypass / never", text)
        self.assertIn("instructions; in time 2.07: ", text)
        self.assertIn("; instructions", (made / "summary.csv").read_text())
        _, text, _ = experiment(Noisy, "--time-only")
        self.assertIn("MISS  STREAM steady: SwapBypass / never", text)

    def test_no_time(self):
        """Without time the optional jobs are left out by name."""
        status, text, _ = experiment(FakeBench, "--seconds", "1e-6")
        self.assertEqual(status, 0)
        self.assertIn("left out for lack of time: stream random 192", text)
        self.assertIn("PASS  STREAM, constant contents: zram", text)

    def test_nested(self):
        """The experiment of the window in place: bars and tables."""
        status, text, made = experiment(FakeBench, "--nested", "--strict")
        self.assertEqual(status, 0, text)
        self.assertEqual(text.count("  PASS  "), 7)
        self.assertRegex(text, r"plug a DIMM of .* 3.00\n")
        self.assertRegex(text, r"swapon of the window +0.25\n")
        self.assertRegex(text, r"swapd.sh moves the grants +6667   2\+1 \(7\)  ")
        self.assertRegex(text, r" 2 +64 +800.5 +800.5 ")
        self.assertRegex(text, r"1/4 granted +0.04 0.04")
        self.assertIn("kv mix,in-place,nested",
                      (made / "summary.csv").read_text())

    def test_nested_miss(self):
        """A balloon that is faster, and a program that does not hold."""
        class Balloon(FakeBench):
            """Memory goes back at once."""
            give_back = {**GIVE_BACK, "balloon": 0.1}
            damage = "in-place"
            turns = "two_guests: no answer from /run/x\n"
        status, text, _ = experiment(Balloon, "--nested")
        self.assertEqual(status, 1)
        self.assertIn("FAILED two guests, halves: two_guests: no answer", text)
        self.assertIn("MISS  Half the window back", text)
        self.assertIn("WRONG DATA", text)

    def test_full(self):
        """The full sweep runs both paging modes and judges the better."""
        status, text, made = experiment(FakeBench, "--full")
        self.assertEqual(status, 0)
        self.assertRegex(text, r"zram +nested")
        self.assertRegex(text, r"zram +shadow")
        if "no plot" not in text:
            self.assertTrue((made / "gups.png").stat().st_size)


    def test_other_hosts(self):
        """Without SwapBypass and its bars elsewhere."""
        for host in ("bare-metal", "plain-kvm"):
            status, text, _ = experiment(FakeBench, "--host", host)
            self.assertEqual(status, 0)
            self.assertNotIn("SwapBypass", text)
            self.assertNotIn("Bars", text)
            self.assertIn("virtio-blk swap", text)


class Parts(unittest.TestCase):
    """Single functions."""

    def test_tiers(self):
        """What fits the time, and no point of another tier."""
        made = plan.Plan(64, 48)
        guests = made.guests()

        def expect(tier):
            return sum(g.up_to(tier).expect() for g in guests if g.up_to(tier))
        for tier in range(plan.EXTRA_TIER + 1):
            self.assertEqual(run.highest_tier(guests, expect(tier)), tier)
        self.assertEqual(run.highest_tier(guests, 0), 0)
        sizes = {j.ws for g in guests if g.up_to(0)
                 for j in g.up_to(0).jobs if j.program == "stream"}
        self.assertEqual(sizes, {32, 128})

    def test_guest_parts(self):
        """Each job of a guest gets its own output, whatever became of it."""
        one = plan.Plan(64, 48).job("stream", jobs.ZRAM, "nested", 128)
        guest = jobs.Guest((one, one, one))
        self.assertEqual(guest.command().count("./stream"), 3)
        self.assertEqual(guest.command().count("mark"), 2)
        out = (f"{jobs.PART}\na\n{jobs.PART_STATUS} 0\n"
               f"{jobs.PART}\nb\n{jobs.PART_STATUS} 137\n{jobs.PART}\nc\n")
        err = f"{jobs.PART}\n{jobs.PART}\nkilled\n{jobs.PART}\n"
        self.assertEqual(guest.parts(0, out, err),
                         [(0, "a\n", ""), (137, "b\n", "killed\n"),
                          (None, "c\n", "")])
        self.assertEqual(guest.parts(0, "", ""), [(None, "", "")] * 3)
        self.assertEqual(jobs.Guest((one,)).parts(3, "x", "y"), [(3, "x", "y")])

    def parse(self, text, status=0):
        """An outcome from the given output."""
        job = plan.Plan(64, 48).job("stream", jobs.ZRAM, "shadow", 128)
        return jobs.parse(job, 1.0, status, text, {}, {}, "boom\n")

    def test_unverified(self):
        """A good time without a verified result is an error."""
        text = ("stream bytes=24 elements=1000 passes=1 contents=random\n"
                "pass kernel=triad pass=1 seconds=2.0 bytes=12000 "
                "rate_mbs=6 complete=0\n")
        self.assertIn("no verified", self.parse(text).error)
        good = self.parse(text + "verify result=ok checked=1 of=1 wrong=0\n")
        self.assertIsNone(good.error)
        # Half of the 24000 bytes took 2 s.
        self.assertEqual(good.steady("triad"), 4.0)
        self.assertTrue(good.cut_short())

    def test_clock_jump(self):
        """One pass that is far too short does not count; of few passes the
        best one does."""
        def steady(*seconds):
            text = "stream bytes=24 elements=1000 passes=1 contents=random\n"
            for number, sec in enumerate(seconds, 1):
                text += (f"pass kernel=triad pass={number} seconds={sec} "
                         "bytes=24000 rate_mbs=1 complete=1\n")
            text += "verify result=ok checked=1 of=1 wrong=0\n"
            return self.parse(text).steady("triad")
        self.assertEqual(steady(*[3] + 5 * [2] + [0.5] + 5 * [2]), 2)
        self.assertEqual(steady(5, 2, 3), 2)
        self.assertEqual(steady(5), 5)

    def test_out_of_memory(self):
        """Expected only of zram, with incompressible data or very much."""
        made = plan.Plan(64, 48)
        for program, ws, mode, contents, expected in (
                ("stream", 128, jobs.ZRAM, "random", True),
                ("stream", 128, jobs.ZRAM, "constant", False),
                ("gups", 128, jobs.ZRAM, "random", False),
                ("gups", 256, jobs.ZRAM, "random", True),
                ("gups", 256, jobs.SYMSWAP, "random", False),
                ("stream", 128, jobs.BYPASS, "random", False)):
            job = made.job(program, mode, "shadow", ws, contents=contents)
            out = jobs.parse(job, 1.0, 137, "", {}, {}, "")
            self.assertEqual(bool(report.Results([out]).no_room), expected)
            self.assertEqual(bool(report.Results([out]).failed), not expected)
            out = jobs.Outcome(job, 1.0, error="timeout", hung=True)
            self.assertEqual(bool(report.Results([out]).no_room), expected)
            self.assertEqual(bool(report.Results([out]).lost()), not expected)

    def test_hopeless_guest(self):
        """What cannot end well has a guest of its own, and is not waited for."""
        for full in (False, True):
            for guest in plan.Plan(64, 48, full).guests():
                hopeless = [j for j in guest.jobs if j.hopeless()]
                if hopeless:
                    self.assertEqual(len(guest.jobs), 1)
                    self.assertLess(guest.limit(), 60)

    def test_status(self):
        """The program's status and message are kept."""
        self.assertEqual(self.parse("", 3).error, "status 3: boom")

    def test_commands(self):
        """The programs get what the job asks for."""
        made = plan.Plan(64, 48)
        cmd = made.job("stream", jobs.VIRTIO, "shadow", 128).command()
        self.assertIn("-t 12 -T 6 -V 3", cmd)
        self.assertNotIn(" -o", cmd)
        cmd = made.job("stream", jobs.BYPASS, "shadow", 128).command()
        self.assertIn(" -o", cmd)
        self.assertNotIn(" -t ", cmd)

    def test_sizes(self):
        """Tables of GUPS are powers of two that fit the working set."""
        self.assertEqual(plan.Plan(64, 48).gups_table(2), 128)
        self.assertEqual(plan.Plan(96, 48).gups_table(2), 128)
        self.assertEqual(plan.Plan(64, 48).memory(jobs.ZRAM, 128), 112)

    def test_bars_at_limit(self):
        """A bar is met at its limit."""
        self.assertEqual(report.Bar("", 8.0, 8, True).verdict(), "PASS")
        self.assertEqual(report.Bar("", 1.0501, 1.05, False).verdict(), "MISS")
        self.assertEqual(report.Bar("", None, 1, True).verdict(), "----")


if __name__ == "__main__":
    if len(sys.argv) > 2 and sys.argv[1] == "--keep":
        KEEP = sys.argv[2]
        del sys.argv[1:3]
    outcome = unittest.main(exit=False, verbosity=2).result
    bad = len(outcome.failures) + len(outcome.errors)
    print(f"{outcome.testsRun - bad} passed, {bad} failed, 0 skipped")
    sys.exit(bad > 0)
