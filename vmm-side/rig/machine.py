# SPDX-License-Identifier: GPL-2.0
"""The machines that run jobs: an L1 under L0, or the user's own host.

Both offer run(job_directory, timeout): run the script run.sh there.
"""

import ctypes
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import images
from images import RigError

L0 = "qemu-system-x86_64"

# For what the emulated processor lacks: docs/design.md, "Faults of the emulator".
TCG_CPU = "max,-erms"
TCG_HOST_CPU = f"{TCG_CPU},+svm,+npt,+pdpe1gb"
TCG_BARE_CPU = f"{TCG_CPU},-svm,-hypervisor"
BOOT_TIMEOUT = 120
DISK_MB = 2048          # sparse

# Devices of L1 that its guests can have: where they sit, and what they are. The
# disk of the NVMe is a file of L0, so that L0 can check what a guest writes. The
# network is inside L0's QEMU: port 7 of 10.0.2.100 returns what it is sent.
NVME_MB = 256
PASSTHROUGH = {"nvme": "0000:00:10.0", "e1000e": "0000:00:11.0", "edu": "0000:00:12.0"}
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


def stop(process):
    """End a child for certain."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


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
        if not foreground:
            streams = {"stdin": subprocess.DEVNULL, "stdout": open(job / "host.log", "wb"),
                       "stderr": subprocess.STDOUT}
        env = dict(os.environ, PATH=f"{images.QEMU.parent}:{images.BUILD / 'tools'}:{os.environ['PATH']}")
        p = subprocess.Popen(["busybox", "sh", str(job / "run.sh"), str(job)], env=env,
                             start_new_session=not foreground, **streams)
        try:
            p.wait(timeout)
        except subprocess.TimeoutExpired:
            os.killpg(p.pid, 9)
            p.wait()
            raise RigError("the job's script did not end in time") from None

    def console(self):
        return ""

    def close(self):
        pass


class L1:
    """A whole AMD-V machine in QEMU, with our host kernel and QEMU in it."""

    def __init__(self, jobs, accel, smp=2, memory=6144, icount=False, interactive=False, append="",
                 kernel="host", devices=False):
        self.jobs = jobs
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="symbiotic-l1-"))
        self._console = jobs / "l1-console"
        (self.dir / "initrd").write_bytes(images.l1_initramfs(kernel))
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
            append = f"nohz=off highres=off {append}"
        cmd = [L0, "-M", "pc,graphics=off", *machine, "-smp", str(smp), "-m", str(memory),
               "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
               "-bios", str(images.FIRMWARE / "qboot.rom"),
               "-kernel", str(kernel), "-initrd", str(self.dir / "initrd"),
               "-append", f"console=ttyS0 panic=-1 quiet loglevel=5 tsc=reliable mitigations=off {append}",
               "-chardev", f"file,id=con,path={self._console}", "-serial", "chardev:con",
               "-drive", f"if=none,id=disk,file={self._disk()},format=raw,cache=writeback,discard=unmap",
               "-device", "virtio-blk-pci,drive=disk,serial=disk",
               "-virtfs", f"local,path={jobs.parent},mount_tag=jobs,security_model=none,multidevs=remap",
               "-device", "virtio-serial-pci,max_ports=4",
               "-chardev", f"socket,id=agent,path={self.dir}/agent,server=on,wait=off",
               "-device", "virtserialport,chardev=agent,name=agent"]
        if devices:
            cmd += device_args(jobs, PASSTHROUGH)
        if interactive:
            cmd += ["-chardev", "stdio,id=tty,signal=off", "-device", "virtconsole,chardev=tty,name=tty"]
        self._log = open(jobs / "l0.log", "wb")
        self._l0 = subprocess.Popen(cmd, stdin=None if interactive else subprocess.DEVNULL,
                                    stdout=None if interactive else self._log, stderr=self._log,
                                    preexec_fn=die_with_parent)
        self._buffer = b""
        try:
            self._agent = self._connect()
            if self._line(time.monotonic() + BOOT_TIMEOUT) != "ready":
                raise RigError("L1's agent did not come up")
        except RigError as e:
            self.close()
            raise RigError(f"{e}\n--- L0 ---\n{tail(jobs / 'l0.log')}\n--- L1 console ---\n"
                           f"{tail(self._console)}") from None

    def _disk(self):
        """A disk with a file system, for what shall not lie in L1's memory."""
        disk = self.dir / "disk"
        disk.touch()
        os.truncate(disk, DISK_MB << 20)
        subprocess.run(["/sbin/mkfs.ext2", "-q", "-m", "0", str(disk)], check=True)
        return disk

    def _connect(self):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self._l0.poll() is None:
            s = socket.socket(socket.AF_UNIX)
            try:
                s.connect(str(self.dir / "agent"))
                return s
            except OSError:
                s.close()
                time.sleep(0.05)
        raise RigError("L0 did not start")

    def _line(self, deadline):
        """One line from the agent; None when the time is up or L1 is gone."""
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._agent], [], [], left)[0]:
                return None
            data = self._agent.recv(4096)
            if not data:
                return None
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace").strip()

    def run(self, job, timeout, foreground=False):
        del foreground      # the terminal is the machine's second port
        name = str(job.relative_to(self.jobs.parent))
        self._agent.sendall(f"run {name}\n".encode())
        line = self._line(time.monotonic() + timeout)
        if line is None or not line.startswith(f"done {name} "):
            raise RigError("L1 hangs or died" if line is None else f"L1's agent said: {line}")

    def console(self):
        """All that L1's kernel has said."""
        return images.read(self._console)

    def alive(self):
        return self._l0.poll() is None

    def close(self):
        stop(self._l0)
        self._log.close()
        shutil.rmtree(self.dir, ignore_errors=True)
