# SPDX-License-Identifier: GPL-2.0
"""Tests of the report on a guest that hangs."""

import unittest

from rig import hang

MAP = """\
0000000000001000 A per_cpu_thing
ffffffff81000000 T _text
ffffffff81000100 t first
ffffffff81000200 T second
ffffffff82000000 D data
"""

# As the monitor prints it: what was typed, then the answer, CR LF.
LOOK = """\
(qemu) cpu %d\x1b[K\r
(qemu) info registers\x1b[K\r
\r
CPU#%d\r
RAX=0000000000000000 RBX=ffffffff81000104 RCX=0000000000000000 RDX=0000000000000000\r
RSI=0000000000000000 RDI=0000000000000000 RBP=0000000000000000 RSP=ffffffff82003eb0\r
RIP=%s RFL=%s [-------] CPL=%d II=0 A20=1 SMM=0 HLT=%d\r
CS =0010 0000000000000000 ffffffff 00a09b00 DPL=0 CS64 [-RA]\r
(qemu) x /256gx 0xffffffff82003eb0\x1b[K\r
ffffffff82003eb0: 0xffffffff81000110 0x0000000000000000\r
ffffffff82003ec0: 0xffffffff82000008 0xffffffff81000234\r
"""


class SymbolsTest(unittest.TestCase):
    """Names of addresses."""

    def setUp(self) -> None:
        self.symbols = hang.Symbols(MAP)

    def test_start_and_inside(self) -> None:
        self.assertEqual(self.symbols.name(0xffffffff81000100), "first+0x0")
        self.assertEqual(self.symbols.name(0xffffffff810001ff), "first+0xff")

    def test_data_and_far_away(self) -> None:
        for address in (0, 0x1000, 0xffffffff80ffffff, 0xffffffff82000000):
            self.assertIsNone(self.symbols.name(address))

    def test_no_map(self) -> None:
        self.assertIsNone(hang.Symbols("").name(0xffffffff81000000))


class DescribeTest(unittest.TestCase):
    """Lines of the report."""

    def describe(self, *looks: tuple[object, ...]) -> list[str]:
        return hang.describe("".join(LOOK % look for look in looks), hang.Symbols(MAP))

    def test_kernel(self) -> None:
        self.assertEqual(self.describe((0, 0, "ffffffff81000212", "00000046", 0, 0)), [
            "vCPU 0 at second+0x12, ring 0, interrupts off",
            "    on its stack: first+0x10 second+0x34"])

    def test_halted_and_user(self) -> None:
        lines = self.describe((0, 0, "ffffffff81000212", "00000246", 0, 1),
                              (1, 1, "0000000000401000", "00000246", 3, 0))
        self.assertEqual(lines[0], "vCPU 0 at second+0x12, ring 0, halted")
        self.assertEqual(lines[2], "vCPU 1 at 0x401000, ring 3")

    def test_nothing_or_half_an_answer(self) -> None:
        self.assertEqual(self.describe(), [])
        half = LOOK % (0, 0, "ffffffff81000212", "00000046", 0, 0)
        self.assertEqual(hang.describe(half[:half.index("RIP=") + 8], hang.Symbols(MAP)), [])


if __name__ == "__main__":
    unittest.main()
