# SPDX-License-Identifier: GPL-2.0
"""What a guest and the machine below it can be: every option once, with its type, its
values, its default, its name in the environment and a line of help; and in conflicts()
what cannot go together. Whoever starts a guest makes a Guest first, so that all
mistakes are known before anything boots.

A new option is a field here, and an effect in job.py, or in host.py for the machine's:
`make exec`, its help, Bench.run() and the end-to-end cases know it from here."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from . import kinds
from .options import (Choice, Choices, Directory, Flag, Number, OptionError, Options, Text, Type,
                      option)
from .swap import MAXMEM_MB, STORES, SWAPS, Swap

HOSTS = ("symbiotic", "plain-kvm", "bare-metal")
# By PAGING: how KVM's module is loaded, and the paging mode of the VM itself, which may
# change while it runs.
PAGINGS = {"shadow": ("shadow", ""), "nested": ("nested", ""), "vm-shadow": ("nested", "shadow"),
           "vm-nested": ("nested", "nested"), "auto": ("nested", "auto")}
BOCHS = "bochs"         # the emulator that is not QEMU

# Devices of L1 that its guests can have, and where they sit.
PASSTHROUGH = {"nvme": "0000:00:10.0", "e1000e": "0000:00:11.0", "edu": "0000:00:12.0"}
PASSTHROUGH_MB = 1024   # one huge page
# What L1 needs besides its guest and what stands in for a disk.
L1_OWN_MB = 768
WEEK = 7 * 24 * 3600


class KernelName(Type):
    """A kernel by its name, or the directory that it was built in."""
    values = ", ".join(kinds.KERNELS)

    def wrong(self, value: Any) -> str:
        right = isinstance(value, str) and kinds.is_kernel(value)
        return "" if right else f"not one of {self.values}, nor the directory of a kernel"


@dataclasses.dataclass(frozen=True)
class Machine(Options):
    """The machine that guests run on: L1, or the user's own host."""
    l0: str = option(Choice(("qemu", BOCHS)), "qemu", "L0",
                     "what emulates the host: with AMD-V; or with VT-x, and slower")
    icount: bool = option(Flag("0", "1"), False, "ICOUNT",
                          "clocks count instructions, the same every time")
    # What is not said is what suits the emulator.
    smp: int = option(Number(1, 7), None, "HOST_SMP", "CPUs of an emulated host (2; bochs: 1)")
    memory: int = option(Number(1024, 1 << 20), None)
    # MiB of a disk for what shall not lie in memory; its file is sparse.
    disk: int = option(Number(256, 1 << 16), 2048)
    host_kernel: str = option(Choice(("host", "debug")), "host")
    # Devices to pass through, a huge page to use with them, and memory set aside to
    # see what they damage.
    devices: bool = option(Flag(), False)

    def __post_init__(self) -> None:
        for name, qemu, bochs in (("smp", 2, 1), ("memory", 6144, 2048)):
            if getattr(self, name) is None:
                object.__setattr__(self, name, bochs if self.l0 == BOCHS else qemu)
        super().__post_init__()

    def conflicts(self, hardware: str) -> Iterator[str]:
        """Sentences about what L0=bochs cannot be."""
        if self.l0 != BOCHS:
            return
        if hardware == "local":
            yield "L0=bochs: this host's own KVM is the extended one, and is used"
        if self.icount:
            yield "ICOUNT=1: L0=bochs counts instructions anyway, but never the same twice"
        if self.smp > 1:
            yield f"HOST_SMP={self.smp}: L0=bochs hangs with more CPUs than one"
        if self.host_kernel != "host":
            yield f"host_kernel={self.host_kernel}: L0=bochs is too slow for it"


@dataclasses.dataclass(frozen=True)
class Guest(Options):
    """One run of a guest."""
    cmd: str = option(Text(), "", "CMD", "a shell command in the guest")
    files: pathlib.Path | None = option(Directory(), None, "FILES",
                                        "a directory: /files in the guest, where CMD starts")
    host: str = option(Choice(HOSTS), "symbiotic", "HOST", "what the guest runs on")
    kernel: str = option(KernelName(), "guest", "KERNEL", "the guest's kernel")
    paging: str = option(Choice(tuple(PAGINGS)), "shadow", "PAGING",
                         "how KVM maps guests' memory; vm-*: this one's, until that is changed; "
                         "auto: by what it does")
    symbiotic: bool = option(Flag("off", "on"), True, "SYMBIOTIC", "for this VM")
    guest_mem: int | None = option(Number(16, 1 << 20), None, "GUEST_MEM",
                                   f"MiB of memory (512; with PASSTHROUGH {PASSTHROUGH_MB})")
    smp: int = option(Number(1, 255), 1, "SMP", "virtual CPUs")
    swap: str = option(Choice(tuple(SWAPS)), "none", "SWAP", "the guest's swap device")
    swap_size: int = option(Number(1, 1 << 20), 512, "SWAP_SIZE", "MiB of it")
    swap_store: str = option(Choice(STORES), "tmpfs", "SWAP_STORE",
                             "where the host's file behind it lies")
    reporting: bool = option(Flag("off", "on"), True, "REPORTING",
                             "with a window, free memory goes back to the host by itself")
    passthrough: tuple[str, ...] = option(Choices(tuple(PASSTHROUGH)), (), "PASSTHROUGH",
                                          "devices of L1 for the guest, without an IOMMU")
    append: str = option(Text(), "", "APPEND", "more kernel arguments")
    timeout: float = option(Number(1, WEEK), 120, "TIMEOUT", "seconds")
    host_cmd: str = option(Text(), "", "HOST_CMD", "a shell command in L1 while CMD runs")
    stats: bool = option(Flag("0", "1"), False, "STATS",
                         "print what CMD changed in KVM's counters")
    interactive: bool = option(Flag(), False)
    kvm_params: str = option(Text(), "")
    # As a shell reads it: $WORK is a directory of this guest on its host.
    qemu_args: str = option(Text(), "")
    boot: str = option(Choice(("pvh", "bzimage")), "pvh")
    reboot: bool = option(Flag(), False)
    # Empty: what suits the swap device.
    bypass_mode: str = option(Choice(("", "off", "always", "adaptive")), "")
    noiommu: bool = option(Flag(), True)
    # The pages of the memory of a guest with PASSTHROUGH; empty: anonymous memory.
    ram: str = option(Choice(("1G", "2M", "tmpfs", "")), "1G")
    # Tests look at what the machines say of what cannot work.
    nonsense: bool = option(Flag(), False)

    def __post_init__(self) -> None:
        # Programs may say lists, and paths as they have them.
        if not isinstance(self.qemu_args, str):
            object.__setattr__(self, "qemu_args", shlex.join(self.qemu_args))
        object.__setattr__(self, "passthrough", tuple(self.passthrough))
        object.__setattr__(self, "kernel", os.fspath(self.kernel))
        if self.files is not None:
            object.__setattr__(self, "files", pathlib.Path(self.files))
        super().__post_init__()

    @property
    def memory(self) -> int:
        """MiB of it."""
        return self.guest_mem or (PASSTHROUGH_MB if self.passthrough else 512)

    @property
    def kernel_row(self) -> kinds.Kernel:
        """What there is to know about its kernel."""
        return kinds.kernel(self.kernel)

    @property
    def swap_row(self) -> Swap:
        """And about its swap device."""
        return SWAPS[self.swap]

    @property
    def module_paging(self) -> str:
        """How KVM's module is loaded."""
        return PAGINGS[self.paging][0]

    @property
    def vm_paging(self) -> str:
        """The paging mode of the VM, if it has one of its own."""
        return PAGINGS[self.paging][1]

    @property
    def extended(self) -> bool:
        """Whether the VMM is a symbiotic one."""
        return self.host == "symbiotic" and self.symbiotic

    @property
    def bare(self) -> bool:
        """Whether there is no VMM."""
        return self.host == "bare-metal"

    def conflicts(self, machine: Machine, hardware: str = "emulated") -> Iterator[str]:
        """Sentences about what cannot go together, on a machine of that kind (see
        hardware.py)."""
        if machine.l0 == BOCHS:
            yield from self._of_bochs()
        # What is not there can be no test of what is refused.
        if self.nonsense:
            return
        yield from machine.conflicts(hardware)
        yield from self._of_kernel()
        yield from self._of_swap()
        yield from self._of_host(machine, hardware)
        yield from self._of_passthrough(machine, hardware)
        yield from self._of_memory(machine, hardware)
        if self.interactive and (self.cmd or self.host_cmd or self.stats):
            yield "CMD, HOST_CMD, STATS: not with an interactive shell"

    def _of_kernel(self) -> Iterator[str]:
        name, image = f"KERNEL={self.kernel}", self.kernel_row
        if self.smp > image.cpus:
            yield f"SMP={self.smp}: {name} has at most {image.cpus} CPUs"
        if self.memory < image.memory:
            yield f"GUEST_MEM={self.memory}: {name} needs at least {image.memory}"
        if len(os.fsencode(self.append)) > image.append:
            yield f"APPEND: longer than {image.append} bytes, which {name} would cut off"
        if "\n" in self.append:
            yield "APPEND: more than one line"
        if self.swap != "none" and not image.kind.swaps:
            yield f"SWAP={self.swap}: {name} has only none"
        if self.boot not in image.kind.boots:
            yield f"boot={self.boot}: {name} has only {' '.join(image.kind.boots)}"
        if self.interactive and not image.kind.shell:
            yield f"{name}: it has no interactive shell"
        drivers = image.kind.devices
        if drivers is not None and set(self.passthrough) - set(drivers):
            yield (f"PASSTHROUGH={' '.join(self.passthrough)}: {name} has a driver for "
                   f"{' '.join(drivers)} only")
        device = self.swap_row
        if (device.driver and not image.driver or
                device.kernel and device.kernel != self.kernel in kinds.KERNELS):
            yield f"SWAP={self.swap}: {name} has no driver for it"

    def _of_swap(self) -> Iterator[str]:
        name, device = f"SWAP={self.swap}", self.swap_row
        size, store = self.swap_size, self.swap_store
        if device.paging not in ("", self.module_paging) and not self.vm_paging:
            yield f"{name}: it needs PAGING={device.paging}, vm-nested, vm-shadow or auto"
        if device.extended and not self.extended:
            yield f"{name}: it needs HOST=symbiotic and SYMBIOTIC=on"
        if not device.stores:
            if store != "tmpfs":
                yield f"SWAP_STORE={store}: {name} has no file of the host behind it"
        elif store not in device.stores:
            yield (f"SWAP_STORE={store}: the file of {name} can only lie on "
                   f"{', '.join(device.stores)}")
        elif store == "hugetlbfs" and size % 2:
            yield f"SWAP_SIZE={size}: odd, and SWAP_STORE=hugetlbfs has pages of 2 MiB"
        wrong = device.wrong_size(size)
        if wrong:
            yield f"SWAP_SIZE={size}: {wrong}"
        if device.plugged and size + self.memory > MAXMEM_MB:
            yield f"SWAP_SIZE={size}: with GUEST_MEM more than {MAXMEM_MB}"

    def _of_host(self, machine: Machine, hardware: str) -> Iterator[str]:
        if self.bare:
            if self.swap_row.our_qemu:
                has = ", ".join(name for name, row in SWAPS.items() if not row.our_qemu)
                yield f"SWAP={self.swap}: it needs our QEMU; HOST=bare-metal has {has}"
            if self.paging != "shadow":
                yield f"PAGING={self.paging}: HOST=bare-metal has no KVM"
            if self.swap_store != "tmpfs":
                yield f"SWAP_STORE={self.swap_store}: HOST=bare-metal has no L1 to keep it"
            if self.host_cmd:
                yield "HOST_CMD: HOST=bare-metal has no L1 to run it"
            if self.stats:
                yield "STATS=1: HOST=bare-metal has no KVM that counts"
            return
        if self.vm_paging and self.host != "symbiotic":
            yield f"PAGING={self.paging}: it needs HOST=symbiotic"
        if hardware == "local":
            if self.host == "plain-kvm":
                yield "HOST=plain-kvm: this host's own KVM, which is used, is the extended one"
            if machine.icount:
                yield "ICOUNT=1: this host's own KVM, which is used, does not count instructions"

    def _of_bochs(self) -> Iterator[str]:
        if self.bare:
            yield "HOST=bare-metal: L0=bochs is for hosts with VT-x"
        if self.interactive:
            yield "L0=bochs: it has no terminal for an interactive shell"
        if self.passthrough:
            yield f"PASSTHROUGH={' '.join(self.passthrough)}: L0=bochs has no such devices"
        if self.swap_store == "disk":
            yield "SWAP_STORE=disk: L0=bochs has no disk for it"

    def _of_passthrough(self, machine: Machine, hardware: str) -> Iterator[str]:
        if not self.passthrough or self.bare:
            return
        name = f"PASSTHROUGH={' '.join(self.passthrough)}"
        if hardware == "local":
            yield f"{name}: these are devices of an emulated host"
        elif not machine.devices:
            yield f"{name}: it needs a machine with devices"
        if not self.extended:
            yield f"{name}: it needs HOST=symbiotic and SYMBIOTIC=on"
        if self.ram == "1G" and self.memory != PASSTHROUGH_MB:
            yield f"GUEST_MEM={self.memory}: with PASSTHROUGH it is {PASSTHROUGH_MB}, one huge page"

    def _of_memory(self, machine: Machine, hardware: str) -> Iterator[str]:
        """A host that has less than it gives cannot say so later in one sentence."""
        mine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
        direct = self.bare or hardware == "local"
        room = mine if direct else machine.memory - L1_OWN_MB
        wanted, of = self.memory, f"GUEST_MEM={self.memory}"
        if self.swap_row.stores and not self.bare:
            if self.swap_store != "disk":
                wanted, of = wanted + self.swap_size, f"{of} SWAP_SIZE={self.swap_size}"
            elif not direct and self.swap_size > machine.disk - 128:
                yield (f"SWAP_SIZE={self.swap_size}: SWAP_STORE=disk has room for "
                       f"{machine.disk - 128}")
        if wanted > room:
            yield f"{of}: the host has {room} MiB for its guest"

    def check(self, machine: Machine, hardware: str = "emulated") -> None:
        """Raises an OptionError unless all of it can work."""
        problems = list(self.conflicts(machine, hardware))
        if problems:
            raise OptionError(problems)


def from_environment(environ: Mapping[str, str],
                     interactive: bool = False) -> tuple[Guest, Machine]:
    """What the environment asks for. All mistakes of both are told at once."""
    problems: list[str] = []
    guest, machine = Guest(), Machine()
    try:
        guest = Guest(**Guest.parsed(environ), interactive=interactive)
    except OptionError as e:
        problems += e.problems
    try:
        machine = Machine(**Machine.parsed(environ))
    except OptionError as e:
        problems += e.problems
    if problems:
        raise OptionError(problems)
    if guest.passthrough:
        machine = dataclasses.replace(machine, devices=True)
    if not guest.cmd and not interactive:
        raise OptionError(["CMD is missing: make exec CMD='command in the guest' [FILES=dir] ..."])
    return guest, machine


def environment() -> list[str]:
    """The names of all options in the environment."""
    return Guest.environment() + Machine.environment()


def helptext() -> str:
    """A table of all options in the environment."""
    return f"{Guest.helptext()}\n{Machine.helptext()}"
