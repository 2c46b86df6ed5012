# SPDX-License-Identifier: GPL-2.0
"""Runs the self-checks of the benchmark programs on this machine."""

from __future__ import annotations

import pathlib
import subprocess
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"


class Programs(unittest.TestCase):
    """STREAM, GUPS and the process loop as ordinary programs."""

    def test_checks(self) -> None:
        """They accept right data and notice one damaged word."""
        with tempfile.TemporaryDirectory() as out:
            done = subprocess.run(
                ["make", "-s", "-C", str(BENCH), f"O={out}", "check"],
                capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertRegex(done.stdout, r"(?m)^1\.\.[1-9]\d*$")


if __name__ == "__main__":
    unittest.main()
