# SPDX-License-Identifier: GPL-2.0
"""What a guest and the machine below it can be: every option once, with its type, its
values, its default, its name in the environment and a line of help; and in conflicts()
what cannot go together. Whoever starts a guest makes a Guest first, so that all
mistakes are known before anything boots."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, Self

from .images import RigError

HOSTS = ("symbiotic", "plain-kvm", "bare-metal")
STORES = ("tmpfs", "hugetlbfs", "disk")
KITTEN = "kitten"       # the kernel that is not Linux
# Swap devices on the window, and the guest's mode for each.
WINDOWS = {"bypass": "shadow-bypass", "symswap": "copy", "in-place": "in-place"}
# Others whose store is a file of the host: as a disk, or as memory.
DISKS = ("virtio-blk", "zswap")
MEMORIES = ("virtio-pmem", "dimm")
SWAPS = ("none", *WINDOWS, *DISKS, *MEMORIES, "zram")

# Devices of L1 that its guests can have, and where they sit.
PASSTHROUGH = {"nvme": "0000:00:10.0", "e1000e": "0000:00:11.0", "edu": "0000:00:12.0"}
PASSTHROUGH_MB = 1024   # one huge page
L1_DISK_MB = 2048       # sparse
# What L1 needs besides its guest and what stands in for a disk.
L1_OWN_MB = 768
# The largest window for which QEMU has addresses, and all that it has for memory
# that is plugged in.
WINDOW_MB = 32768
MAXMEM_MB = 65536
MEMORY_BLOCK_MB = 128
WEEK = 7 * 24 * 3600


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a kernel can use: CPUs, MiB at least, bytes of APPEND."""
    cpus: int
    memory: int
    append: int = 1700


KERNELS = {"guest": Limits(8, 64), "guest-base": Limits(8, 64), "debug": Limits(8, 384),
           KITTEN: Limits(16, 16, 400)}
# One that is named by its directory is whatever it is.
ANY_KERNEL = Limits(255, 16)


class OptionError(RigError):
    """Options that cannot be; one sentence for each."""

    def __init__(self, problems: list[str]):
        super().__init__("\n".join(problems))
        self.problems = problems


# ---- types: how text becomes a value, and what is wrong with a value ----------

class Text:
    """Any text."""
    values = ""

    def parse(self, text: str) -> Any:
        return text

    def wrong(self, value: Any) -> str:
        return "contains a NUL" if "\0" in value else ""


@dataclasses.dataclass(frozen=True)
class Number:
    """A whole number."""
    low: int
    high: int

    @property
    def values(self) -> str:
        return f"{self.low} to {self.high}"

    def parse(self, text: str) -> Any:
        return int(text) if re.fullmatch("[0-9]{1,12}", text) else text

    def wrong(self, value: Any) -> str:
        right = isinstance(value, (int, float)) and self.low <= value <= self.high
        return "" if right else f"not a number from {self.low} to {self.high}"


@dataclasses.dataclass(frozen=True)
class Word:
    """One of several words."""
    words: tuple[str, ...]

    @property
    def values(self) -> str:
        return ", ".join(w for w in self.words if w)

    def parse(self, text: str) -> Any:
        return text

    def wrong(self, value: Any) -> str:
        return "" if value in self.words else f"not one of {self.values}"


class Words(Word):
    """Any of several words, each once."""

    def parse(self, text: str) -> Any:
        return tuple(text.split())

    def wrong(self, value: Any) -> str:
        right = set(value) <= set(self.words) and len(set(value)) == len(value)
        return "" if right else f"not some of {self.values}, each once"


@dataclasses.dataclass(frozen=True)
class Flag:
    """One of two words: no, yes."""
    no: str
    yes: str

    @property
    def values(self) -> str:
        return f"{self.no}, {self.yes}"

    def parse(self, text: str) -> Any:
        return {self.no: False, self.yes: True}.get(text, text)

    def wrong(self, value: Any) -> str:
        return "" if isinstance(value, bool) else f"not {self.no} or {self.yes}"


class Directory(Text):
    """A directory that is there."""

    def wrong(self, value: Any) -> str:
        return "" if os.path.isdir(value) else "not a directory"


class Kernel(Text):
    """A kernel by its name, or the directory that it was built in."""
    values = ", ".join(KERNELS)

    def wrong(self, value: Any) -> str:
        right = str(value) in KERNELS or os.path.isabs(value) and os.path.isdir(value)
        return "" if right else f"not one of {self.values}, nor the directory of a kernel"


def option(kind: Any, default: Any, env: str = "", text: str = "") -> Any:
    """A field. None as the default: there need not be a value."""
    return dataclasses.field(default=default, metadata={"kind": kind, "env": env, "help": text})


class Options:
    """What the two classes of options share."""

    def __post_init__(self) -> None:
        problems = []
        for f in dataclasses.fields(self):      # type: ignore[arg-type]
            value = getattr(self, f.name)
            if value is None and f.default is None:
                continue
            wrong = f.metadata["kind"].wrong(value)
            if wrong:
                shown = " ".join(value) if isinstance(value, tuple) else str(value)
                problems.append(f"{f.metadata['env'] or f.name}={shown[:60]}: {wrong}")
        if problems:
            raise OptionError(problems)

    @classmethod
    def keys(cls) -> frozenset[str]:
        """The names of all options."""
        return frozenset(f.name for f in dataclasses.fields(cls))   # type: ignore[arg-type]

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> Self:
        """What texts say, by the names of the fields: a row of a table such as the
        end-to-end cases. A value is written as in the environment: `symbiotic = off`,
        `passthrough = nvme edu`, `reboot = yes`. Raises an OptionError, which names
        all that is wrong, unknown names included."""
        problems = [f"{name}: no such option" for name in sorted(set(row) - cls.keys())]
        try:
            made = cls(**{f.name: f.metadata["kind"].parse(row[f.name].strip())
                          for f in dataclasses.fields(cls) if f.name in row})  # type: ignore[arg-type]
        except OptionError as e:
            raise OptionError(problems + e.problems) from None
        if problems:
            raise OptionError(problems)
        return made

    @classmethod
    def parsed(cls, environ: Mapping[str, str]) -> dict[str, Any]:
        """The values that an environment names, by the names of the fields. Empty is
        the default, because make exports what was not given."""
        return {f.name: f.metadata["kind"].parse(environ[f.metadata["env"]])
                for f in dataclasses.fields(cls)        # type: ignore[arg-type]
                if f.metadata["env"] and environ.get(f.metadata["env"])}


@dataclasses.dataclass(frozen=True)
class Machine(Options):
    """The machine that guests run on: L1, or the user's own host."""
    icount: bool = option(Flag("0", "1"), False, "ICOUNT", "clocks count instructions, the same every time")
    smp: int = option(Number(1, 7), 2, "HOST_SMP", "CPUs of an emulated host")
    memory: int = option(Number(1024, 1 << 20), 6144)
    kernel: str = option(Word(("host", "debug")), "host")
    # Devices to pass through, a huge page to use with them, and memory set aside to
    # see what they damage.
    devices: bool = option(Flag("no", "yes"), False)


@dataclasses.dataclass(frozen=True)
class Guest(Options):
    """One run of a guest."""
    cmd: str = option(Text(), "", "CMD", "a shell command in the guest")
    files: Any = option(Directory(), None, "FILES", "a directory: /files in the guest, where CMD starts")
    host: str = option(Word(HOSTS), "symbiotic", "HOST", "what the guest runs on")
    kernel: Any = option(Kernel(), "guest", "KERNEL", "the guest's kernel")
    paging: str = option(Word(("shadow", "nested")), "shadow", "PAGING", "how KVM maps the guest's memory")
    symbiotic: bool = option(Flag("off", "on"), True, "SYMBIOTIC", "for this VM")
    guest_mem: Any = option(Number(16, 1 << 20), None, "GUEST_MEM",
                            f"MiB of memory (512; with PASSTHROUGH {PASSTHROUGH_MB})")
    smp: int = option(Number(1, 255), 1, "SMP", "virtual CPUs")
    swap: str = option(Word(SWAPS), "none", "SWAP", "the guest's swap device")
    swap_size: int = option(Number(1, 1 << 20), 512, "SWAP_SIZE", "MiB of it")
    swap_store: str = option(Word(STORES), "tmpfs", "SWAP_STORE", "where the host's file behind it lies")
    passthrough: Any = option(Words(tuple(PASSTHROUGH)), (), "PASSTHROUGH",
                              "devices of L1 for the guest, without an IOMMU")
    append: str = option(Text(), "", "APPEND", "more kernel arguments")
    timeout: float = option(Number(1, WEEK), 120, "TIMEOUT", "seconds")
    host_cmd: Any = option(Text(), None, "HOST_CMD", "a shell command in L1 while CMD runs")
    stats: bool = option(Flag("0", "1"), False, "STATS", "print what CMD changed in KVM's counters")
    interactive: bool = option(Flag("no", "yes"), False)
    kvm_params: str = option(Text(), "")
    # As a shell reads it: $WORK is a directory of this guest on its host.
    qemu_args: str = option(Text(), "")
    boot: str = option(Word(("pvh", "bzimage")), "pvh")
    reboot: bool = option(Flag("no", "yes"), False)
    bypass_mode: Any = option(Word(("", "off", "always", "adaptive")), None)
    noiommu: bool = option(Flag("no", "yes"), True)
    ram: str = option(Word(("1G", "2M", "tmpfs", "")), "1G")
    # Tests look at what the machines say of what cannot work.
    nonsense: bool = option(Flag("no", "yes"), False)

    def __post_init__(self) -> None:
        set_field = object.__setattr__
        if self.guest_mem is None:
            set_field(self, "guest_mem", PASSTHROUGH_MB if self.passthrough else 512)
        set_field(self, "passthrough", tuple(self.passthrough))
        super().__post_init__()

    @property
    def limits(self) -> Limits:
        """Those of the kernel."""
        return KERNELS.get(str(self.kernel), ANY_KERNEL)

    @property
    def extended(self) -> bool:
        """Whether the VMM is a symbiotic one."""
        return self.host == "symbiotic" and self.symbiotic

    def conflicts(self, machine: Machine, kind: str = "emulated") -> Iterator[str]:
        """Sentences about what cannot go together, on a machine of that kind (see
        hardware.py)."""
        if self.nonsense:
            return
        yield from self._of_kernel()
        yield from self._of_swap()
        yield from self._of_host(machine, kind)
        yield from self._of_passthrough(machine, kind)
        yield from self._of_memory(machine, kind)
        if self.interactive and (self.cmd or self.host_cmd or self.stats):
            yield "CMD, HOST_CMD, STATS: not with an interactive shell"

    def _of_kernel(self) -> Iterator[str]:
        kernel, limits = self.kernel, self.limits
        if self.smp > limits.cpus:
            yield f"SMP={self.smp}: KERNEL={kernel} has at most {limits.cpus} CPUs"
        if self.guest_mem < limits.memory:
            yield f"GUEST_MEM={self.guest_mem}: KERNEL={kernel} needs at least {limits.memory}"
        if len(os.fsencode(self.append)) > limits.append:
            yield f"APPEND: longer than {limits.append} bytes, which KERNEL={kernel} would cut off"
        if "\n" in self.append:
            yield "APPEND: more than one line"
        if kernel == KITTEN:
            for name, value, usual in (("SWAP", self.swap, "none"), ("boot", self.boot, "pvh")):
                if value != usual:
                    yield f"{name}={value}: KERNEL=kitten has only {usual}"
            if self.interactive:
                yield "KERNEL=kitten: it has no interactive shell"
            if set(self.passthrough) - {"edu"}:
                yield f"PASSTHROUGH={' '.join(self.passthrough)}: KERNEL=kitten has a driver for edu only"
        if kernel == "guest-base" and self.swap in WINDOWS:
            yield f"SWAP={self.swap}: KERNEL=guest-base has no driver for it"

    def _of_swap(self) -> Iterator[str]:
        swap, size, store = self.swap, self.swap_size, self.swap_store
        filed = swap not in ("none", "zram")
        if swap == "bypass" and self.paging == "nested":
            yield "SWAP=bypass: it needs PAGING=shadow"
        if swap == "bypass" and not self.extended:
            yield "SWAP=bypass: it needs HOST=symbiotic and SYMBIOTIC=on"
        if store != "tmpfs" and not filed:
            yield f"SWAP_STORE={store}: SWAP={swap} has no file of the host behind it"
        if swap in WINDOWS and size & (size - 1):
            yield f"SWAP_SIZE={size}: a window is a PCI region, so its size is a power of two"
        if swap in WINDOWS and size > WINDOW_MB:
            yield f"SWAP_SIZE={size}: QEMU has addresses for a window of at most {WINDOW_MB}"
        if swap in MEMORIES and size + self.guest_mem > MAXMEM_MB:
            yield f"SWAP_SIZE={size}: with GUEST_MEM more than {MAXMEM_MB}"
        if swap == "virtio-pmem" and size % 2:
            yield f"SWAP_SIZE={size}: odd, and SWAP=virtio-pmem is mapped by 2 MiB"
        if swap == "dimm" and size % MEMORY_BLOCK_MB:
            yield f"SWAP_SIZE={size}: Linux plugs memory in by {MEMORY_BLOCK_MB} MiB"
        if store == "hugetlbfs" and swap in DISKS:
            yield f"SWAP_STORE=hugetlbfs: SWAP={swap} writes to its file, and such files can only be mapped"
        if store == "hugetlbfs" and filed and size % 2:
            yield f"SWAP_SIZE={size}: odd, and SWAP_STORE=hugetlbfs has pages of 2 MiB"

    def _of_host(self, machine: Machine, kind: str) -> Iterator[str]:
        if self.host == "bare-metal":
            if self.swap not in ("none", "virtio-blk", "zram"):
                yield f"SWAP={self.swap}: it needs our QEMU; HOST=bare-metal has none, virtio-blk, zram"
            if self.paging != "shadow":
                yield f"PAGING={self.paging}: HOST=bare-metal has no KVM"
            if self.swap_store != "tmpfs":
                yield f"SWAP_STORE={self.swap_store}: HOST=bare-metal has no L1 to keep it"
            if self.host_cmd:
                yield "HOST_CMD: HOST=bare-metal has no L1 to run it"
            if self.stats:
                yield "STATS=1: HOST=bare-metal has no KVM that counts"
        elif kind == "local":
            if self.host == "plain-kvm":
                yield "HOST=plain-kvm: this host's own KVM, which is used, is the extended one"
            if machine.icount:
                yield "ICOUNT=1: this host's own KVM, which is used, does not count instructions"

    def _of_passthrough(self, machine: Machine, kind: str) -> Iterator[str]:
        if not self.passthrough:
            return
        name = f"PASSTHROUGH={' '.join(self.passthrough)}"
        if self.host == "bare-metal":
            return
        if kind == "local":
            yield f"{name}: these are devices of an emulated host"
        elif not machine.devices:
            yield f"{name}: it needs a machine with devices"
        if not self.extended:
            yield f"{name}: it needs HOST=symbiotic and SYMBIOTIC=on"
        if self.ram == "1G" and self.guest_mem != PASSTHROUGH_MB:
            yield f"GUEST_MEM={self.guest_mem}: with PASSTHROUGH it is {PASSTHROUGH_MB}, one huge page"

    def _of_memory(self, machine: Machine, kind: str) -> Iterator[str]:
        """A host that has less than it gives cannot say so later in one sentence."""
        mine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20
        direct = self.host == "bare-metal" or kind == "local"
        room = mine if direct else machine.memory - L1_OWN_MB
        wanted, of = self.guest_mem, f"GUEST_MEM={self.guest_mem}"
        if self.swap not in ("none", "zram") and self.host != "bare-metal":
            if self.swap_store != "disk":
                wanted, of = wanted + self.swap_size, f"{of} SWAP_SIZE={self.swap_size}"
            elif not direct and self.swap_size > L1_DISK_MB - 128:
                yield f"SWAP_SIZE={self.swap_size}: SWAP_STORE=disk has room for {L1_DISK_MB - 128}"
        if wanted > room:
            yield f"{of}: the host has {room} MiB for its guest"

    def check(self, machine: Machine, kind: str = "emulated") -> None:
        """Raises an OptionError unless all of it can work."""
        problems = list(self.conflicts(machine, kind))
        if problems:
            raise OptionError(problems)


def from_environment(environ: Mapping[str, str], interactive: bool = False) -> tuple[Guest, Machine]:
    """What the environment asks for. All mistakes of both are told at once."""
    problems: list[str] = []
    made: list[Any] = []
    for cls, more in ((Guest, {"interactive": interactive}), (Machine, {})):
        try:
            made.append(cls(**{**cls.parsed(environ), **more}))
        except OptionError as e:
            problems += e.problems
    if problems:
        raise OptionError(problems)
    guest, machine = made
    if guest.passthrough:
        machine = dataclasses.replace(machine, devices=True)
    if not guest.cmd and not interactive:
        raise OptionError(["CMD is missing: make exec CMD='command in the guest' [FILES=dir] ..."])
    return guest, machine


def environment() -> list[str]:
    """The names of all options in the environment."""
    return [f.metadata["env"] for cls in (Guest, Machine) for f in dataclasses.fields(cls)
            if f.metadata["env"]]


def helptext() -> str:
    """A table of all options in the environment."""
    lines = []
    for f in (*dataclasses.fields(Guest), *dataclasses.fields(Machine)):
        kind, env = f.metadata["kind"], f.metadata["env"]
        if not env:
            continue
        default = f.default if isinstance(f.default, (str, int)) and f.default != "" else None
        if isinstance(kind, Flag):
            default = kind.yes if f.default else kind.no
        usual = "" if default is None else f" (default {default})"
        lines.append(f"{env:12} {f.metadata['help']}{usual}")
        if kind.values:
            lines.append(f"{'':12} {kind.values}")
    return "\n".join(lines)
