#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the tool symcall with a made-up QEMU, whose answers are right or not."""

import json
import pathlib
import shlex
import socket
import subprocess
import tempfile
import threading
import unittest

TOOLS = pathlib.Path(__file__).resolve().parent.parent
ABI = TOOLS.parents[1] / "symspy" / "include"

RESULT = {"status": 0, "ret": [42, 2, 3, 0, 2 ** 64 - 1], "user-mode": True, "irqs-off": False}


def completed(args, **data):
    """The event that ends a symcall."""
    return {"event": "SYMCALL_COMPLETED", "timestamp": {"seconds": 1, "microseconds": 2},
            "data": {"id": args["id"], "cpu-index": args["cpu-index"], **data}}


class Qemu(threading.Thread):
    """A QMP server for one client; `answer` makes what it sends for a command, `events` come first."""

    def __init__(self, path, answer, events=()):
        super().__init__(daemon=True)
        self._answer, self._events, self.commands = answer, events, []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(1)
        self.start()

    def run(self):
        client, _ = self._server.accept()
        self._server.close()
        with client, client.makefile("rw", encoding="utf-8") as stream:
            def send(message):
                text = message if isinstance(message, str) else json.dumps(message)
                stream.write(text + "\r\n")
                stream.flush()
            send({"QMP": {"version": {}, "capabilities": []}})
            for line in stream:
                command = json.loads(line)
                self.commands.append(command)
                if command["execute"] == "qmp_capabilities":
                    send({"return": {}})
                    for event in self._events:
                        send(event)
                    continue
                try:
                    for message in self._answer(command["execute"], command.get("arguments", {})):
                        send(message)
                except BrokenPipeError:
                    return


class Symcall(unittest.TestCase):
    """The tool against one QEMU each."""

    @classmethod
    def setUpClass(cls):
        # pylint: disable=consider-using-with
        cls.dir = tempfile.TemporaryDirectory(prefix="symcall-test-")
        cls.addClassCleanup(cls.dir.cleanup)
        cls.tool = pathlib.Path(cls.dir.name) / "symcall"
        libs = subprocess.run(["pkg-config", "--cflags", "--libs", "json-c"], check=True,
                              capture_output=True, text=True).stdout
        subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-g", "-fsanitize=address,undefined",
                        f"-I{ABI}", str(TOOLS / "symcall.c"), "-o", str(cls.tool), *shlex.split(libs)], check=True)

    def symcall(self, answer, *args):
        """Runs the tool; returns the finished process and the QEMU."""
        with tempfile.TemporaryDirectory(dir=self.dir.name) as where:
            path = pathlib.Path(where) / "qmp"
            qemu = Qemu(path, answer)
            done = subprocess.run([self.tool, "-q", path, *args], capture_output=True, text=True,
                                  check=False, timeout=60, env={"ASAN_OPTIONS": "detect_leaks=0"})
        self.assertNotIn("Sanitizer", done.stderr)
        self.assertNotIn("runtime error", done.stderr)
        return done, qemu

    def test_call(self):
        """The command's answer says nothing; the event brings the result."""
        done, qemu = self.symcall(lambda _, args: [{"return": {}}, completed(args, result=RESULT)],
                                  "call", "1", "1", "41")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.split("\n")[:2], ["status 0 ok", "rbx 0x2a"])
        self.assertIn("rdi 0xffffffffffffffff", done.stdout)
        args = qemu.commands[-1]["arguments"]
        self.assertEqual((args["cpu-index"], args["number"], args["args"]), (1, 1, [41]))

    def test_event_first(self):
        """The event may overtake the answer, and others' calls end meanwhile."""
        def answer(_, args):
            yield completed({**args, "id": "another"}, result={**RESULT, "status": 7})
            yield completed(args, result=RESULT)
            yield {"event": "STOP", "timestamp": {}}
            yield {"return": {}}
        done, _ = self.symcall(answer, "call", "0", "1", "41")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("rbx 0x2a", done.stdout)

    def test_two_calls(self):
        """A late second event of the first call is not the second call's."""
        seen = []

        def answer(name, args):
            if name == "query-cpus-fast":
                yield {"return": [{"cpu-index": 0}, {"cpu-index": 1}]}
                return
            seen.append(args["id"])
            if len(seen) == 2:
                yield completed({**args, "id": seen[0]}, result={**RESULT, "status": 7})
            yield {"return": {}}
            ret = args["args"]
            yield completed(args, result={**RESULT, "ret": [ret[0] + 1, *ret[1:]]})
        done, _ = self.symcall(answer, "ping")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotEqual(*seen)

    def test_error(self):
        """No answer in time, and a command that is refused: status 3 and the text."""
        done, _ = self.symcall(lambda _, args: [{"return": {}}, completed(args, error="no answer in time")],
                               "call", "0", "1")
        self.assertEqual((done.returncode, done.stderr), (3, "symcall: no answer in time\n"))
        done, _ = self.symcall(lambda *_: [{"error": {"class": "GenericError", "desc": "no"}}], "call", "0", "1")
        self.assertEqual((done.returncode, done.stderr), (3, "symcall: no\n"))

    def test_null(self):
        """A command that returns null: that is printed, and nothing else."""
        done, _ = self.symcall(lambda *_: [{"return": None}], "qmp", "anything")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "null\n", ""))
        done, _ = self.symcall(lambda *_: [{"return": None}], "word", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        done, _ = self.symcall(lambda _, args: [{"return": None}, completed(args, error="late")], "call", "0", "1")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "", "symcall: late\n"))

    def test_nonsense(self):
        """Answers of wrong types: one line and status 3."""
        info = {w: 0 for w in ("features", "global-page", "guest-word", "host-word", "swap-grant",
                               "swap-in-place", "swap-hot", "swap-wanted", "swap-held")}
        for bad in (None, {}, [], 7, "x", True, {**info, "vcpus": None}, {**info, "vcpus": {}},
                    {**info, "vcpus": [None]}, {**info, "vcpus": [7]}, {**info, "vcpus": [{"flags": "x"}]},
                    {**info, "features": None, "vcpus": []}):
            done, _ = self.symcall(lambda *_, bad=bad: [{"return": bad}], "info")
            self.assertEqual((done.returncode, done.stderr.count("\n")), (3, 1), (bad, done.stderr))
        for bad in (None, {}, 7, [None], [{}], [{"cpu-index": "x"}]):
            done, _ = self.symcall(lambda *_, bad=bad: [{"return": bad}], "ping")
            self.assertEqual((done.returncode, done.stderr.count("\n")), (3, 1), (bad, done.stderr))
        for bad in (None, 7, {}, {"result": None}, {"result": {**RESULT, "ret": None}},
                    {"result": {**RESULT, "ret": [1]}}, {"result": {**RESULT, "user-mode": 1}}, {"error": None}):
            done, _ = self.symcall(
                lambda _, args, bad=bad: [{"return": {}}, completed(args, **bad) if isinstance(bad, dict) else
                                          {"event": "SYMCALL_COMPLETED", "data": bad}], "call", "0", "1")
            self.assertEqual((done.returncode, done.stderr.count("\n")), (3, 1), (bad, done.stderr))
        for bad in ({"error": None}, {"error": "x"}, {"error": {"desc": None}}, {"error": {}}, "x", "{]"):
            done, _ = self.symcall(lambda *_, bad=bad: [bad], "word", "1")
            self.assertEqual((done.returncode, done.stderr.count("\n")), (3, 1), (bad, done.stderr))

    def test_event(self):
        """Waits for one event among others, and not longer than it may."""
        with tempfile.TemporaryDirectory(dir=self.dir.name) as where:
            path = str(pathlib.Path(where) / "qmp")
            for script, status, out in (([{"event": "A"}, {"event": 7}, {"event": "B", "data": {"x": 1}}], 0, '{"x":1}\n'),
                                        ([{"event": "B"}], 0, "null\n"), ([{"event": "A"}], 3, "")):
                pathlib.Path(path).unlink(missing_ok=True)
                Qemu(path, lambda *_: [], script)
                done = subprocess.run([self.tool, "-q", path, "-t", "1", "event", "B"], check=False,
                                      capture_output=True, text=True, timeout=30)
                self.assertEqual((done.returncode, done.stdout), (status, out), done.stderr)

    def test_gone(self):
        """No QEMU, one that has died, and one that only says nothing."""
        with tempfile.TemporaryDirectory(dir=self.dir.name) as where:
            path = pathlib.Path(where) / "qmp"
            command = [self.tool, "-q", path, "info"]
            self.assertEqual(subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode, 4)
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(path))
                server.listen(1)
                done = subprocess.Popen(command, stderr=subprocess.DEVNULL)
                server.accept()[0].close()
                self.assertEqual(done.wait(30), 3)
            self.assertEqual(subprocess.run(command, check=False, stderr=subprocess.DEVNULL).returncode, 4)

    def test_timeout_range(self):
        """What QEMU would not take is wrong usage."""
        for seconds in ("0", "601", "-1", "x"):
            done = subprocess.run([self.tool, "-q", "/none", "-t", seconds, "ping"], check=False,
                                  capture_output=True, text=True, timeout=10)
            self.assertEqual(done.returncode, 2, done.stderr)


if __name__ == "__main__":
    unittest.main()
