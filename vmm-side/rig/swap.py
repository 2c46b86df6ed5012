# SPDX-License-Identifier: GPL-2.0
"""What a guest can swap to: one row of SWAPS for each device, and all that follows from
the choice. Nothing else in the rig asks for a device by its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from .words import Word

STORES = ("tmpfs", "hugetlbfs", "disk")
# A file of the host that QEMU reads and writes, and one that it maps.
WRITTEN = ("tmpfs", "disk")
MAPPED = STORES

# The largest window for which QEMU has addresses, and all that it has for memory
# that is plugged in.
WINDOW_MB = 32768
MAXMEM_MB = 65536
MEMORY_BLOCK_MB = 128
# Where a device is that the guest's kernel is told of.
NAMED_SLOT = "0x1d"
NAMED = "symswap.mode=in-place symswap.device=0000:00:1d.0 symswap.give=1"


def disk(name: str, path: Word, readonly: bool = False) -> list[Word]:
    """QEMU's arguments for a disk, which the guest knows by its serial number."""
    more = ",readonly=on" if readonly else ""
    return ["-drive", (f"if=none,id={name},file=", path, f",format=raw,cache=writeback{more}"),
            "-device", f"virtio-blk-pci,drive={name},serial={name}"]


def memory_file(name: str, path: Word, size: int, align: str = "2M") -> list[Word]:
    """QEMU's arguments for memory that is a file of the host, in MiB. QEMU gives it addresses
    for the host's huge pages only when it is told to, and takes no align= that is less than
    a page of the file's own file system."""
    return ["-object", (f"memory-backend-file,id={name},share=on,align={align},mem-path=", path,
                        f",size={size}M")]


def _nothing(_path: Word, _size: int) -> list[Word]:
    return []


def _shared_memory(device: str, path: Word, size: int) -> list[Word]:
    # QEMU tells the guest of 2 GiB of addresses for 64-bit PCI regions, and a region lies
    # at a multiple of its size.
    room: list[Word] = []
    if size > 1024:
        room = ["-global", f"i440FX-pcihost.pci-hole64-size={2 * size + 2048}M"]
    return [*room, *memory_file("window", path, size), "-device", f"{device},memdev=window"]


def _window(path: Word, size: int) -> list[Word]:
    return _shared_memory("symswap", path, size)


def _ivshmem(path: Word, size: int) -> list[Word]:
    return _shared_memory(f"ivshmem-plain,addr={NAMED_SLOT}", path, size)


def _disk(path: Word, _size: int) -> list[Word]:
    return disk("swap", path)


def _pmem(path: Word, size: int) -> list[Word]:
    return [*memory_file("mem", path, size), "-device", "virtio-pmem-pci,memdev=mem,id=swap"]


def _pmem_window(path: Word, size: int) -> list[Word]:
    return [*_pmem(path, size)[:-1], f"virtio-pmem-pci,memdev=mem,id=swap,addr={NAMED_SLOT}"]


def _dimm(path: Word, size: int) -> list[Word]:
    return [*memory_file("mem", path, size), "-device", "pc-dimm,memdev=mem,id=swap"]


def _virtio_mem(_path: Word, size: int) -> list[Word]:
    # Nothing of it is plugged in at first. The block is a huge page, as QEMU would choose
    # where it sees that the host has them.
    return ["-object", f"memory-backend-ram,id=mem,size={size}M",
            "-device", "virtio-mem-pci,memdev=mem,id=mem0,requested-size=0,block-size=2M"]


def _any_size(_size: int) -> str:
    return ""


def _window_size(size: int) -> str:
    if size & (size - 1):
        return "a window is a PCI region, so its size is a power of two"
    return f"QEMU has addresses for a window of at most {WINDOW_MB}" if size > WINDOW_MB else ""


def _pmem_size(size: int) -> str:
    return "odd, and SWAP=virtio-pmem is mapped by 2 MiB" if size % 2 else ""


def _dimm_size(size: int) -> str:
    return f"Linux plugs memory in by {MEMORY_BLOCK_MB} MiB" if size % MEMORY_BLOCK_MB else ""


@dataclasses.dataclass(frozen=True)
class Swap:
    """One of them."""
    # The host's side: QEMU's arguments for a file and its size in MiB, where that file can
    # lie, whether it becomes memory of the guest, and what is wrong with a size.
    qemu: Callable[[Word, int], list[Word]] = _nothing
    stores: tuple[str, ...] = ()
    plugged: bool = False
    wrong_size: Callable[[int], str] = _any_size
    # What it needs: our driver in the guest, or the one kernel of ours that has its driver;
    # our QEMU, so not bare metal; the extension in KVM; one kind of paging.
    driver: bool = False
    kernel: str = ""
    our_qemu: bool = True
    extended: bool = False
    paging: str = ""
    # The mode of SwapBypass in KVM, and more arguments for the guest's kernel.
    bypass_mode: str = ""
    append: str = ""
    # The guest's side, as its init evaluates it: a command that makes the device ready,
    # with {size} in MiB, and the device.
    setup: str = ""
    device: str = ""


def _symswap(mode: str, bypass_mode: str = "off", extended: bool = False,
             paging: str = "") -> Swap:
    """The window, in one of the guest's modes."""
    return Swap(qemu=_window, stores=MAPPED, wrong_size=_window_size, driver=True,
                extended=extended, paging=paging, bypass_mode=bypass_mode,
                append=f"symswap.mode={mode}", device="/dev/symswap0")


SWAPS = {
    "none": Swap(our_qemu=False),
    "bypass": _symswap("shadow-bypass", "always", extended=True, paging="shadow"),
    "symswap": _symswap("copy"),
    "in-place": _symswap("in-place"),
    # The same on devices that any VMM has; on bare metal, Debian's QEMU.
    "ivshmem": Swap(qemu=_ivshmem, stores=MAPPED, wrong_size=_window_size, driver=True,
                    our_qemu=False, append=NAMED, device="/dev/symswap0"),
    "pmem-window": Swap(qemu=_pmem_window, stores=MAPPED, plugged=True, wrong_size=_pmem_size,
                        driver=True, our_qemu=False, append=NAMED, device="/dev/symswap0"),
    "virtio-blk": Swap(qemu=_disk, stores=WRITTEN, our_qemu=False, device="$(disk swap)"),
    # With a larger pool than the fifth of memory that it has by default.
    "zswap": Swap(qemu=_disk, stores=WRITTEN, device="$(disk swap)",
                  append="zswap.enabled=1 zswap.max_pool_percent=50"),
    "virtio-pmem": Swap(qemu=_pmem, stores=MAPPED, plugged=True, wrong_size=_pmem_size,
                        device="/dev/pmem0"),
    # No swap at all but memory; its struct pages lie in it.
    "dimm": Swap(qemu=_dimm, stores=MAPPED, plugged=True, wrong_size=_dimm_size,
                 append="memhp_default_state=online_movable memory_hotplug.memmap_on_memory=1"),
    # The same, by the block, at QMP's word (qom-set /machine/peripheral/mem0 requested-size);
    # until then there is zram.
    "virtio-mem": Swap(qemu=_virtio_mem, plugged=True, wrong_size=_dimm_size, kernel="stock",
                       append="memhp_default_state=online_movable",
                       setup="echo {size}M >/sys/block/zram0/disksize", device="/dev/zram0"),
    "zram": Swap(our_qemu=False, setup="echo {size}M >/sys/block/zram0/disksize",
                 device="/dev/zram0"),
}
