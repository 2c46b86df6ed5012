#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of jobs: their commands, and what is read from their output."""

from __future__ import annotations

import pathlib
import socket
import stat
import subprocess
import tempfile
import unittest
from typing import Any

import jobs
from jobs import Guest, Job, Outcome, Part
from modes import BYPASS, DIMM, MODES, NEVER, NO_PRESSURE, SYMSWAP, VIRTIO, ZRAM, Mode
from plan import Plan
from report import Results

FREE = 64


def job(mode: Mode = ZRAM, program: str = "stream", ws: int = 128, **more: Any) -> Job:
    """A job as the plan makes it."""
    return Plan(FREE, 48).job(program, mode, "shadow", ws, **more)


class Modes(unittest.TestCase):
    """What follows from a mode's row, and from its device's."""

    def test_names(self) -> None:
        """A CSV file tells them apart."""
        every = [*MODES, NO_PRESSURE]
        self.assertEqual(len({mode.name for mode in every}), len(every))
        self.assertEqual(len({mode.text for mode in every}), len(every))

    def test_stores(self) -> None:
        """Huge pages for what the guest addresses itself."""
        self.assertEqual({m.name for m in MODES if m.store == "hugetlbfs"},
                         {"dimm", "virtio-pmem", "symswap", "bypass", "in-place", "in-place 1/4",
                          "first touch", "first touch 1/4"})

    def test_hosts(self) -> None:
        """The window needs our QEMU, the bypass our KVM as well."""
        def there(host: str) -> set[str]:
            return {g.jobs[0].mode.name for g in Plan(FREE, 48, host=host).guests()}
        self.assertEqual(there("bare-metal"), {"never", "virtio-blk", "zram"})
        self.assertEqual(there("plain-kvm"), {"never", "virtio-blk", "zram", "symswap"})
        self.assertEqual(there("symbiotic"), {"never", "virtio-blk", "zram", "symswap", "bypass",
                                              "no-pressure"})

    def test_inside(self) -> None:
        """zswap has a disk behind it."""
        self.assertEqual([m.name for m in MODES if m.inside], ["zram"])
        self.assertEqual([m.name for m in MODES if m.compresses], ["zswap", "zram"])

    def test_swaps(self) -> None:
        """A DIMM is no swap device."""
        self.assertEqual([m for m in MODES if not m.swaps], [NEVER, DIMM])

    def test_grant(self) -> None:
        """Of a quarter, in pages."""
        self.assertEqual([m.append(64) for m in MODES if m.append(64)],
                         ["symswap.first_touch=off",
                          "symswap.limit=4096 symswap.first_touch=off",
                          "symswap.first_touch=auto",
                          "symswap.limit=4096 symswap.first_touch=auto"])
        self.assertEqual(NEVER.append(64), "")


class Commands(unittest.TestCase):
    """What runs in a guest."""

    def test_limits(self) -> None:
        """The programs get what the job asks for."""
        self.assertIn("-t 12 -T 6 -V 3", job(VIRTIO).command())
        self.assertNotIn(" -o", job(VIRTIO).command())
        self.assertIn(" -o", job(BYPASS).command())
        self.assertNotIn(" -t ", job(BYPASS).command())

    def test_script(self) -> None:
        """The script in the guest marks what Guest.parts() looks for, and asks for the bench's
        counters between two jobs."""
        with tempfile.TemporaryDirectory() as made:
            for name, says in (("stream", "echo \"told $*\"; exit 3"), ("gups", "kill -9 $$")):
                program = pathlib.Path(made) / name
                program.write_text(f"#!/bin/sh\necho low >&2\n{says}\n", encoding="ascii")
                program.chmod(stat.S_IRWXU)
            guest = Guest.of([job(), job(program="gups")])
            bench, port = socket.socketpair()
            with bench, port:
                bench.sendall(b"go\n")
                done = subprocess.run(["sh", "-c", f"exec 3<&0\n{guest.command()}"], cwd=made,
                                      stdin=port.fileno(), capture_output=True, text=True,
                                      timeout=20, check=False)
                self.assertEqual(bench.recv(100), b"mark\n")
        first, second = guest.parts(done.stdout, done.stderr)
        self.assertEqual((first.status, second.status), (3, 137), done.stderr)
        self.assertRegex(first.out, r"MemTotal: .*\n(.*\n)*told -m 128 -n 12 ")
        self.assertEqual(first.err, "low\n")

    def test_parts(self) -> None:
        """Each job of a guest gets its own output, whatever became of it."""
        guest = Guest((job(), job(), job()))
        out = (f"{jobs.JOB}a\n{jobs.STATUS}0\n{jobs.JOB}b\n{jobs.STATUS}137\n{jobs.JOB}c\n")
        err = f"{jobs.JOB}{jobs.JOB}killed\n{jobs.JOB}"
        self.assertEqual(guest.parts(out, err), [Part(0, "a\n", ""), Part(137, "b\n", "killed\n"),
                                                 Part(None, "c\n", "")])
        self.assertEqual(guest.parts("", ""), [Part(None, "", "")] * 3)

    def test_hopeless_guest(self) -> None:
        """What cannot end well has a guest of its own, and is not waited for."""
        for full in (False, True):
            guests = [g for g in Plan(FREE, 48, full).guests()
                      if any(j.hopeless() for j in g.jobs)]
            self.assertTrue(guests)
            for guest in guests:
                self.assertEqual(len(guest.jobs), 1)
                self.assertLess(guest.limit(), 60)

    def test_sizes(self) -> None:
        """Tables of GUPS are powers of two that fit the working set."""
        self.assertEqual(Plan(64, 48).gups_table(2), 128)
        self.assertEqual(Plan(96, 48).gups_table(2), 128)
        self.assertEqual(Plan(64, 48).memory(ZRAM, 128), 112)


class Parsing(unittest.TestCase):
    """What is read from a program's output."""

    @staticmethod
    def parse(text: str, status: int = 0) -> Outcome:
        """An outcome from the given output."""
        return jobs.parse(job(), 1.0, Part(status, text, "boom\n"), {}, {})

    def test_unverified(self) -> None:
        """A good time without a verified result is an error."""
        text = ("stream bytes=24 elements=1000 passes=1 contents=random\n"
                "pass kernel=triad pass=1 seconds=2.0 bytes=12000 rate_mbs=6 complete=0\n")
        self.assertIn("no verified", self.parse(text).error)
        good = self.parse(text + "verify result=ok checked=1 of=1 wrong=0\n")
        self.assertEqual(good.error, "")
        # Half of the 24000 bytes took 2 s.
        self.assertEqual(good.steady(), 4.0)
        self.assertTrue(good.estimated())

    def test_whole(self) -> None:
        """Filling, passes and exit together, or nothing."""
        text = ("stream bytes=24 elements=1000 passes=1 contents=random\ninit seconds=1.5\n"
                "pass kernel=triad pass=1 seconds=2.0 bytes=12000 rate_mbs=6 complete=0\n"
                "verify result=ok checked=1 of=1 wrong=0\n")
        self.assertIsNone(self.parse(text).whole())
        self.assertEqual(self.parse(text + "exit seconds=0.25\n").whole(), 5.75)

    def test_clock_jump(self) -> None:
        """One pass that is far too short does not count; of few passes the
        best one does."""
        def steady(*seconds: float) -> float | None:
            text = "stream bytes=24 elements=1000 passes=1 contents=random\n"
            for number, sec in enumerate(seconds, 1):
                text += (f"pass kernel=triad pass={number} seconds={sec} "
                         "bytes=24000 rate_mbs=1 complete=1\n")
            return self.parse(f"{text}verify result=ok checked=1 of=1 wrong=0\n").steady()
        self.assertEqual(steady(*[3] + 5 * [2] + [0.5] + 5 * [2]), 2)
        self.assertEqual(steady(5, 2, 3), 2)
        self.assertEqual(steady(5), 5)

    def test_out_of_memory(self) -> None:
        """Expected only of zram, with incompressible data or very much."""
        for program, ws, mode, contents, expected in (
                ("stream", 128, ZRAM, "random", True),
                ("stream", 128, ZRAM, "constant", False),
                ("gups", 128, ZRAM, "random", False),
                ("gups", 256, ZRAM, "random", True),
                ("gups", 256, SYMSWAP, "random", False),
                ("stream", 128, BYPASS, "random", False)):
            wanted = job(mode, program, ws, contents=contents)
            out = jobs.parse(wanted, 1.0, Part(137, "", ""), {}, {})
            self.assertEqual(bool(Results([out]).no_room), expected)
            self.assertEqual(bool(Results([out]).failed), not expected)
            out = Outcome(wanted, 1.0, error="timeout", hung=True)
            self.assertEqual(bool(Results([out]).no_room), expected)
            self.assertEqual(bool(Results([out]).lost()), not expected)

    def test_status(self) -> None:
        """The program's status and message are kept."""
        self.assertEqual(self.parse("", 3).error, "status 3: boom")


if __name__ == "__main__":
    unittest.main()
