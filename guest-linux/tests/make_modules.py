#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Sign the modules of a kernel, and make bad ones of a good one.

make_modules.py BUILD KERNEL OUT

BUILD/KERNEL is a kernel with its modules. OUT/<build ID>/ gets signed copies of those
that tests load, one of them packed; OUT/bad/<build ID>/ what a guest must refuse. With
another key, one of these is signed, which is made here; what would be refused for its
content alone is signed well, or its content would not be looked at. One of the bad ones
is good until the guest is told otherwise: revoked.hash says which, and revoked.p7s that
the kernel's key does.
"""

from __future__ import annotations

import hashlib
import lzma
import pathlib
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator

WANTED = ("symtest", "symtest_base", "nvme", "nvme-core", "e1000e", "virtio_net", "net_failover",
          "failover", "dimlib", "dm-mod", "dm-multipath", "dm-round-robin")
MARKER = b"~Module signature appended~\n"
SECTION = struct.Struct("<IIQQQQIIQQ")
NOTE_BUILD_ID = 3


class Elf:
    """The section headers of a 64-bit ELF file, to be changed."""

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.offset, = struct.unpack_from("<Q", data, 40)
        self.count, names = struct.unpack_from("<HH", data, 60)
        self._names = self.section(names)[4]

    def section(self, i: int) -> list[int]:
        """sh_name, sh_type, sh_flags, sh_addr, sh_offset, sh_size, ... of a section."""
        return list(SECTION.unpack_from(self.data, self.offset + i * SECTION.size))

    def name(self, i: int) -> str:
        """Its name."""
        start = self._names + self.section(i)[0]
        return self.data[start:self.data.index(0, start)].decode()

    def find(self, name: str) -> int:
        """The section of a name."""
        for i in range(self.count):
            if self.name(i) == name:
                return i
        raise ValueError(f"no section {name}")

    def content(self, name: str) -> tuple[int, int]:
        """Offset and size of a section."""
        fields = self.section(self.find(name))
        return fields[4], fields[5]

    def change(self, name: str, field: int, value: int) -> bytes:
        """The file with one field of a section's header changed."""
        at = self.offset + self.find(name) * SECTION.size
        fields = self.section(self.find(name))
        fields[field] = value
        SECTION.pack_into(self.data, at, *fields)
        return bytes(self.data)


def build_id(vmlinux: bytes) -> str:
    """The build ID of a kernel, from its notes."""
    elf = Elf(vmlinux)
    for i in range(elf.count):
        fields = elf.section(i)
        if fields[1] != 7:
            continue
        at, end = fields[4], fields[4] + fields[5]
        while at + 12 <= end:
            name, size, kind = struct.unpack_from("<III", vmlinux, at)
            desc = at + 12 + (name + 3) // 4 * 4
            if kind == NOTE_BUILD_ID and vmlinux[at + 12:at + 15] == b"GNU":
                return vmlinux[desc:desc + size].hex()
            at = desc + (size + 3) // 4 * 4
    raise ValueError("the kernel has no build ID")


def signed(kernel: pathlib.Path, content: bytes, key: pathlib.Path, cert: pathlib.Path) -> bytes:
    """The content with a signature."""
    with tempfile.NamedTemporaryFile(suffix=".ko") as file:
        file.write(content)
        file.flush()
        subprocess.run([kernel / "scripts" / "sign-file", "sha256", key, cert, file.name],
                       check=True)
        return pathlib.Path(file.name).read_bytes()


def another_key(where: pathlib.Path) -> pathlib.Path:
    """A key that no kernel knows; with its certificate."""
    key = where / "another.pem"
    subprocess.run(["openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-nodes", "-batch",
                    "-subj", "/CN=another", "-days", "36500", "-keyout", key, "-out", key],
                   check=True, capture_output=True)
    return key


def flipped(content: bytes, at: int) -> bytes:
    """One bit changed."""
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1:]


def renamed(content: bytes, old: bytes, new: bytes) -> bytes:
    """Another word of the same length, wherever it is."""
    assert len(old) == len(new) and old in content
    return content.replace(old, new)


def unsigned_bad(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """What a good signature does not help."""
    yield "truncated", raw[:len(raw) // 2]
    yield "no-elf", b"\x7fELG" + raw[4:]
    yield "tiny", raw[:63]
    yield "huge-section", Elf(raw).change(".text", 5, 1 << 62)
    yield "huge-modinfo", Elf(raw).change(".modinfo", 5, len(raw))
    yield "section-outside", Elf(raw).change(".text", 4, len(raw) + 4096)
    yield "vermagic", renamed(raw, b"mod_unload", b"mod_unloax")
    yield "unknown-symbol", renamed(raw, b"symtest_base_word\0", b"symtest_base_wort\0")


def revocable(raw: bytes) -> bytes:
    """As good, and another one."""
    return renamed(raw, b"misbehaves when told to", b"misbehaved when told to")


def bad(kernel: pathlib.Path, raw: bytes, where: pathlib.Path) -> Iterator[tuple[str, bytes]]:
    """Bad modules, by name."""
    certs = kernel / "certs"
    key, cert = certs / "signing_key.pem", certs / "signing_key.x509"
    good = signed(kernel, raw, key, cert)
    other = another_key(where)
    text, size = Elf(raw).content(".text")
    yield "unsigned", raw
    yield "wrong-key", signed(kernel, raw, other, other)
    yield "flipped-text", flipped(good, text + size // 2)
    yield "flipped-signature", flipped(good, len(raw) + (len(good) - len(raw)) // 2)
    yield "flipped-size", flipped(good, len(good) - len(MARKER) - 1)
    yield "signature-alone", good[len(raw):]
    # Sections over each other, relocations outside: nobody looks before the signature.
    overlap = Elf(good)
    yield "overlapping", overlap.change(".text", 4, overlap.content(".modinfo")[0])
    relocations, _ = Elf(good).content(".rela.init.text")
    yield "relocation-outside", \
        good[:relocations] + struct.pack("<Q", 1 << 40) + good[relocations + 8:]
    for name, content in unsigned_bad(raw):
        yield name, signed(kernel, content, key, cert)
    yield "revoked", signed(kernel, revocable(raw), key, cert)


def revoke(kernel: pathlib.Path, content: bytes, where: pathlib.Path) -> None:
    """That a module is not loaded any more, whoever has signed it, in the kernel's words."""
    key, said = kernel / "certs" / "signing_key.pem", where / "revoked.hash"
    said.write_text(f"bin:{hashlib.sha256(content).hexdigest()}", encoding="ascii")
    subprocess.run(["openssl", "smime", "-sign", "-binary", "-noattr", "-md", "sha256",
                    "-in", said, "-inkey", key, "-signer", key,
                    "-outform", "DER", "-out", where / "revoked.p7s"], check=True)


def main() -> None:
    """Make all files anew."""
    kernel, out = pathlib.Path(sys.argv[1]) / sys.argv[2], pathlib.Path(sys.argv[3])
    number = build_id((kernel / "vmlinux").read_bytes())
    good, worse = out / number, out / "bad" / number
    for folder in (good, worse):
        folder.mkdir(parents=True, exist_ok=True)
    certs = kernel / "certs"
    for path in kernel.rglob("*.ko"):
        if path.stem in WANTED:
            content = signed(kernel, path.read_bytes(), certs / "signing_key.pem",
                             certs / "signing_key.x509")
            if path.stem == "symtest_base":
                # The one that another one needs is packed.
                (good / f"{path.name}.xz").write_bytes(
                    lzma.compress(content, check=lzma.CHECK_CRC32))
            else:
                (good / path.name).write_bytes(content)
    raw = (kernel / "arch/x86/symbiotic/tests/symtest.ko").read_bytes()
    with tempfile.TemporaryDirectory() as where:
        for name, content in bad(kernel, raw, pathlib.Path(where)):
            (worse / f"{name}.ko").write_bytes(content)
    revoke(kernel, revocable(raw), worse)


if __name__ == "__main__":
    main()
