# SPDX-License-Identifier: GPL-2.0
"""The machines that run jobs: an L1 under L0, or the user's own host.

Both offer run(job_directory, timeout): run the script run.sh there.
"""

import ctypes
import os
import pathlib
import select
import signal
import socket
import subprocess
import tempfile
import time

from . import ending, images
from .guest import L1_DISK_MB, PASSTHROUGH
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
# sent.
NVME_MB = 256
# What a device gets wrong when it takes guest addresses for host addresses lands
# in a part of L1's memory that nobody else uses.
GUARD = (512 << 20, 512 << 20)


def tail(path, lines=40):
    try:
        text = pathlib.Path(path).read_text(errors="replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None)


def die_with_parent():
    """In a child before exec: no machine may outlive the bench (the thread that
    started it), however the bench ends."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(cmd, files=(), own_terminal=False, **options):
    """Starts a machine, with files open whose paths are path_of(). A Ctrl-C is for the
    bench, which ends its machines in order; but who reads the terminal stays in the
    terminal's process group."""
    return subprocess.Popen(cmd, preexec_fn=die_with_parent, pass_fds=[f.fileno() for f in files],
                            start_new_session=not own_terminal, **options)


def path_of(file):
    """How a child that has it open names a file without a name."""
    return f"/proc/self/fd/{file.fileno()}"


def nameless(size=0, data=b""):
    """A file that is gone with the last process that has it open."""
    file = tempfile.TemporaryFile(prefix="symbiotic-", buffering=0)
    if data:
        file.write(data)
    else:
        os.truncate(file.fileno(), size)
    return file


def device_args(jobs, names):
    """QEMU's arguments for devices of PASSTHROUGH."""
    nvme = jobs / "nvme"
    nvme.touch()
    os.truncate(nvme, NVME_MB << 20)
    args = {"nvme": ["-drive", f"if=none,id=nvme,file={nvme},format=raw,cache=writeback",
                     "-device", "nvme,drive=nvme,serial=nvme"],
            "e1000e": ["-netdev", "user,id=net,restrict=on,guestfwd=tcp:10.0.2.100:7-cmd:cat",
                       "-device", "e1000e,netdev=net,romfile="],
            "edu": ["-device", "edu,dma_mask=0xffffffffffff"]}
    out = []
    for name in names:
        slot = PASSTHROUGH[name].partition(".")[0][-2:]
        out += args[name][:-1] + [f"{args[name][-1]},addr=0x{slot}"]
    return out


class LocalHost:
    """The user's own host runs the extended KVM: no L0, no boot."""

    def __init__(self, jobs):
        self.jobs = jobs
        if not os.path.exists("/run/images"):
            os.makedirs("/run/images", exist_ok=True)

    def run(self, job, timeout, foreground=False):
        streams = {}
        env = dict(os.environ, PATH=f"{images.QEMU.parent}:{images.BUILD / 'tools'}:{os.environ['PATH']}")
        with open(job / "host.log", "wb") as log:
            if not foreground:
                streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": subprocess.STDOUT}
            p = start(["busybox", "sh", str(job / "run.sh"), str(job)], env=env, own_terminal=foreground, **streams)
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

    def console(self):
        return ""

    def close(self):
        pass


class L1:
    """A whole AMD-V machine in QEMU, with our host kernel and QEMU in it."""

    def __init__(self, jobs, accel, smp=2, memory=6144, icount=False, interactive=False, append="",
                 kernel="host", devices=False):
        self.jobs = jobs
        self._console = jobs / "l1-console"
        boot_timeout = BOOT_TIMEOUT[kernel]
        initrd = nameless(data=images.l1_initramfs(kernel))
        disk = self._disk()
        self._agent, agent = socket.socketpair()
        files = (initrd, disk, agent)
        kernel = images.kernel_image(images.L1_KERNEL[kernel], "pvh")

        if accel == "kvm":
            machine = ["-accel", "kvm", "-cpu", "host"]
        elif icount:
            # One instruction is one nanosecond of virtual time: the guest's
            # clocks count instructions. One thread runs all CPUs.
            machine = ["-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off",
                       "-cpu", TCG_HOST_CPU]
            smp = 1
        else:
            # For all that is unusual here: docs/design.md, "Faults of the emulator".
            machine = ["-accel", "tcg,thread=multi,tb-size=1024", "-cpu", TCG_HOST_CPU]
            if smp > 1:
                append = f"maxcpus=1 noreplace-smp JOB_CPUS={(1 << (smp + 1)) - 2:x} {append}"
                smp += 1
        if accel != "kvm":
            # Starved of its processor for a moment, L1 would take its timer for broken.
            append = f"nohz=off highres=off no_timer_check {append}"
        cmd = [L0, "-M", "pc,graphics=off", *machine, "-smp", str(smp), "-m", str(memory),
               "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
               "-bios", str(images.FIRMWARE / "qboot.rom"),
               "-kernel", str(kernel), "-initrd", path_of(initrd),
               "-append", f"console=ttyS0 panic=-1 quiet loglevel=5 tsc=reliable mitigations=off {append}",
               "-chardev", f"file,id=con,path={self._console}", "-serial", "chardev:con",
               "-drive", f"if=none,id=disk,file={path_of(disk)},format=raw,cache=writeback,discard=unmap",
               "-device", "virtio-blk-pci,drive=disk,serial=disk",
               "-virtfs", f"local,path={jobs.parent},mount_tag=jobs,security_model=none,multidevs=remap",
               "-device", "virtio-serial-pci,max_ports=4",
               "-chardev", f"socket,id=agent,fd={agent.fileno()}",
               "-device", "virtserialport,chardev=agent,name=agent"]
        if devices:
            cmd += device_args(jobs, PASSTHROUGH)
        if interactive:
            cmd += ["-chardev", "stdio,id=tty,signal=off", "-device", "virtconsole,chardev=tty,name=tty"]
        self._log = open(jobs / "l0.log", "wb")
        self._l0 = start(cmd, files, own_terminal=interactive, stdin=None if interactive else subprocess.DEVNULL,
                         stdout=None if interactive else self._log, stderr=self._log)
        self._buffer = b""
        try:
            for file in files:
                file.close()
            if self._line(time.monotonic() + boot_timeout) != "ready":
                raise RigError("L1's agent did not come up" if self.alive() else "L0 did not start")
        except BaseException as e:
            self.close()
            if not isinstance(e, RigError):
                raise
            raise RigError(f"{e}\n--- L0 ---\n{tail(jobs / 'l0.log')}\n--- L1 console ---\n"
                           f"{tail(self._console)}") from None

    @staticmethod
    def _disk():
        """A disk with a file system, for what shall not lie in L1's memory."""
        disk = nameless(L1_DISK_MB << 20)
        images.tool("/sbin/mkfs.ext2", "-q", "-m", "0", "-F", path_of(disk), files=(disk,))
        return disk

    def _line(self, deadline):
        """One line from the agent; None when the time is up or L1 is gone."""
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._agent], [], [], left)[0]:
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

    def run(self, job, timeout, foreground=False):
        del foreground      # the terminal is the machine's second port
        name = str(job.relative_to(self.jobs.parent))
        try:
            self._agent.sendall(f"run {name}\n".encode())
        except BrokenPipeError:
            raise RigError("L1 died") from None
        line = self._line(time.monotonic() + timeout)
        if line is None or not line.startswith(f"done {name} "):
            raise RigError("L1 hangs or died" if line is None else f"L1's agent said: {line}")

    def console(self):
        """All that L1's kernel has said."""
        return images.read(self._console)

    def alive(self):
        return self._l0.poll() is None

    def close(self):
        ending.stop(self._l0)
        self._agent.close()
        self._log.close()
