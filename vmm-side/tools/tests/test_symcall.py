# SPDX-License-Identifier: GPL-2.0
"""Tests of the tool symcall with a made-up QEMU, whose answers are right or not."""

from __future__ import annotations

import json
import pathlib
import shlex
import socket
import struct
import subprocess
import tempfile
import threading
import unittest
from collections.abc import Callable, Iterable, Sequence
from typing import Any

TOOLS = pathlib.Path(__file__).resolve().parent.parent
ABI = TOOLS.parents[1] / "symspy" / "include"

# A message of QMP; a text is sent as it is.
Message = Any
Answer = Callable[[str, dict[str, Any]], Iterable[Message]]
RESULT: dict[str, Any] = {"status": 0, "ret": [42, 2, 3, 0, 2 ** 64 - 1], "user-mode": True,
                          "irqs-off": False}


def completed(args: dict[str, Any], **data: Any) -> Message:
    """The event that ends a symcall."""
    return {"event": "SYMCALL_COMPLETED", "timestamp": {"seconds": 1, "microseconds": 2},
            "data": {"id": args["id"], "cpu-index": args["cpu-index"], **data}}


BUILD_ID = "0123456789abcdef0123456789abcdef01234567"
VERMAGIC = "6.12.1 SMP preempt mod_unload "


def module(name: str, depends: str = "", vermagic: str = VERMAGIC) -> bytes:
    """A file with nothing of a module but what it says of itself."""
    names = b"\0.modinfo\0.shstrtab\0"
    info = f"name={name}\0depends={depends}\0vermagic={vermagic}\0".encode()
    header = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 1, 62, 1, 0, 0,
                         64 + len(names) + len(info), 0, 64, 0, 0, 64, 3, 2)
    sections = b"".join(struct.pack("<IIQQQQIIQQ", sh_name, sh_type, 0, 0, offset, size, 0, 0, 1, 0)
                        for sh_name, sh_type, offset, size in (
                            (0, 0, 0, 0), (1, 1, 64 + len(names), len(info)),
                            (10, 3, 64, len(names))))
    return header + names + info + sections


class Guest:
    """What QEMU says of a guest's modules; each that it is offered comes to `ends`."""

    def __init__(self, **query: Any) -> None:
        self.query: dict[str, Any] = {"taken": True, "limit": 1 << 20, "build-id": BUILD_ID,
                                      "vermagic": VERMAGIC, "offer": "none", "modules": [], **query}
        self.ends: dict[str, dict[str, Any]] = {}

    def answer(self, name: str, args: dict[str, Any]) -> Iterable[Message]:
        """To one command."""
        if name == "x-symbiotic-module-query":
            yield {"return": self.query}
            return
        yield {"return": {}}
        if name in ("x-symbiotic-module-load", "x-symbiotic-module-unload"):
            change = "loaded" if name.endswith("-load") else "unloaded"
            # What happens to others, and what nobody has asked for.
            extras: tuple[dict[str, Any], ...] = ({"id": "another"}, {})
            for more in extras:
                yield {"event": "SYMBIOTIC_MODULE",
                       "data": {"name": args["name"], "change": "failed", "errno": 5, **more}}
            yield {"event": "SYMBIOTIC_MODULE",
                   "data": {"id": args["id"], "name": args["name"], "change": change, "errno": 0,
                            **self.ends.get(args["name"], {})}}


class Qemu(threading.Thread):
    """A QMP server for one client; `answer` makes what it sends for a command,
    `events` come first."""

    def __init__(self, path: pathlib.Path, answer: Answer,
                 events: Sequence[Message] = ()) -> None:
        super().__init__(daemon=True)
        self._answer, self._events = answer, events
        self.commands: list[dict[str, Any]] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(str(path))
        self._server.listen(1)
        self.start()

    def run(self) -> None:
        """Talk with the client, until it leaves."""
        client, _ = self._server.accept()
        self._server.close()
        with client, client.makefile("rw", encoding="utf-8") as stream:
            def send(message: Message) -> None:
                text = message if isinstance(message, str) else json.dumps(message)
                stream.write(text + "\r\n")
                stream.flush()
            # For the client before this one.
            send({"event": "RESUME", "data": {}})
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

    dir: tempfile.TemporaryDirectory[str]
    tool: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.dir = tempfile.TemporaryDirectory(prefix="symcall-test-")
        cls.addClassCleanup(cls.dir.cleanup)
        cls.tool = pathlib.Path(cls.dir.name) / "symcall"
        libs = subprocess.run(["pkg-config", "--cflags", "--libs", "json-c"], check=True,
                              capture_output=True, text=True).stdout
        subprocess.run(["cc", "-std=gnu11", "-D_GNU_SOURCE", "-g", "-fsanitize=address,undefined",
                        f"-I{ABI}", str(TOOLS / "symcall.c"), str(TOOLS / "modfile.c"),
                        "-o", str(cls.tool),
                        *shlex.split(libs)], check=True)

    def symcall(self, answer: Answer,
                *args: str) -> tuple[subprocess.CompletedProcess[str], Qemu]:
        """Runs the tool; returns the finished process and the QEMU."""
        with tempfile.TemporaryDirectory(dir=self.dir.name) as where:
            path = pathlib.Path(where) / "qmp"
            qemu = Qemu(path, answer)
            done = subprocess.run([self.tool, "-q", path, *args], capture_output=True, text=True,
                                  check=False, timeout=60, env={"ASAN_OPTIONS": "detect_leaks=0"})
        self.assertNotIn("Sanitizer", done.stderr)
        self.assertNotIn("runtime error", done.stderr)
        return done, qemu

    def test_call(self) -> None:
        """The command's answer says nothing; the event brings the result."""
        done, qemu = self.symcall(lambda _, args: [{"return": {}}, completed(args, result=RESULT)],
                                  "call", "1", "1", "41")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout.split("\n")[:2], ["status 0 ok", "rbx 0x2a"])
        self.assertIn("rdi 0xffffffffffffffff", done.stdout)
        args = qemu.commands[-1]["arguments"]
        self.assertEqual((args["cpu-index"], args["number"], args["args"]), (1, 1, [41]))

    def test_event_first(self) -> None:
        """The event may overtake the answer, and others' calls end meanwhile."""
        def answer(_: str, args: dict[str, Any]) -> Iterable[Message]:
            yield completed({**args, "id": "another"}, result={**RESULT, "status": 7})
            yield completed(args, result=RESULT)
            yield {"event": "STOP", "timestamp": {}}
            yield {"return": {}}
        done, _ = self.symcall(answer, "call", "0", "1", "41")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("rbx 0x2a", done.stdout)

    def test_two_calls(self) -> None:
        """A late second event of the first call is not the second call's."""
        seen: list[str] = []

        def answer(name: str, args: dict[str, Any]) -> Iterable[Message]:
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

    def test_error(self) -> None:
        """No answer in time, and a command that is refused: status 3 and the text."""
        done, _ = self.symcall(
            lambda _, args: [{"return": {}}, completed(args, error="no answer in time")],
            "call", "0", "1")
        self.assertEqual((done.returncode, done.stderr), (3, "symcall: no answer in time\n"))
        done, _ = self.symcall(lambda *_: [{"error": {"class": "GenericError", "desc": "no"}}],
                               "call", "0", "1")
        self.assertEqual((done.returncode, done.stderr), (3, "symcall: no\n"))

    def test_null(self) -> None:
        """A command that returns null: that is printed, and nothing else."""
        done, _ = self.symcall(lambda *_: [{"return": None}], "qmp", "anything")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "null\n", ""))
        done, _ = self.symcall(lambda *_: [{"return": None}], "word", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        done, _ = self.symcall(lambda _, args: [{"return": None}, completed(args, error="late")],
                               "call", "0", "1")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (3, "", "symcall: late\n"))

    def refused(self, message: Message, *command: str) -> None:
        """One line and status 3, if that is the answer."""
        done, _ = self.symcall(lambda *_: [message], *command)
        self.assertEqual((done.returncode, done.stderr.count("\n")), (3, 1),
                         (message, done.stderr))

    def test_nonsense(self) -> None:
        """Answers of wrong types."""
        info: dict[str, Any] = dict.fromkeys(
            ("features", "global-page", "guest-word", "host-word", "swap-grant", "swap-in-place",
             "swap-hot", "swap-wanted", "swap-held"), 0)
        vcpus: tuple[Any, ...] = (None, {}, [None], [7], [{"flags": "x"}])
        bad: dict[str, tuple[Message, ...]] = {
            "info": (None, {}, [], 7, "x", True, {**info, "features": None, "vcpus": []},
                     *({**info, "vcpus": v} for v in vcpus)),
            "ping": (None, {}, 7, [None], [{}], [{"cpu-index": "x"}])}
        for command, answers in bad.items():
            for answer in answers:
                self.refused({"return": answer}, command)
        errors: tuple[Any, ...] = (None, "x", {"desc": None}, {})
        for message in (*({"error": e} for e in errors), "x", "{]"):
            self.refused(message, "word", "1")

    def test_paging(self) -> None:
        """What is shown, what is asked for, and answers of wrong types."""
        info: dict[str, Any] = {"mode": "shadow", "policy": "auto", "switches": 3,
                                "guest": {"wish": "none\x1b", "forks": 7},
                                "auto": {"reason": "rest", "cost": -5, "tlb-counted": False}}
        done, _ = self.symcall(lambda *_: [{"return": info}], "paging")
        self.assertEqual(done.stdout, "policy auto\nmode shadow\nswitches 3\nguest-wish none?\n"
                         "guest-forks 7\nauto-reason rest\nauto-cost -5\nauto-tlb-counted false\n",
                         done.stderr)
        done, qemu = self.symcall(lambda *_: [{"return": {}}], "paging", "nested")
        self.assertEqual((done.returncode, done.stdout), (0, ""), done.stderr)
        self.assertEqual(qemu.commands[-1], {"execute": "x-set-paging",
                                             "arguments": {"policy": "nested"}})
        bad: tuple[Any, ...] = (None, {}, [], "x", {**info, "mode": 2}, {**info, "guest": None},
                                {**info, "auto": []})
        for answer in bad:
            self.refused({"return": answer}, "paging")

    def test_nonsense_at_the_end(self) -> None:
        """Events of wrong types, for a call that has been taken."""
        bad: tuple[dict[str, Any], ...] = (
            {}, {"error": None}, {"result": None}, {"result": {**RESULT, "ret": None}},
            {"result": {**RESULT, "ret": [1]}}, {"result": {**RESULT, "user-mode": 1}})
        for data in bad:
            self.ends_badly(lambda args: completed(args, **data))
        for word in (None, 7):
            self.ends_badly(lambda _: {"event": "SYMCALL_COMPLETED", "data": word})

    def ends_badly(self, event: Callable[[dict[str, Any]], Message]) -> None:
        """One line and status 3, if that is how the call ends."""
        done, _ = self.symcall(lambda _, args: [{"return": {}}, event(args)], "call", "0", "1")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (3, 1), done.stderr)

    def test_event(self) -> None:
        """Waits for one event among others, and not longer than it may."""
        with tempfile.TemporaryDirectory(dir=self.dir.name) as where:
            path = pathlib.Path(where) / "qmp"
            wanted = {"event": "B", "data": {"x": 1}}
            cases: tuple[tuple[list[Message], int, str], ...] = (
                ([{"event": "A"}, {"event": 7}, wanted], 0, '{"x":1}\n'),
                ([{"event": "B"}], 0, "null\n"), ([{"event": "A"}], 3, ""))
            for script, status, out in cases:
                path.unlink(missing_ok=True)
                Qemu(path, lambda *_: [], script)
                done = subprocess.run([self.tool, "-q", path, "-t", "1", "event", "B"], check=False,
                                      capture_output=True, text=True, timeout=30)
                self.assertEqual((done.returncode, done.stdout), (status, out), done.stderr)

    def test_gone(self) -> None:
        """No QEMU, one that has died, and one that only says nothing."""
        with tempfile.TemporaryDirectory(dir=self.dir.name) as where:
            path = pathlib.Path(where) / "qmp"
            command = [str(self.tool), "-q", str(path), "info"]
            quiet = subprocess.DEVNULL
            self.assertEqual(subprocess.run(command, check=False, stderr=quiet).returncode, 4)
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(path))
                server.listen(1)
                done = subprocess.Popen(command, stderr=quiet)
                server.accept()[0].close()
                self.assertEqual(done.wait(30), 3)
            self.assertEqual(subprocess.run(command, check=False, stderr=quiet).returncode, 4)

    def test_timeout_range(self) -> None:
        """What QEMU would not take is wrong usage."""
        for seconds in ("0", "601", "-1", "x"):
            done = subprocess.run([self.tool, "-q", "/none", "-t", seconds, "ping"], check=False,
                                  capture_output=True, text=True, timeout=10)
            self.assertEqual(done.returncode, 2, done.stderr)

    def modules(self, guest: Guest, files: dict[str, bytes], *args: str,
                build_id: str = BUILD_ID) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        """`symcall -m DIR ARGS`, with files in DIR/build_id; and what was asked of QEMU."""
        with tempfile.TemporaryDirectory(dir=self.dir.name) as where:
            (pathlib.Path(where) / build_id).mkdir()
            for name, content in files.items():
                (pathlib.Path(where) / build_id / name).write_bytes(content)
            done, qemu = self.symcall(guest.answer, "-m", where, *args)
        return done, [" ".join([c["execute"].rpartition("-")[2], *(
            str(c["arguments"][key]) for key in ("name", "args") if key in c.get("arguments", {}))])
            for c in qemu.commands[1:]]

    def test_module_order(self) -> None:
        """What a module needs comes before it, and its parameters to it alone."""
        files = {"nvme-core.ko": module("nvme_core"), "nvme.ko": module("nvme", "nvme-core")}
        done, said = self.modules(Guest(), files, "module", "load", "nvme", "a=1", "b=x y")
        self.assertEqual((done.returncode, done.stdout), (0, "nvme_core loaded\nnvme loaded\n"),
                         done.stderr)
        self.assertEqual(said, ["query", "getfd", "load nvme_core", "getfd", "load nvme a=1 b=x y"])

    def test_module_there(self) -> None:
        """What is there already is no error for who needs it, but for who wants it."""
        files = {"a.ko": module("a"), "b.ko": module("b", "a")}
        guest = Guest()
        guest.ends["a"] = {"change": "failed", "errno": 17}
        done, _ = self.modules(guest, files, "module", "load", "b")
        self.assertEqual((done.returncode, done.stdout), (0, "a is there\nb loaded\n"))
        done, _ = self.modules(guest, files, "module", "load", "a")
        self.assertEqual((done.returncode, done.stdout),
                         (1, "a failed: the guest says: File exists (17)\n"))

    def test_module_known(self) -> None:
        """What the guest has got before is not offered again to who needs it."""
        files = {"a-b.ko": module("a_b"), "c.ko": module("c", "a-b")}
        guest = Guest(modules=[{"name": "a_b", "state": "loaded"}])
        done, said = self.modules(guest, files, "module", "load", "c")
        self.assertEqual((done.returncode, done.stdout), (0, "a_b is there\nc loaded\n"))
        self.assertEqual(said, ["query", "getfd", "load c"])
        guest = Guest(modules=[{"name": "a_b", "state": "dead"}])
        _, said = self.modules(guest, files, "module", "load", "c")
        self.assertEqual(said, ["query", "getfd", "load a_b", "getfd", "load c"])

    def test_module_device(self) -> None:
        """A device hangs on a module that the VMM has brought, or there is no device."""
        guest = Guest()
        guest.ends["a"] = {"change": "failed", "errno": 17}
        done, said = self.modules(guest, {"a.ko": module("a")}, "attach-device", "0000:00:12.0",
                                  "--driver", "a")
        self.assertEqual((done.returncode, done.stdout, said),
                         (1, "a failed: the guest says: File exists (17)\n",
                          ["query", "getfd", "load a"]))

    def test_module_stops(self) -> None:
        """After the first that fails none is offered."""
        files = {"a.ko": module("a"), "b.ko": module("b", "a")}
        guest = Guest()
        guest.ends["a"] = {"change": "failed", "errno": 110, "reason": "too late\x1b"}
        done, said = self.modules(guest, files, "module", "load", "b")
        self.assertEqual((done.returncode, done.stdout), (1, "a failed: too late?\n"))
        self.assertEqual(said, ["query", "getfd", "load a"])

    def test_module_selection(self) -> None:
        """By the guest's build ID and vermagic; nothing is offered that does not fit."""
        files = {"a.ko": module("a"), "old.ko": module("old", vermagic="6.1.0 SMP "),
                 "bad.ko": module("bad")[:-1], "needs.ko": module("needs", "old")}
        for guest, name, build_id, why in (
                (Guest(), "b", BUILD_ID, "there is no b.ko in "),
                (Guest(), "a", "f" * 40, "there is no a.ko in "),
                (Guest(), "old", BUILD_ID, "old is for 6.1.0 SMP , the guest is 6.12.1"),
                (Guest(), "needs", BUILD_ID, "old is for 6.1.0 SMP , the guest is 6.12.1"),
                (Guest(), "bad", BUILD_ID, "is cut off"),
                (Guest(limit=100), "a", BUILD_ID, "has more than 100 bytes"),
                (Guest(**{"build-id": ""}), "a", BUILD_ID, "has no build ID"),
                (Guest(taken=False), "a", BUILD_ID, "takes no modules")):
            done, said = self.modules(guest, files, "module", "load", name, build_id=build_id)
            self.assertEqual((done.returncode, done.stderr.count("\n"), said), (1, 1, ["query"]),
                             done.stderr)
            self.assertIn(why, done.stderr)
        guest = Guest(**{"build-id": "../" + BUILD_ID})
        done, _ = self.modules(guest, files, "module", "load", "a")
        self.assertEqual(done.returncode, 3, done.stderr)

    def test_module_usage(self) -> None:
        """Wrong commands, and parameters that nobody could take."""
        for words in (("load",), ("unload",), ("unload", "a", "b"), ("list", "a"), ("x",)):
            done, said = self.modules(Guest(), {}, "module", *words)
            self.assertEqual((done.returncode, said), (2, []), done.stderr)
        done, said = self.modules(Guest(), {}, "module", "load", "a", "x" * 1024)
        self.assertEqual((done.returncode, said), (2, []), done.stderr)
        for address in ("x", "0000:00:12", "0000:00:12.8", "00:12.0", "0000:00:12.0/../x"):
            done, said = self.modules(Guest(), {}, "attach-device", address)
            self.assertEqual((done.returncode, said), (2, []), done.stderr)

    def test_module_list(self) -> None:
        """What is shown of a guest that takes modules, and of one that does not."""
        guest = Guest(modules=[{"name": "nvme\x1b", "state": "loaded"}])
        done, _ = self.modules(guest, {}, "module", "list")
        self.assertEqual(done.stdout, f"policy signed\nlimit 1048576\nbuild-id {BUILD_ID}\n"
                         f"vermagic {VERMAGIC}\noffer none\nmodule nvme? loaded\n")
        done, _ = self.modules(Guest(taken=False), {}, "module", "list")
        self.assertEqual((done.returncode, done.stdout), (0, "policy none\noffer none\n"))

    def test_module_unload(self) -> None:
        """What the guest says to that."""
        guest = Guest()
        done, said = self.modules(guest, {}, "module", "unload", "nvme")
        self.assertEqual((done.returncode, done.stdout, said),
                         (0, "nvme unloaded\n", ["unload nvme"]), done.stderr)
        _, said = self.modules(guest, {}, "module", "unload", "nvme-core")
        self.assertEqual(said, ["unload nvme_core"])
        guest.ends["nvme"] = {"change": "failed", "errno": 11}
        done, _ = self.modules(guest, {}, "module", "unload", "nvme")
        self.assertEqual(done.returncode, 1, done.stdout)


if __name__ == "__main__":
    unittest.main()
