# SPDX-License-Identifier: GPL-2.0
"""Bench: one host machine that stays up and runs many guests."""

import atexit
import contextlib
import dataclasses
import fcntl
import itertools
import math
import os
import pathlib
import shlex
import shutil
import socket
import subprocess
import tempfile
import time

from . import ending, hang, hardware, images
from .guest import DISKS, KITTEN, MAXMEM_MB, MEMORIES, PASSTHROUGH, WINDOWS, Guest, Machine
from .host import (GUARD, L0, L1, TCG_BARE_CPU, LocalHost, device_args, nameless, path_of, start,
                   tail)
from .images import RigError, read, read_bytes

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
    out: bytes = b""            # the command's output as it is
    err: bytes = b""
    console: str = ""
    host_console: str = ""      # what L1's kernel said meanwhile
    host_before: dict = dataclasses.field(default_factory=dict)
    host_marks: list = dataclasses.field(default_factory=list)  # where the command said "mark"
    host_after: dict = dataclasses.field(default_factory=dict)
    host_said: bytes = b""      # the output of host_cmd
    host_status: int = None
    guard: str = ""             # what became of L1's memory that no guest may reach
    disk: pathlib.Path = None   # the file of L0 behind the NVMe
    error: str = ""
    vcpus: list = dataclasses.field(default_factory=list)   # lines about a guest that hung
    seconds: float = 0.0

    @property
    def stdout(self):
        """The command's output as text, for whoever looks for something in it."""
        return self.out.decode(errors="replace")

    @property
    def stderr(self):
        """The same of its standard error."""
        return self.err.decode(errors="replace")

    @property
    def host_out(self):
        """And of host_cmd."""
        return self.host_said.decode(errors="replace")

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


def new_directory(jobs):
    """(A directory for a bench, what keeps it): the others' that nobody keeps any more,
    because their owners were killed, are removed."""
    jobs.mkdir(parents=True, exist_ok=True)
    with open(jobs / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for old in () if os.environ.get("RIG_KEEP") else jobs.glob("bench-*"):
            keeper = os.open(old, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(keeper, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(old, ignore_errors=True)
            except BlockingIOError:
                pass
            finally:
                os.close(keeper)
        new = pathlib.Path(tempfile.mkdtemp(dir=jobs, prefix="bench-"))
        keeper = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(keeper, fcntl.LOCK_EX)
        return new, keeper


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
        self.options = Machine(icount=icount, smp=smp, memory=memory, kernel=host_kernel, devices=devices)
        self.host, self.l1_append = host, l1_append
        if devices:
            self.l1_append += f" hugepagesz=1G hugepages=1 memmap={GUARD[1]}${GUARD[0]}"
        self._machine = None
        self._numbers = itertools.count(1)
        self.dir, self._keeper = new_directory(images.BUILD / "jobs")
        self._kind = hardware.kind()
        atexit.register(self.close)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()

    def close(self):
        """Ends the machine. The second time, which may be at the program's end while a
        thread is still at the first, it finds nothing to do."""
        machine, self._machine = self._machine, None
        if machine:
            machine.close()
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            if not os.environ.get("RIG_KEEP"):
                shutil.rmtree(self.dir, ignore_errors=True)
            os.close(keeper)

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
        kitten = kernel == KITTEN
        blob = images.kitten_initramfs(files) if kitten else images.guest_initramfs()
        path = self.dir / f"initrd_{'kitten' if kitten else 'linux'}-{images.digest(blob)}"
        if not path.exists():
            path.write_bytes(blob)
        return path

    # ---- command lines ---------------------------------------------------

    @staticmethod
    def _common(guest, append):
        console = "quiet " if guest.interactive else "quiet loglevel=6 "
        memory = str(guest.guest_mem) + (f",slots=1,maxmem={MAXMEM_MB}M" if guest.swap in MEMORIES else "")
        append = f"{SWAP_APPEND.get(guest.swap, '')} {append}"
        args = ["-smp", str(guest.smp), "-m", memory, "-nodefaults", "-no-user-config",
                "-display", "none",
                "-append", f"console=ttyS0 panic=-1 {console}{append}".strip()]
        if guest.boot == "pvh":
            # qboot does not boot an ELF kernel next to a passthrough device (reason
            # unknown); SeaBIOS does.
            passed = guest.passthrough and guest.host != "bare-metal" and guest.kernel == KITTEN
            args += ["-bios", "@FW@bios-256k.bin" if passed else "@FW@qboot.rom"]
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
            # QEMU tells the guest of 2 GiB of addresses for 64-bit PCI regions, and a
            # region lies at a multiple of its size.
            room = ["-global", f"i440FX-pcihost.pci-hole64-size={2 * size + 2048}M"] if size > 1024 else []
            return [*room, "-object", f"memory-backend-file,id=window,share=on,mem-path=@SWAP@,size={size}M",
                    "-device", "symswap,memdev=window"]
        if swap in DISKS:
            return self._disk("swap", "@SWAP@")
        if swap in MEMORIES:
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
            args += ["-device", f"vfio-pci,host={PASSTHROUGH[name]},x-no-iommu=on,rombar=0,id={name}"]
        return args

    # ---- running ---------------------------------------------------------

    def run(self, cmd, **options):
        """Run a shell command in a fresh guest; returns a Result. The options are the
        fields of Guest."""
        return self.boot(Guest(**{"host": self.host, "cmd": cmd, **options}))

    def boot(self, guest):
        """run() for a Guest."""
        guest.check(self.options, self._kind)
        host, kernel, files, swap, append = guest.host, guest.kernel, guest.files, guest.swap, guest.append
        guest_mem, swap_size, interactive, passthrough = \
            guest.guest_mem, guest.swap_size, guest.interactive, guest.passthrough

        job = self.dir / str(next(self._numbers))
        job.mkdir()
        env = {"FILES": "1" if files else "", "SWAP": swap, "SWAP_MB": str(swap_size),
               "SHELL_TTY": "/dev/ttyS0" if interactive else ""}
        (job / "initrd.job").write_bytes(images.job_initramfs(guest.cmd, env))
        # A bzImage qboot does boot there.
        image = "bzimage" if passthrough and host != "bare-metal" and kernel != KITTEN else guest.boot
        shared = {"kernel": images.kernel_image(kernel, image), "initrd": self._guest_initrd(kernel, files)}
        if files and kernel != KITTEN:
            shared["files"] = images.erofs(files)

        if host == "bare-metal":
            began = time.monotonic()
            result = self._run_bare(job, shared, guest)
        else:
            if swap in WINDOWS:
                append = f"symswap.mode={WINDOWS[swap]} {append}"
            if self._kind == "emulated" and kernel != KITTEN:
                # QEMU's VMRUN forgets the interrupt shadow: an interrupt between
                # STI and HLT wakes nobody. A tick that never stops bounds that.
                # Taking out LOCK prefixes one by one through a mapping of its own
                # is half of the boot time of one CPU under shadow paging.
                append = f"nohz=off noreplace-smp {append}"
            args = self._common(guest, append)
            # -svm: no third level here. -tsc-deadline: with it guests hang now
            # and then under an emulated L1.
            accel = "kvm" if guest.symbiotic or host == "plain-kvm" else "kvm,symbiotic=off"
            cpu = "host,-tsc-deadline,-svm,-vmx"
            if self._kind == "emulated":
                # Two layers of emulation disagree on the size of the XSAVE
                # area, about which the guest's kernel warns.
                cpu += ",-xsave,-avx,-avx2"
                # Each interrupt's handler must exit, or the emulator may deliver
                # it twice.
                cpu += ",kvm-pv-eoi=off"
            args += ["-accel", accel, "-cpu", cpu,
                     "-M", "pc,graphics=off" + (",memory-backend=ram" if passthrough and guest.ram else ""),
                     "-kernel", f"@IMG@{shared['kernel'].name}", "-initrd", "@WORK@/initrd",
                     "-qmp", "unix:@WORK@/qmp,server=on,wait=off", "-pidfile", "@WORK@/pid"]
            if not guest.reboot:
                args += ["-no-reboot"]
            if "files" in shared:
                args += self._disk("files", f"@IMG@{shared['files'].name}", readonly=True)
            args += self._swap_args(swap, swap_size)
            args += self._passthrough_args(passthrough, guest.ram, guest_mem)
            if interactive:
                tty = "stdio,signal=off" if self._kind == "local" else "serial,path=/dev/hvc0"
                args += ["-chardev", f"{tty},id=con"]
            else:
                args += ["-chardev", "file,id=con,path=@WORK@/console",
                         "-chardev", "pipe,id=mon,path=@WORK@/mon", "-mon", "chardev=mon"]
            args += ["-serial", "chardev:con"]
            args += self._ports(interactive, "pipe,id=ctl,path=@WORK@/ctl", "@WORK@", kernel)
            job_env = {"IMAGES": " ".join(self._share(p) for p in shared.values()),
                       "INITRD": shared["initrd"].name, "KVM_HOST": host, "PAGING": guest.paging,
                       "KVM_PARAMS": guest.kvm_params, "SWAP": swap, "SWAP_MB": str(swap_size),
                       "SMP": str(guest.smp), "SWAP_STORE": guest.swap_store,
                       "TIMEOUT": str(math.ceil(guest.timeout)),
                       "LOCAL": "1" if self._kind == "local" else "0",
                       "INTERACTIVE": "1" if interactive else "0",
                       "PASSTHROUGH": " ".join(PASSTHROUGH[p] for p in passthrough),
                       "NOIOMMU": "Y" if guest.noiommu else "N", "RAM": guest.ram if passthrough else "",
                       "GUARD": f"{GUARD[0]} {GUARD[1]}",
                       "BYPASS_MODE": self._bypass_mode(guest)}
            self._write_job(job, args, job_env, guest.host_cmd, guest.qemu_args)
            machine = self._host_machine(interactive)
            began = time.monotonic()
            result = self._run_on(machine, job, guest.timeout, interactive)
            if (job / "hang").exists():
                result.vcpus = hang.describe(read(job / "hang"), hang.Symbols(images.system_map(kernel)))
        result.seconds = time.monotonic() - began
        result.disk = (job if host == "bare-metal" else self.dir) / "nvme"
        return result

    def run_l1(self, cmd, host=None, paging="shadow", kvm_params="", timeout=120):
        """Run a shell command in the host machine itself, with KVM loaded."""
        job = self.dir / str(next(self._numbers))
        job.mkdir()
        env = {"IMAGES": "", "KVM_HOST": host or self.host, "PAGING": paging, "KVM_PARAMS": kvm_params,
               "TIMEOUT": str(math.ceil(timeout)), "LOCAL": "1" if self._kind == "local" else "0", "L1_ONLY": "1"}
        self._write_job(job, [], env, cmd)
        began = time.monotonic()
        result = self._run_on(self._host_machine(False), job, timeout, False)
        result.seconds = time.monotonic() - began
        return result

    @staticmethod
    def _bypass_mode(guest):
        """Mode to set in the VM; empty leaves KVM's own default."""
        if not guest.extended:
            return ""
        return guest.bypass_mode or {"bypass": "always"}.get(guest.swap, "off" if guest.swap in WINDOWS else "")

    def _write_job(self, job, args, env, host_cmd, more_args=""):
        replace = {"@WORK@": '"$WORK"', "@JOB@": '"$JOB"', "@SWAP@": '"$SWAPFILE"',
                   "@IMG@": "/run/images/", "@FW@": f"{images.FIRMWARE}/"}
        words = []
        for a in ["qemu-system-x86_64", "-L", "@FW@", *args]:
            word = shlex.quote(a)
            for mark, value in replace.items():
                # Leave the single quotes for a moment if the word has them.
                word = word.replace(mark, f"'{value}'" if word.startswith("'") and "$" in value else value)
            words.append(word)
        words += more_args.split("\n")
        (job / "qemu.cmd").write_bytes(os.fsencode("exec " + " ".join(words) + "\n"))
        (job / "job.env").write_bytes(os.fsencode("".join(f"{k}={shlex.quote(v)}\n" for k, v in env.items())))
        shutil.copy(images.HERE / "l2.sh", job / "run.sh")
        if host_cmd:
            (job / "host_cmd").write_bytes(os.fsencode(host_cmd) + b"\n")

    def _host_machine(self, interactive):
        if self._machine is None:
            if self._kind == "local":
                self._machine = LocalHost(self.dir)
            else:
                o = self.options
                accel = "kvm" if self._kind == "nested" and not o.icount else "tcg"
                self._machine = L1(self.dir, accel, o.smp, o.memory, o.icount, interactive,
                                   self.l1_append, o.kernel, o.devices)
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
        result = Result(out=read_bytes(job / "out"), err=read_bytes(job / "err"), console=read(job / "console"),
                        host_before=counters(job / "before"), host_after=counters(job / "after"),
                        host_marks=[counters(job / f"mark.{i}") for i in range(len(list(job.glob("mark.*"))))],
                        host_said=read_bytes(job / "host.out"), guard=read(job / "guard"))
        if host_status.isdigit():
            result.host_status = int(host_status)
        if verdict == "ok" and status.isdigit():
            result.status = int(status)
        elif verdict != "ok" or status:
            log = read(job / "qemu.log").strip()
            result.error = verdict + (f"\n--- QEMU ---\n{log}" if log else "")
        return result

    def _run_bare(self, job, shared, guest):
        """The same guest image straight on L0: a machine with no hypervisor."""
        icount = self.options.icount
        initrd = job / "initrd"
        initrd.write_bytes(shared["initrd"].read_bytes() + (job / "initrd.job").read_bytes())
        if self._kind != "emulated" and not icount:
            accel = ["-accel", "kvm", "-cpu", "host"]
        else:
            # Linux in one thread: CPUs that run at the same time see code that
            # another one is patching (docs/design.md, "Faults of the emulator").
            threads = "multi" if guest.kernel == KITTEN and not icount else "single"
            accel = ["-accel", f"tcg,thread={threads}", "-cpu", TCG_BARE_CPU]
            accel += ["-icount", "shift=0,sleep=off"] if icount else []
        args = self._common(guest, guest.append)
        args += [*accel, "-M", "pc,graphics=off", "-kernel", str(shared["kernel"]), "-initrd", str(initrd),
                 "-no-reboot"]
        # Not the disk that L1 has open.
        args += device_args(job, guest.passthrough)
        if "files" in shared:
            args += self._disk("files", str(shared["files"]), readonly=True)
        ours, ctl = socket.socketpair()
        with ours, ctl, contextlib.ExitStack() as stack:
            files = [ctl]
            if guest.swap == "virtio-blk":
                files.append(stack.enter_context(nameless(guest.swap_size << 20)))
                args += self._disk("swap", path_of(files[-1]))
            con = "stdio,signal=off" if guest.interactive else f"file,path={job}/console"
            args += ["-chardev", f"{con},id=con", "-serial", "chardev:con"]
            args += self._ports(guest.interactive, f"socket,id=ctl,fd={ctl.fileno()}", job, guest.kernel)
            cmd = [L0, *(a.replace("@FW@", f"{images.FIRMWARE}/") for a in args)]
            if not guest.interactive:
                return self._bare_conversation(job, cmd, files, ours, guest.timeout)
            machine = start(cmd, files, own_terminal=True)
            try:
                machine.wait()
            finally:
                ending.stop(machine)
            return Result(status=0)

    def _bare_conversation(self, job, cmd, files, port, timeout):
        deadline = time.monotonic() + timeout
        verdict, status, pending = "", None, b""
        with open(job / "qemu.log", "wb") as log:
            machine = start(cmd, files, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            files[0].close()        # so that the port ends with the machine
            try:
                while not verdict:
                    left = deadline - time.monotonic()
                    if left <= 0:
                        verdict = f"timeout after {timeout} s"
                        break
                    port.settimeout(left)
                    try:
                        said = port.recv(4096)
                    except TimeoutError:
                        continue
                    except ConnectionResetError:
                        said = b""
                    if not said:
                        verdict = "ok" if status else "the guest ended without a status"
                    pending += said
                    while b"\n" in pending:
                        line, _, pending = pending.partition(b"\n")
                        verb, _, rest = line.decode(errors="replace").strip().partition(" ")
                        answer = b""
                        if verb in ("ready", "mark"):
                            answer = b"go\n"
                        elif verb == "exit":
                            status, answer = rest, b"bye\n"
                        elif verb == "failed":
                            verdict = f"guest set-up failed: {rest}"
                        if answer:
                            # A machine that is gone is noticed above.
                            with contextlib.suppress(BrokenPipeError):
                                port.sendall(answer)
            finally:
                ending.stop(machine)
        if verdict == "ok":
            (job / "status").write_text(status)
        return self._collect(job, verdict)
