#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of run-spike with a made-up rig, and of the host's script with made-up guests. No
guest is started."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import pathlib
import re
import subprocess
import tempfile
import unittest

import spike
from rig import Guest, Result, fake

# Of one peer: seconds of a job's two parts, by swap device; jobs that are killed first.
PACE = {"in-place": (2.0, 8.0), "zram": (3.0, 40.0), "virtio-blk": (3.0, 60.0),
        "none": (2.0, 9.0), "virtio-mem": (2.0, 15.0)}


class FakeBench(fake.FakeBench):
    """Answers as the rig would."""
    killed = {"zram": 1}        # jobs, by device
    breaks = ""                 # whose guests end
    seen: list[Guest] = []
    pace = PACE

    def answer(self, guest: Guest) -> Result:
        """Pretends to run four guests."""
        self.seen.append(guest)
        build, data = self.pace[guest.swap]
        killed = self.killed.get(guest.swap, 0)
        arguments = guest.host_cmd.split("\n", 1)[0].split()[2:]
        jobs, limit = int(arguments[4]), int(arguments[5])
        took = min(limit, int((build + data) * jobs / 2))
        lines = [f"job {i % 4 + 1} {137 if i < killed else 0} 5.00 {5 + build} {5 + build + data}"
                 for i in range(int(2 * took / (build + data)))]
        lines += [f"host {100 + i} {(i * 10) << 20} {i << 20}" for i in range(took)]
        lines += [f"took {took}"]
        lines += [f"end {i} {int(i <= killed)} 0.{i}50 pswpin=7 pswpout={i}" for i in range(1, 5)]
        if guest.swap == self.breaks:
            lines = ["spike: gone 2", "guest 2: no memory"]
        return Result(status=0, host_status=int(guest.swap == self.breaks),
                      host_said="\n".join(lines).encode())


class Experiment(unittest.TestCase):
    """The whole of it."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.results = pathlib.Path(made.name)
        FakeBench.seen.clear()

    def experiment(self, bench: type[FakeBench], *argv: str) -> tuple[int, str]:
        """Runs the driver; returns (status, output)."""
        text = io.StringIO()
        with contextlib.redirect_stdout(text):
            status = spike.main(["--results", str(self.results), *argv], bench)
        return status, text.getvalue()

    def test_good_run(self) -> None:
        """All peers have a line, both targets pass, all is in the files."""
        status, text = self.experiment(FakeBench, "--strict")
        self.assertEqual(status, 0, text)
        self.assertEqual(text.count("  PASS  "), 2)
        for peer in spike.PEERS:
            self.assertRegex(text, rf"(?m)^  {re.escape(peer.text)}  +[0-9.]+  +[0-9]+ ")
        # Eight jobs of 10 s, two at a time.
        self.assertRegex(text, r"(?m)^  window, first touch in place  +12\.00  +8  +0  +2\.0  +8\.0"
                         r"  +0\.45  +0 +195 +390 +39$")
        self.assertRegex(text, r"(?m)^  pswpout +10 +10 ")
        with open(next(self.results.glob("*/summary.csv")), encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([r["value"] for r in rows if r["what"] == "jobs per minute"][0], "12.000")
        self.assertEqual(sum(r["what"] == "failed job" for r in rows), 1)
        self.assertEqual(len([r for r in rows if r["peer"] == "zram" and r["what"] == "pswpin"]), 4)
        if "no plot: gnuplot is not installed" not in text:
            self.assertTrue(next(self.results.glob("*/memory.svg")).stat().st_size)

    def test_guests(self) -> None:
        """Each is what its name says, and all get the same work."""
        self.experiment(FakeBench)
        by_name = dict(zip((p.name for p in spike.PEERS), FakeBench.seen))
        self.assertEqual({g.cmd for g in FakeBench.seen}, {by_name["zram"].cmd})
        for name, guest in by_name.items():
            ours = name.startswith("window")
            self.assertEqual((guest.kernel, guest.symbiotic), ("guest" if ours else "stock", ours))
            self.assertEqual(guest.memory, 1280 if name == "balloon" else 256)
            # First touches leave some: all of the data fits all the same.
            self.assertEqual(guest.swap_size, 2048 if ours else 1024)
        self.assertTrue(by_name["window"].reporting)
        self.assertFalse(by_name["window-alone"].reporting)
        self.assertIn("symbioticd:1792 2688 256 1280 8 100\n", by_name["window"].host_cmd)

    def test_slower(self) -> None:
        """A peer that is faster, and a job of ours that was killed."""
        class Slower(FakeBench):
            """Such ones."""
            pace = {**PACE, "in-place": (2.0, 30.0)}
            killed = {"in-place": 1}
        status, text = self.experiment(Slower)
        self.assertEqual(status, 0)
        self.assertRegex(text, r"MISS  Jobs per minute: .* 0\.[0-9]+ ")
        self.assertRegex(text, r"MISS  OOM kills, ours +1 ")
        self.assertEqual(self.experiment(Slower, "--strict")[0], 1)

    def test_nothing_done(self) -> None:
        """Peers that do not end a single job."""
        class Stuck(FakeBench):
            """Such ones."""
            pace = {**{name: (50.0, 900.0) for name in PACE}, "in-place": PACE["in-place"]}
            killed: dict[str, int] = {}
        _, text = self.experiment(Stuck)
        self.assertRegex(text, r"----  Jobs per minute: .*\n +no peer has done a job")

    def test_broken(self) -> None:
        """A guest that is gone is an error, and the others are measured."""
        class Broken(FakeBench):
            """One of them."""
            breaks = "virtio-mem"
        status, text = self.experiment(Broken)
        self.assertEqual(status, 1)
        self.assertIn("FAILED: virtio-mem, and zram till then: spike: gone 2", text)
        self.assertEqual(text.count("  PASS  "), 2)

    def test_size(self) -> None:
        """All follows from one option."""
        self.experiment(FakeBench, "--guest", "96", "--only", "^virtio-mem$")
        self.assertEqual((FakeBench.seen[0].memory, FakeBench.seen[0].swap_size), (96, 512))
        with self.assertRaises(SystemExit), contextlib.redirect_stderr(io.StringIO()):
            spike.main(["--guest", "100"], FakeBench)


QEMU = pathlib.Path(__file__).with_name("fake_guest.sh")
# All that the script can call is of this machine and harmless, or made up.
REAL = ("cat", "cp", "env", "grep", "ln", "mkfifo", "mv", "rm", "sed", "truncate")
STUBS = {"mount": "", "umount": "", "swapon": "", "swapoff": "", "mkswap": "",
         # Five looks a second.
         "sleep": 'case $1 in 1) exec /bin/sleep 0.2 ;; esac; exec /bin/sleep "$1"',
         "busybox": 'shift; exec /bin/sh "$@"', "rmdir": '/bin/rm -rf "$@"',
         "dd": 'for a; do case $a in of=*) : >"${a#of=}" ;; esac; done',
         "symbioticd": 'echo "symbioticd $*"; exec sleep 20',
         "symcall": 'echo "$*" >>"$TOP/symcall"; case $* in *qom-get*) '
                    'echo "{\\"stats\\":{\\"stat-available-memory\\":$AVAILABLE}}" ;; '
                    '*) echo "{}" ;; esac'}


class Turns(unittest.TestCase):
    """The host's script, with four scripts for guests."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.top = pathlib.Path(made.name)
        self.group = self.top / "cgroup" / "spike"
        work = self.top / "job.1"
        for directory in ("bin", "disk", "cgroup", "job.1", "job"):
            (self.top / directory).mkdir()
        for name, does in STUBS.items():
            path = self.top / "bin" / name
            path.write_text(f"#!/bin/sh\n{does}\n")
            path.chmod(0o755)
        # A directory of cgroup's has its files when it is made, and goes with them.
        (self.top / "bin" / "mkdir").write_text(
            f'#!/bin/sh\n/bin/mkdir "$@"\ncase $* in */spike) cd "$1" && echo {300 << 20} '
            '>memory.current && echo 4096 >memory.swap.current && echo oom_kill 0 '
            '>memory.events ;; esac\n')
        (self.top / "bin" / "mkdir").chmod(0o755)
        for name in REAL:
            (self.top / "bin" / name).symlink_to(f"/bin/{name}")
        (self.top / "job" / "job.env").write_text("SWAP_STORE=disk\nSWAP_MB=1\nLOCAL=0\n")
        (self.top / "job" / "qemu.cmd").write_text(QEMU.read_text())
        (work / "initrd").touch()
        for name in ("host.in", "host.out"):
            os.mkfifo(work / name)
        # As QEMU has them.
        self.rigs = os.open(work / "host.in", os.O_RDWR)
        self.addCleanup(os.close, self.rigs)

    def run_script(self, who: str, jobs: int, seconds: int,
                   **env: str) -> tuple[int, list[str]]:
        """spike.sh; returns (status, lines)."""
        text = spike.HERE.joinpath("spike.sh").read_text()
        for real, here in (("/sys/fs/cgroup", "cgroup"), ("/dev/shm/job.", "job."),
                           ("/disk", "disk")):
            text = text.replace(real, f"{self.top}/{here}")
        # Directories and no mounts of this machine.
        text = re.sub(r"(?m)^\tgrep -q .* /proc/mounts$", "\ttrue", text)
        done = subprocess.run(
            ["/bin/sh", "-c", f"set -- {who} 400 64 320 {jobs} {seconds}\n{text}"],
            env={"PATH": f"{self.top}/bin", "TOP": str(self.top),
                 "GROUP": str(self.group), "QMP": f"{self.top}/job.1/qmp",
                 "JOB": f"{self.top}/job", "SWAPFILE": f"{self.top}/disk/swap.7",
                 "PIPES": "ctl.in ctl.out mon.in mon.out host.in host.out", "LOSES": "",
                 "KILLS": "", "AVAILABLE": "-1", **env},
            capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(os.read(self.rigs, 100), b"0\nend\n", done)
        # As it has found all.
        self.assertFalse(self.group.exists())
        self.assertEqual({p.name for p in self.top.iterdir()} - {"symcall"},
                         {"bin", "disk", "cgroup", "job", "job.1"})
        self.assertEqual([p.name for p in (self.top / "disk").iterdir()], ["spike-swap"])
        return done.returncode, (done.stdout + done.stderr).splitlines()

    def test_turns(self) -> None:
        """All guests have turns, until enough is done."""
        status, said = self.run_script("nobody", 9, 30)
        self.assertEqual(status, 0, said)
        turns = [line.split()[1] for line in said if line.startswith("job ")]
        self.assertEqual(len(turns), 9)
        self.assertEqual(set(turns[:5]), set("1234"))
        self.assertEqual(sorted(line for line in said if line.startswith("end ")),
                         [f"end {i} 0 0.100 pswpin={i}" for i in range(1, 5)])
        self.assertEqual(len([line for line in said if line.startswith("took ")]), 1)

    def test_killed(self) -> None:
        """A job that was killed is no job that is done; and the time is up."""
        status, said = self.run_script("nobody", 100000, 2, KILLS="2")
        self.assertEqual(status, 0, said)
        self.assertIn("took 2", said)
        killed = [line for line in said if line.startswith("job ") and line.split()[2] == "137"]
        self.assertEqual({line.split()[1] for line in killed}, {"2"})
        self.assertTrue([line for line in said
                         if re.fullmatch(rf"host [0-9.]+ {300 << 20} 4096", line)])

    def test_lost(self) -> None:
        """A guest that ends is an error, and nothing is left."""
        status, said = self.run_script("nobody", 1000, 30, LOSES="3")
        self.assertEqual(status, 1)
        self.assertIn("spike: gone 3 ", said)

    def commands(self) -> list[str]:
        """What QEMUs were told."""
        lines = (self.top / "symcall").read_text().splitlines()
        return [re.sub(".*/job", "job", line) for line in lines if "guest-stats" not in line]

    def test_daemon(self) -> None:
        """It gets all sockets and the budget."""
        _, said = self.run_script("symbioticd:99", 3, 30)
        line = next(line for line in said if line.startswith("symbioticd "))
        self.assertIn("budget=99M", line)
        self.assertEqual(re.findall(r"job\.1\.(\d)/qmp", line), list("1234"))

    def test_virtio_mem(self) -> None:
        """Little available: as much again each second, but not more than there is."""
        self.run_script("virtio-mem", 100000, 2, AVAILABLE=str(9 << 20))
        told = [line for line in self.commands() if "job.1.3" in line]
        self.assertEqual([int(line.rsplit(":", 1)[1][:-1]) >> 20 for line in told],
                         [64, 128, 192, 256])

    def test_virtio_mem_back(self) -> None:
        """What was plugged in, and is not needed, goes."""
        self.run_script("virtio-mem", 100000, 1, AVAILABLE=str(65 << 20))
        self.assertEqual(self.commands(), [])

    def test_balloon(self) -> None:
        """Above nine tenths of the host's memory, some guest gives; it keeps 48 MiB."""
        (self.top / "bin" / "mkdir").write_text(
            (self.top / "bin" / "mkdir").read_text().replace(str(300 << 20), str(380 << 20)))
        self.run_script("balloon", 100000, 2, AVAILABLE=str(58 << 20))
        told = [int(line.rsplit(":", 1)[1][:-1]) >> 20 for line in self.commands()]
        self.assertEqual(told[0], 310)
        self.assertEqual(told, sorted(told, reverse=True))

    def test_balloon_rest(self) -> None:
        """All may have all, and nobody is told so twice."""
        self.run_script("balloon", 100000, 1, AVAILABLE=str(58 << 20))
        self.assertEqual(self.commands(), [])


if __name__ == "__main__":
    unittest.main()
