# SPDX-License-Identifier: GPL-2.0
"""Tests of the conversation with a guest on bare metal: what each ending is called."""

from __future__ import annotations

import pathlib
import socket
import tempfile
import threading
import unittest

from rig import bare


class ConversationTest(unittest.TestCase):
    """The guest's half comes from a thread."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.dir = pathlib.Path(directory.name)
        self.port, self.guest = socket.socketpair()
        self.addCleanup(self.port.close)
        self.addCleanup(self.guest.close)

    def says(self, *turns: bytes, stays: bool = False) -> tuple[str, list[bytes]]:
        """(the verdict, the answers) when a guest says that; each turn has an answer but
        the last, after which the guest goes, or stays."""
        answers = []

        def talk() -> None:
            for turn in turns[:-1]:
                self.guest.sendall(turn)
                answers.append(self.guest.recv(100))
            self.guest.sendall(turns[-1])
            if not stays:
                self.guest.close()

        thread = threading.Thread(target=talk)
        thread.start()
        verdict = bare.converse(self.port, self.dir, 0.5 if stays else 10)
        thread.join()
        return verdict, answers

    def status(self) -> str | None:
        """The status that is left for whoever collects it."""
        file = self.dir / "status"
        return file.read_text() if file.exists() else None

    def test_all_is_well(self) -> None:
        said = self.says(b"ready\n", b"mark\n", b"exit 7\n", b"")
        self.assertEqual(said, ("ok", [b"go\n", b"go\n", b"bye\n"]))
        self.assertEqual(self.status(), "7")

    def test_pieces_of_lines(self) -> None:
        self.assertEqual(self.says(b"ready\nma", stays=True)[0], "timeout after 0.5 s")
        self.assertEqual(self.guest.recv(100), b"go\n")

    def test_several_lines_at_once(self) -> None:
        """As of a serial port, with its line ends."""
        self.assertEqual(self.says(b"ready\r\nmark\r\nexit 0\r\n")[0], "ok")
        self.assertEqual(self.status(), "0")

    def test_failures(self) -> None:
        for turns, stays, verdict in (
                ((b"ready\n", b""), False, "the guest ended without a status"),
                ((b"failed no /files\n",), True, "guest set-up failed: no /files"),
                ((b"ready\n", b"exit 0\n", b""), True, "timeout after 0.5 s")):
            with self.subTest(turns=turns):
                self.setUp()
                self.assertEqual(self.says(*turns, stays=stays)[0], verdict)
                self.assertIsNone(self.status())


if __name__ == "__main__":
    unittest.main()
