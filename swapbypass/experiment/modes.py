# SPDX-License-Identifier: GPL-2.0
"""The ways to have room for data that the experiments compare: one line for each. A new peer is
one more line; what its device needs stands in rig/swap.py."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from rig.swap import SWAPS, Swap

# Experiments, and parts of them, that a mode can take part in.
PRESSURE = "pressure"       # `make run`
NESTED = "nested"           # `make run-nested`
SWEEP = "sweep"             # of it: loads over sizes and strides
SHIFT = "shift"             # of it: other hot keys in each pass
FILL = "fill"               # of it: memory that is filled, used and given back


@dataclasses.dataclass(frozen=True)
class Mode:
    """One of them."""
    name: str                   # in CSV files and progress lines
    text: str                   # in tables
    swap: str                   # the rig's name of the device
    parts: tuple[str, ...]      # where it takes part
    # The paging mode that suits it better, by factors of 1.6 to 3 where both were measured.
    better: str = "nested"
    roomy: bool = False         # the guest's own memory is enough
    copies: bool = False        # pages to and fro: slow under pressure
    crawls: bool = False        # so slow that swapping out takes as long as a pass
    compresses: bool = False    # so that the contents of the data matter
    granted: float = 1          # part of the working set that may be in the window
    touch: str = ""             # when new memory is a page of the window
    colour: str = "#444444"     # of its curve
    point: int = 4

    @property
    def device(self) -> Swap:
        """The rig's row of its device."""
        return SWAPS[self.swap]

    @property
    def pagings(self) -> tuple[str, ...]:
        """The paging modes that it can have, the better one first."""
        if self.device.paging:
            return (self.device.paging,)
        return ("nested", "shadow") if self.better == "nested" else ("shadow", "nested")

    def exists(self, host: str) -> bool:
        """Whether there is such a guest on a host."""
        return host == "symbiotic" or not self.device.extended and (
            host != "bare-metal" or not self.device.our_qemu)

    @property
    def store(self) -> str:
        """Where the host's file lies, if there is one. What the guest addresses itself is best
        in huge pages, as its RAM is; a disk gains nothing from them."""
        return "hugetlbfs" if "hugetlbfs" in self.device.stores else "tmpfs"

    @property
    def inside(self) -> bool:
        """Whether pages stay in the guest's own memory, compressed: there is no room for data
        that cannot be compressed."""
        return self.compresses and not self.device.stores

    @property
    def swaps(self) -> bool:
        """Whether there is something to swap out to."""
        return not self.roomy and self.device.device != ""

    @property
    def contents(self) -> str:
        """STREAM's contents that stand for the mode where one picture or ratio must do:
        incompressible data, as long as it can hold them at all."""
        return "constant" if self.inside else "random"

    def append(self, mib: int) -> str:
        """What the guest's kernel is told for a working set."""
        limit = f"symswap.limit={int(mib * 256 * self.granted)}" if self.granted < 1 else ""
        touch = f"symswap.first_touch={self.touch}" if self.touch else ""
        return " ".join(word for word in (limit, touch) if word)


# In the order of the tables.
MODES = (
    NEVER := Mode("never", "never swaps (enough memory)", "none",
                  (PRESSURE, NESTED, SWEEP, SHIFT, FILL), "shadow", roomy=True, colour="#b8b8b8",
                  point=7),
    DIMM := Mode("dimm", "the same memory, as a DIMM", "dimm", (NESTED, SWEEP)),
    VIRTIO := Mode("virtio-blk", "virtio-blk swap, host RAM file", "virtio-blk",
                   (PRESSURE, NESTED, SHIFT), copies=True, crawls=True, colour="#b2182b", point=9),
    Mode("virtio-pmem", "virtio-pmem swap, host RAM file", "virtio-pmem", (NESTED,), copies=True),
    Mode("zswap", "zswap over virtio-blk", "zswap", (NESTED,), copies=True, compresses=True),
    ZRAM := Mode("zram", "zram", "zram", (PRESSURE, NESTED, SWEEP, SHIFT), copies=True,
                 compresses=True, colour="#e08214", point=7),
    SYMSWAP := Mode("symswap", "symswap without bypass", "symswap", (PRESSURE,), copies=True,
                    colour="#8073ac", point=11),
    BYPASS := Mode("bypass", "SwapBypass", "bypass", (PRESSURE, NESTED), colour="#1b7837", point=5),
    IN_PLACE := Mode("in-place", "symswap in place", "in-place", (NESTED, SWEEP, SHIFT, FILL),
                     touch="off"),
    QUARTER := Mode("in-place 1/4", "symswap in place, 1/4 granted", "in-place", (SHIFT,),
                    granted=1 / 4, touch="off"),
    FIRST_TOUCH := Mode("first touch", "symswap, first touch in place", "in-place", (SHIFT, FILL),
                        touch="auto"),
    FIRST_TOUCH_QUARTER := Mode("first touch 1/4", "symswap, first touch, 1/4 granted",
                                "in-place", (SHIFT,), granted=1 / 4, touch="auto"),
)
# A line among the targets alone.
NO_PRESSURE = Mode("no-pressure", "SwapBypass enabled, enough memory", "bypass", (), roomy=True)
# The default beside the window without first touches, where neither has anything to do.
ROOMY_AUTO = Mode("roomy auto", "symswap, first touch, enough memory", "in-place", (), roomy=True,
                  touch="auto")
ROOMY_OFF = Mode("roomy off", "symswap in place, enough memory", "in-place", (), roomy=True,
                 touch="off")


def taking_part(part: str) -> Iterable[Mode]:
    """The modes of an experiment, or of a part of one."""
    return [mode for mode in MODES if part in mode.parts]
