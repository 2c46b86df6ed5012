# SPDX-License-Identifier: GPL-2.0
"""Tests of apply.py: a tree is what base, overlays and patches say, and an edit by hand is kept."""

from __future__ import annotations

import difflib
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

APPLY = pathlib.Path(__file__).resolve().parents[1] / "apply.py"
LINES = [f"line {n}" for n in range(1, 31)]


def changed(number: int, text: str, lines: list[str] | None = None) -> list[str]:
    """The lines of the file, one of them changed."""
    new = list(lines or LINES)
    new[number - 1] = text
    return new


class Tree(unittest.TestCase):
    """A base of two files, overlays and patches, and the tree made of them."""

    def setUp(self) -> None:
        where = tempfile.TemporaryDirectory()
        self.addCleanup(where.cleanup)
        self.dir = pathlib.Path(where.name)
        self.write("base/Makefile", ["VERSION = 6", "PATCHLEVEL = 12", "SUBLEVEL = 9"])
        self.write("base/mm/file.c", LINES)
        (self.dir / "patches").mkdir()
        (self.dir / "overlay").mkdir()

    def write(self, name: str, lines: list[str]) -> None:
        """A file."""
        path = self.dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def read(self, name: str) -> list[str]:
        """The lines of a file."""
        return (self.dir / name).read_text(encoding="utf-8").splitlines()

    def patch(self, name: str, old: list[str], new: list[str], file: str = "mm/file.c") -> None:
        """A patch from one to the other; of nothing if it makes the file."""
        diff = difflib.unified_diff(old, new, f"a/{file}" if old else "/dev/null", f"b/{file}",
                                    lineterm="")
        self.write(f"patches/{name}.patch", ["Subject: a hook", "", "---", *diff])

    def apply(self, *more: str, status: int = 0) -> str:
        """What it says."""
        done = subprocess.run(
            [sys.executable, APPLY, "--base", "base", "--tree", "tree", "--copy", "overlay:.",
             "--patches", "patches", *more],
            cwd=self.dir, check=False, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, status, done.stderr)
        return done.stdout + done.stderr

    def check_base(self) -> None:
        """An edit of the tree never reaches the base."""
        self.assertEqual(self.read("base/mm/file.c"), LINES)


class Making(Tree):
    """What the tree is made of."""

    def test_all(self) -> None:
        """Overlay and patches, in the order of their names."""
        self.write("overlay/drivers/new.c", ["new"])
        self.patch("0002-b", changed(3, "three"), changed(3, "drei"))
        self.patch("0001-a", LINES, changed(3, "three"))
        self.apply()
        self.assertEqual(self.read("tree/mm/file.c"), changed(3, "drei"))
        self.assertEqual(self.read("tree/drivers/new.c"), ["new"])
        self.check_base()

    def test_again(self) -> None:
        """A second time nothing changes, so that nothing is built."""
        self.write("overlay/new.c", ["new"])
        self.patch("0001-a", LINES, changed(3, "three"))
        self.apply()
        before = {p: os.stat(p).st_mtime_ns for p in (self.dir / "tree").rglob("*")}
        self.assertEqual(self.apply(), "")
        self.assertEqual({p: os.stat(p).st_mtime_ns for p in (self.dir / "tree").rglob("*")},
                         before)

    def test_copies(self) -> None:
        """Some files of a folder alone; none of the editor's."""
        for name in ("core/a.c", "core/a.h", "core/deep/b.c", "overlay/c.c~"):
            self.write(name, [name])
        self.apply("--copy", "core/*.c:lib/core")
        self.assertEqual(self.read("tree/lib/core/a.c"), ["core/a.c"])
        self.assertEqual([p.name for p in (self.dir / "tree" / "lib").rglob("*.*")], ["a.c"])
        self.assertFalse((self.dir / "tree" / "c.c~").exists())

    def test_two_overlays(self) -> None:
        """One file cannot come from both."""
        self.write("overlay/a.c", ["a"])
        self.write("other/a.c", ["b"])
        self.assertIn("a.c comes from two overlays", self.apply("--copy", "other:.", status=1))

    def test_removed(self) -> None:
        """What an overlay or a patch no longer has, goes, or is the base's again."""
        self.write("overlay/a.c", ["a"])
        self.patch("0001-a", LINES, changed(3, "three"))
        self.patch("0002-b", [], ["made"], "mm/made.c")
        self.apply()
        self.assertEqual(self.read("tree/mm/made.c"), ["made"])
        (self.dir / "overlay" / "a.c").unlink()
        for path in (self.dir / "patches").iterdir():
            path.unlink()
        self.apply()
        self.assertEqual(self.read("tree/mm/file.c"), LINES)
        self.assertEqual([p.name for p in (self.dir / "tree").rglob("*.c")], ["file.c"])


class Patches(Tree):
    """Those that fit and those that do not."""

    def test_dry_run(self) -> None:
        """Nothing is made."""
        self.patch("0001-a", LINES, changed(3, "three"))
        self.assertEqual(self.apply("--dry-run"), "  1 patches apply to 1 files\n")
        self.assertFalse((self.dir / "tree").exists())

    def test_does_not_fit(self) -> None:
        """Not even nearly: then nothing of the tree changes, not by the others either."""
        self.patch("0001-a", LINES, changed(3, "three"))
        self.apply()
        self.patch("0001-a", LINES, changed(3, "drei"))
        near = changed(20, "another line 20")
        self.patch("0002-b", near, changed(22, "two", near))
        for options in ((), ("--dry-run",)):
            self.assertIn("0002-b.patch does not apply", self.apply(*options, status=1))
            self.assertEqual(self.read("tree/mm/file.c"), changed(3, "three"))

    def test_changes_nothing(self) -> None:
        """A file that is no patch."""
        self.write("patches/0001-a.patch", ["Subject: nothing"])
        self.assertIn("changes no file", self.apply(status=1))

    def test_version(self) -> None:
        """Patches are for one version of the base: 6.1 is not 6.12."""
        self.apply("--version", "6.12")
        self.assertIn("base is 6.12.9", self.apply("--version", "6.1", status=1))
        self.write("base/VERSION", ["7.2.19"])
        self.apply("--version", "7.2")
        self.assertIn("base is 7.2.19", self.apply("--version", "6.12", status=1))


class Edits(Tree):
    """A patched file that somebody works on in the tree."""

    def setUp(self) -> None:
        super().setUp()
        self.patch("0001-a", LINES, changed(3, "three"))
        self.apply()
        self.edited = changed(25, "edited", changed(3, "three"))
        self.write("tree/mm/file.c", self.edited)

    def test_kept(self) -> None:
        """As long as the patches are the same."""
        self.assertIn("EDITED  mm/file.c", self.apply())
        self.assertEqual(self.read("tree/mm/file.c"), self.edited)

    def test_became_the_patch(self) -> None:
        """Once the patch has it, it is an edit no longer."""
        self.patch("0001-a", LINES, self.edited)
        self.assertEqual(self.apply(), "")
        self.patch("0001-a", LINES, changed(3, "drei"))
        self.assertIn("PATCH   mm/file.c", self.apply())
        self.assertEqual(self.read("tree/mm/file.c"), changed(3, "drei"))

    def test_merged(self) -> None:
        """The patches change elsewhere."""
        self.patch("0001-a", LINES, changed(3, "drei"))
        self.assertIn("MERGE   mm/file.c", self.apply())
        self.assertEqual(self.read("tree/mm/file.c"), changed(25, "edited", changed(3, "drei")))
        self.check_base()

    def test_conflict(self) -> None:
        """They change the same lines: the build stops, and the edit is still there."""
        self.patch("0001-a", LINES, changed(25, "patched", changed(3, "three")))
        self.assertIn("was edited by hand and conflicts", self.apply(status=1))
        self.assertEqual(self.read("tree/mm/file.c"), self.edited)


if __name__ == "__main__":
    unittest.main()
