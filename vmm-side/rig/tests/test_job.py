#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What guests become, without booting one.

guests.txt has the files of the plain guest and of the one on bare metal, and of others what
differs. A change there is meant, or a mistake: `make record` writes it anew, and the
diff is for the reader of the commit. To have one more guest there, add its line of
options and record.

The guests of the end-to-end cases are not there: each new case would be a change in two
places. What they choose is, since each word of each option is chosen by a guest of
guests.txt; how options that no guest there has together work together is seen when the
cases boot. That each case becomes files at all, with what it says in them, is seen here."""

from __future__ import annotations

import dataclasses
import difflib
import pathlib
import shlex
import subprocess
import sys
import tempfile
import unittest
from collections.abc import Iterable, Iterator
from unittest import mock

from e2e import run
from rig import Guest, Machine, images, job, words
from rig.kinds import KERNELS
from rig.options import Choice, Choices

RECORD = pathlib.Path(__file__).with_name("guests.txt")
LICENCE = "# SPDX-License-Identifier: GPL-2.0\n\n"
# Those whose files are there in full.
PLAIN, BARE = "[]", "[host=bare-metal]"
# Options that leave no trace in these files: they are a file of their own, or concern what
# is made of the result.
NO_EFFECT = ("cmd", "host_cmd", "stats", "nonsense")


def lines_of(command: Iterable[words.Word]) -> Iterator[str]:
    """An option of QEMU in each line, with its value; a line for each of the kernel's."""
    name = ""
    for word in map(words.quoted, command):
        if name == "-append":
            yield from (f"-append {argument}" for argument in shlex.split(word)[0].split())
            name = ""
        elif word.startswith("-"):
            if name:
                yield name
            name = word
        else:
            yield f"{name} {word}"
            name = ""
    if name:
        yield name


def dump(options: dict[str, str]) -> list[str]:
    """A guest's files. Besides its own options there may be `hardware`, what the machine
    has, and the machine's `icount`."""
    hardware = options.pop("hardware", "emulated")
    icount = options.pop("icount", "0") == "1"
    guest = Guest.from_row(options)
    guest.check(Machine(icount=icount, devices=bool(guest.passthrough)), hardware)
    return files_of(guest, hardware, icount)


def files_of(guest: Guest, hardware: str = "emulated", icount: bool = False) -> list[str]:
    """The lines of all files."""
    with mock.patch.object(images, "kernel_image", "{}.{}".format):
        kernel = pathlib.Path(job.kernel_image(guest))
    kind = guest.kernel_row.kind
    files = pathlib.Path("files") if guest.files and kind.files_on_disk else None
    boot = job.Images(kernel, pathlib.Path(f"initrd_{kind.name}"), files)
    if guest.bare:
        with tempfile.TemporaryDirectory() as place:
            arguments = job.on_bare_metal(guest, boot, pathlib.Path(place), "socket,id=ctl,fd=N",
                                          "/proc/self/fd/N", icount, hardware)
            out = [f"L0 {line.replace(place, 'JOB')}" for line in lines_of(arguments)]
    else:
        out = [f"qemu.cmd {line}" for line in lines_of(job.under_kvm(guest, boot, hardware))]
        out += [f"qemu.cmd {line}" for line in guest.qemu_args.splitlines()]
        out += [f"job.env {name}={value}" for name, value in
                sorted(job.host_env(guest, boot, hardware).items())]
    return out + [f"/job/env {name}={value}" for name, value in job.guest_env(guest).items()]


def options_of(header: str) -> dict[str, str]:
    """{name: value} of [name=value ...]."""
    return dict(word.split("=", 1) for word in shlex.split(header[1:-1]))


def record(headers: Iterable[str]) -> str:
    """The text of guests.txt for these guests."""
    full = {header: dump(options_of(header)) for header in (PLAIN, BARE)}
    parts = ["\n".join([header, *lines]) for header, lines in full.items()]
    for header in headers:
        base = full[BARE if "host=bare-metal" in header else PLAIN]
        diff = difflib.unified_diff(base, dump(options_of(header)), n=0, lineterm="")
        changes = [line for line in diff if not line.startswith(("---", "+++", "@@"))]
        parts.append("\n".join([header, *changes]))
    return LICENCE + "\n\n".join(parts) + "\n"


def headers_of(text: str) -> list[str]:
    """The guests of such a text but those two."""
    return [line for line in text.splitlines()
            if line.startswith("[") and line not in (PLAIN, BARE)]


class RecordTest(unittest.TestCase):
    """As recorded."""
    maxDiff = None

    def test_recorded(self) -> None:
        """All guests of guests.txt."""
        expected = RECORD.read_text()
        self.assertMultiLineEqual(expected, record(headers_of(expected)))

    def test_every_word(self) -> None:
        """All that can be chosen by a word is chosen by some guest."""
        headers = (PLAIN, BARE, *headers_of(RECORD.read_text()))
        chosen = [Guest.from_row({name: value for name, value in options_of(header).items()
                                  if name in Guest.keys()}) for header in headers]
        for f in dataclasses.fields(Guest):
            kind = f.metadata["type"]
            values = {v for g in chosen for v in (getattr(g, f.name),)}
            with self.subTest(option=f.name):
                if isinstance(kind, Choices):
                    self.assertEqual(set(kind.words), {word for words in values for word in words})
                elif isinstance(kind, Choice):
                    self.assertEqual(set(kind.words), values)
                elif f.name not in NO_EFFECT:
                    self.assertGreater(len(values), 1)
        self.assertEqual({g.kernel for g in chosen} & set(KERNELS), set(KERNELS))

    def test_cases(self) -> None:
        """Each end-to-end case becomes files, which have all texts that are its own."""
        cases = [case for case in run.load(run.places()) if "cmd" in case.row]
        self.assertGreater(len(cases), 100)
        for case in cases:
            with self.subTest(case=case.name), mock.patch.object(run, "FILES", pathlib.Path("/")):
                guest = case.guest()
                lines = files_of(guest)
                own = [f"-append {word}" for word in guest.append.split()]
                if not guest.bare:
                    own += [*guest.qemu_args.splitlines(), f"KVM_PARAMS={guest.kvm_params}"]
                for text in own:
                    self.assertTrue(any(line.endswith(f" {text}") for line in lines), text)


class WordsTest(unittest.TestCase):
    """A shell reads what was meant."""

    def test_quoted(self) -> None:
        """Texts of any characters, next to variables."""
        odd: list[words.Word] = ["it's", "$WORK", "a b", "", "\\ \"",
                                 ("x=", words.WORK, "/y z,", words.SWAPFILE)]
        said = subprocess.run(["sh", "-c", f"printf '%s|' {words.command(odd)}"],
                              env={"WORK": "/w  w", "SWAPFILE": "/s"},
                              text=True, check=True, capture_output=True)
        self.assertEqual(said.stdout, "it's|$WORK|a b||\\ \"|x=/w  w/y z,/s|")

    def test_plain(self) -> None:
        """One with a variable has no text here."""
        self.assertEqual(words.plain(("a", ("b", "c"))), "abc")
        with self.assertRaises(TypeError):
            words.plain(("a", words.WORK))


if __name__ == "__main__":
    if sys.argv[1:] == ["--record"]:
        RECORD.write_text(record(headers_of(RECORD.read_text())))
    else:
        unittest.main()
