#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of the other L0: jobs over a serial line, and when its machine boots again."""

from __future__ import annotations

import pathlib
import tempfile
import unittest
from unittest import mock

from rig import RigError, bochs

FAKE = pathlib.Path(__file__).resolve().parent / "fake_bochs.py"


class Line(unittest.TestCase):
    """The conversation with L1's agent."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.jobs = pathlib.Path(directory.name)
        self.cds: list[str] = []
        for what, new in (("rig.bochs.PROGRAM", str(FAKE)), ("rig.bochs.make_cd", self.make_cd),
                          ("rig.bochs.SLOWNESS", 1),
                          ("rig.images.kernel_image", lambda *_: FAKE),
                          ("rig.images.l1_initramfs", lambda: b"")):
            patch = mock.patch(what, new)
            patch.start()
            self.addCleanup(patch.stop)
        self.machine = bochs.Bochs(self.jobs, 1024)
        self.addCleanup(self.machine.close)

    def make_cd(self, cd: pathlib.Path, _kernel: pathlib.Path, initrd: bytes, _append: str) -> None:
        """Notes which images are on it."""
        names = sorted(p.name for p in (self.jobs / "images").glob("*")
                       if f"jobs/images/{p.name}".encode() in initrd)
        self.cds.append(" ".join(names))
        cd.touch()

    def run_job(self, name: str, *files: str, timeout: float = 30) -> pathlib.Path:
        """Runs a job of these files."""
        job = self.jobs / name
        job.mkdir()
        for file in files:
            (job / file).touch()
        self.machine.run(job, timeout)
        return job

    def share(self, name: str) -> None:
        """A guest's image for all jobs from now on."""
        (self.jobs / "images").mkdir(exist_ok=True)
        (self.jobs / "images" / name).write_bytes(b"image")

    def test_results(self) -> None:
        """One machine runs many jobs; what it says while it boots is not theirs."""
        for name in ("1", "2"):
            job = self.run_job(name)
            self.assertEqual((job / "verdict").read_text(encoding="utf-8"), "ok\n")
        self.assertEqual(self.machine.console(), "ran 1\nran 2\n")
        self.assertEqual(self.cds, [""])

    def test_images(self) -> None:
        """A new image needs a new CD, which has the old ones, too."""
        self.share("a")
        self.run_job("1")
        self.run_job("2")
        self.share("b")
        self.run_job("3")
        self.assertEqual(self.cds, ["a", "a b"])
        self.assertEqual(self.machine.console(), "ran 1\nran 2\nran 3\n")

    def test_trouble(self) -> None:
        """A machine that hangs or dies is told, and no CD is left."""
        with self.assertRaisesRegex(RigError, "L1 hangs"):
            self.run_job("1", "silent", timeout=0.5)
        with self.assertRaisesRegex(RigError, "L1 died"):
            self.run_job("2", "die")
        self.assertEqual(list(self.jobs.glob("*.iso")), [])

    def test_no_boot(self) -> None:
        """A program that ends at once is no machine."""
        with mock.patch("rig.bochs.PROGRAM", "/bin/false"), \
                mock.patch("rig.bochs.CONNECT_TIMEOUT", 0.5), \
                self.assertRaisesRegex(RigError, "Bochs: timed out"):
            self.run_job("1")


if __name__ == "__main__":
    unittest.main()
