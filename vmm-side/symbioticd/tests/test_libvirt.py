# SPDX-License-Identifier: GPL-2.0
"""Tests of symbioticd-libvirt with a made-up libvirt."""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import shlex
import signal
import socket
import subprocess
import tempfile
import time
import unittest
from collections.abc import Callable
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
A, B = "aaaaaaaa-1111-4111-8111-111111111111", "bbbbbbbb-2222-4222-8222-222222222222"
build: tempfile.TemporaryDirectory[str]


def setUpModule() -> None:
    """Build the program, with the made-up libvirt in it and with sanitizers."""
    global build
    build = tempfile.TemporaryDirectory(prefix="symbioticd-libvirt-build-")
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "json-c"], check=True,
                           capture_output=True, text=True).stdout
    sources = [HERE.parent / "symbioticd-libvirt.c", HERE.parent / "relay.c",
               HERE.parent / "frame.c",
               HERE / "fake" / "libvirt.c"]
    subprocess.run(["cc", "-std=gnu11", "-g", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE",
                    "-fsanitize=address,undefined", f"-I{HERE.parent}", f"-I{HERE}/fake",
                    *map(str, sources), "-o", f"{build.name}/symbioticd-libvirt", "-pthread",
                    *shlex.split(flags)], check=True)


def tearDownModule() -> None:
    """Remove it."""
    build.cleanup()


class Test(unittest.TestCase):
    """With domains that come and go."""

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory(prefix="symbioticd-libvirt-test-")
        self.addCleanup(made.cleanup)
        self.top = pathlib.Path(made.name)
        self.sockets = self.top / "sockets"
        self.sockets.mkdir()
        self.process: subprocess.Popen[str] | None = None

    def domains(self, *lines: str) -> None:
        """Those that run."""
        (self.top / "new").write_text("".join(f"{line}\n" for line in lines))
        (self.top / "new").rename(self.top / "domains")

    def start(self) -> None:
        """The program."""
        self.process = subprocess.Popen(
            [f"{build.name}/symbioticd-libvirt", "-c", "fake:///", str(self.sockets)],
            env={**os.environ, "FAKE_LIBVIRT": str(self.top / "domains"),
                 "ASAN_OPTIONS": "detect_leaks=0"}, stderr=subprocess.PIPE, text=True)
        self.addCleanup(self.process.kill)

    def end(self) -> str:
        """What it has said."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        said = self.process.communicate(timeout=20)[1]
        self.assertEqual(self.process.returncode, 0, said)
        return said

    def until(self, what: Callable[[], object]) -> None:
        """Wait until it is so."""
        end = time.monotonic() + 20
        while not what():
            self.assertLess(time.monotonic(), end, "in vain")
            time.sleep(0.05)

    def there(self) -> set[str]:
        """Whose sockets are there."""
        return {path.stem for path in self.sockets.iterdir()}

    def talk(self, uuid: str, *lines: str) -> list[Any]:
        """A conversation; what is said after the greeting."""
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(15)
            s.connect(str(self.sockets / f"{uuid}.qmp"))
            text = b""
            s.sendall("".join(f"{line}\n" for line in lines).encode())
            s.shutdown(socket.SHUT_WR)
            # Whoever says too much is not read to the end.
            with contextlib.suppress(ConnectionResetError):
                while data := s.recv(4096):
                    text += data
        found = [json.loads(line) for line in text.splitlines()]
        self.assertIn("QMP", found[0])
        return found[1:]

    def test_conversation(self) -> None:
        """Each domain has a socket, for few commands and for few users."""
        self.domains(f"{A} 1", f"{B} 5")
        self.start()
        self.until(lambda: self.there() == {A, B})
        said = self.talk(B, '{"execute": "qmp_capabilities", "id": 1}',
                         '{"execute": "x-query-symbiotic", "arguments": {}, "id": 2}',
                         '{"execute": "quit", "id": 3}')
        self.assertEqual(said[0], {"return": {}, "id": 1})
        self.assertEqual(said[1], {"return": {"run": 5, "got": {
            "execute": "x-query-symbiotic", "arguments": {}}}, "id": 2})
        self.assertEqual(said[2]["error"]["class"], "CommandNotFound")
        self.assertEqual((self.sockets / f"{A}.qmp").stat().st_mode & 0o777, 0o660)
        self.assertEqual(self.talk(A, "nonsense"), [])
        self.assertEqual(self.talk(A, "x" * 5000), [])
        self.assertEqual(self.end(), "")

    def test_come_and_go(self) -> None:
        """Another run of a domain is another socket."""
        self.domains(f"{A} 1")
        self.start()
        self.until(lambda: self.there() == {A})
        first = (self.sockets / f"{A}.qmp").stat().st_mtime_ns
        self.domains(f"{A} 2", f"{B} 3")
        self.until(lambda: self.there() == {A, B})
        self.assertNotEqual((self.sockets / f"{A}.qmp").stat().st_mtime_ns, first)
        self.until(lambda: self.talk(A, '{"execute": "x-query-symbiotic", "id": 1}')
                   [0]["return"]["run"] == 2)
        self.domains()
        self.until(lambda: not self.there())
        self.end()

    def test_away(self) -> None:
        """While libvirt is away its domains are silent, and not gone."""
        self.domains(f"{A} 1")
        self.start()
        self.until(lambda: self.there() == {A})
        (self.top / "domains").unlink()
        time.sleep(5)
        self.assertEqual(self.there(), {A})
        self.assertEqual(self.talk(A, '{"execute": "x-query-symbiotic", "id": 1}'), [])
        self.domains(f"{A} 1")
        self.until(lambda: self.talk(A, '{"execute": "x-query-symbiotic", "id": 1}'))
        self.assertEqual(self.end().count("does not answer"), 1)

    def test_usage(self) -> None:
        """Bad arguments."""
        for line in ("", "a b", "-z a", "x" * 90):
            done = subprocess.run([f"{build.name}/symbioticd-libvirt", *line.split()], check=False,
                                  capture_output=True, text=True, timeout=20)
            self.assertEqual(done.returncode, 2, line)


if __name__ == "__main__":
    unittest.main()
