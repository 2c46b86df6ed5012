# SPDX-License-Identifier: GPL-2.0
"""Write initramfs archives (cpio, newc format) without temporary trees.

Linux unpacks concatenated archives one after the other, so the rig keeps one
archive per machine and appends a small one with the files of the job.
"""

from __future__ import annotations

import os
import pathlib
import stat


class Cpio:
    """An archive under construction; directories are added as needed."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._names: set[str] = set()

    def _entry(self, name: str, mode: int, data: bytes = b"") -> None:
        raw = os.fsencode(name) + b"\0"
        fields = (len(self._names) + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
        head = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self._parts.append(head + b"\0" * (-len(head) % 4))
        self._parts.append(data + b"\0" * (-len(data) % 4))
        self._names.add(name)

    def directory(self, name: str) -> None:
        """Adds a directory, once, and those above it."""
        name = name.strip("/")
        if not name or name in self._names:
            return
        self.directory(str(pathlib.PurePosixPath(name).parent).strip("."))
        self._entry(name, stat.S_IFDIR | 0o755)

    def _parent(self, name: str) -> None:
        self.directory(str(pathlib.PurePosixPath(name.strip("/")).parent).strip("."))

    def data(self, name: str, data: bytes, mode: int = 0o644) -> None:
        """Adds a file with this content."""
        self._parent(name)
        self._entry(name.strip("/"), stat.S_IFREG | mode, data)

    def file(self, name: str, path: str | pathlib.Path, mode: int = 0o755) -> None:
        """Adds a copy of a file."""
        self.data(name, pathlib.Path(path).read_bytes(), mode)

    def symlink(self, name: str, target: str) -> None:
        """Adds a symbolic link."""
        self._parent(name)
        self._entry(name.strip("/"), stat.S_IFLNK | 0o777, os.fsencode(target))

    def bytes(self) -> bytes:
        """The archive, which is finished with that."""
        self._entry("TRAILER!!!", 0)
        blob = b"".join(self._parts)
        return blob + b"\0" * (-len(blob) % 512)
