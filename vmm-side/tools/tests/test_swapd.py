#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Tests of swapd.sh with made-up guests: what it grants whom. No VM is started."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

SWAPD = pathlib.Path(__file__).resolve().parent.parent / "swapd.sh"

# `symcall` for made-up guests: a guest is a directory of numbers. It uses as many
# pages as it needs and may; unless it rests, it asks for the others. When a line
# of the file `silent` says so, it takes longer to answer than anybody waits.
SYMCALL = r"""#!/bin/sh
cd "$2" 2>/dev/null || exit 3
read -r need <need; read -r grant <grant; read -r hot <hot; read -r wanted <wanted
used=$need
[ ! -e stubborn ] && [ "$used" -gt "$grant" ] && used=$grant
if [ -e silent ]; then
	first=$(sed -n 1p silent)
	sed -i 1d silent
	[ "$first" != yes ] || exec sleep 60
fi
case $3 in
info)
	[ "$used" -ge "$need" ] || [ "$hot" = 0 ] || wanted=$((wanted + need - used))
	echo "$wanted" >wanted
	[ ! -e lies ] || { read -r used <lies; wanted=$used hot=$used; }
	[ "$hot" != all ] || hot=$used
	echo "features 0x1f"
	echo "swap-in-place $used"
	echo "swap-hot $hot"
	echo "swap-wanted $wanted"
	;;
grant)
	echo "$4" >grant
	;;
esac
"""


class Swapd(unittest.TestCase):
    """The daemon among guests."""
    busybox = ()                # what of it stands for the system's tools

    def setUp(self):
        # pylint: disable=consider-using-with
        self.dir = tempfile.TemporaryDirectory(prefix="swapd-test-")
        self.addCleanup(self.dir.cleanup)
        self.base = pathlib.Path(self.dir.name)
        tool = self.base / "symcall"
        tool.write_text(SYMCALL, encoding="ascii")
        tool.chmod(0o755)
        for name in self.busybox:
            (self.base / name).symlink_to(shutil.which("busybox"))

    def guest(self, name, need, hot="all", grant=0, **more):
        """Makes or changes a guest; returns its socket."""
        path = self.base / name
        path.mkdir(exist_ok=True)
        for key, value in {"need": need, "hot": hot, "grant": grant,
                           "wanted": 0, **more}.items():
            (path / key).write_text(f"{value}\n", encoding="ascii")
        return str(path)

    def read(self, name, key):
        """A number of a guest."""
        return int((self.base / name / key).read_text(encoding="ascii"))

    def swapd(self, budget, *guests, rounds=12):
        """Runs the daemon; returns the finished process."""
        env = {**os.environ, "PATH": f"{self.base}:{os.environ['PATH']}"}
        return subprocess.run(
            [self.busybox[0] if self.busybox else "sh", str(SWAPD), "-i", "0", "-n", str(rounds), "-t", "1", "-v",
             str(budget), *guests], env=env, capture_output=True, text=True, check=False,
            timeout=60)

    def check_budget(self, budget, *names):
        """What is granted in the end is within the budget."""
        self.assertLessEqual(sum(self.read(n, "grant") for n in names), budget)

    def test_by_need(self):
        """Who needs pages gets them, the other one keeps a part."""
        a, b = self.guest("a", 800), self.guest("b", 0)
        done = self.swapd(1000, a, b)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreaterEqual(self.read("a", "grant"), 800)
        self.assertGreaterEqual(self.read("b", "grant"), 100)
        self.check_budget(1000, "a", "b")

    def test_turn(self):
        """What rests gives back to what works."""
        a = self.guest("a", 1000, hot=0, grant=1100)
        b = self.guest("b", 1000, grant=100)
        self.swapd(1200, a, b)
        self.assertGreaterEqual(self.read("b", "grant"), 900)
        self.check_budget(1200, "a", "b")

    def test_keeps(self):
        """What looks cold is taken from nobody while nobody wants it."""
        a = self.guest("a", 800, hot=0, grant=800)
        b = self.guest("b", 100, hot=0, grant=200)
        self.swapd(1000, a, b)
        self.assertGreaterEqual(self.read("a", "grant"), 800)
        self.assertGreaterEqual(self.read("b", "grant"), 100)

    def test_both(self):
        """More need than there is: shared, and all of it."""
        a, b = self.guest("a", 5000), self.guest("b", 5000)
        self.swapd(1000, a, b)
        self.check_budget(1000, "a", "b")
        for name in "ab":
            self.assertGreaterEqual(self.read(name, "grant"), 400)

    def test_stubborn(self):
        """A guest that gives nothing back does not make others exceed."""
        a = self.guest("a", 700, hot=0, grant=900, stubborn="")
        b = self.guest("b", 800)
        self.swapd(1000, a, b)
        self.assertLessEqual(self.read("b", "grant"), 300)

    def test_gone(self):
        """A guest that is gone has no share."""
        a = self.guest("a", 900)
        done = self.swapd(1000, a, str(self.base / "nobody"))
        self.assertEqual(done.returncode, 0)
        self.assertGreaterEqual(self.read("a", "grant"), 900)

    def test_silent(self):
        """A guest that does not answer keeps what it was granted."""
        a = self.guest("a", 800, grant=600, silent="no\n" * 20 + "yes\n" * 9)
        b = self.guest("b", 800, grant=400)
        self.swapd(1000, a, b, rounds=8)
        self.assertGreaterEqual(self.read("a", "grant"), 400)
        self.assertGreaterEqual(self.read("b", "grant"), 400)
        self.check_budget(1000, "a", "b")

    def test_silent_now_and_then(self):
        """Nor does it lose what it wants by that."""
        a = self.guest("a", 800, hot=0, grant=900)
        b = self.guest("b", 800, grant=100, silent="yes\nno\nno\nno\n" * 5)
        self.swapd(1000, a, b)
        self.assertGreaterEqual(self.read("b", "grant"), 700)
        self.check_budget(1000, "a", "b")

    def test_lies(self):
        """Whatever a guest says, the grants are within the budget."""
        for lie in ("-1", "18446744073709551615", "0x7fffffffffffffff",
                    "9999999"):
            a = self.guest("a", 400)
            b = self.guest("b", 400, lies=lie)
            self.swapd(1000, a, b)
            self.check_budget(1000, "a", "b")
            for name in "ab":
                self.assertGreaterEqual(self.read(name, "grant"), 0)

    def test_lowered_first(self):
        """No grant is raised while the sum would exceed the budget."""
        a = self.guest("a", 800, hot=0, grant=1000)
        b = self.guest("b", 800, grant=0)
        self.swapd(1000, a, b, rounds=1)
        self.check_budget(1000, "a", "b")

    def test_usage(self):
        """Bad arguments."""
        for args in ((), ("1000",), ("many", "a"), ("-5", "a")):
            done = subprocess.run(["sh", str(SWAPD), *args], check=False,
                                  capture_output=True, text=True, timeout=10)
            self.assertEqual(done.returncode, 2, args)


class SwapdBusybox(Swapd):
    """The same with the tools that L1 has."""
    busybox = ("ash", "awk", "sed", "timeout")


if __name__ == "__main__":
    unittest.main()
