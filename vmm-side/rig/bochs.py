# SPDX-License-Identifier: GPL-2.0
"""L1 on VT-x: Bochs as L0, for what QEMU does not emulate.

Bochs boots nothing but disks, so all of L1 is on one CD: GRUB, the kernel, and an archive
with the images of all guests so far. Jobs and their results go through L1's second serial
line. Its faults: docs/design.md, "Bochs, for VT-x".
"""

from __future__ import annotations

import io
import pathlib
import select
import socket
import subprocess
import tarfile
import time

from . import ending, images
from .cpio import Cpio
from .host import Host, start, tail
from .images import RigError

PROGRAM = "bochs-bin"
# What Bochs takes for a second, in instructions. It makes a fifth of that in a second, so
# that L1's seconds are long, unless it sleeps. With a smaller number L1 would do nothing
# but look after its timer.
IPS = 200_000_000
SLOWNESS = 8
# Ours, until it opens its serial line, and until L1 has booted.
CONNECT_TIMEOUT = 60
BOOT_TIMEOUT = 600      # half a minute, on a machine that has nothing else to do

# As under QEMU (host.py). What Bochs's BIOS says of timers makes Linux wait for them.
APPEND = ("console=ttyS0 panic=-1 quiet loglevel=5 tsc=reliable mitigations=off nohz=off "
          "highres=off no_timer_check AGENT_TTY=/dev/ttyS1")

# The processor: later models misbehave, earlier ones have less of VT-x. The display is
# one that needs nobody to look at it; without sound cards the mixer for them crashes.
SETTINGS = """\
config_interface: textconfig
display_library: rfb, options="timeout=0"
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/vgabios/vgabios.bin
cpu: model=broadwell_ult, count=1, ips={ips}, reset_on_triple_fault=0, ignore_bad_msrs=1
memory: guest={memory}, host={memory}
pci: enabled=1, chipset=i440fx
clock: sync=none
ata0: enabled=1
ata0-master: type=cdrom, path={cd}, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev={console}
com2: enabled=1, mode=socket-client, dev=127.0.0.1:{port}
log: {log}
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"""
# For the debugger in Debian's Bochs: go on, and end when the machine does.
COMMANDS = "c\nq\n"

GRUB_MODULES = ("biosdisk", "iso9660", "linux")
GRUB_CONFIG = "linux /bzImage {append}\ninitrd /initrd\nboot\n"


def make_cd(cd: pathlib.Path, kernel: pathlib.Path, initrd: bytes, append: str) -> None:
    """A CD that boots a kernel. Its parts are in a directory beside it meanwhile."""
    parts = cd.with_suffix(".parts")
    parts.mkdir()
    config = parts / "grub.cfg"
    config.write_text(GRUB_CONFIG.format(append=append))
    images.tool("grub-mkimage", "-O", "i386-pc-eltorito", "-p", "/", "-c", str(config),
                "-o", str(parts / "grub.img"), *GRUB_MODULES)
    (parts / "bzImage").symlink_to(kernel)
    (parts / "initrd").write_bytes(initrd)
    images.tool("xorriso", "-as", "mkisofs", "-quiet", "-f", "-o", str(cd), "-b", "grub.img",
                "-no-emul-boot", "-boot-load-size", "4", "-boot-info-table", str(parts))
    for part in parts.iterdir():
        part.unlink()
    parts.rmdir()


class Bochs(Host):
    """A whole VT-x machine, with our host kernel and QEMU in it. It boots for the first
    job, and again for one that needs an image which is not on its CD."""

    def __init__(self, jobs: pathlib.Path, memory: int, append: str = "") -> None:
        self._jobs, self._memory, self._append = jobs, memory, append
        self._images: set[str] = set()      # on the CD
        self._boots = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._buffer = b""
        self._console = jobs / "l1-console"
        self._booted = 0        # so much of it is about booting
        self._said = ""         # the rest, of machines before

    # ---- the machine -----------------------------------------------------

    def _initrd(self) -> bytes:
        """The same as under QEMU, and what is on the share there."""
        archive = Cpio()
        archive.directory("jobs")
        archive.directory("jobs/images")
        for name in sorted(self._images):
            archive.file(f"jobs/images/{name}", self._jobs / "images" / name, 0o644)
        return images.l1_initramfs() + archive.bytes()

    def _boot(self) -> None:
        self.close()
        self._boots += 1
        here = self._jobs / f"bochs-{self._boots}"
        cd, settings = here.with_suffix(".iso"), here.with_suffix(".settings")
        commands, log = here.with_suffix(".commands"), here.with_suffix(".log")
        make_cd(cd, images.kernel_image("guest", "bzimage"), self._initrd(),
                f"{APPEND} {self._append}".strip())
        commands.write_text(COMMANDS)
        self._buffer = b""
        try:
            with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
                server.settimeout(CONNECT_TIMEOUT)
                settings.write_text(SETTINGS.format(
                    ips=IPS, memory=self._memory, cd=cd, console=self._console, log=log,
                    port=server.getsockname()[1]))
                self._process = start([PROGRAM, "-q", "-f", str(settings), "-rc", str(commands)],
                                      stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
                self._line = server.accept()[0]
            if not self._read_line(time.monotonic() + BOOT_TIMEOUT).startswith("ready"):
                raise RigError("L1's agent did not come up")
        except (OSError, RigError) as e:
            self.close()
            raise RigError(f"Bochs: {e}\n--- its log ---\n{tail(log)}\n--- L1 console ---\n"
                           f"{tail(self._console)}") from None
        except BaseException:
            self.close()
            raise
        finally:
            cd.unlink(missing_ok=True)      # Bochs has it open
        self._booted = len(images.read(self._console))

    def console(self) -> str:
        """What L1's kernel has said since it booted: then it warns of Bochs's processor."""
        return self._said + (images.read(self._console)[self._booted:] if self._process else "")

    def close(self) -> None:
        if self._process:
            self._said = self.console()
            ending.stop(self._process)
            self._process = None
        if self._line:
            self._line.close()
            self._line = None

    # ---- the serial line -------------------------------------------------

    def _receive(self, deadline: float) -> None:
        """More bytes into the buffer."""
        assert self._line
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([self._line], [], [], left)[0]:
            raise RigError("L1 hangs")
        data = self._line.recv(65536)
        if not data:
            raise RigError("L1 died")
        self._buffer += data

    def _read_line(self, deadline: float) -> str:
        while b"\n" not in self._buffer:
            self._receive(deadline)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line.decode(errors="replace").strip()

    def _read(self, size: int, deadline: float) -> bytes:
        while len(self._buffer) < size:
            self._receive(deadline)
        data, self._buffer = self._buffer[:size], self._buffer[size:]
        return data

    # ---- jobs ------------------------------------------------------------

    def _needed(self) -> set[str]:
        """All images that jobs have shared so far."""
        return {path.name for path in (self._jobs / "images").glob("*")}

    def run(self, job: pathlib.Path, timeout: float | None, foreground: bool = False) -> None:
        """The time limit is in L1's seconds."""
        assert timeout and not foreground       # has been refused
        if not self._process or self._needed() != self._images:
            self._images = self._needed()
            self._boot()
        assert self._line
        deadline = time.monotonic() + timeout * SLOWNESS
        packed = pack(job)
        self._line.sendall(f"run {job.name} {len(packed)}\n".encode() + packed)
        said = self._read_line(deadline).split()
        if said[:2] != ["done", job.name] or len(said) != 4:
            raise RigError(f"L1's agent said: {' '.join(said)}")
        unpack(self._read(int(said[3]), deadline), job)


def pack(job: pathlib.Path) -> bytes:
    """A job's directory as an archive."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        tar.add(job, job.name)
    return out.getvalue()


def unpack(packed: bytes, job: pathlib.Path) -> None:
    """The files of an archive into a job's directory, which has no others below it."""
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as tar:
        for member in tar:
            file = tar.extractfile(member) if member.isfile() else None
            if file:
                (job / pathlib.Path(member.name).name).write_bytes(file.read())
