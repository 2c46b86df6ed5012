# SPDX-License-Identifier: GPL-2.0
"""Write initramfs archives (cpio, newc format) without temporary trees.

Linux unpacks concatenated archives one after the other, so the rig keeps one
archive per machine and appends a small one with the files of the job.
"""

import os
import pathlib
import stat


class Cpio:
    """An archive under construction; directories are added as needed."""

    def __init__(self):
        self._parts = []
        self._names = set()

    def _entry(self, name, mode, data=b""):
        raw = os.fsencode(name) + b"\0"
        fields = (len(self._names) + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self._parts.append(head + b"\0" * (-len(head) % 4))
        self._parts.append(data + b"\0" * (-len(data) % 4))
        self._names.add(name)

    def directory(self, name):
        name = name.strip("/")
        if not name or name in self._names:
            return
        self.directory(str(pathlib.PurePosixPath(name).parent).strip("."))
        self._entry(name, stat.S_IFDIR | 0o755)

    def _parent(self, name):
        self.directory(str(pathlib.PurePosixPath(name.strip("/")).parent).strip("."))

    def data(self, name, data, mode=0o644):
        self._parent(name)
        self._entry(name.strip("/"), stat.S_IFREG | mode, data)

    def file(self, name, path, mode=0o755):
        self.data(name, pathlib.Path(path).read_bytes(), mode)

    def symlink(self, name, target):
        self._parent(name)
        self._entry(name.strip("/"), stat.S_IFLNK | 0o777, os.fsencode(target))

    def bytes(self):
        self._entry("TRAILER!!!", 0)
        blob = b"".join(self._parts)
        return blob + b"\0" * (-len(blob) % 512)
