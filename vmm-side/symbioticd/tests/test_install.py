# SPDX-License-Identifier: GPL-2.0
"""Tests of what `make install` leaves where, and of symbioticd-libvirt against libvirt's own
headers, where they are."""

from __future__ import annotations

import pathlib
import shlex
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
FILES = {"etc/symbioticd.conf": 0o644, "etc/systemd/system/symbioticd.service": 0o644,
         "etc/tmpfiles.d/symbioticd.conf": 0o644, "usr/sbin/symbioticd": 0o755,
         "usr/bin/symbioticctl": 0o755}
LIBVIRT_FILES = {"etc/systemd/system/symbioticd-libvirt.service": 0o644,
                 "usr/sbin/symbioticd-libvirt": 0o755}


def pkg_config(*args: str) -> list[str]:
    """What it says; nothing where there is no such package."""
    done = subprocess.run(["pkg-config", *args], capture_output=True, text=True, check=False)
    return shlex.split(done.stdout) if done.returncode == 0 else []


HAS_LIBVIRT = bool(pkg_config("--modversion", "libvirt-qemu"))


class Install(unittest.TestCase):
    """Into an empty tree, as a package would."""

    out: tempfile.TemporaryDirectory[str]

    @classmethod
    def setUpClass(cls) -> None:
        cls.out = tempfile.TemporaryDirectory(prefix="symbioticd-install-out-")
        cls.addClassCleanup(cls.out.cleanup)

    def setUp(self) -> None:
        made = tempfile.TemporaryDirectory(prefix="symbioticd-install-")
        self.addCleanup(made.cleanup)
        self.dest = pathlib.Path(made.name)
        self.install()

    def install(self) -> None:
        """Once more."""
        subprocess.run(["make", "-s", "-C", HERE.parent, "install", f"OUT={self.out.name}",
                        f"DESTDIR={self.dest}", "prefix=/usr"], check=True,
                       stdout=subprocess.DEVNULL)

    def test_install(self) -> None:
        """All files and no others; what somebody has configured stays."""
        found = {str(path.relative_to(self.dest)): path.stat().st_mode & 0o7777
                 for path in self.dest.rglob("*") if path.is_file()}
        self.assertEqual(found, {**FILES, **(LIBVIRT_FILES if HAS_LIBVIRT else {})})
        usage = subprocess.run([self.dest / "usr/sbin/symbioticd", "-c",
                                self.dest / "etc/symbioticd.conf", "-h"], check=True,
                               capture_output=True, text=True)
        self.assertIn("SYNOPSIS", usage.stdout)
        config = self.dest / "etc/symbioticd.conf"
        config.write_text("mine", encoding="ascii")
        self.install()
        self.assertEqual(config.read_text(encoding="ascii"), "mine")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "no systemd-analyze here")
    def test_units(self) -> None:
        """Systemd finds nothing to say of them, nor the programs elsewhere."""
        for unit in (self.dest / "etc/systemd/system").iterdir():
            text = unit.read_text(encoding="ascii")
            self.assertIn("\nExecStart=/usr/sbin/symbioticd", text)
            unit.write_text(text.replace("=/usr/", f"={self.dest}/usr/"), encoding="ascii")
            done = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                                  capture_output=True, text=True, check=False)
            self.assertEqual((done.returncode, done.stdout + done.stderr), (0, ""), unit.name)


class Libvirt(unittest.TestCase):
    """The tests of its program have a made-up one."""

    @unittest.skipUnless(HAS_LIBVIRT, "no libvirt-dev here")
    def test_headers(self) -> None:
        """What it calls is what libvirt has."""
        subprocess.run(["cc", "-fsyntax-only", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
                        "-D_GNU_SOURCE", f"-I{HERE.parent}", HERE.parent / "symbioticd-libvirt.c",
                        *pkg_config("--cflags", "libvirt-qemu", "libvirt", "json-c")], check=True)


if __name__ == "__main__":
    unittest.main()
