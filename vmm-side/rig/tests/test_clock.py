# SPDX-License-Identifier: GPL-2.0
"""Tests of what the rig makes of an L1 whose clock is wrong."""

from __future__ import annotations

import unittest

from rig_for_tests import RigTest


class ClockTest(RigTest):
    """L1s that say how old they are, which they cannot be."""

    def test_next_is_right(self) -> None:
        self.leave(ages=b"500 500 0.01", out=b"done")
        self.assertEqual(self.cli(CMD="true")[:2], (0, b"done"))
        self.assertEqual((self.dir / "fake/ages").read_text(), "0.01")

    def test_none_is_right(self) -> None:
        self.leave(ages=b"500 500 500 0.01", out=b"done")
        status, out, err = self.cli(CMD="true")
        self.assertEqual((status, out), (125, b""))
        self.assertRegex(err.decode(), "L1 takes itself for 500 s old after [0-9]+ s\n$")

    def test_counted_time_is_free(self) -> None:
        self.leave(ages=b"500 0.01", out=b"done")
        self.assertEqual(self.cli(CMD="true", ICOUNT="1")[:2], (0, b"done"))
        self.assertEqual((self.dir / "fake/ages").read_text(), "0.01")


if __name__ == "__main__":
    unittest.main()
