# SPDX-License-Identifier: GPL-2.0
"""Tests of what adds up suites."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SUITES = pathlib.Path(__file__).resolve().parents[1] / "suites.py"
# Its log goes to a directory of the test's.
PROGRAM = """
import pathlib
from e2e import suites
from rig import ending
suites.LOGS = pathlib.Path("log")
ending.exit_when_told(suites.main)
"""

GOOD = "printf 'KTAP version 1\\n1..2\\nok 1 a\\nok 2 b # SKIP\\n'"
BAD = "printf 'KTAP version 1\\n1..2\\nok 1 a\\nnot ok 2 b\\n'; false"


class Suites(unittest.TestCase):
    """Counts, and what must not look like success."""

    def setUp(self) -> None:
        where = tempfile.TemporaryDirectory()
        self.addCleanup(where.cleanup)
        self.dir = pathlib.Path(where.name)

    def start(self, *suites: str) -> subprocess.Popen[str]:
        """The program on its way."""
        return subprocess.Popen([sys.executable, "-c", PROGRAM, *suites], cwd=self.dir, text=True,
                                env={**os.environ, "PYTHONPATH": str(SUITES.parents[1])},
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def run_suites(self, *suites: str) -> tuple[int, list[str]]:
        """(status, lines of stdout)."""
        p = self.start(*suites)
        out, err = p.communicate(timeout=60)
        self.assertEqual(err, "")
        return p.returncode, out.splitlines()

    def check(self, suite: str, counts: str, *said: str) -> None:
        """One suite comes to these counts, and all of this is said."""
        status, lines = self.run_suites(f"s={suite}")
        self.assertEqual(lines[-1], counts, lines)
        self.assertEqual(status, 0 if " 0 failed" in counts else 1)
        for text in said:
            self.assertTrue(any(text in line for line in lines), (text, lines))

    def test_good(self) -> None:
        self.check(GOOD, "1 passed, 0 failed, 1 skipped", "ok 1 a", "== s: 1 passed")

    def test_bad(self) -> None:
        self.check(BAD, "1 passed, 1 failed, 0 skipped", "not ok 2 b", "failed suites: s")

    def test_several(self) -> None:
        """All run, and all count."""
        status, lines = self.run_suites(f"one={GOOD}", f"two={BAD}", f"three={GOOD}")
        self.assertEqual((status, lines[-1]), (1, "3 passed, 1 failed, 2 skipped"))
        self.assertIn("failed suites: two", lines)

    def test_beside(self) -> None:
        """It runs while the others do, is shown after them, and counts the same."""
        waits = "while [ ! -e begun ]; do sleep 0.05; done; " + GOOD
        status, lines = self.run_suites("--beside", f"two=touch begun; {BAD}", f"one={waits}")
        self.assertEqual((status, lines[-1]), (1, "2 passed, 1 failed, 1 skipped"))
        self.assertIn("failed suites: two", lines)
        self.assertLess(lines.index("== one"), lines.index("== two"))
        self.assertIn("not ok 2 b", lines)

    def test_status(self) -> None:
        """It fails without saying so."""
        self.check(f"{GOOD}; exit 3", "1 passed, 1 failed, 1 skipped", "s: status 3, no failure")

    def test_silent(self) -> None:
        """It says nothing at all, good status or not."""
        self.check("true", "0 passed, 1 failed, 0 skipped", "s: status 0, no results")
        self.check("echo ok 1 a; exit 2", "0 passed, 1 failed, 0 skipped", "s: status 2")

    def test_no_plan(self) -> None:
        """It dies before its plan comes, or in the middle of it."""
        self.check("echo KTAP version 1; echo ok 1 a", "1 passed, 1 failed, 0 skipped",
                   "a test ended early")
        self.check("echo KTAP version 1; echo 1..3; echo ok 1 a; kill -9 $$",
                   "1 passed, 1 failed, 0 skipped", "1 results of 3")

    def test_skips_only(self) -> None:
        """Nothing has passed: no success."""
        self.assertEqual(self.run_suites("s=echo KTAP version 1; echo 1..1; echo ok 1 a '# SKIP'"),
                         (1, ["== s", "KTAP version 1", "1..1", "ok 1 a # SKIP",
                              "== s: 0 passed, 0 failed, 1 skipped, 0 s",
                              "0 passed, 0 failed, 1 skipped"]))

    def test_nested(self) -> None:
        """What is inside a good result is only in the log; inside a bad one, it is shown."""
        inner = "  KTAP version 1\\n  1..1\\n  {}ok 1 inside\\n{}ok {} outside\\n"
        text = ("KTAP version 1\\n1..2\\n" + inner.format("", "", 1)
                + inner.format("not ", "not ", 2))
        status, lines = self.run_suites(f"s=printf '{text}'")
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed, 0 skipped"))
        self.assertNotIn("  ok 1 inside", lines)
        self.assertIn("  not ok 1 inside", lines)
        self.assertIn("  ok 1 inside\n", (self.dir / "log" / "s").read_text(encoding="utf-8"))

    def test_interrupted(self) -> None:
        """The suites that run end as well, and nothing counts."""
        p = self.start("--beside", "beside=echo $$ >pid.2; sleep 1000",
                       "slow=while [ ! -e pid.2 ]; do sleep 0.05; done; echo $$ >pid; "
                       "touch running; sleep 1000; echo 1 passed")
        deadline = time.monotonic() + 60
        while not (self.dir / "running").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        p.send_signal(signal.SIGTERM)
        out, err = p.communicate(timeout=60)
        self.assertEqual(p.returncode, 143)
        self.assertIn("interrupted", err)
        self.assertNotIn("passed", out)
        for name in ("pid", "pid.2"):
            with self.assertRaises(ProcessLookupError):
                os.kill(int((self.dir / name).read_text(encoding="utf-8")), 0)

    def test_usage(self) -> None:
        p = self.start("no suite")
        self.assertIn("no suite: not a suite", p.communicate(timeout=60)[1])
        self.assertEqual(p.returncode, 2)


if __name__ == "__main__":
    unittest.main()
