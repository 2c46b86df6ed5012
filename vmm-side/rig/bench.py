# SPDX-License-Identifier: GPL-2.0
"""Bench: one host machine that stays up and runs many guests."""

import atexit
import dataclasses
import itertools
import math
import os
import pathlib
import shlex
import shutil
import subprocess
import tempfile
import time

import hang
import hardware
import images
from images import RigError, read
from machine import (GUARD, L0, L1, PASSTHROUGH, TCG_BARE_CPU, LocalHost, device_args,
                     die_with_parent, stop, tail)

HOSTS = ("symbiotic", "plain-kvm", "bare-metal")
STORES = ("tmpfs", "hugetlbfs", "disk")
KITTEN = "kitten"       # the kernel that is not Linux
# Swap devices on the window, and the guest's mode for each.
WINDOWS = {"bypass": "shadow-bypass", "symswap": "copy", "in-place": "in-place"}
SWAPS = (*WINDOWS, "virtio-blk", "zswap", "zram", "virtio-pmem", "dimm", "none")
# What the guest's kernel needs to hear for some: zswap goes over a virtio-blk
# disk, with a larger pool than the fifth of memory that it has by default. A
# DIMM is no swap at all but memory; its struct pages lie in it.
SWAP_APPEND = {
    "zswap": "zswap.enabled=1 zswap.max_pool_percent=50",
    "dimm": "memhp_default_state=online_movable memory_hotplug.memmap_on_memory=1",
}


@dataclasses.dataclass
class Result:
    """What a run left. status is None, and error says why, when the guest
    did not report the command's status: hang, crash, set-up failure."""
    status: int = None
    stdout: str = ""
    stderr: str = ""
    console: str = ""
    host_console: str = ""      # what L1's kernel said meanwhile
    host_before: dict = dataclasses.field(default_factory=dict)
    host_marks: list = dataclasses.field(default_factory=list)  # where the command said "mark"
    host_after: dict = dataclasses.field(default_factory=dict)
    host_out: str = ""
    host_status: int = None
    guard: str = ""             # what became of L1's memory that no guest may reach
    disk: pathlib.Path = None   # the file of L0 behind the NVMe
    error: str = ""
    vcpus: list = dataclasses.field(default_factory=list)   # lines about a guest that hung
    seconds: float = 0.0

    def explain(self):
        """Text for people about a run that has no status."""
        parts = [self.error]
        if self.vcpus:
            parts += ["--- guest vCPUs, a second between two looks ---", *self.vcpus]
        return "\n".join([*parts, "--- guest console ---", *self.console.splitlines()[-40:]])


def counters(path):
    """KVM's counters as a dictionary."""
    out = {}
    for line in read(path).splitlines():
        name, _, value = line.partition(" ")
        if value.lstrip("-").isdigit():
            out[name] = int(value)
    return out


def remove_leftovers(jobs):
    """Directories of benches that were killed before they could clean up."""
    for old in jobs.glob("bench-*-*"):
        pid = old.name.split("-")[1]
        if pid.isdigit() and not os.path.exists(f"/proc/{pid}") and not os.environ.get("RIG_KEEP"):
            shutil.rmtree(old, ignore_errors=True)


class Bench:
    """Context manager. The host machine starts with the first run.

    host: where guests run unless run() says otherwise: "symbiotic" (our KVM),
    "plain-kvm" (unmodified modules, same L1), "bare-metal" (straight on L0).
    icount: clocks count instructions. smp: CPUs of the host machine.
    host_kernel: "host", or "debug", which checks locking and memory.
    devices: the host machine has devices to pass through, a huge page to use
    with them, and memory set aside to see what they damage.
    """

    def __init__(self, host="symbiotic", icount=False, smp=2, memory=6144, l1_append="",
                 host_kernel="host", devices=False):
        if host not in HOSTS:
            raise RigError(f"HOST={host}: one of {', '.join(HOSTS)}")
        self.host, self.icount, self.smp, self.memory = host, icount, smp, memory
        self.l1_append, self.host_kernel = l1_append, host_kernel
        self.devices = devices
        if devices:
            self.l1_append += f" hugepagesz=1G hugepages=1 memmap={GUARD[1]}${GUARD[0]}"
        self._machine = None
        self._numbers = itertools.count(1)
        jobs = images.BUILD / "jobs"
        jobs.mkdir(parents=True, exist_ok=True)
        remove_leftovers(jobs)
        self.dir = pathlib.Path(tempfile.mkdtemp(dir=jobs, prefix=f"bench-{os.getpid()}-"))
        self._kind = hardware.kind()
        self._initrds = {}
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        if self._machine:
            self._machine.close()
            self._machine = None
        if not os.environ.get("RIG_KEEP"):
            shutil.rmtree(self.dir, ignore_errors=True)

    # ---- files -----------------------------------------------------------

    def _share(self, path):
        """Make an image visible to the host machine; returns its name."""
        shared = self.dir / "images"
        shared.mkdir(exist_ok=True)
        dest = shared / path.name
        if not dest.exists():
            try:
                os.link(path, dest)
            except OSError:
                shutil.copy(path, dest)
        return path.name

    def _guest_initrd(self, kernel, files):
        """The archive of a kernel. Linux gets files on a disk, Kitten here."""
        key = ("kitten", files) if kernel == KITTEN else "linux"
        if key not in self._initrds:
            blob = images.kitten_initramfs(files) if kernel == KITTEN else images.guest_initramfs()
            path = self.dir / f"initrd{len(self._initrds)}-{len(blob)}"
            path.write_bytes(blob)
            self._initrds[key] = path
        return self._initrds[key]

    # ---- command lines ---------------------------------------------------

    @staticmethod
    def _common(smp, guest_mem, append, interactive, boot, swap):
        console = "quiet " if interactive else "quiet loglevel=6 "
        memory = f"{guest_mem},slots=1,maxmem=64G" if swap in ("virtio-pmem", "dimm") else str(guest_mem)
        append = f"{SWAP_APPEND.get(swap, '')} {append}"
        args = ["-smp", str(smp), "-m", memory, "-nodefaults", "-no-user-config",
                "-display", "none",
                "-append", f"console=ttyS0 panic=-1 {console}{append}".strip()]
        if boot == "pvh":
            args += ["-bios", "@FW@qboot.rom"]
        return args

    @staticmethod
    def _ports(interactive, ctl, job, kernel):
        if interactive:
            return []
        if kernel == KITTEN:
            # Behind the console: serial ports for the same three channels.
            return ["-chardev", f"file,id=out,path={job}/out", "-serial", "chardev:out",
                    "-chardev", f"file,id=err,path={job}/err", "-serial", "chardev:err",
                    "-chardev", ctl, "-serial", "chardev:ctl"]
        args = ["-device", "virtio-serial-pci,max_ports=8", "-chardev", ctl,
                "-device", "virtserialport,chardev=ctl,name=ctl"]
        for name in ("out", "err"):
            args += ["-chardev", f"file,id={name},path={job}/{name}",
                     "-device", f"virtserialport,chardev={name},name={name}"]
        return args

    @staticmethod
    def _disk(name, path, readonly=False):
        ro = ",readonly=on" if readonly else ""
        return ["-drive", f"if=none,id={name},file={path},format=raw,cache=writeback{ro}",
                "-device", f"virtio-blk-pci,drive={name},serial={name}"]

    def _swap_args(self, swap, size):
        if swap in WINDOWS:
            return ["-object", f"memory-backend-file,id=window,share=on,mem-path=@SWAP@,size={size}M",
                    "-device", "symswap,memdev=window"]
        if swap in ("virtio-blk", "zswap"):
            return self._disk("swap", "@SWAP@")
        if swap in ("virtio-pmem", "dimm"):
            device = "pc-dimm" if swap == "dimm" else "virtio-pmem-pci"
            return ["-object", f"memory-backend-file,id=mem,share=on,mem-path=@SWAP@,size={size}M",
                    "-device", f"{device},memdev=mem,id=swap"]
        return []

    @staticmethod
    def _passthrough_args(devices, ram, size):
        args = []
        if devices and ram:
            args = ["-object", f"memory-backend-file,id=ram,share=on,mem-path=@WORK@/ram,size={size}M"]
        for name in devices:
            # The ROM is for a firmware that would drive the device.
            args += ["-device", f"vfio-pci,host={PASSTHROUGH[name]},rombar=0,id={name}"]
        return args

    # ---- running ---------------------------------------------------------

    def run(self, cmd, files=None, guest_mem=512, smp=1, paging="shadow", symbiotic=True,
            swap="none", append="", kernel="guest", timeout=120, host_cmd=None, host=None,
            swap_size=512, swap_store="tmpfs", kvm_params="", qemu_args=(), boot="pvh",
            reboot=False, interactive=False, bypass_mode=None, passthrough=(), noiommu=True,
            ram="1G"):
        """Run a shell command in a fresh guest; returns a Result."""
        host = host or self.host
        if host not in HOSTS:
            raise RigError(f"HOST={host}: one of {', '.join(HOSTS)}")
        if swap not in SWAPS:
            raise RigError(f"SWAP={swap}: one of {', '.join(SWAPS)}")
        if swap_store not in STORES:
            raise RigError(f"SWAP_STORE={swap_store}: one of {', '.join(STORES)}")
        if paging not in ("shadow", "nested"):
            raise RigError(f"PAGING={paging}: shadow or nested")
        if kernel == KITTEN and (swap != "none" or interactive or boot != "pvh"):
            raise RigError("KERNEL=kitten has no swap, no shell, and boots by PVH")
        if set(passthrough) - set(PASSTHROUGH):
            raise RigError(f"PASSTHROUGH={' '.join(passthrough)}: {', '.join(PASSTHROUGH)}")
        if passthrough and not self.devices:
            raise RigError("passthrough needs a bench with devices")
        if host == "bare-metal" and swap not in ("virtio-blk", "zram", "none"):
            raise RigError(f"SWAP={swap} needs our QEMU; bare metal has virtio-blk, zram, none")

        job = self.dir / str(next(self._numbers))
        job.mkdir()
        env = {"FILES": "1" if files else "", "SWAP": swap, "SWAP_MB": str(swap_size),
               "SHELL_TTY": "/dev/ttyS0" if interactive else ""}
        (job / "initrd.job").write_bytes(images.job_initramfs(cmd, env))
        # qboot does not boot an ELF kernel next to a passthrough device (reason
        # unknown); a bzImage it does.
        image = "bzimage" if passthrough and host != "bare-metal" and kernel != KITTEN else boot
        shared = {"kernel": images.kernel_image(kernel, image), "initrd": self._guest_initrd(kernel, files)}
        if files and kernel != KITTEN:
            shared["files"] = images.erofs(files)

        if host == "bare-metal":
            start = time.monotonic()
            result = self._run_bare(job, shared, guest_mem, smp, swap, swap_size, append, timeout,
                                    boot, interactive, kernel, passthrough)
        else:
            if swap in WINDOWS:
                append = f"symswap.mode={WINDOWS[swap]} {append}"
            if self._kind == "emulated" and kernel != KITTEN:
                # QEMU's VMRUN forgets the interrupt shadow: an interrupt between
                # STI and HLT wakes nobody. A tick that never stops bounds that.
                # Taking out LOCK prefixes one by one through a mapping of its own
                # is half of the boot time of one CPU under shadow paging.
                append = f"nohz=off noreplace-smp {append}"
            args = self._common(smp, guest_mem, append, interactive, boot, swap)
            # -svm: no third level here. -tsc-deadline: with it guests hang now
            # and then under an emulated L1.
            accel = "kvm" if symbiotic or host == "plain-kvm" else "kvm,symbiotic=off"
            cpu = "host,-tsc-deadline,-svm,-vmx"
            if self._kind == "emulated":
                # Two layers of emulation disagree on the size of the XSAVE
                # area, about which the guest's kernel warns.
                cpu += ",-xsave,-avx,-avx2"
            args += ["-accel", accel, "-cpu", cpu,
                     "-M", "pc,graphics=off" + (",memory-backend=ram" if passthrough and ram else ""),
                     "-kernel", f"@IMG@{shared['kernel'].name}", "-initrd", "@WORK@/initrd",
                     "-qmp", "unix:@WORK@/qmp,server=on,wait=off", "-pidfile", "@WORK@/pid"]
            if not reboot:
                args += ["-no-reboot"]
            if "files" in shared:
                args += self._disk("files", f"@IMG@{shared['files'].name}", readonly=True)
            args += self._swap_args(swap, swap_size)
            args += self._passthrough_args(passthrough, ram, guest_mem) + list(qemu_args)
            if interactive:
                tty = "stdio,signal=off" if self._kind == "local" else "serial,path=/dev/hvc0"
                args += ["-chardev", f"{tty},id=con"]
            else:
                args += ["-chardev", "file,id=con,path=@WORK@/console",
                         "-chardev", "pipe,id=mon,path=@WORK@/mon", "-mon", "chardev=mon"]
            args += ["-serial", "chardev:con"]
            args += self._ports(interactive, "pipe,id=ctl,path=@WORK@/ctl", "@WORK@", kernel)
            job_env = {"IMAGES": " ".join(self._share(p) for p in shared.values()),
                       "INITRD": shared["initrd"].name, "KVM_HOST": host, "PAGING": paging,
                       "KVM_PARAMS": kvm_params, "SWAP": swap, "SWAP_MB": str(swap_size),
                       "SMP": str(smp), "SWAP_STORE": swap_store, "TIMEOUT": str(math.ceil(timeout)),
                       "LOCAL": "1" if self._kind == "local" else "0",
                       "INTERACTIVE": "1" if interactive else "0",
                       "PASSTHROUGH": " ".join(PASSTHROUGH[p] for p in passthrough),
                       "NOIOMMU": "Y" if noiommu else "N", "RAM": ram if passthrough else "",
                       "GUARD": f"{GUARD[0]} {GUARD[1]}",
                       "BYPASS_MODE": self._bypass_mode(host, symbiotic, swap, bypass_mode)}
            self._write_job(job, args, job_env, host_cmd)
            machine = self._host_machine(interactive)
            start = time.monotonic()
            result = self._run_on(machine, job, timeout, interactive)
            if (job / "hang").exists():
                result.vcpus = hang.describe(read(job / "hang"), hang.Symbols(images.system_map(kernel)))
        result.seconds = time.monotonic() - start
        result.disk = (job if host == "bare-metal" else self.dir) / "nvme"
        return result

    def run_l1(self, cmd, host=None, paging="shadow", kvm_params="", timeout=120):
        """Run a shell command in the host machine itself, with KVM loaded."""
        job = self.dir / str(next(self._numbers))
        job.mkdir()
        env = {"IMAGES": "", "KVM_HOST": host or self.host, "PAGING": paging, "KVM_PARAMS": kvm_params,
               "TIMEOUT": str(math.ceil(timeout)), "LOCAL": "1" if self._kind == "local" else "0", "L1_ONLY": "1"}
        self._write_job(job, [], env, cmd)
        start = time.monotonic()
        result = self._run_on(self._host_machine(False), job, timeout, False)
        result.seconds = time.monotonic() - start
        return result

    @staticmethod
    def _bypass_mode(host, symbiotic, swap, mode):
        """Mode to set in the VM; empty leaves KVM's own default."""
        if host != "symbiotic" or not symbiotic:
            return ""
        return mode or ("always" if swap == "bypass" else "off" if swap in WINDOWS else "")

    def _write_job(self, job, args, env, host_cmd):
        replace = {"@WORK@": '"$WORK"', "@JOB@": '"$JOB"', "@SWAP@": '"$SWAPFILE"',
                   "@IMG@": "/run/images/", "@FW@": f"{images.FIRMWARE}/"}
        words = []
        for a in ["qemu-system-x86_64", "-L", "@FW@", *args]:
            word = shlex.quote(a)
            for mark, value in replace.items():
                # Leave the single quotes for a moment if the word has them.
                word = word.replace(mark, f"'{value}'" if word.startswith("'") and "$" in value else value)
            words.append(word)
        (job / "qemu.cmd").write_text("exec " + " ".join(words) + "\n")
        (job / "job.env").write_text("".join(f"{k}={shlex.quote(v)}\n" for k, v in env.items()))
        shutil.copy(images.HERE / "l2.sh", job / "run.sh")
        if host_cmd:
            (job / "host_cmd").write_text(host_cmd + "\n")

    def _host_machine(self, interactive):
        if self._machine is None:
            if self._kind == "local":
                self._machine = LocalHost(self.dir)
            else:
                accel = "kvm" if self._kind == "nested" and not self.icount else "tcg"
                self._machine = L1(self.dir, accel, self.smp, self.memory, self.icount, interactive,
                                   self.l1_append, self.host_kernel, self.devices)
        return self._machine

    def _run_on(self, machine, job, timeout, interactive):
        verdict = ""
        said = len(machine.console())
        try:
            machine.run(job, None if interactive and self._kind == "local" else
                        (86400 if interactive else timeout + 60), foreground=interactive)
            verdict = read(job / "verdict").strip() or "no verdict\n" + read(job / "host.log")
        except RigError as e:
            verdict = f"{e}\n--- L1 console ---\n{machine.console()[-4000:]}\n--- host log ---\n{tail(job / 'host.log')}"
            machine.close()
            self._machine = None
        result = self._collect(job, verdict)
        result.host_console = machine.console()[said:]
        return result

    @staticmethod
    def _collect(job, verdict):
        status = read(job / "status").strip()
        host_status = read(job / "host.status").strip()
        result = Result(stdout=read(job / "out"), stderr=read(job / "err"), console=read(job / "console"),
                        host_before=counters(job / "before"), host_after=counters(job / "after"),
                        host_marks=[counters(job / f"mark.{i}") for i in range(len(list(job.glob("mark.*"))))],
                        host_out=read(job / "host.out"), guard=read(job / "guard"))
        if host_status.isdigit():
            result.host_status = int(host_status)
        if verdict == "ok" and status.isdigit():
            result.status = int(status)
        elif verdict != "ok" or status:
            log = read(job / "qemu.log").strip()
            result.error = verdict + (f"\n--- QEMU ---\n{log}" if log else "")
        return result

    def _run_bare(self, job, shared, guest_mem, smp, swap, swap_size, append, timeout, boot, interactive,
                  kernel, devices=()):
        """The same guest image straight on L0: a machine with no hypervisor."""
        initrd = job / "initrd"
        initrd.write_bytes(shared["initrd"].read_bytes() + (job / "initrd.job").read_bytes())
        if self._kind != "emulated" and not self.icount:
            accel = ["-accel", "kvm", "-cpu", "host"]
        else:
            # Linux in one thread: CPUs that run at the same time see code that
            # another one is patching (docs/design.md, "Faults of the emulator").
            threads = "multi" if kernel == KITTEN and not self.icount else "single"
            accel = ["-accel", f"tcg,thread={threads}", "-cpu", TCG_BARE_CPU]
            accel += ["-icount", "shift=0,sleep=off"] if self.icount else []
        sock = pathlib.Path(tempfile.mkdtemp(prefix="symbiotic-l0-"))
        args = self._common(smp, guest_mem, append, interactive, boot, swap)
        args += [*accel, "-M", "pc,graphics=off", "-kernel", str(shared["kernel"]), "-initrd", str(initrd),
                 "-no-reboot"]
        # Not the disk that L1 has open.
        args += device_args(job, devices)
        if "files" in shared:
            args += self._disk("files", str(shared["files"]), readonly=True)
        if swap == "virtio-blk":
            (sock / "swap").touch()
            os.truncate(sock / "swap", swap_size << 20)
            args += self._disk("swap", f"{sock}/swap")
        con = "stdio,signal=off" if interactive else f"file,path={job}/console"
        args += ["-chardev", f"{con},id=con", "-serial", "chardev:con"]
        args += self._ports(interactive, f"pipe,id=ctl,path={sock}/ctl", job, kernel)
        args = [a.replace("@FW@", f"{images.FIRMWARE}/") for a in args]
        try:
            if interactive:
                subprocess.run([L0, *args], check=False)
                return Result(status=0)
            return self._bare_conversation(job, [L0, *args], sock, timeout)
        finally:
            shutil.rmtree(sock, ignore_errors=True)

    def _bare_conversation(self, job, cmd, sock, timeout):
        for name in ("ctl.in", "ctl.out"):
            os.mkfifo(sock / name)
        to_guest = os.fdopen(os.open(sock / "ctl.in", os.O_RDWR), "wb", buffering=0)
        from_guest = os.open(sock / "ctl.out", os.O_RDWR | os.O_NONBLOCK)
        deadline = time.monotonic() + timeout
        verdict, status, pending = "", None, b""
        with open(job / "qemu.log", "wb") as log:
            p = subprocess.Popen(cmd, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                 preexec_fn=die_with_parent)
            try:
                while not verdict:
                    gone = p.poll() is not None
                    try:
                        pending += os.read(from_guest, 4096)
                    except BlockingIOError:
                        if gone:
                            verdict = "ok" if status else "the guest ended without a status"
                        elif time.monotonic() > deadline:
                            verdict = f"timeout after {timeout} s"
                        time.sleep(0.02)
                    while b"\n" in pending:
                        line, _, pending = pending.partition(b"\n")
                        verb, _, rest = line.decode(errors="replace").strip().partition(" ")
                        if verb in ("ready", "mark"):
                            to_guest.write(b"go\n")
                        elif verb == "exit":
                            status = rest
                            to_guest.write(b"bye\n")
                        elif verb == "failed":
                            verdict = f"guest set-up failed: {rest}"
            finally:
                stop(p)
                to_guest.close()
                os.close(from_guest)
        if verdict == "ok":
            (job / "status").write_text(status)
        return self._collect(job, verdict)
