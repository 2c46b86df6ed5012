# SPDX-License-Identifier: GPL-2.0
"""Tests of swapd.sh with made-up guests: what it grants whom. No VM is started."""

from __future__ import annotations

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SWAPD = HERE.parent / "swapd.sh"
# For made-up guests.
SYMCALL = (HERE / "fake_symcall.sh").read_text(encoding="ascii")


class Swapd(unittest.TestCase):
    """The daemon among guests."""
    busybox: tuple[str, ...] = ()       # what of it stands for the system's tools

    def setUp(self) -> None:
        self.dir = tempfile.TemporaryDirectory(prefix="swapd-test-")
        self.addCleanup(self.dir.cleanup)
        self.base = pathlib.Path(self.dir.name)
        self.tmp = self.base / "tmp"
        self.tmp.mkdir()
        tool = self.base / "symcall"
        tool.write_text(SYMCALL, encoding="ascii")
        tool.chmod(0o755)
        for name in self.busybox:
            (self.base / name).symlink_to(shutil.which("busybox") or "no busybox")

    def guest(self, name: str, need: int, hot: int | str = "all", grant: int = 0,
              **more: str) -> str:
        """Makes or changes a guest; returns its socket."""
        path = self.base / name
        path.mkdir(exist_ok=True)
        for key, value in {"need": need, "hot": hot, "grant": grant,
                           "wanted": 0, **more}.items():
            (path / key).write_text(f"{value}\n", encoding="ascii")
        return str(path)

    def read(self, name: str, key: str) -> int:
        """A number of a guest."""
        return int((self.base / name / key).read_text(encoding="ascii"))

    def swapd(self, budget: int | str, *guests: str,
              rounds: int = 12) -> subprocess.CompletedProcess[str]:
        """Runs the daemon; returns the finished process."""
        env = {**os.environ, "PATH": f"{self.base}:{os.environ['PATH']}", "TMPDIR": str(self.tmp)}
        return subprocess.run(
            [self.busybox[0] if self.busybox else "sh", str(SWAPD), "-i", "0", "-n", str(rounds),
             "-t", "1", "-v", str(budget), *guests],
            env=env, capture_output=True, text=True, check=False, timeout=60)

    def check_budget(self, budget: int, *names: str) -> None:
        """What is granted in the end is within the budget."""
        self.assertLessEqual(sum(self.read(n, "grant") for n in names), budget)

    def test_by_need(self) -> None:
        """Who needs pages gets them, the other one keeps a part."""
        a, b = self.guest("a", 800), self.guest("b", 0)
        done = self.swapd(1000, a, b)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(self.read("a", "grant"), 800)
        self.assertGreaterEqual(self.read("b", "grant"), 100)
        self.check_budget(1000, "a", "b")

    def test_turn(self) -> None:
        """What rests gives back to what works."""
        a = self.guest("a", 1000, hot=0, grant=1100)
        b = self.guest("b", 1000, grant=100)
        self.swapd(1200, a, b)
        self.assertGreaterEqual(self.read("b", "grant"), 900)
        self.check_budget(1200, "a", "b")

    def test_keeps(self) -> None:
        """What looks cold is taken from nobody while nobody wants it."""
        a = self.guest("a", 800, hot=0, grant=800)
        b = self.guest("b", 100, hot=0, grant=200)
        self.swapd(1000, a, b)
        self.assertGreaterEqual(self.read("a", "grant"), 800)
        self.assertGreaterEqual(self.read("b", "grant"), 100)

    def test_both(self) -> None:
        """More need than there is: shared, and all of it."""
        a, b = self.guest("a", 5000), self.guest("b", 5000)
        self.swapd(1000, a, b)
        self.check_budget(1000, "a", "b")
        for name in "ab":
            self.assertGreaterEqual(self.read(name, "grant"), 400)

    def test_stubborn(self) -> None:
        """A guest that gives nothing back does not make others exceed."""
        a = self.guest("a", 700, hot=0, grant=900, stubborn="")
        b = self.guest("b", 800)
        self.swapd(1000, a, b)
        self.assertLessEqual(self.read("b", "grant"), 300)

    def test_gone(self) -> None:
        """A guest that is gone has no share."""
        a = self.guest("a", 900)
        done = self.swapd(1000, a, str(self.base / "nobody"))
        self.assertEqual(done.returncode, 0)
        self.assertGreaterEqual(self.read("a", "grant"), 900)

    def test_silent(self) -> None:
        """A guest that does not answer keeps what it was granted."""
        a = self.guest("a", 800, grant=600, silent="no\n" * 20 + "yes\n" * 9)
        b = self.guest("b", 800, grant=400)
        self.swapd(1000, a, b, rounds=8)
        self.assertGreaterEqual(self.read("a", "grant"), 400)
        self.assertGreaterEqual(self.read("b", "grant"), 400)
        self.check_budget(1000, "a", "b")

    def test_late(self) -> None:
        """Nor does one whose answer symcall does not wait for: it is not gone."""
        a = self.guest("a", 800, grant=600, silent="no\n" * 20 + "late\n" * 99)
        b = self.guest("b", 800, grant=400)
        self.swapd(1000, a, b, rounds=8)
        self.assertGreaterEqual(self.read("a", "grant"), 400)
        self.check_budget(1000, "a", "b")

    def test_silent_from_the_start(self) -> None:
        """What is not known may be all there is: nobody gets more."""
        for word, rounds in (("late", 4), ("yes", 2)):
            a = self.guest("a", 800, grant=1000, silent=f"{word}\n" * 99)
            b = self.guest("b", 800, grant=0)
            done = self.swapd(1000, a, b, rounds=rounds)
            self.check_budget(1000, "a", "b")
            self.assertEqual(done.stderr.count("has not answered"), 1)
        (self.base / "a" / "silent").unlink()
        self.swapd(1000, a, b)
        self.check_budget(1000, "a", "b")
        self.assertGreaterEqual(self.read("b", "grant"), 400)

    def test_comes_back_silent(self) -> None:
        """Who was gone and is silent has what nobody knows."""
        b = self.guest("b", 800, grant=100)
        tool = self.base / "symcall"
        # In the middle of the run, the one that was gone is there, with all.
        tool.write_text(SYMCALL.replace("#!/bin/sh", f"""#!/bin/sh
echo >>{self.base}/asked
if [ "$2" = {self.base}/a ] && [ "$(wc -l <{self.base}/asked)" -gt 5 ]; then
    mkdir -p {self.base}/a
    cd {self.base}/a && echo 800 >need && echo 1000 >grant && echo 0 >hot && echo 0 >wanted
    exit 3
fi"""), encoding="ascii")
        self.swapd(1000, str(self.base / "a"), b, rounds=2)
        before = self.read("b", "grant")
        (self.base / "b" / "need").write_text("2000\n", encoding="ascii")
        self.swapd(1000, str(self.base / "a"), b, rounds=4)
        self.assertLessEqual(self.read("b", "grant"), before)

    def test_no_grants(self) -> None:
        """A VM without grants has no part in this, and holds nobody up."""
        a, b = self.guest("a", 800), self.guest("b", 900)
        (self.base / "a" / "no-grants").touch()
        self.swapd(1000, a, b, rounds=3)
        self.assertGreaterEqual(self.read("b", "grant"), 900)
        self.assertEqual(self.read("a", "grant"), 0)

    def test_names(self) -> None:
        """A socket may be called anything."""
        names = ["win 10", "  two  ", "a'b", 'c"d', "$HOME", "*", "-x", "back\\slash", "new\nline"]
        guests = [self.guest(n, 800, grant=800) for n in names]
        self.swapd(1000, *guests, rounds=4)
        self.check_budget(1000, *names)
        for name in names:
            self.assertGreaterEqual(self.read(name, "grant"), 60, name)

    def test_temporary_files(self) -> None:
        """In a directory that nobody else can look into, and gone in the end."""
        a = self.guest("a", 800)
        tool = self.base / "symcall"
        look = f"#!/bin/sh\nls -ld {self.tmp}/* >>{self.base}/seen"
        tool.write_text(SYMCALL.replace("#!/bin/sh", look), encoding="ascii")
        self.swapd(1000, a, rounds=2)
        seen = (self.base / "seen").read_text(encoding="ascii").splitlines()
        self.assertTrue(seen)
        for line in seen:
            self.assertRegex(line, "^drwx------")
        self.assertEqual(list(self.tmp.iterdir()), [])

    def test_silent_now_and_then(self) -> None:
        """Nor does it lose what it wants by that."""
        a = self.guest("a", 800, hot=0, grant=900)
        b = self.guest("b", 800, grant=100, silent="yes\nno\nno\nno\n" * 5)
        self.swapd(1000, a, b)
        self.assertGreaterEqual(self.read("b", "grant"), 700)
        self.check_budget(1000, "a", "b")

    def test_lies(self) -> None:
        """Whatever a guest says, the grants are within the budget."""
        for lie in ("-1", "18446744073709551615", "0x7fffffffffffffff",
                    "9999999"):
            a = self.guest("a", 400)
            b = self.guest("b", 400, lies=lie)
            self.swapd(1000, a, b)
            self.check_budget(1000, "a", "b")
            for name in "ab":
                self.assertGreaterEqual(self.read(name, "grant"), 0)

    def test_lies_add_up(self) -> None:
        """Lies that would wrap when they are added up, of guests that are silent then."""
        for lie in ("0x7fffffffffffffff", "9223372036854775807"):
            liars = [self.guest(n, 0, lies=lie, silent="no\n" * 4 + "yes\n" * 9) for n in "lm"]
            a = self.guest("a", 5000)
            self.swapd(1000, *liars, a, rounds=2)
            self.check_budget(1000, "l", "m", "a")

    def test_lowered_first(self) -> None:
        """No grant is raised while the sum would exceed the budget."""
        a = self.guest("a", 800, hot=0, grant=1000)
        b = self.guest("b", 800, grant=0)
        self.swapd(1000, a, b, rounds=1)
        self.check_budget(1000, "a", "b")

    def test_usage(self) -> None:
        """Bad arguments."""
        for args in ("", "1000", "many a", "-5 a", f"{'9' * 16} a", "-i x 5 a", "-t 0 5 a",
                     "-t 0.0 5 a", "-n -1 5 a"):
            done = subprocess.run(["sh", str(SWAPD), *args.split()], check=False,
                                  capture_output=True, text=True, timeout=10)
            self.assertEqual(done.returncode, 2, args)

    def test_leading_zero(self) -> None:
        """A budget of 0100 pages is one hundred."""
        a, b = self.guest("a", 800), self.guest("b", 800)
        self.swapd("0100", a, b, rounds=4)
        self.check_budget(100, "a", "b")
        self.assertGreaterEqual(self.read("a", "grant") + self.read("b", "grant"), 90)


class SwapdBusybox(Swapd):
    """The same with the tools that L1 has."""
    busybox = ("ash", "awk", "sed", "timeout")


if __name__ == "__main__":
    unittest.main()
