# SPDX-License-Identifier: GPL-2.0
"""The machines that run jobs: an L1 under L0, or the user's own host."""

from __future__ import annotations

import abc
import ctypes
import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable
from typing import IO, Any, Protocol

from . import ending, images
from .guest import PASSTHROUGH, Machine
from .images import RigError

L0 = "qemu-system-x86_64"

# For what the emulated processor lacks: docs/design.md, "Faults of the emulator".
TCG_CPU = "max,-erms"
TCG_HOST_CPU = f"{TCG_CPU},+svm,+npt,+pdpe1gb"
TCG_BARE_CPU = f"{TCG_CPU},-svm,-hypervisor"
# Seconds until L1's agent says something; ACPI's interpreter alone takes a minute
# and more under KASAN and lockdep.
BOOT_TIMEOUT = {"host": 120, "debug": 360}

# The disk of the NVMe that guests can have is a file of L0, so that L0 can check what a
# guest writes. The network is inside L0's QEMU: port 7 of 10.0.2.100 returns what it is
# sent. L1 reaches the disk's medium as well (guest-linux/tests/host/disk_moves.sh), and has
# a card with a wire to one that a guest can have (link_moves.sh). The network inside QEMU is
# not on that wire: it would answer what is not for it.
NVME_MB = 256
L1_BESIDE = [
    "-netdev", "hubport,id=near,hubid=0", "-netdev", "hubport,id=far,hubid=0",
    "-device", "virtio-net-pci,netdev=near,mac=52:54:00:00:00:01,romfile=,addr=0x13",
    "-device", "virtio-blk-pci,drive=nvme,serial=medium,share-rw=on,addr=0x14",
    "-device", "e1000e,netdev=far,mac=52:54:00:00:00:15,romfile=,addr=0x15"]
# What a device gets wrong when it takes guest addresses for host addresses lands
# in a part of L1's memory that nobody else uses.
GUARD = (512 << 20, 512 << 20)


class Open(Protocol):
    """What is open: a file, a socket."""

    def fileno(self) -> int:
        """Its descriptor."""


def tail(path: pathlib.Path, lines: int = 40) -> str:
    """The last lines of a text file; '' if there is none."""
    return "\n".join(images.read(path).splitlines()[-lines:])


PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """In a child before exec: no machine may outlive the bench (the thread that
    started it), however the bench ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(cmd: list[str], files: Iterable[Open] = (), own_terminal: bool = False,
          **options: Any) -> subprocess.Popen[bytes]:
    """Starts a machine, with files open whose paths are path_of(). A Ctrl-C is for the
    bench, which ends its machines in order; but who reads the terminal stays in the
    terminal's process group."""
    return subprocess.Popen(cmd, preexec_fn=die_with_parent, pass_fds=[f.fileno() for f in files],
                            start_new_session=not own_terminal, **options)


def path_of(file: Open) -> str:
    """How a child that has it open names a file without a name."""
    return f"/proc/self/fd/{file.fileno()}"


def nameless(size: int = 0, data: bytes = b"") -> IO[bytes]:
    """A file that is gone with the last process that has it open."""
    file = tempfile.TemporaryFile(prefix="symbiotic-", buffering=0)
    if data:
        file.write(data)
    else:
        os.truncate(file.fileno(), size)
    return file


def device_args(jobs: pathlib.Path, names: Iterable[str]) -> list[str]:
    """QEMU's arguments for devices of PASSTHROUGH."""
    nvme = jobs / "nvme"
    nvme.touch()
    os.truncate(nvme, NVME_MB << 20)
    args = {"nvme": ["-blockdev",
                     f"driver=raw,node-name=nvme,file.driver=file,file.filename={nvme}",
                     "-device", "nvme,drive=nvme,serial=nvme,share-rw=on"],
            "e1000e": ["-netdev", "user,id=net,restrict=on,guestfwd=tcp:10.0.2.100:7-cmd:cat",
                       "-device", "e1000e,netdev=net,romfile="],
            "edu": ["-device", "edu,dma_mask=0xffffffffffff"]}
    out: list[str] = []
    for name in names:
        slot = PASSTHROUGH[name].partition(".")[0][-2:]
        out += args[name][:-1] + [f"{args[name][-1]},addr=0x{slot}"]
    return out


class Host(abc.ABC):
    """A machine that runs jobs, one after the other."""

    @abc.abstractmethod
    def run(self, job: pathlib.Path, timeout: float | None, foreground: bool = False) -> None:
        """Runs the script run.sh in a directory. Raises a RigError if it does not end."""

    @abc.abstractmethod
    def console(self) -> str:
        """All that its kernel has said."""

    @abc.abstractmethod
    def close(self) -> None:
        """Ends it."""


class LocalHost(Host):
    """The user's own host runs the extended KVM: no L0, no boot."""

    def __init__(self) -> None:
        os.makedirs("/run/images", exist_ok=True)

    def run(self, job: pathlib.Path, timeout: float | None, foreground: bool = False) -> None:
        path = f"{images.QEMU.parent}:{images.BUILD / 'tools'}:{os.environ['PATH']}"
        with open(job / "host.log", "wb") as log:
            streams: dict[str, Any] = {}
            if not foreground:
                streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            p = start(["busybox", "sh", str(job / "run.sh"), str(job)],
                      env={**os.environ, "PATH": path}, own_terminal=foreground, **streams)
        try:
            p.wait(timeout)
        except subprocess.TimeoutExpired:
            raise RigError("the job's script did not end in time") from None
        finally:
            # The script cleans up when it is asked to end.
            if foreground:
                ending.stop(p)
            else:
                ending.stop_session(p)

    def console(self) -> str:
        return ""

    def close(self) -> None:
        pass


def _processors(machine: Machine, kvm: bool, append: str) -> tuple[list[str], str]:
    """L0's arguments for L1's CPUs, and the arguments of L1's kernel."""
    if kvm:
        return ["-accel", "kvm", "-cpu", "host", "-smp", str(machine.smp)], append
    smp = 1
    if machine.icount:
        # One instruction is one nanosecond of virtual time: the guest's clocks count
        # instructions. One thread runs all CPUs.
        args = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off"]
    else:
        # For all that is unusual here: docs/design.md, "Faults of the emulator".
        args = ["-accel", "tcg,thread=multi,tb-size=1024"]
        if machine.smp > 1:
            smp = machine.smp + 1
            append = f"maxcpus=1 noreplace-smp JOB_CPUS={(1 << smp) - 2:x} {append}"
    # Starved of its processor for a moment, L1 would take its timer for broken.
    append = f"nohz=off highres=off no_timer_check {append}"
    return [*args, "-cpu", TCG_HOST_CPU, "-smp", str(smp)], append


def _check_clock(age: float, most: float) -> None:
    """A machine cannot be older than the process that emulates it, both in seconds. It has
    some slack, since none of what matters here is that exact."""
    if age > 1.25 * most + 1:
        raise WrongClock(f"L1 takes itself for {age:.0f} s old after {most:.0f} s")


class WrongClock(RigError):
    """A machine whose clock is too fast, so that every time limit in it would be a lie."""


class L1(Host):
    """A whole AMD-V machine in QEMU, with our host kernel and QEMU in it."""

    def __init__(self, jobs: pathlib.Path, machine: Machine, kvm: bool = False,
                 interactive: bool = False, append: str = "") -> None:
        self.jobs = jobs
        self._console = jobs / "l1-console"
        self._buffer = b""
        initrd = nameless(data=images.l1_initramfs(machine.host_kernel))
        disk = self._disk(machine.disk)
        self._agent, agent = socket.socketpair()
        files: tuple[IO[bytes] | socket.socket, ...] = (initrd, disk, agent)
        kernel = images.kernel_image(images.L1_KERNEL[machine.host_kernel], "pvh")
        processors, append = _processors(machine, kvm, append)
        cmd = [L0, "-M", "pc,graphics=off", *processors, "-m", str(machine.memory),
               "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
               "-bios", str(images.FIRMWARE / "qboot.rom"),
               "-kernel", str(kernel), "-initrd", path_of(initrd),
               "-append", "console=ttyS0 panic=-1 quiet loglevel=5 tsc=reliable mitigations=off "
               f"{append}",
               "-chardev", f"file,id=con,path={self._console}", "-serial", "chardev:con",
               "-drive", f"if=none,id=disk,file={path_of(disk)},format=raw,cache=writeback,"
               "discard=unmap",
               "-device", "virtio-blk-pci,drive=disk,serial=disk",
               "-virtfs", f"local,path={jobs.parent},mount_tag=jobs,security_model=none,"
               "multidevs=remap",
               "-device", "virtio-serial-pci,max_ports=4",
               "-chardev", f"socket,id=agent,fd={agent.fileno()}",
               "-device", "virtserialport,chardev=agent,name=agent"]
        if machine.devices:
            cmd += [*device_args(jobs, PASSTHROUGH), *L1_BESIDE]
        if interactive:
            cmd += ["-chardev", "stdio,id=tty,signal=off",
                    "-device", "virtconsole,chardev=tty,name=tty"]
        self._log = open(jobs / "l0.log", "wb")
        began = time.monotonic()
        self._l0 = start(cmd, files, own_terminal=interactive,
                         stdin=None if interactive else subprocess.DEVNULL,
                         stdout=None if interactive else self._log, stderr=self._log)
        try:
            for file in files:
                file.close()
            verb, _, age = (self._line(BOOT_TIMEOUT[machine.host_kernel]) or "").partition(" ")
            if verb != "ready":
                raise RigError("L1's agent did not come up" if self.alive() else "L0 did not start")
            # docs/design.md, "Faults of the emulator". Counted time is as fast as it likes.
            if not machine.icount:
                _check_clock(float(age), time.monotonic() - began)
        except BaseException as e:
            self.close()
            if not isinstance(e, RigError) or isinstance(e, WrongClock):
                raise
            raise RigError(f"{e}\n--- L0 ---\n{tail(jobs / 'l0.log')}\n--- L1 console ---\n"
                           f"{tail(self._console)}") from None

    @staticmethod
    def _disk(mib: int) -> IO[bytes]:
        """A disk with a file system, for what shall not lie in L1's memory."""
        disk = nameless(mib << 20)
        images.tool("/sbin/mkfs.ext2", "-q", "-m", "0", "-F", path_of(disk), files=(disk,))
        return disk

    def _line(self, timeout: float | None) -> str | None:
        """One line from the agent; None when the time is up or L1 is gone."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while b"\n" not in self._buffer:
            left = None if deadline is None else max(0, deadline - time.monotonic())
            if not select.select([self._agent], [], [], left)[0]:
                return None
            try:
                data = self._agent.recv(4096)
            except ConnectionResetError:
                data = b""
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace").strip()

    def run(self, job: pathlib.Path, timeout: float | None, foreground: bool = False) -> None:
        # In the foreground, the terminal is the machine's second port.
        name = str(job.relative_to(self.jobs.parent))
        try:
            self._agent.sendall(f"run {name}\n".encode())
        except BrokenPipeError:
            raise RigError("L1 died") from None
        line = self._line(timeout)
        if line is None or not line.startswith(f"done {name} "):
            raise RigError("L1 hangs or died" if line is None else f"L1's agent said: {line}")

    def console(self) -> str:
        return images.read(self._console)

    def alive(self) -> bool:
        """Whether the machine runs."""
        return self._l0.poll() is None

    def close(self) -> None:
        ending.stop(self._l0)
        self._agent.close()
        self._log.close()
