# SPDX-License-Identifier: GPL-2.0
"""The kernels that guests boot, and the two kinds of them: Linux, and Kitten, the
lightweight kernel. What the rig does differently for one of them stands here."""

from __future__ import annotations

import abc
import dataclasses
import os
import pathlib

from . import images
from .words import Word


class Kind(abc.ABC):
    """What is true of a kind of kernel."""
    name: str                           # in the name of its archive
    swaps: bool                         # it can swap
    shell: bool                         # it can run an interactive shell
    boots: tuple[str, ...]              # images that it can be booted from
    devices: tuple[str, ...] | None     # what it can drive of PASSTHROUGH; None: all
    files_on_disk: bool                 # the user's files: on a disk, or in its archive
    emulated: str                       # its arguments against faults of the emulator
    threads: str                        # how the emulator may run its CPUs on bare metal
    starved: str                        # its arguments where the emulator may have no time

    @abc.abstractmethod
    def archive(self, files: pathlib.Path | None) -> bytes:
        """Its initramfs, without what differs from job to job."""

    @abc.abstractmethod
    def beside_devices(self, boot: str) -> tuple[str, str]:
        """(image, firmware) for a machine with a passthrough device. qboot does not boot
        an ELF kernel there, reason unknown."""

    @abc.abstractmethod
    def ports(self, ctl: Word, job: Word) -> list[Word]:
        """QEMU's arguments for the conversation with the rig, over the character device
        `ctl`, and for what the command says, which goes to files in `job`."""


class Linux(Kind):
    """Any Linux."""
    name = "linux"
    swaps = True
    shell = True
    boots = ("pvh", "bzimage")
    devices = None
    files_on_disk = True
    # QEMU's VMRUN forgets the interrupt shadow: an interrupt between STI and HLT wakes
    # nobody. A tick that never stops bounds that. Taking out LOCK prefixes one by one
    # through a mapping of its own is half of the boot time of one CPU under shadow paging.
    emulated = "nohz=off noreplace-smp"
    # CPUs that run at the same time see code that another one is patching
    # (docs/design.md, "Faults of the emulator").
    threads = "single"
    # It would take its timer for broken, as L1 (host.py).
    starved = "no_timer_check"

    def archive(self, files: pathlib.Path | None) -> bytes:
        return images.guest_initramfs()

    def beside_devices(self, boot: str) -> tuple[str, str]:
        return "bzimage", "qboot.rom"

    def ports(self, ctl: Word, job: Word) -> list[Word]:
        words: list[Word] = ["-device", "virtio-serial-pci,max_ports=8", "-chardev", ctl,
                             "-device", "virtserialport,chardev=ctl,name=ctl"]
        for name in ("out", "err"):
            words += ["-chardev", (f"file,id={name},path=", job, f"/{name}"),
                      "-device", f"virtserialport,chardev={name},name={name}"]
        return words


class Kitten(Kind):
    """The lightweight kernel."""
    name = "kitten"
    swaps = False
    shell = False
    boots = ("pvh",)
    devices = ("edu",)
    files_on_disk = False
    emulated = ""
    threads = "multi"
    starved = ""

    def archive(self, files: pathlib.Path | None) -> bytes:
        return images.kitten_initramfs(files)

    def beside_devices(self, boot: str) -> tuple[str, str]:
        return boot, "bios-256k.bin"

    def ports(self, ctl: Word, job: Word) -> list[Word]:
        # Serial ports behind the console's.
        words: list[Word] = []
        for name in ("out", "err"):
            words += ["-chardev", (f"file,id={name},path=", job, f"/{name}"),
                      "-serial", f"chardev:{name}"]
        return [*words, "-chardev", ctl, "-serial", "chardev:ctl"]


@dataclasses.dataclass(frozen=True)
class Kernel:
    """One kernel: its kind and what it can use."""
    kind: Kind
    cpus: int = 8           # at most
    memory: int = 64        # MiB at least
    append: int = 1700      # bytes of APPEND
    driver: bool = True     # it has ours for the window


KERNELS = {"guest": Kernel(Linux()),
           "guest-base": Kernel(Linux(), driver=False),
           "stock": Kernel(Linux(), driver=False),
           "debug": Kernel(Linux(), memory=384),
           "kitten": Kernel(Kitten(), cpus=16, memory=16, append=400)}
# One that is named by the directory that it was built in is whatever it is.
ANY_KERNEL = Kernel(Linux(), cpus=255, memory=16)


def is_kernel(name: str) -> bool:
    """Whether a guest can be booted from it: a name, or a directory."""
    return name in KERNELS or os.path.isabs(name) and os.path.isdir(name)


def kernel(name: str) -> Kernel:
    """The kernel of that name."""
    return KERNELS.get(name, ANY_KERNEL)
