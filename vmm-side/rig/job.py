# SPDX-License-Identifier: GPL-2.0
"""What a Guest becomes: the arguments of its QEMU (qemu.cmd), what l2.sh is told about
its host (job.env), and what the guest's init is told (/job/env).

The two scripts get decisions, not options to decide by: what a swap device or a kernel
needs is known to swap.py and kinds.py alone."""

from __future__ import annotations

import dataclasses
import math
import os
import pathlib
import shlex
import shutil
from collections.abc import Mapping

from . import images
from .guest import PASSTHROUGH, Guest
from .host import GUARD, TCG_BARE_CPU, device_args
from .swap import MAXMEM_MB, disk, memory_file
from .words import SWAPFILE, WORK, Word, command

# Where l2.sh puts the images of bench's directory.
HOST_IMAGES = "/run/images"
# Room for the memory of a guest in pages of 2 MiB, and for what else uses them.
RAM_HUGEPAGES = 600


@dataclasses.dataclass(frozen=True)
class Images:
    """What a guest boots from."""
    kernel: pathlib.Path
    initrd: pathlib.Path            # without initrd_of_job()
    files: pathlib.Path | None      # if they are on a disk

    def all(self) -> list[pathlib.Path]:
        """The files."""
        return [path for path in (self.kernel, self.initrd, self.files) if path]


def _beside_devices(guest: Guest) -> bool:
    """Whether it has passthrough devices of its host."""
    return bool(guest.passthrough) and not guest.bare


def kernel_image(guest: Guest) -> pathlib.Path:
    """The file that QEMU boots."""
    form = guest.boot
    if _beside_devices(guest):
        form = guest.kernel_row.kind.beside_devices(guest.boot)[0]
    return images.kernel_image(guest.kernel, form)


def guest_env(guest: Guest) -> dict[str, str]:
    """What the guest's init is told."""
    return {"FILES": "1" if guest.files else "",
            "SWAP_SETUP": guest.swap_row.setup.format(size=guest.swap_size),
            "SWAP_DEVICE": guest.swap_row.device,
            "SHELL_TTY": "/dev/ttyS0" if guest.interactive else ""}


def initrd_of_job(guest: Guest) -> bytes:
    """What differs from job to job in the guest's archive: one that is appended."""
    modules = images.drivers(guest.kernel, guest.passthrough)
    return images.job_initramfs(guest.cmd, guest_env(guest), modules)


# ---- QEMU's arguments ----------------------------------------------------------

def _common(guest: Guest, *append: str) -> list[Word]:
    """What is the same on every host."""
    memory = str(guest.memory)
    if guest.swap_row.plugged:
        memory += f",slots=1,maxmem={MAXMEM_MB}M"
    console = "quiet" if guest.interactive else "quiet loglevel=6"
    words: list[Word] = [
        "-smp", str(guest.smp), "-m", memory, "-nodefaults", "-no-user-config", "-display", "none",
        "-append", " ".join(filter(None, ("console=ttyS0 panic=-1", console, *append,
                                          guest.swap_row.append, guest.append)))]
    if guest.boot == "pvh":
        firmware = "qboot.rom"
        if _beside_devices(guest):
            firmware = guest.kernel_row.kind.beside_devices(guest.boot)[1]
        words += ["-bios", str(images.FIRMWARE / firmware)]
    return words


def _passthrough(guest: Guest) -> list[Word]:
    words: list[Word] = []
    if guest.passthrough and guest.ram:
        words += memory_file("ram", (WORK, "/ram"), guest.memory,
                             "1G" if guest.ram == "1G" else "2M")
    for name in guest.passthrough:
        # The ROM is for a firmware that would drive the device.
        words += ["-device", f"vfio-pci,host={PASSTHROUGH[name]},x-no-iommu=on,rombar=0,id={name}"]
    return words


def _reporting(guest: Guest) -> list[Word]:
    """What the window is for data, this is for memory that holds none. Of what a device may
    write to at any time, nothing can be given back; and QEMU takes one balloon."""
    if (not guest.reporting or not guest.swap_row.driver or guest.passthrough or
            "virtio-balloon" in guest.qemu_args):
        return []
    return ["-device", "virtio-balloon-pci,id=balloon,free-page-reporting=on"]


def _vcpus(guest: Guest, hardware: str) -> list[Word]:
    """The accelerator and the CPUs' features under KVM."""
    accel = "kvm" if guest.symbiotic or guest.host == "plain-kvm" else "kvm,symbiotic=off"
    if guest.vm_paging:
        accel += f",paging={guest.vm_paging}"
    # -svm: no third level here. -tsc-deadline: with it guests hang now and then under an
    # emulated L1.
    cpu = "host,-tsc-deadline,-svm,-vmx"
    if hardware == "emulated":
        # Two layers of emulation disagree on the size of the XSAVE area, about which the
        # guest's kernel warns.
        cpu += ",-xsave,-avx,-avx2"
        # Each interrupt's handler must exit, or the emulator may deliver it twice.
        cpu += ",kvm-pv-eoi=off"
    return ["-accel", accel, "-cpu", cpu]


def under_kvm(guest: Guest, boot: Images, hardware: str) -> list[Word]:
    """The arguments of our QEMU, in L1 or on the user's own host."""
    words = _common(guest, guest.kernel_row.kind.emulated if hardware == "emulated" else "")
    ram = ",memory-backend=ram" if guest.passthrough and guest.ram else ""
    words += [*_vcpus(guest, hardware), "-M", f"pc,graphics=off{ram}",
              "-kernel", f"{HOST_IMAGES}/{boot.kernel.name}", "-initrd", (WORK, "/initrd"),
              "-qmp", ("unix:", WORK, "/qmp,server=on,wait=off"), "-pidfile", (WORK, "/pid")]
    if not guest.reboot:
        words += ["-no-reboot"]
    if boot.files:
        words += disk("files", f"{HOST_IMAGES}/{boot.files.name}", readonly=True)
    words += guest.swap_row.qemu(SWAPFILE, guest.swap_size)
    words += _reporting(guest)
    words += _passthrough(guest)
    if guest.interactive:
        tty = "stdio,signal=off" if hardware == "local" else "serial,path=/dev/hvc0"
        return [*words, "-chardev", f"{tty},id=con", "-serial", "chardev:con"]
    return [*words, "-chardev", ("file,id=con,path=", WORK, "/console"),
            "-chardev", ("pipe,id=mon,path=", WORK, "/mon"), "-mon", "chardev=mon",
            "-serial", "chardev:con",
            *guest.kernel_row.kind.ports(("pipe,id=ctl,path=", WORK, "/ctl"), WORK)]


def on_bare_metal(guest: Guest, boot: Images, job: pathlib.Path, ctl: str, swapfile: str,
                  icount: bool, hardware: str) -> list[Word]:
    """The arguments of L0 for the same images straight on it: a machine with no
    hypervisor. `boot` has the whole initrd, `ctl` is a character device."""
    kind, append = guest.kernel_row.kind, ""
    if icount:
        cpus: list[Word] = ["-accel", "tcg,thread=single", "-cpu", TCG_BARE_CPU,
                            "-icount", "shift=0,sleep=off"]
    elif hardware == "emulated":
        cpus, append = ["-accel", f"tcg,thread={kind.threads}", "-cpu", TCG_BARE_CPU], kind.starved
    else:
        cpus = ["-accel", "kvm", "-cpu", "host"]
    words = [*_common(guest, append), *cpus, "-M", "pc,graphics=off", "-kernel", str(boot.kernel),
             "-initrd", str(boot.initrd), "-no-reboot",
             # Not the disk that L1 has open.
             *device_args(job, guest.passthrough)]
    if boot.files:
        words += disk("files", str(boot.files), readonly=True)
    words += guest.swap_row.qemu(swapfile, guest.swap_size)
    words += _reporting(guest)
    words += [word.replace("$WORK", str(job)) for word in shlex.split(guest.qemu_args)]
    if guest.interactive:
        return [*words, "-chardev", "stdio,signal=off,id=con", "-serial", "chardev:con"]
    return [*words, "-chardev", f"file,path={job}/console,id=con", "-serial", "chardev:con",
            *kind.ports(ctl, str(job))]


# ---- the files of a job --------------------------------------------------------

def _kvm_env(host: str, paging: str, kvm_params: str, timeout: float,
             hardware: str) -> dict[str, str]:
    """What l2.sh is told about KVM, for a guest or without one."""
    return {"KVM_HOST": host, "NESTED_PAGING": "1" if paging == "nested" else "0",
            "KVM_PARAMS": kvm_params, "TIMEOUT": str(math.ceil(timeout)),
            "LOCAL": "1" if hardware == "local" else "0"}


def host_env(guest: Guest, boot: Images, hardware: str) -> dict[str, str]:
    """What l2.sh is told about a guest."""
    ram = guest.ram if guest.passthrough and guest.ram in ("1G", "2M") else ""
    bypass_mode = guest.bypass_mode or guest.swap_row.bypass_mode
    return {**_kvm_env(guest.host, guest.module_paging, guest.kvm_params, guest.timeout, hardware),
            "IMAGES": " ".join(path.name for path in boot.all()), "INITRD": boot.initrd.name,
            "SMP": str(guest.smp), "INTERACTIVE": "1" if guest.interactive else "0",
            "SWAP_STORE": guest.swap_store if guest.swap_row.stores else "",
            "SWAP_MB": str(guest.swap_size),
            "BYPASS_MODE": bypass_mode if guest.extended else "",
            "PASSTHROUGH": " ".join(PASSTHROUGH[p] for p in guest.passthrough),
            "NOIOMMU": "Y" if guest.noiommu else "N",
            "GUARD": f"{GUARD[0]} {GUARD[1]}",
            "RAM_PAGESIZE": ram, "RAM_PAGES": str(RAM_HUGEPAGES) if ram == "2M" else ""}


def _write(job: pathlib.Path, env: Mapping[str, str], host_cmd: str) -> None:
    text = "".join(f"{name}={shlex.quote(value)}\n" for name, value in env.items())
    (job / "job.env").write_bytes(os.fsencode(text))
    if host_cmd:
        (job / "host_cmd").write_bytes(os.fsencode(host_cmd) + b"\n")
    shutil.copy(images.HERE / "l2.sh", job / "run.sh")


def write(job: pathlib.Path, guest: Guest, boot: Images, hardware: str) -> None:
    """Fills the directory of a job for l2.sh."""
    line = " ".join(["exec", command(["qemu-system-x86_64", "-L", f"{images.FIRMWARE}/",
                                      *under_kvm(guest, boot, hardware)]),
                     *guest.qemu_args.splitlines()])
    (job / "qemu.cmd").write_bytes(os.fsencode(line + "\n"))
    (job / "initrd.job").write_bytes(initrd_of_job(guest))
    _write(job, host_env(guest, boot, hardware), guest.host_cmd)


def write_l1(job: pathlib.Path, cmd: str, host: str, paging: str, kvm_params: str,
             timeout: float, hardware: str) -> None:
    """The same for a command in L1 itself."""
    _write(job, {**_kvm_env(host, paging, kvm_params, timeout, hardware), "L1_ONLY": "1"}, cmd)
