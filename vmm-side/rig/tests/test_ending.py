# SPDX-License-Identifier: GPL-2.0
"""Tests of interrupts: whoever is told to end, everything ends and nothing is left."""

import os
import pathlib
import shutil
import signal
import subprocess
import threading
import unittest
from typing import Any
from unittest import mock

from rig_for_tests import HERE, RIG, SECONDS, Command, RigTest, wait_for

from rig import Bench, ending, hardware, images

CLI: Command = [*RIG, "exec"]
MAKE = ["make", "exec"]


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return fields[0] not in "ZX"
    except OSError:
        return False


class InterruptTest(RigTest):
    """A guest that hangs, and a signal."""

    def interrupted(self, command: Command, number: int, group: bool = False,
                    **options: str) -> tuple[int, str]:
        """(status, stderr) of what got a signal while its guest runs."""
        self.leave(hang=b"")
        process = self.start(command, CMD="sleep 1000", **options)
        machine = self.started()
        (os.killpg if group else os.kill)(process.pid, number)
        try:
            _, err = process.communicate(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            self.fail("it goes on")
        wait_for(lambda: not alive(machine), "the machine's end")
        return process.returncode, err.decode()

    def check(self, command: Command, number: int, status: int, **options: Any) -> None:
        """It says so, once, and that is all."""
        for host in ("symbiotic", "bare-metal"):
            with self.subTest(host=host):
                (self.dir / "fake/started").unlink(missing_ok=True)
                got, err = self.interrupted(command, number, HOST=host, **options)
                self.assertEqual(got, status, err)
                self.assertEqual(err.count("rig_for_tests.py: interrupted\n"), 1, err)
                self.assertNotIn("Traceback", err)
                self.assertNotIn("hangs or died", err)
                self.assertFalse((self.dir / "fake/sigint").exists(), "the machine was told first")
                self.assertEqual(self.left_behind(), [])

    def test_ctrl_c(self) -> None:
        self.check(MAKE, signal.SIGINT, -signal.SIGINT, group=True)

    def test_sigint_to_make(self) -> None:
        self.check(MAKE, signal.SIGINT, -signal.SIGINT)

    def test_sigterm_to_make(self) -> None:
        self.check(MAKE, signal.SIGTERM, -signal.SIGTERM)

    def test_make_killed(self) -> None:
        self.leave(hang=b"")
        process = self.start(MAKE, CMD="true", HOST="bare-metal")
        machine = self.started()
        process.kill()
        wait_for(lambda: not alive(machine), "the machine's end")
        wait_for(lambda: not self.left_behind(), "an empty directory")

    def test_sigint(self) -> None:
        self.check(CLI, signal.SIGINT, 130)

    def test_sigterm(self) -> None:
        self.check(CLI, signal.SIGTERM, 143)

    def test_sighup(self) -> None:
        self.check(CLI, signal.SIGHUP, 129)

    def test_killed(self) -> None:
        """Nothing with a name but the bench's directory, which the next one removes."""
        for host in ("symbiotic", "bare-metal"):
            with self.subTest(host=host):
                (self.dir / "fake/started").unlink(missing_ok=True)
                status, _ = self.interrupted(CLI, signal.SIGKILL, HOST=host)
                self.assertEqual(status, -signal.SIGKILL)
                self.assertEqual(list((self.dir / "tmp").iterdir()), [])
                (self.dir / "fake/hang").unlink()
                self.assertEqual(self.cli(CMD="true", HOST=host)[0], 0)
                self.assertEqual(self.left_behind(), [])

    def test_others_directory_stays(self) -> None:
        self.leave(hang=b"")
        first = self.start(CLI, CMD="true", HOST="bare-metal")
        self.started()
        mine = self.left_behind()
        (self.dir / "fake/hang").rename(self.dir / "fake/was-hang")
        first.send_signal(signal.SIGSTOP)
        self.assertEqual(self.cli(CMD="true", HOST="bare-metal")[0], 0)
        self.assertEqual(self.left_behind(), mine)
        first.send_signal(signal.SIGCONT)
        first.communicate(timeout=SECONDS)
        self.assertEqual(first.returncode, 0)
        self.assertEqual(self.left_behind(), [])


class CasesTest(RigTest):
    """The end-to-end cases: those that were running have not failed."""

    def test_cases(self) -> None:
        for options in ("", "host = bare-metal"):
            with self.subTest(options=options):
                (self.dir / "fake/started").unlink(missing_ok=True)
                self.leave(hang=b"")
                (self.dir / "cases").write_text("".join(
                    f"[c{i}]\ncmd = x\nfiles = no\n{options}\n" for i in range(9)))
                p = self.start([*RIG, "e2e", "-w", "2", "-c", self.dir / "cases"])
                machine = self.started()
                jobs = self.dir / "build/jobs"
                wait_for(lambda: len([*jobs.glob("bench-*/l0.log"),
                                      *jobs.glob("bench-*/1/qemu.log")]) == 2, "both machines")
                p.terminate()
                out, err = p.communicate(timeout=SECONDS)
                self.assertEqual((p.returncode, err), (143, b"rig_for_tests.py: interrupted\n"))
                self.assertEqual(out, b"KTAP version 1\n1..9\n")
                wait_for(lambda: not alive(machine), "the machine's end")
                self.assertEqual(self.left_behind(), [])


class CloseTest(RigTest):
    """A bench that two threads close: the program's end is one of them."""

    def test_second_waits(self) -> None:
        begun, go_on, remove = threading.Event(), threading.Event(), shutil.rmtree

        def slowly(path: pathlib.Path, ignore_errors: bool) -> None:
            begun.set()
            go_on.wait(SECONDS)
            remove(path, ignore_errors)

        with mock.patch.object(images, "BUILD", self.dir / "build"), \
                mock.patch.object(shutil, "rmtree", slowly):
            bench = Bench()
            first, second = (threading.Thread(target=bench.close) for _ in range(2))
            first.start()
            self.assertTrue(begun.wait(SECONDS))
            second.start()
            second.join(0.2)
            self.assertTrue(second.is_alive(), "it does not wait")
            go_on.set()
            first.join(SECONDS)
            second.join(SECONDS)
        self.assertEqual(self.left_behind(), [])


@unittest.skipUnless(os.geteuid() == 0, "the script of a guest needs root")
class LocalTest(RigTest):
    """The user's own host is L1: nothing vanishes there by itself."""

    OPTIONS = {"CMD": "x", "RIG_HARDWARE": "local", "PAGING": hardware.paging(),
               "HOST_CMD": "sleep 1000 & echo $!; wait"}

    def setUp(self) -> None:
        super().setUp()
        for image in ("nothing", "initrd_linux-2d711642b726b044"):      # of an "x"
            self.addCleanup(pathlib.Path("/run/images", image).unlink, missing_ok=True)

    @staticmethod
    def shared_memory() -> set[str]:
        return {p.name for p in pathlib.Path("/dev/shm").glob("job.*")}

    def run_and_signal(self, number: int) -> tuple[int, bytes, list[int], set[str]]:
        """What a guest that got a signal in the middle leaves: processes, directories."""
        before = self.shared_memory()
        self.leave(hang=b"")
        process = self.start(CLI, **self.OPTIONS)
        machine = self.started()
        said = wait_for(lambda: [f for f in (self.dir / "build/jobs").glob("*/*/host.out")
                                 if f.read_text()], "HOST_CMD")
        pids = [machine, int(said[0].read_text())]
        process.send_signal(number)
        _, err = process.communicate(timeout=SECONDS)
        return process.returncode, err, pids, self.shared_memory() - before

    def test_ends(self) -> None:
        self.leave(out=b"\r\n\0\xff")
        before = self.shared_memory()
        status, out, err = self.cli(**{**self.OPTIONS, "HOST_CMD": "sleep 1000 & echo $!; exit 5"})
        self.assertEqual((status, out), (5, b"\r\n\0\xff"), err)
        header, pid = err.split(b"\n")[:2]
        self.assertEqual(header, b"--- host_cmd, status 5 ---")
        self.assertFalse(alive(int(pid)))
        self.assertFalse(self.shared_memory() - before)

    def test_interrupted(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number):
                (self.dir / "fake/started").unlink(missing_ok=True)
                status, err, pids, left = self.run_and_signal(number)
                self.assertEqual((status, err), (128 + number, b"rig_for_tests.py: interrupted\n"))
                self.assertEqual([pid for pid in pids if alive(pid)], [])
                self.assertEqual((left, self.left_behind()), (set(), []))

    def test_killed(self) -> None:
        status, _, pids, left = self.run_and_signal(signal.SIGKILL)
        self.addCleanup(os.kill, pids[1], signal.SIGKILL)
        self.assertEqual((status, len(left)), (-signal.SIGKILL, 1))
        wait_for(lambda: not alive(pids[0]), "the machine's end")
        (self.dir / "fake/hang").unlink()
        self.assertEqual(self.cli(**{**self.OPTIONS, "HOST_CMD": "true"})[0], 0)
        self.assertFalse(left & self.shared_memory())
        self.assertEqual(self.left_behind(), [])


class SessionTest(unittest.TestCase):
    """stop_session(): all, also who is in another group or does not want to."""

    def test_stubborn(self) -> None:
        script = ("trap '' TERM; sh -c 'trap \"\" TERM; echo $$; exec sleep 1000' & "
                  "timeout 1000 sh -c 'echo $$; exec sleep 1000' & wait; wait")
        with subprocess.Popen(["sh", "-c", script], stdout=subprocess.PIPE,
                              start_new_session=True) as p:
            assert p.stdout
            pids = [int(p.stdout.readline()) for _ in range(2)]
            ending.stop_session(p, 1)
            self.assertEqual([alive(pid) for pid in (p.pid, *pids)], [False] * 3)


class StepTest(RigTest):
    """A long step of a build, as progress.sh runs it."""

    def test_step(self) -> None:
        step = HERE.parent / "build" / "progress.sh"
        script = "echo $$ >pid; sleep 1000 & echo $! >child; touch running; wait"
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(number=number):
                (self.dir / "running").unlink(missing_ok=True)
                p = self.start(["sh", step, "step", self.dir / "log", "sh", "-c", script])
                wait_for((self.dir / "running").exists, "the step")
                p.send_signal(number)
                _, err = p.communicate(timeout=SECONDS)
                self.assertEqual(p.returncode, 128 + number)
                self.assertIn(b"INTERRUPTED  step", err)
                for name in ("pid", "child"):
                    self.assertFalse(alive(int((self.dir / name).read_text())))


if __name__ == "__main__":
    unittest.main()
