# SPDX-License-Identifier: GPL-2.0
"""What of a directory is in the lightweight kernel's archive."""

import pathlib
import shutil
import tempfile
import unittest
from unittest import mock

from rig import images


def entries(blob: bytes) -> dict[str, tuple[int, bytes]]:
    """{name: (mode, content)} of a cpio archive."""
    found: dict[str, tuple[int, bytes]] = {}
    at = 0
    while blob[at:at + 6] == b"070701":
        fields = [int(blob[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        size, name_size = fields[6], fields[11]
        name = blob[at + 110:at + 110 + name_size - 1].decode()
        data = at + 110 + name_size + (-(110 + name_size) % 4)
        found[name] = (fields[1], blob[data:data + size])
        at = data + size + (-size % 4)
    return found


class KittenArchive(unittest.TestCase):
    """Programs, and files of any kind."""

    def setUp(self) -> None:
        self.tmp = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.tmp)
        self.files = self.tmp / "in"
        for directory in (self.tmp / "kitten" / "programs", self.files / "sub"):
            directory.mkdir(parents=True)
        shutil.copy("/bin/true", self.tmp / "kitten" / "init_task")
        shutil.copy("/bin/true", self.tmp / "kitten" / "programs" / "prog")

    def archive(self) -> dict[str, tuple[int, bytes]]:
        with mock.patch.object(images, "BUILD", self.tmp):
            return entries(images.kitten_initramfs(self.files))

    def test_all_files(self) -> None:
        data = bytes(range(256)) * 9
        (self.files / "input.dat").write_bytes(data)
        (self.files / "empty").touch()
        (self.files / "sub" / "deep.txt").write_text("deep\n")
        found = self.archive()
        self.assertEqual(found["files/input.dat"], (0o100644, data))
        self.assertEqual(found["files/empty"], (0o100644, b""))
        self.assertEqual(found["files/sub/deep.txt"], (0o100644, b"deep\n"))
        self.assertEqual(found["files/sub"][0] & 0o170000, 0o040000)
        self.assertIn("init_task", found)

    def test_executable_but_no_program(self) -> None:
        script = self.files / "script"
        script.write_text("#!/bin/sh\n")
        script.chmod(0o755)
        self.assertEqual(self.archive()["files/script"], (0o100755, b"#!/bin/sh\n"))

    def test_program_of_the_same_name(self) -> None:
        (self.files / "prog").write_text("mine\n")
        self.assertEqual(self.archive()["files/prog"][1], b"mine\n")


if __name__ == "__main__":
    unittest.main()
