# SPDX-License-Identifier: GPL-2.0
"""Where a guest that hangs is, from what QEMU's monitor said of its vCPUs."""

from __future__ import annotations

import bisect
import re

KERNEL_TEXT = re.compile(r"^(f{8}[89ab][0-9a-f]{7}) [tTwW] (\S+)$", re.M)
FAR = 0x10000
IF = 1 << 9


class Symbols:
    """Names for addresses in a kernel, from the text of its System.map."""

    def __init__(self, system_map: str) -> None:
        found = sorted((int(a, 16), name) for a, name in KERNEL_TEXT.findall(system_map))
        self._starts = [a for a, _ in found]
        self._names = [name for _, name in found]

    def name(self, address: int) -> str | None:
        """"function+0x12", or None outside of the kernel."""
        i = bisect.bisect_right(self._starts, address) - 1
        if i < 0 or address - self._starts[i] >= FAR:
            return None
        return f"{self._names[i]}+{address - self._starts[i]:#x}"


def describe(said: str, symbols: Symbols) -> list[str]:
    """The lines of a report. @said: what the monitor printed for "info registers"
    and for "x /256gx" of the stack, any number of times. Not all that looks like a
    return address on a stack is one."""
    lines = []
    for look in re.split(r"^CPU#", said, flags=re.M)[1:]:
        cpu = re.match(r"\d+", look)
        at = re.search(r"^RIP=([0-9a-f]+) RFL=([0-9a-f]+).*?HLT=([01])", look, re.M | re.S)
        if not cpu or not at:
            continue
        rip, flags = int(at.group(1), 16), int(at.group(2), 16)
        ring = re.search(r"CPL=(\d)", look)
        state = [f"ring {ring.group(1)}" if ring else "", "" if flags & IF else "interrupts off",
                 "halted" if at.group(3) == "1" else ""]
        lines.append(f"vCPU {cpu.group()} at {symbols.name(rip) or hex(rip)}, "
                     + ", ".join(filter(None, state)))
        words = (symbols.name(int(w, 16)) for row in re.findall(r"^[0-9a-f]{16}:(.*)$", look, re.M)
                 for w in re.findall(r"0x([0-9a-f]{16})", row))
        stack = list(filter(None, words))
        if stack:
            lines.append("    on its stack: " + " ".join(stack))
    return lines
