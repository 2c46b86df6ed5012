# SPDX-License-Identifier: GPL-2.0
"""Tests of what runs the kernels' own tests, with a made-up rig."""

from __future__ import annotations

import contextlib
import io
import unittest
from typing import Any
from unittest import mock

import kunit
from e2e import ktap
from rig import Guest, OptionError, Result, hardware
from rig.fake import FakeBench

GOOD = b"KTAP version 1\n1..1\nok 1 a\n"


class Kernels(FakeBench):
    """Machines whose tests are good."""

    def run(self, cmd: str, files: object = None, **options: Any) -> Result:
        """Refuses what this machine cannot be."""
        Guest(cmd=cmd, **options).check(self.machine, hardware.kind())
        return super().run(cmd, files, **options)

    def answer(self, guest: Guest) -> Result:
        return Result(status=0, out=GOOD)


class Kunit(unittest.TestCase):
    """What is said of the machines."""

    def run_kunit(self, *args: str, kind: str = "emulated",
                  bench: type[FakeBench] = Kernels) -> tuple[int, str]:
        """(status, stdout)."""
        out = io.StringIO()
        with mock.patch.object(kunit, "Bench", bench), contextlib.redirect_stdout(out), \
                mock.patch("rig.hardware.kind", return_value=kind), \
                mock.patch("sys.argv", ["kunit.py", *args]):
            status = kunit.main()
        return status, out.getvalue()

    def test_good(self) -> None:
        for args, machines in (((), 6), (("--intel",), 2), (("--kasan",), 1)):
            status, text = self.run_kunit(*args)
            self.assertEqual((status, ktap.read(text).counts.passed), (0, machines), text)

    def test_bad(self) -> None:
        """A test fails; none is there; the machine dies."""
        for result in (Result(status=0, out=GOOD.replace(b"ok 1", b"not ok 1")),
                       Result(status=0), Result(error="timeout")):
            class Bad(Kernels):
                """That answer."""
                made = result

                def answer(self, guest: Guest) -> Result:
                    return self.made
            status, text = self.run_kunit("--kasan", bench=Bad)
            self.assertEqual((status, ktap.read(text).counts.failed), (1, 1), text)

    def test_local(self) -> None:
        """What the user's own host cannot be is skipped."""
        status, text = self.run_kunit(kind="local")
        counts = ktap.read(text).counts
        self.assertEqual((status, counts.passed, counts.skipped), (0, 4, 2), text)
        self.assertIn("ok 2 plain-kvm # SKIP HOST=plain-kvm: this host's own KVM", text)
        status, text = self.run_kunit("--intel", kind="local")
        self.assertEqual((status, ktap.read(text).counts.skipped), (0, 2), text)

    def test_mistake(self) -> None:
        """What an emulated machine cannot be is an error."""
        with mock.patch.dict(kunit.KASAN, {"kasan": {"cmd": "x", "smp": 0}}), \
                self.assertRaises(OptionError):
            self.run_kunit("--kasan")


if __name__ == "__main__":
    unittest.main()
