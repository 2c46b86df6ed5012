# SPDX-License-Identifier: GPL-2.0
"""Tests of symbioticd with made-up QEMUs: what it grants whom. No VM is started."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import tempfile
import threading
import time
import unittest
from collections.abc import Callable, Iterator
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
ALL = 2 ** 64 - 1
KIB = 4                         # of a page


class Ledger:
    """What all QEMUs of a test have been told, and whether it was too much."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.budget = ALL
        self.qemus: list[Qemu] = []
        self.problems: list[str] = []

    def told(self, qemu: Qemu, pages: int, before: int) -> None:
        """A grant is in force. A QEMU that was told nothing yet counts for nothing: there is
        nothing to be done about it."""
        told = [q for q in self.qemus if q.told and q.alive]
        grants = sum(q.grant for q in told)
        if pages > before and grants > self.budget:
            self.problems.append(f"{qemu.path}: {before} -> {pages}, {grants} in all")
        held = sum(max(q.grant, q.in_place() if q.honest else 0) for q in told)
        if pages > before and held > self.budget:
            self.problems.append(f"{qemu.path}: {before} -> {pages}, {held} in use")


class Qemu(threading.Thread):
    """A QMP server with a guest that uses as many pages as it needs and may, and asks for the
    others. It serves one client at a time."""

    def __init__(self, ledger: Ledger, path: str, need: int = 0, hot: int | str = "all",
                 grant: int = ALL, **more: Any) -> None:
        super().__init__(daemon=True)
        self.path = path
        self.need, self.hot, self.grant = need, hot, grant
        self.wanted = 0
        self.told = grant != ALL
        self.alive = self.honest = True
        self.stubborn = False
        self.held = 0
        self.lie: Any = None            # for all numbers
        self.features = 31
        self.silent = ""                # "greeting", "query", "grant": where it says nothing
        self.patience = 0               # queries that it answers before it is silent
        self.send: Callable[[socket.socket, bytes], None] = lambda s, data: s.sendall(data)
        self.pretty = False
        self.event = b""
        self.commands: list[str] = []
        self.keeps_cold = False
        self.paged_out: list[int] = []
        vars(self).update(more)
        self._ledger = ledger
        self._end = threading.Event()
        self._server = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        # The name may be longer than an address.
        where = os.open(os.path.dirname(path), os.O_PATH)
        self._server.bind(f"/proc/self/fd/{where}/s")
        os.rename("s", os.path.basename(path), src_dir_fd=where, dst_dir_fd=where)
        os.close(where)
        self._server.listen(1)
        self._server.settimeout(0.05)
        with ledger.lock:
            ledger.qemus.append(self)
        self.start()

    def in_place(self) -> int:
        """Pages that the guest uses."""
        return self.need if self.stubborn else min(self.need, self.grant)

    def crash(self) -> None:
        """End without a word; the socket's file stays."""
        self.alive = False
        self._end.set()
        self.join()
        self._server.close()

    def quit(self) -> None:
        """End as QEMU does."""
        os.unlink(self.path)
        self.crash()

    def run(self) -> None:
        """Serve, one client after the other."""
        while not self._end.is_set():
            with contextlib.suppress(OSError):
                client, _ = self._server.accept()
                client.settimeout(0.05)
                with client, contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self._talk(client)

    def _say(self, client: socket.socket, message: Any) -> None:
        text = json.dumps(message, indent=4 if self.pretty else None)
        self.send(client, text.encode() + b"\r\n" + self.event)

    def _talk(self, client: socket.socket) -> None:
        if self.silent != "greeting":
            self._say(client, {"QMP": {"version": {}, "capabilities": []}})
        buffer = b""
        while not self._end.is_set():
            try:
                data = client.recv(4096)
            except TimeoutError:
                continue
            if not data:
                return
            buffer += data
            while b"\n" in buffer:
                line, buffer = buffer.split(b"\n", 1)
                command = json.loads(line)
                with self._ledger.lock:
                    answer = self._answer(command["execute"], command["arguments"])
                if answer is not None:
                    self._say(client, {**answer, "id": command["id"]})

    def _answer(self, name: str, args: dict[str, Any]) -> dict[str, Any] | None:
        self.commands.append(name)
        if name == "qmp_capabilities":
            return {"return": {}}
        if name == "x-symbiotic-set-swap-grant":
            if self.silent == "grant":
                return None
            before, self.grant = self.grant, args["pages"]
            self.told = True
            self._ledger.told(self, self.grant, before)
            return {"return": {}}
        if name == "x-symbiotic-page-out":
            if self.keeps_cold:
                return {"error": {"class": "CommandNotFound", "desc": "what?"}}
            self.paged_out.append(args["pages"])
            return {"return": {"looked": 9, "used": 1, "cold": sum(self.paged_out), "busy": True}}
        if self.silent == "query":
            if not self.patience:
                return None
            self.patience -= 1
        used = self.in_place()
        if self.hot != 0:
            self.wanted += self.need - used
        hot = used if self.hot == "all" else self.hot
        numbers = {"swap-in-place": used, "swap-hot": hot, "swap-wanted": self.wanted,
                   "swap-held": self.held}
        if self.lie is not None:
            numbers = dict.fromkeys(numbers, self.lie)
        return {"return": {"features": self.features, "swap-grant": self.grant, **numbers,
                           "vcpus": []}}


build: tempfile.TemporaryDirectory[str]


def setUpModule() -> None:
    """Build the programs, with sanitizers."""
    global build
    build = tempfile.TemporaryDirectory(prefix="symbioticd-build-")
    subprocess.run(["make", "-s", "-C", str(HERE.parent), f"OUT={build.name}",
                    "SANITIZE=address,undefined"], check=True, stdout=subprocess.DEVNULL)


def tearDownModule() -> None:
    """Remove them."""
    build.cleanup()


class Daemon:
    """symbioticd, until it is told to end."""

    def __init__(self, *args: str, stderr: Any = subprocess.PIPE, prefix: tuple[str, ...] = (),
                 **env: str) -> None:
        self.process = subprocess.Popen(
            [*prefix, f"{build.name}/symbioticd", *args], stderr=stderr, text=True,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=1", **env})
        self.log = ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        if stderr == subprocess.PIPE:
            self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.log += line

    def end(self, sig: int = signal.SIGTERM) -> int:
        """Its status."""
        if self.process.poll() is None:
            self.process.send_signal(sig)
        status = self.process.wait(20)
        if self.process.stderr and not self.process.stderr.closed:
            self._reader.join()
            self.process.stderr.close()
        return status


class Test(unittest.TestCase):
    """What all tests need."""

    def setUp(self) -> None:
        self.dir = tempfile.TemporaryDirectory(prefix="symbioticd-test-")
        self.addCleanup(self.dir.cleanup)
        self.base = pathlib.Path(self.dir.name)
        self.ledger = Ledger()
        self.addCleanup(self.crash_all)
        self.control = str(self.base / "control")

    def crash_all(self) -> None:
        """End the QEMUs."""
        for qemu in self.ledger.qemus:
            if qemu.alive:
                qemu.crash()

    def qemu(self, name: str, need: int = 0, **more: Any) -> Qemu:
        """A QEMU with a guest."""
        return Qemu(self.ledger, str(self.base / name), need, **more)

    def budget(self, pages: int) -> str:
        """What is looked at from now on; the daemon's key for it."""
        self.ledger.budget = pages
        return f"budget={pages * KIB}K"

    @contextlib.contextmanager
    def daemon(self, *args: str, patience: float = 5, **more: Any) -> Iterator[Daemon]:
        """Runs it; it must be healthy in the end."""
        d = Daemon("-o", "interval=0.05", "-o", f"patience={patience}", "-o",
                   f"control={self.control}", *args, **more)
        try:
            yield d
        finally:
            status = d.end()
        self.assertEqual(status, 0, d.log)
        self.assertNotIn("Sanitizer", d.log)
        self.assertEqual(self.ledger.problems, [], d.log)

    def share(self, pages: int, *qemus: Qemu, more: tuple[str, ...] = (), **env: Any) -> \
            contextlib.AbstractContextManager[Daemon]:
        """The daemon, with a budget and these guests."""
        return self.daemon("-o", self.budget(pages), *more, "--", *(str(q.path) for q in qemus),
                           **env)

    def until(self, what: Callable[[], object], seconds: float = 20) -> None:
        """Wait until it is so."""
        end = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), end, "in vain")
            time.sleep(0.01)

    def ask(self, command: str = "status") -> str:
        """What the control socket says."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(self.control)
            s.sendall(command.encode() + b"\n")
            text = b""
            while data := s.recv(65536):
                text += data
        return text.decode("ascii")

    def status(self) -> dict[str, Any]:
        """The daemon's."""
        self.until(lambda: os.path.exists(self.control))
        status: dict[str, Any] = json.loads(self.ask())
        return status

    def state(self, qemu: Qemu) -> str:
        """What the daemon says of it."""
        return next((g["state"] for g in self.status()["guests"] if g["name"] == qemu.path), "")

    def rounds(self, n: int) -> None:
        """Wait for some."""
        start = self.status()["rounds"]
        self.until(lambda: self.status()["rounds"] >= start + n)


class Sharing(Test):
    """Guests that are what they say, and such that are not."""

    def test_by_need(self) -> None:
        """Who needs pages gets them, the other one keeps a part."""
        a, b = self.qemu("a", 800), self.qemu("b")
        with self.share(1000, a, b):
            self.until(lambda: 800 <= a.grant <= 1000 and b.grant >= 100)
            self.rounds(3)
            self.assertLessEqual(a.grant + b.grant, 1000)

    def test_turn(self) -> None:
        """What rests gives back to what works, and has it back when it works again."""
        a, b = self.qemu("a", 1000, hot=0, grant=1100), self.qemu("b", 1000, grant=100)
        with self.share(1200, a, b) as d:
            self.until(lambda: b.grant >= 900)
            a.hot, b.hot = "all", 0
            self.until(lambda: a.grant >= 900)
        self.assertRegex(d.log, r"b: \S+ -> \S+: wants more \(uses (\S+), \1 hot, \d+ faults")
        self.assertRegex(d.log, r"a: \S+ -> \S+: others want it \(uses \S+, 0 hot")

    def test_short_rounds(self) -> None:
        """What is given back is given on before the next whole round, which takes more."""
        a, b = self.qemu("a", 1000, hot=0, grant=1000), self.qemu("b", 1000, grant=200)
        with self.share(1200, a, b, more=("-o", "interval=3")):
            self.until(lambda: a.grant < 1000)
            start, lowered = time.monotonic(), a.grant
            self.assertGreater(lowered, 500)
            self.until(lambda: b.grant == 1200 - lowered)
            self.assertLess(time.monotonic(), start + 2)
            self.assertEqual(a.grant, lowered)

    def test_keeps(self) -> None:
        """What looks cold is taken from nobody while nobody wants it."""
        a, b = self.qemu("a", 800, hot=0, grant=800), self.qemu("b", 100, hot=0, grant=200)
        with self.share(1000, a, b):
            self.until(lambda: a.told and b.told)
            self.rounds(5)
            self.assertEqual((a.grant, b.grant), (800, 200))

    def test_both(self) -> None:
        """More need than there is: shared, and all of it."""
        a, b = self.qemu("a", 5000), self.qemu("b", 5000)
        with self.share(1000, a, b):
            self.until(lambda: 480 <= a.grant <= 520 and 480 <= b.grant <= 520)

    def test_stubborn(self) -> None:
        """A guest that gives nothing back does not make others exceed."""
        a = self.qemu("a", 700, hot=0, grant=900, stubborn=True)
        b = self.qemu("b", 800, grant=100)
        with self.share(1000, a, b) as d:
            self.until(lambda: "does not give back" in d.log)
            self.assertLessEqual(b.grant, 300)
            self.assertEqual(self.state(a), "over")
            a.stubborn = False
            self.until(lambda: b.grant >= 700)

    def test_held(self) -> None:
        """What cannot be given back is not asked for all the time, though others wait for it."""
        a = self.qemu("a", 700, hot=0, grant=900, stubborn=True, held=700)
        b = self.qemu("b", 800, grant=100)
        with self.share(1000, a, b, more=("-o", "interval=0.5")):
            self.until(lambda: a.grant < 500 and b.grant == 300)
            start, before = time.monotonic(), self.status()["rounds"]
            time.sleep(1.5)
            rounds = self.status()["rounds"] - before
            self.assertLessEqual(rounds, 2 * (time.monotonic() - start) + 2)
            self.assertEqual(self.state(a), "ok")

    def test_takes_its_time(self) -> None:
        """To give back takes a guest some time, however many rounds that is."""
        a = self.qemu("a", 700, hot=0, grant=900, stubborn=True)
        b = self.qemu("b", 800, grant=100)
        with self.share(1000, a, b) as d:
            self.until(lambda: self.state(a) == "over")
            # More than the thirty rounds that it once had.
            time.sleep(2.5)
            a.stubborn = False
            self.until(lambda: b.grant >= 700)
        self.assertNotIn("does not give back", d.log)

    def test_gone(self) -> None:
        """A guest that is gone has no share."""
        a = self.qemu("a", 900)
        b = self.qemu("b", 900)
        with self.share(1000, a, b) as d:
            self.until(lambda: b.grant != ALL)
            b.crash()
            self.until(lambda: a.grant >= 900)
        self.assertIn("b: gone", d.log)

    def test_gone_for_a_moment(self) -> None:
        """Where nobody listens somebody may be back soon: until then it has its share."""
        a, b = self.qemu("a", 900), self.qemu("b", 900)
        with self.share(1000, a, b, patience=60) as d:
            self.until(lambda: 480 <= a.grant <= 520 and 480 <= b.grant <= 520)
            b.crash()
            self.until(lambda: self.state(b) == "silent")
            self.rounds(5)
            self.assertLessEqual(a.grant, 520)
        self.assertIn("b: silent, so it keeps what it has", d.log)
        self.assertNotIn("b: gone", d.log)

    def test_never_there(self) -> None:
        """Nor has one that never was."""
        a = self.qemu("a", 900)
        with self.daemon("-o", self.budget(1000), str(self.base / "nobody"), str(a.path)):
            self.until(lambda: 900 <= a.grant <= 1000)

    def test_silent(self) -> None:
        """A guest that does not answer keeps what it was granted, and holds nobody up."""
        a, b = self.qemu("a", 800, grant=600), self.qemu("b", 800, grant=400)
        c = self.qemu("c", 10, grant=0)
        with self.share(1000, a, b, c, patience=0.5) as d:
            self.until(lambda: self.state(a) == "ok" and c.grant >= 10)
            a.silent = "query"
            self.until(lambda: self.state(a) == "silent")
            held = a.grant
            self.assertGreaterEqual(held, 300)
            self.rounds(20)
            self.assertEqual(a.grant, held)
            self.assertLessEqual(a.grant + b.grant + c.grant, 1000)
            a.silent = ""
            self.until(lambda: self.state(a) == "ok")
        self.assertEqual(d.log.count("a: silent"), 1, d.log)

    def test_silent_greeting(self) -> None:
        """Nor one whose QEMU talks with somebody else."""
        a, b = self.qemu("a", 800, grant=600), self.qemu("b", 800, grant=400)
        with self.share(1000, a, b, patience=0.3):
            self.until(lambda: self.state(a) == "ok")
            with socket.socket(socket.AF_UNIX) as other:
                other.connect(str(a.path))
                self.until(lambda: self.state(a) == "silent")
                self.rounds(10)
                self.assertLessEqual(a.grant + b.grant, 1000)
            self.until(lambda: self.state(a) == "ok")

    def test_silent_when_told(self) -> None:
        """A grant whose answer does not come may be in force."""
        a, b = self.qemu("a", 0, grant=900), self.qemu("b", 800, grant=100)
        with self.share(1000, a, b, patience=0.3):
            self.until(lambda: a.grant < 900)
            a.need, a.silent = 900, "grant"
            # It answers when it is asked, so it is silent now and then.
            self.until(lambda: self.status()["guests"][0]["failures"] >= 3)
            self.assertLessEqual(a.grant + b.grant, 1000)

    def test_silent_from_the_start(self) -> None:
        """What is not known may be all there is: nobody gets more."""
        for where in ("greeting", "query"):
            a = self.qemu("a", 800, grant=1000, silent=where)
            b = self.qemu("b", 800, grant=0)
            with self.share(1000, a, b, patience=0.3) as d:
                self.until(lambda: self.state(a) == "unknown")
                self.rounds(10)
                self.assertEqual((a.grant, b.grant), (1000, 0))
                self.assertEqual(d.log.count("nobody gets more"), 1)
                self.assertEqual(self.status()["unknown-guests"], 1)
                a.silent = ""
                self.until(lambda: b.grant >= 400)
            a.crash()
            b.crash()

    def test_unknown_bounded(self) -> None:
        """Unless it is known what it has at the most."""
        a = self.qemu("a", 800, grant=ALL, silent="greeting")
        b = self.qemu("b", 800, grant=0)
        with self.daemon("-o", self.budget(1000), "-o", "guest-max=2M", "-o", "patience=0.3",
                         str(a.path), str(b.path)):
            self.until(lambda: b.grant >= 480)
            self.rounds(5)
            self.assertLessEqual(b.grant, 488)

    def test_comes_back_silent(self) -> None:
        """Who was gone and is silent has what nobody knows."""
        a, b, c = self.qemu("a", 100), self.qemu("b", 900), self.qemu("c")
        with self.share(1000, a, b, c, patience=0.3):
            self.until(lambda: b.grant >= 700 and all(q.told for q in (a, c)))
            a.quit()
            self.until(lambda: b.grant >= 800 and b.grant + c.grant == 1000)
            a = self.qemu("a", 800, grant=1000, told=False, silent="query")
            self.until(lambda: self.state(a) == "unknown")
            before = c.grant
            b.hot, b.need, c.need = 0, 500, 500
            self.rounds(10)
            self.assertEqual(c.grant, before)
            self.assertLess(b.grant, 800)

    def test_no_grants(self) -> None:
        """A VM without grants has no part in this, and holds nobody up."""
        a, b = self.qemu("a", 800, features=15), self.qemu("b", 900)
        with self.share(1000, a, b) as d:
            self.until(lambda: 900 <= b.grant <= 1000)
            self.assertEqual(self.state(a), "no-grants")
        self.assertEqual(a.grant, ALL)
        self.assertEqual(d.log.count("it has no part"), 1)

    def test_no_grants_any_more(self) -> None:
        """What was granted is not free because a QEMU says that there are no grants."""
        a, b = self.qemu("a", 600, grant=600), self.qemu("b", 900, grant=0)
        with self.share(1000, a, b) as d:
            self.until(lambda: a.told and a.grant + b.grant == 1000)
            a.features = 15
            self.until(lambda: self.state(a) == "silent")
            self.rounds(10)
            self.assertLessEqual(a.grant + b.grant, 1000)
            a.features = 31
            self.until(lambda: self.state(a) == "ok")
        self.assertIn("a: silent, so it keeps what it has: it says to have no grants any more",
                      d.log)

    def test_names(self) -> None:
        """A socket may be called anything."""
        names = ["win 10", "  two  ", "a'b", 'c"d', "$HOME", "*", "-x", "back\\slash", "new\nline",
                 "100%s%n", "<0>", "\N{SNOWMAN}" * 80 + "a", "\N{SNOWMAN}" * 80 + "b"]
        qemus = [self.qemu(n, 800, grant=800) for n in names]
        with self.share(1000, *qemus):
            self.until(lambda: all(60 <= q.grant <= 120 for q in qemus))
            self.assertEqual(len({g["name"] for g in self.status()["guests"]}), len(names))
            label = r'\{guest="([^"\\]|\\["\\])*"\}'
            for line in self.ask("metrics").splitlines():
                self.assertRegex(line, rf"^(# (HELP|TYPE) \w+ .*|\w+({label})? \d+)$")

    def test_silent_now_and_then(self) -> None:
        """Nor does it lose what it wants by that."""
        a, b = self.qemu("a", 800, hot=0, grant=900), self.qemu("b", 800, grant=100)
        b.silent, b.patience = "query", 1
        with self.share(1000, a, b, patience=0.2):
            for _ in range(6):
                self.until(lambda: b.patience == 0 or b.grant >= 700)
                time.sleep(0.3)
                b.patience = 2
            b.silent = ""
            self.until(lambda: b.grant >= 700)

    def test_lies(self) -> None:
        """Whatever a guest says, the grants are within the budget."""
        for lie in (-1, ALL, 2 ** 63 - 1, 9999999, 10 ** 30, "many", None, 1.5, [], True):
            a = self.qemu("a", 400)
            b = self.qemu("b", 400, honest=False, lie=lie if lie is not None else {})
            with self.share(1000, a, b, patience=0.3):
                self.until(lambda: a.told)
                self.rounds(8)
            a.crash()
            b.crash()

    def test_lies_add_up(self) -> None:
        """Lies that would wrap when they are added up, of guests that are silent then."""
        liars = [self.qemu(n, 0, honest=False, lie=2 ** 63 - 1, silent="query", patience=3)
                 for n in "lm"]
        a = self.qemu("a", 5000)
        with self.share(1000, *liars, a, patience=0.3):
            self.until(lambda: all(self.state(q) == "silent" for q in liars))
            self.rounds(5)
            self.assertLessEqual(sum(q.grant for q in self.ledger.qemus), 1000)

    def test_liar_takes_nothing(self) -> None:
        """Nobody loses what it needs to who only claims more."""
        a = self.qemu("a", 300, grant=400)
        b = self.qemu("b", 0, honest=False, lie=2 ** 62, grant=600)
        with self.share(1000, a, b):
            self.until(lambda: b.told)
            self.rounds(10)
            self.assertGreaterEqual(a.grant, 300)

    def test_liar_stops_nobody(self) -> None:
        """What a guest says to use beyond all that it has been granted, others do not pay for."""
        a, b = self.qemu("a", 100), self.qemu("b", 100)
        c = self.qemu("c", 10, honest=False)
        with self.share(1000, a, b, c):
            self.until(lambda: all(self.state(q) == "ok" for q in (a, b, c)))
            a.need = 500
            c.lie = 2 ** 40
            self.until(lambda: a.grant >= 400)

    def test_lowered_first(self) -> None:
        """No grant is raised while the sum would exceed the budget: the ledger sees to it."""
        a, b = self.qemu("a", 800, hot=0, grant=1000), self.qemu("b", 800, grant=0)
        with self.share(1000, a, b):
            self.until(lambda: b.grant > 100)
            self.assertLessEqual(a.grant + b.grant, 1000)

    def test_events(self) -> None:
        """Events come between answers, and answers over several lines."""
        a = self.qemu("a", 800, pretty=True, event=b'{"event": "STOP", "data": {"x": "}"}}\r\n')
        with self.share(1000, a):
            self.until(lambda: a.grant == 1000)

    def test_slow(self) -> None:
        """Byte by byte: nobody waits for that longer than for anything else."""
        def slowly(s: socket.socket, data: bytes) -> None:
            for i in range(len(data)):
                s.sendall(data[i:i + 1])
                time.sleep(0.05)
        a, b = self.qemu("a", 100, grant=100, send=slowly), self.qemu("b", 100, grant=0)
        c = self.qemu("c", 800, grant=0)
        with self.share(1000, a, b, c, patience=2):
            self.until(lambda: self.state(a) == "unknown")
            start = time.monotonic()
            self.rounds(10)
            self.assertLess(time.monotonic() - start, 10)

    def test_late(self) -> None:
        """An answer after its round counts in the next one."""
        def late(s: socket.socket, data: bytes) -> None:
            time.sleep(0.5)
            s.sendall(data)
        a, b = self.qemu("a", 800, hot=0, grant=1000, send=late), self.qemu("b", 800, grant=0)
        with self.share(1000, a, b):
            self.until(lambda: b.grant > 400, 40)
            self.assertEqual(self.state(a), "ok")
            start = time.monotonic()
            self.rounds(10)
            self.assertLess(time.monotonic() - start, 8)

    def test_few_files(self) -> None:
        """More guests than descriptors: who cannot be reached is silent, and it goes on."""
        qemus = [self.qemu(f"{n}", 10) for n in range(40)]
        with self.share(6000, *qemus, prefix=("prlimit", "--nofile=30:30")) as d:
            self.until(lambda: "Too many open files" in d.log)
            self.until(lambda: qemus[0].told)

    def test_hostile(self) -> None:
        """What no QEMU says, instead of each answer."""
        def garbage(s: socket.socket, _: bytes) -> None:
            s.sendall(os.urandom(1000))

        def deep(s: socket.socket, _: bytes) -> None:
            s.sendall(b'{"a":' * 100000)

        def endless(s: socket.socket, data: bytes) -> None:
            for _ in data * 10:
                s.sendall(b'{"event": "STOP"}\r\n' * 1000)

        def huge(s: socket.socket, _: bytes) -> None:
            s.sendall(b'{"QMP": "' + b"a" * 10000000)

        def close(s: socket.socket, data: bytes) -> None:
            s.sendall(data[:len(data) // 2])
            s.shutdown(socket.SHUT_RDWR)
        for send in (garbage, deep, endless, huge, close):
            a, b = self.qemu("a", 800, grant=400), self.qemu("b", 500, grant=500)
            with self.share(1000, a, b, patience=1) as d:
                self.until(lambda: self.state(a) == "ok")
                a.honest, a.send = False, send
                self.until(lambda: self.state(a) == "silent")
                self.rounds(5)
                self.assertLessEqual(a.grant + b.grant, 1000)
                self.assertGreaterEqual(b.grant, 480)
            self.assertTrue(re.fullmatch("[ -~\n]*", d.log))
            a.crash()
            b.crash()

    def test_shares_the_socket(self) -> None:
        """Between rounds others can use it."""
        a = self.qemu("a", 100)
        with self.share(1000, a):
            self.until(lambda: a.told)
            for _ in range(5):
                with socket.socket(socket.AF_UNIX) as other:
                    other.settimeout(10)
                    other.connect(str(a.path))
                    self.assertIn(b"QMP", other.recv(100))


class Coming(Test):
    """Guests that come and go, and daemons that do."""

    def setUp(self) -> None:
        super().setUp()
        self.sockets = self.base / "sockets"
        self.sockets.mkdir(0o755)

    def look(self, pages: int, *more: str, **env: Any) -> contextlib.AbstractContextManager[Daemon]:
        """The daemon, with a directory."""
        return self.daemon("-o", self.budget(pages), "-o", f"directory={self.sockets}", *more,
                           **env)

    def test_directory(self) -> None:
        """They come, go and crash."""
        a = self.qemu("sockets/a", 100)
        with self.look(1000) as d:
            self.until(lambda: a.grant == 1000)
            b = self.qemu("sockets/new\nline", 300)
            self.until(lambda: 300 <= b.grant <= 1000 and a.grant + b.grant <= 1000)
            a.quit()
            self.until(lambda: b.grant == 1000)
            b.crash()
            self.until(lambda: self.state(b) == "" and self.status()["granted"] == 0)
            c = self.qemu("sockets/c", 100)
            self.until(lambda: c.grant == 1000)
        self.assertIn("new\\nline: gone", d.log)

    def test_at_once(self) -> None:
        """A new one is seen when it comes, not at the next round."""
        self.qemu("sockets/a", 100)
        with self.look(1000, "-o", "interval=100"):
            self.until(lambda: self.status()["rounds"] >= 1)
            b = self.qemu("sockets/b", 100)
            self.until(lambda: b.grant <= 1000, 10)

    def test_is_no_clock(self) -> None:
        """Whoever comes and goes does not make others give back sooner."""
        a = self.qemu("sockets/a", 1000, hot=0, grant=1000)
        self.qemu("sockets/b", 1000, grant=200)
        with self.look(1200, "-o", "interval=3"):
            self.until(lambda: a.grant < 1000)
            lowered = a.grant
            self.assertGreater(lowered, 500)
            start = self.status()["rounds"]
            for n in range(1000):
                self.qemu(f"sockets/{n}", 0).quit()
                if self.status()["rounds"] > start + 5:
                    break
            self.assertGreater(self.status()["rounds"], start + 5)
            self.assertEqual(a.grant, lowered)

    def test_what_is_no_socket(self) -> None:
        """Files, links, directories, names that do not fit the pattern."""
        a, b = self.qemu("sockets/a.qmp", 100), self.qemu("b.qmp", 100)
        c = self.qemu("sockets/c.agent", 100)
        (self.sockets / "file.qmp").touch()
        (self.sockets / "folder.qmp").mkdir()
        (self.sockets / "link.qmp").symlink_to(b.path)
        with self.look(1000, "-o", "pattern=*.qmp"):
            self.until(lambda: a.grant == 1000)
            self.assertEqual(len(self.status()["guests"]), 1)
        self.assertEqual(b.commands + c.commands, [])

    def test_whose_directory(self) -> None:
        """Where everybody may write, nobody is believed."""
        a = self.qemu("sockets/a", 100)
        with contextlib.ExitStack() as stack:
            for mode in 0o777, 0o1777, 0o775:
                self.sockets.chmod(mode)
                if mode == 0o777:
                    d = stack.enter_context(self.look(1000))
                self.rounds(3)
                self.assertEqual(self.status()["guests"], [])
            self.sockets.chmod(0o1775)
            self.until(lambda: a.grant == 1000)
            # Whoever is known stays so.
            self.sockets.chmod(0o777)
            self.rounds(3)
            self.assertEqual(self.state(a), "ok")
        self.assertEqual(d.log.count("not taken"), 2)

    def test_directory_comes_later(self) -> None:
        """It may be made after us, and again."""
        self.sockets.rmdir()
        with self.look(1000) as d:
            self.until(lambda: "does not exist" in d.log)
            for _ in range(2):
                self.sockets.mkdir(0o755)
                a = self.qemu("sockets/a", 100)
                self.until(lambda: a.grant == 1000)
                a.quit()
                self.sockets.rmdir()
                self.until(lambda: self.status()["guests"] == [])

    def test_same_socket(self) -> None:
        """Another VM at the socket of one that crashed begins anew."""
        a, b = self.qemu("sockets/a", 900), self.qemu("sockets/b", 100)
        with self.look(1000):
            self.until(lambda: 850 <= a.grant <= 900)
            a.crash()
            a = self.qemu("sockets/a", 0)
            self.until(lambda: a.told and a.grant + b.grant <= 1000)
            b.need = 900
            self.until(lambda: b.grant >= 860)

    def test_migration(self) -> None:
        """It comes under another name, with no limit, before it leaves here."""
        a, b = self.qemu("sockets/a", 400), self.qemu("sockets/b", 400)
        with self.look(1000):
            self.until(lambda: a.grant <= 600 and b.grant <= 600)
            c = self.qemu("sockets/c", 0)
            self.until(lambda: c.grant <= 300)
            a.need, c.need = 0, 400
            self.until(lambda: c.grant >= 390)
            a.quit()
            self.until(lambda: b.grant + c.grant == 1000)

    def test_again(self) -> None:
        """The next daemon takes over what it finds, and nobody notices; however this one ended."""
        qemus = [self.qemu(f"sockets/{n}", 10 ** n, hot=0) for n in range(4)]
        with self.look(1111):
            self.until(lambda: all(q.told for q in qemus))
            self.until(lambda: sum(q.grant for q in qemus) == 1111)
        before = [q.grant for q in qemus]
        for sig in (signal.SIGKILL, signal.SIGINT, signal.SIGHUP):
            d = Daemon("-o", self.budget(1111), "-o", f"directory={self.sockets}", "-o",
                       f"control={self.control}", "-o", "interval=0.05")
            self.addCleanup(d.end, signal.SIGKILL)
            self.until(lambda: os.path.exists(self.control))
            self.until(lambda: "found with" in d.log)
            self.rounds(5)
            self.assertEqual(d.end(sig), -9 if sig == signal.SIGKILL else 0, d.log)
            self.assertEqual([q.grant for q in qemus], before)
            self.assertNotIn("->", d.log)
        self.assertEqual(self.ledger.problems, [])

    def test_less_budget(self) -> None:
        """The next daemon has less."""
        a, b = self.qemu("sockets/a", 500, grant=500), self.qemu("sockets/b", 500, grant=500)
        with self.look(400) as d:
            self.until(lambda: a.grant + b.grant <= 400)
        self.assertIn("there is not as much", d.log)

    def test_dead_sockets(self) -> None:
        """They take nobody's place, however many; nor does who says to take no part."""
        others = [self.qemu(f"sockets/n{n}", features=15) for n in range(8)]
        for n in range(1200):
            with socket.socket(socket.AF_UNIX) as s:
                s.bind(str(self.sockets / f"{n}"))
        with self.look(1000) as d:
            self.until(lambda: len(self.status()["guests"]) == 512)
            a = self.qemu("sockets/late", 100)
            self.until(lambda: a.grant == 1000)
            self.rounds(8)
            self.assertEqual(self.state(a), "ok")
        self.assertEqual(d.log.count("more than 512 guests"), 1)
        self.assertLessEqual(d.log.count("it has no part"), len(others))

    def test_many(self) -> None:
        """More than one poll's worth."""
        qemus = [self.qemu(f"sockets/{n}", 10, hot=0) for n in range(60)]
        with self.look(6000):
            self.until(lambda: all(q.told for q in qemus))
            self.until(lambda: sum(q.grant for q in qemus) == 6000)


class Automatic(Test):
    """A budget by the host's memory."""

    def host(self, available: int, stall: int = 0) -> None:
        """What the host's kernel says, in pages and microseconds."""
        self.ledger.budget = ALL
        proc = self.base / "proc"
        (proc / "pressure").mkdir(parents=True, exist_ok=True)
        for name, text in (
                ("meminfo", f"MemTotal: {20000 * KIB} kB\nMemFree: 0 kB\n"
                            f"MemAvailable: {available * KIB} kB\n"),
                ("pressure/memory", "some avg10=0.00 avg60=0.00 avg300=0.00 "
                                    f"total={stall}\nfull avg10=0.00 total=0\n")):
            (proc / "new").write_text(text, encoding="ascii")
            (proc / "new").rename(proc / name)

    def auto(self, *qemus: Qemu, more: tuple[str, ...] = ()) -> \
            contextlib.AbstractContextManager[Daemon]:
        """The daemon, with this host."""
        return self.daemon("-o", "budget=auto", "-o", f"proc={self.base}/proc", "-o",
                           f"reserve={1000 * KIB}K", *more, *(str(q.path) for q in qemus))

    def test_follows(self) -> None:
        """What is available is shared, less a reserve; what is not any more is taken back."""
        self.host(10000)
        a = self.qemu("a", 50000)
        with self.auto(a) as d:
            self.until(lambda: a.grant == 9000)
            # It has used all that it may, and somebody else much of the rest.
            self.host(0)
            self.until(lambda: a.grant < 2000)
            self.host(10000)
            self.until(lambda: a.grant > 5000)
        self.assertRegex(d.log, r"budget: none -> 35.2M: 39.1M available, tasks wait 0 %")
        self.assertIn("there is not as much", d.log)

    def test_pressure(self) -> None:
        """Tasks that wait for memory take from the windows."""
        self.host(10000)
        a = self.qemu("a", 0)
        with self.auto(a, more=("-o", f"budget-min={500 * KIB}K")):
            self.until(lambda: a.grant == 9000)
            seen = 0
            for n in range(1000):
                self.host(10000, n * 100000)
                # A round in which the file was as before has none.
                seen = max(seen, self.status()["pressure"])
                if a.grant == 500 and seen > 9:
                    break
                time.sleep(0.02)
            self.assertEqual(a.grant, 500)
            self.assertGreater(seen, 9)

    def test_limits(self) -> None:
        """budget-max; and not more than the host has."""
        self.host(10 ** 9)
        a = self.qemu("a", 0)
        with self.auto(a):
            self.until(lambda: a.grant == 20000)
        with self.auto(a, more=("-o", f"budget-max={7000 * KIB}K")):
            self.until(lambda: a.grant == 7000)

    def test_gives_back_slowly(self) -> None:
        """What is still to be given back is not lacking once more in each round until then."""
        self.host(10000)
        a = self.qemu("a", 0)
        with self.auto(a, more=("-o", f"budget-max={9000 * KIB}K")):
            self.until(lambda: a.grant == 9000)
            self.host(1000)
            a.need, a.stubborn = 9000, True
            self.rounds(3)
            self.assertEqual(a.grant, 9000)
            self.host(0)
            self.until(lambda: a.grant < 9000)
            self.rounds(8)
            self.assertEqual(a.grant, 8000)

    def test_again_and_slow(self) -> None:
        """The next daemon takes over also what is found late."""
        self.host(1000)
        a, b = self.qemu("a", 4000, grant=4000), self.qemu("b", 4000, grant=4000)
        a.silent = "query"
        with self.auto(a, b, more=("-o", "patience=0.2")):
            self.until(lambda: self.state(b) == "ok" and self.state(a) == "unknown")
            a.silent = ""
            self.until(lambda: self.state(a) == "ok")
            self.assertEqual((a.grant, b.grant), (4000, 4000))

    def test_claims(self) -> None:
        """Who says to use all that it may does not make it more than can be there."""
        self.host(15000)
        a = self.qemu("a", 50000)
        with self.auto(a):
            self.until(lambda: a.grant >= 18000)
            self.rounds(40)
            self.assertLessEqual(a.grant, 19000)

    def test_no_pressure_file(self) -> None:
        """A kernel without PSI."""
        self.host(10000)
        (self.base / "proc/pressure/memory").unlink()
        a = self.qemu("a", 0)
        with self.auto(a) as d:
            self.until(lambda: a.grant == 9000)
            (self.base / "proc/meminfo").unlink()
            self.until(lambda: "cannot read the host's memory" in d.log)
            self.rounds(3)
            self.assertEqual(a.grant, 9000)

    def test_no_budget_yet(self) -> None:
        """Nobody loses anything as long as it is not known what there is."""
        self.host(10000)
        a, b = self.qemu("a", 100, grant=100), self.qemu("b", 100, grant=100, silent="query")
        with self.auto(a, b, more=("-o", "interval=2")) as d:
            # The first round waits for the other one.
            self.until(lambda: "x-query-symbiotic" in b.commands)
            (self.base / "proc/meminfo").unlink()
            self.until(lambda: "cannot read the host's memory" in d.log)
            self.rounds(1)
            self.assertEqual((a.grant, b.grant), (100, 100))
            b.quit()
            self.host(10000)
            self.until(lambda: a.grant > 1000)

    def test_page_out(self) -> None:
        """What the host lacks is looked for among cold pages, if that is wanted, and as long as
        it lacks it. Who cannot is like any other else."""
        self.host(1100)
        a, b, c = self.qemu("a", 10), self.qemu("b", 10, keeps_cold=True), self.qemu("c", 10)
        with self.auto(a, b, c, more=("-o", "page-out=yes")) as d:
            self.rounds(3)
            self.assertEqual(a.paged_out + c.paged_out, [])
            self.host(400)
            self.until(lambda: len(a.paged_out) > 2 and len(c.paged_out) > 2)
            # The first time it is not known that one cannot.
            self.assertEqual(set(a.paged_out) | set(c.paged_out), {201, 301})
            self.assertEqual(a.paged_out[0], 201)
            self.assertEqual(b.commands.count("x-symbiotic-page-out"), 1)
            self.assertEqual(self.state(b), "ok")
            self.assertIn(f'guest_cold_bytes_total{{guest="{a.path}"}}', self.ask("metrics"))
            self.host(1100)
            self.rounds(2)
            told = len(a.paged_out)
            self.rounds(3)
            self.assertEqual(len(a.paged_out), told)
            self.assertEqual(d.log.count("the host lacks 2.3M: cold pages of 3 guests go first"),
                             1)
            # It may have been the last look that failed, and no lack of the command.
            b.keeps_cold = False
            self.host(400)
            self.until(lambda: len(b.paged_out) > 1)

    def test_page_out_pressure(self) -> None:
        """Tasks wait: an eighth of the reserve is lacking."""
        self.host(10000)
        a = self.qemu("a", 0)
        with self.auto(a, more=("-o", "page-out=yes")):
            for n in range(1000):
                self.host(10000, n * 100000)
                if a.paged_out:
                    break
                time.sleep(0.02)
            self.assertEqual(a.paged_out[0], 126)
        with self.auto(a):
            told = len(a.paged_out)
            self.host(0)
            self.rounds(3)
            self.assertEqual(len(a.paged_out), told)

    def test_no_host(self) -> None:
        """Without any idea of the host's memory it does not begin."""
        d = Daemon("-o", "budget=auto", "-o", f"proc={self.base}/nothing", "x")
        self.addCleanup(d.end, signal.SIGKILL)
        self.assertEqual(d.process.wait(20), 1)
        d.end()


class Outside(Test):
    """What the daemon shows, and to whom."""

    def tool(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Runs symbioticctl."""
        return subprocess.run([f"{build.name}/symbioticctl", "-s", self.control, *args],
                              capture_output=True, text=True, check=False, timeout=20)

    def test_status(self) -> None:
        """A table, and JSON."""
        a, b = self.qemu('win "10"\n', 800), self.qemu("b", 800, silent="greeting")
        with self.share(1000, a, b, patience=0.3):
            self.until(lambda: self.state(b) == "unknown")
            table = self.tool("status")
            self.assertEqual(table.returncode, 0, table.stderr)
            lines = table.stdout.splitlines()
            self.assertRegex(lines[0], r"^budget 3.9M \(fixed\), granted \S+, free \S+$")
            self.assertRegex(lines[1], r"^GUEST +STATE +GRANT +IN PLACE +HOT +HELD +WANTED  WHY$")
            self.assertRegex(lines[2], r'win "10"\\n +ok +\S+ +\S+ +\S+ +0 +\d+  ')
            self.assertRegex(lines[3], r"b +unknown +all +0 +0 +0 +0  no answer in time$")
            found = json.loads(self.tool("status", "--json").stdout)
            self.assertEqual(found["budget"], 1000 * KIB * 1024)
            self.assertEqual(len(found["guests"]), 2)
            self.assertNotIn("grant", found["guests"][1])
            self.assertIn("\nsymbioticd_budget_bytes 4096000\n", self.tool("metrics").stdout)

    def test_tool_usage(self) -> None:
        """Wrong arguments, and no daemon."""
        for args in ((), ("what",), ("status", "x"), ("-z",)):
            self.assertEqual(self.tool(*args).returncode, 2, args)
        self.assertEqual(self.tool("status").returncode, 1)
        self.assertEqual(self.tool("--help").returncode, 0)

    def test_who_may_connect(self) -> None:
        """The daemon's user and group."""
        old = os.umask(0)
        self.addCleanup(os.umask, old)
        with self.share(1000, self.qemu("a")):
            self.until(lambda: os.path.exists(self.control))
            self.assertEqual(stat.S_IMODE(os.stat(self.control).st_mode), 0o660)
            self.assertEqual(stat.S_IMODE(os.stat(self.control + ".lock").st_mode), 0o600)
        self.assertFalse(os.path.exists(self.control))

    def test_bad_clients(self) -> None:
        """They say nothing, too much, nothing known; or take no answer. Others are served."""
        a = self.qemu("a", 100)
        with self.share(1000, a), contextlib.ExitStack() as stack:
            self.status()
            for text in (b"", b"\n", b"x" * 1000, b"stat\0us\n", b"status", b"status\n",
                         b"set 1\n"):
                s = stack.enter_context(socket.socket(socket.AF_UNIX))
                s.connect(self.control)
                with contextlib.suppress(BrokenPipeError):
                    s.sendall(text)
            # No place is left, until their time is up.
            for _ in range(16):
                s = stack.enter_context(socket.socket(socket.AF_UNIX))
                s.connect(self.control)
            rounds = len(a.commands)
            self.until(lambda: len(a.commands) > rounds + 4)
            self.assertEqual(self.tool("status").returncode, 0)

    def test_one_daemon(self) -> None:
        """A second one for the same would share the same memory out again."""
        a = self.qemu("a", 100)
        with self.share(1000, a):
            self.status()
            second = Daemon("-o", "budget=1G", "-o", f"control={self.control}", str(a.path))
            self.addCleanup(second.end, signal.SIGKILL)
            self.assertEqual(second.process.wait(20), 1)
            second.end()
            self.assertIn("another daemon runs", second.log)
            self.assertTrue(self.status())

    def test_metrics_file(self) -> None:
        """Complete whenever it is read, and nobody's link is followed."""
        (self.base / "victim").write_text("mine", encoding="ascii")
        (self.base / "m.prom.new").symlink_to(self.base / "victim")
        a = self.qemu("a", 800)
        with self.daemon("-o", self.budget(1000), "-o", f"metrics={self.base}/m.prom",
                         str(a.path)):
            self.until(lambda: (self.base / "m.prom").exists())
            text = (self.base / "m.prom").read_text(encoding="ascii")
        self.assertIn(f'symbioticd_guest_up{{guest="{a.path}"}} 1\n', text)
        self.assertEqual((self.base / "victim").read_text(encoding="ascii"), "mine")
        self.assertFalse((self.base / "m.prom.new").exists())
        self.assertEqual(stat.S_IMODE((self.base / "m.prom").stat().st_mode), 0o644)

    def test_metrics_nowhere(self) -> None:
        """Said once."""
        a = self.qemu("a", 800)
        with self.daemon("-o", self.budget(1000), "-o", f"metrics={self.base}/no/m.prom",
                         str(a.path)) as d:
            self.until(lambda: "No such file" in d.log)

    def test_systemd(self) -> None:
        """Is told when the first round is over, and that rounds go on."""
        a = self.qemu("a", 100)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
            s.bind(str(self.base / "notify"))
            s.settimeout(10)
            with self.daemon("-o", self.budget(1000), "-o", "interval=100", str(a.path),
                             NOTIFY_SOCKET=str(self.base / "notify"), WATCHDOG_USEC="200000"):
                while (said := s.recv(100)) == b"WATCHDOG=1":
                    pass
                self.assertIn(b"READY=1", said)
                self.assertNotEqual(a.grant, ALL)
                # Between rounds as well.
                self.assertEqual(s.recv(100), b"WATCHDOG=1")
                self.assertEqual(s.recv(100), b"WATCHDOG=1")
            while (said := s.recv(100)) == b"WATCHDOG=1":
                pass
            self.assertEqual(said, b"STOPPING=1")

    def test_systemd_is_busy(self) -> None:
        """What it has no room for it is told later."""
        a = self.qemu("a", 100)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s, \
                socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as others:
            s.bind(str(self.base / "notify"))
            s.settimeout(10)
            others.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    others.sendto(b"X", str(self.base / "notify"))
            with self.share(1000, a, NOTIFY_SOCKET=str(self.base / "notify")):
                self.rounds(3)
                while (said := s.recv(100)) == b"X":
                    pass
                self.assertIn(b"READY=1", said)

    def test_long_name(self) -> None:
        """It moves nobody else's numbers off the screen."""
        a, b = self.qemu("\N{SNOWMAN}" * 80, 800), self.qemu("b", 800)
        with self.share(1000, a, b):
            self.until(lambda: self.state(b) == "ok")
            lines = self.tool("status").stdout.splitlines()
        self.assertGreater(len(lines[2]), 900)
        self.assertLess(len(lines[1]), 130)
        self.assertLess(len(lines[3]), 150)

    def test_no_limit(self) -> None:
        """Who has no grant has no number of it, in metrics as in JSON."""
        a = self.qemu("a", 800)
        with self.share(1000, a, more=("-o", f"socket={self.base}/nobody")):
            self.until(lambda: self.state(a) == "ok")
            text = self.ask("metrics")
        self.assertIn(f'grant_bytes{{guest="{a.path}"}}', text)
        self.assertNotIn(f'grant_bytes{{guest="{self.base}/nobody"}}', text)
        self.assertIn(f'guest_up{{guest="{self.base}/nobody"}} 0', text)

    def test_nobody_reads_the_log(self) -> None:
        """Then it goes on without."""
        read, write = os.pipe()
        with open(read, "rb"), open(write, "wb") as log:
            os.set_blocking(write, False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    os.write(write, b"x" * 4096)
            os.set_blocking(write, True)
            a = self.qemu("a", 800)
            with self.share(1000, a, stderr=log):
                self.until(lambda: a.grant == 1000)
                self.assertRegex(self.ask("metrics"), r"dropped_total [1-9]")

    def test_journal(self) -> None:
        """Levels as the journal knows them."""
        a = self.qemu("a", 800, silent="greeting")
        with self.share(1000, a, patience=0.1, JOURNAL_STREAM="1:2") as d:
            self.until(lambda: "<4>" in d.log)
        self.assertTrue(all(re.match("<[3-7]>", line) for line in d.log.splitlines()))

    def test_ends_at_once(self) -> None:
        """Whoever is silent does not hold it up."""
        a = self.qemu("a", 800, silent="greeting")
        d = Daemon("-o", "budget=1G", "-o", "patience=60", str(a.path))
        self.addCleanup(d.end, signal.SIGKILL)
        self.until(lambda: "begins" in d.log)
        start = time.monotonic()
        self.assertEqual(d.end(), 0)
        self.assertLess(time.monotonic() - start, 5)

    def test_usage(self) -> None:
        """Bad arguments."""
        for args in ("", "a", "-o budget=many a", "-o budget=-5 a", "-o budget=1G",
                     f"-o budget={'9' * 30} a", "-o budget=1G -o interval=x a",
                     "-o budget=1G -o patience=0 a", "-o nothing=1 a", "-z", "-c /nowhere/x a",
                     "-o budget=auto -o budget-min=2G -o budget-max=1G a",
                     "-o budget=1G -o page-out=yes a", "-o budget=auto -o page-out=1 a"):
            done = subprocess.run([f"{build.name}/symbioticd", *args.split()], check=False,
                                  capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 2, args)
            self.assertRegex(done.stderr, "symbioticd", args)

    def test_leading_zero(self) -> None:
        """A budget of 0400K is four hundred."""
        a = self.qemu("a", 800)
        with self.daemon("-o", "budget=0400K", str(a.path)):
            self.until(lambda: a.grant == 100)


if __name__ == "__main__":
    unittest.main()
