# SPDX-License-Identifier: GPL-2.0
"""Tests of how results are counted, and of what prints them."""

from __future__ import annotations

import pathlib
import subprocess
import unittest

from e2e import ktap

E2E = pathlib.Path(__file__).resolve().parents[1]

# What KUnit says in debugfs: one document for each suite; a test with parameters says no plan
# for its rows.
KUNIT = """\
KTAP version 1

1..1
    KTAP version 1
    # Subtest: first
    # module: first
    1..2
        KTAP version 1
        # Subtest: rows
        ok 1 a: 4 bytes
        ok 2 b # SKIP not here
    # rows: pass:1 fail:0 skip:1 total:2
    ok 1 rows
    ok 2 plain
# first: pass:2 fail:0 skip:0 total:2
ok 1 first
KTAP version 1

1..1
    KTAP version 1
    # Subtest: second
    1..1
    ok 1 plain
ok 1 second
"""


def counts(text: str) -> tuple[int, int, int]:
    """Passed, failed, skipped."""
    c = ktap.read(text).counts
    return c.passed, c.failed, c.skipped


def document(*lines: str, plan: int | None = None) -> str:
    """A text with such lines, and a plan for as many if none is given."""
    return "\n".join([ktap.VERSION, f"1..{len(lines) if plan is None else plan}", *lines])


class Counting(unittest.TestCase):
    """What is counted, and what is a failure."""

    def test_flat(self) -> None:
        """Results, with and without what tools write differently."""
        text = document("ok 1 a", "not ok 2 b", "ok 3 - c # SKIP why", "ok 4", "ok 5 e # 1.2 s")
        self.assertEqual(counts(text), (3, 1, 1))
        self.assertEqual(ktap.read(text).problems, ["not ok b"])

    def test_plan_last(self) -> None:
        """A script may find out as it goes."""
        self.assertEqual(counts("KTAP version 1\nok 1 a\nok 2 b\n1..2\n"), (2, 0, 0))

    def test_no_plan(self) -> None:
        """Without a plan it has died."""
        self.assertEqual(counts("KTAP version 1\nok 1 a\n"), (1, 1, 0))
        self.assertEqual(counts("KTAP version 1\n"), (0, 1, 0))

    def test_fewer_and_more(self) -> None:
        """As many results as are planned, not fewer, not more."""
        self.assertEqual(counts(document("ok 1 a", plan=2)), (1, 1, 0))
        self.assertEqual(counts(document("ok 1 a", "ok 2 b", plan=1)), (2, 1, 0))

    def test_other_lines(self) -> None:
        """What only looks like a result, or comes before any, is none."""
        text = "ok 1 before\n" + document("ok 1 a", "ok then", "okay 2", "  ok 2 indented", plan=1)
        self.assertEqual(counts(text), (1, 0, 0))
        self.assertEqual(ktap.read("ok 1 a\n").documents, 0)

    def test_carriage_returns(self) -> None:
        """From a console."""
        self.assertEqual(counts("KTAP version 1\r\n1..1\r\nok 1 a # SKIP\r\n"), (0, 0, 1))

    def test_innermost(self) -> None:
        """Only innermost results count."""
        self.assertEqual(counts(KUNIT), (3, 0, 1))

    def test_failure_inside(self) -> None:
        """Counts once."""
        bad = KUNIT.replace("    ok 2 plain", "    not ok 2 plain").replace("ok 1 first",
                                                                            "not ok 1 first")
        self.assertEqual(counts(bad), (2, 1, 1))

    def test_failure_outside(self) -> None:
        """What fails although all inside is good: one failure more."""
        self.assertEqual(counts(KUNIT.replace("ok 1 first", "not ok 1 first")), (3, 1, 1))

    def test_rows_that_fail(self) -> None:
        """In the innermost of three levels."""
        bad = KUNIT.replace("ok 1 a:", "not ok 1 a:").replace("ok 1 rows", "not ok 1 rows")
        self.assertEqual(counts(bad.replace("ok 1 first", "not ok 1 first")), (2, 1, 1))

    def test_missing_inside(self) -> None:
        """A nested test that has died, whatever the result says that it is in."""
        self.assertEqual(counts(KUNIT.replace("    ok 2 plain\n", "")), (2, 1, 1))

    def test_cut_off(self) -> None:
        """The text ends in the middle, at any line: never all good."""
        lines = KUNIT.splitlines()
        for end in range(1, len(lines)):
            if lines[end] == "KTAP version 1":
                continue        # the first document alone
            with self.subTest(end=end):
                self.assertTrue(ktap.read(lines[:end]).counts.failed)

    def test_mixed(self) -> None:
        """Two programs at the same time, line by line."""
        a, b = document("ok 1 a", "ok 2 b"), document("ok 1 c", "not ok 2 d")
        mixed = [line for pair in zip(a.split("\n"), b.split("\n")) for line in pair]
        self.assertEqual(counts("\n".join(mixed)), (3, 1, 0))
        self.assertEqual(counts("\n".join(mixed[:-1])), (3, 1, 0))


class Shell(unittest.TestCase):
    """ktap.sh, which scripts read."""

    def run_script(self, script: str, shell: str = "sh") -> tuple[ktap.Reader, str, int]:
        """What a script says, and its status."""
        done = subprocess.run([*shell.split(), "-c", f". {E2E}/ktap.sh; {script}"], check=False,
                              capture_output=True, text=True, timeout=20)
        self.assertEqual(done.stderr, "")
        return ktap.read(done.stdout), done.stdout, done.returncode

    def test_all(self) -> None:
        """Every function, good and bad, in the build machine's shell and in the guests'."""
        for shell in ("sh", "busybox sh"):
            reader, text, status = self.run_script(
                "check a true; check b false; equal c 1 1; equal d 1 2; skip e why;"
                "subtest f echo x; subtest g sh -c 'echo y; exit 3'; plan", shell)
            self.assertEqual((str(reader.counts), status), ("3 passed, 3 failed, 1 skipped", 1))
            self.assertEqual(text.splitlines()[1:], [
                "ok 1 a", "not ok 2 b # false", "ok 3 c", "not ok 4 d # got '1', expected '2'",
                "ok 5 e # SKIP why", "  x", "ok 6 f", "  y", "not ok 7 g", "1..7"])

    def test_good(self) -> None:
        """The status, too."""
        reader, _, status = self.run_script("check a true; plan")
        self.assertEqual((str(reader.counts), status), ("1 passed, 0 failed, 0 skipped", 0))

    def test_nested(self) -> None:
        """A script inside another: its own results count."""
        inner = f"sh -c '. {E2E}/ktap.sh; check x true; check y true; plan'"
        reader, _, status = self.run_script(f"subtest inner {inner}; check b true; plan")
        self.assertEqual((str(reader.counts), status), ("3 passed, 0 failed, 0 skipped", 0))

    def test_died(self) -> None:
        """No plan, no success."""
        reader, _, _ = self.run_script("check a true; exit 0")
        self.assertEqual(reader.counts.failed, 1)


if __name__ == "__main__":
    unittest.main()
