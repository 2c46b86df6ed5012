# SPDX-License-Identifier: GPL-2.0
"""Tests of what says the results of Python's unit tests."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile
import unittest

from e2e import ktap

MODULE = """
import unittest

class T(unittest.TestCase):
    def test_good(self):
        pass
    def test_bad(self):
        self.assertEqual(1, 2)
    def test_error(self):
        raise OSError
    @unittest.skip("why")
    def test_skipped(self):
        pass
    def test_subtests(self):
        for i in range(3):
            with self.subTest(i=i):
                self.assertEqual(i, 0)
    @unittest.expectedFailure
    def test_expected(self):
        self.fail()
    @unittest.expectedFailure
    def test_unexpected(self):
        pass

class SetUp(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        raise OSError
    def test_never(self):
        pass
"""


class Results(unittest.TestCase):
    """One result for each test."""

    def run_module(self, text: str | None) -> tuple[ktap.Reader, str, int]:
        """The results of a module of tests, what was said and the status."""
        with tempfile.TemporaryDirectory() as where:
            if text is not None:
                (pathlib.Path(where) / "test_it.py").write_text(text, encoding="utf-8")
            done = subprocess.run([sys.executable, "-m", "e2e.unittests", where], check=False,
                                  capture_output=True, text=True, timeout=60)
        return ktap.read(done.stdout), done.stdout, done.returncode

    def test_kinds(self) -> None:
        """Each kind of ending."""
        reader, text, status = self.run_module(MODULE)
        self.assertEqual((str(reader.counts), status), ("2 passed, 5 failed, 1 skipped", 1))
        for name in ("T.test_bad", "T.test_error", "T.test_subtests", "T.test_unexpected", "SetUp"):
            self.assertRegex(text, rf"(?m)^not ok \d .*{name}")
        self.assertRegex(text, r"(?m)^ok \d test_it.T.test_skipped # SKIP why$")
        self.assertIn("# AssertionError: 1 != 2", text)

    def test_does_not_load(self) -> None:
        """A module with an error in it."""
        reader, _, status = self.run_module("import nothing_like_that")
        self.assertEqual((str(reader.counts), status), ("0 passed, 1 failed, 0 skipped", 1))

    def test_none(self) -> None:
        """A directory without tests is no success."""
        self.assertEqual(self.run_module(None)[2], 1)

    def test_good(self) -> None:
        """The status, too."""
        good = "import unittest\nclass T(unittest.TestCase):\n    def test_a(self):\n        pass\n"
        reader, _, status = self.run_module(good)
        self.assertEqual((str(reader.counts), status), ("1 passed, 0 failed, 0 skipped", 0))


if __name__ == "__main__":
    unittest.main()
