# SPDX-License-Identifier: GPL-2.0
"""Bench: one host machine that stays up and runs many guests."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import fcntl
import itertools
import os
import pathlib
import shutil
import tempfile
import threading
import time
from types import TracebackType
from typing import Any

from . import bare, hang, images, job
from . import hardware as hardware_of
from .bochs import Bochs
from .guest import BOCHS, Guest, Machine
from .host import GUARD, L1, Host, LocalHost, WrongClock, tail
from .images import RigError, read, read_bytes


@dataclasses.dataclass
class Result:
    """What a run left. status is None, and error says why, when the guest
    did not report the command's status: hang, crash, set-up failure."""
    status: int | None = None
    out: bytes = b""            # the command's output as it is
    err: bytes = b""
    console: str = ""
    host_console: str = ""      # what L1's kernel said meanwhile
    host_before: dict[str, int] = dataclasses.field(default_factory=dict)
    # Where the command said "mark".
    host_marks: list[dict[str, int]] = dataclasses.field(default_factory=list)
    host_after: dict[str, int] = dataclasses.field(default_factory=dict)
    host_said: bytes = b""      # the output of host_cmd
    host_status: int | None = None
    guard: str = ""             # what became of L1's memory that no guest may reach
    disk: pathlib.Path | None = None    # the file of L0 behind the NVMe
    error: str = ""
    vcpus: list[str] = dataclasses.field(default_factory=list)  # about a guest that hung
    seconds: float = 0.0

    @property
    def stdout(self) -> str:
        """The command's output as text, for whoever looks for something in it."""
        return self.out.decode(errors="replace")

    @property
    def stderr(self) -> str:
        """The same of its standard error."""
        return self.err.decode(errors="replace")

    @property
    def host_out(self) -> str:
        """And of host_cmd."""
        return self.host_said.decode(errors="replace")

    def explain(self) -> str:
        """Text for people about a run that has no status."""
        parts = [self.error]
        if self.vcpus:
            parts += ["--- guest vCPUs, a second between two looks ---", *self.vcpus]
        return "\n".join([*parts, "--- guest console ---", *self.console.splitlines()[-40:]])


def counters(path: pathlib.Path) -> dict[str, int]:
    """KVM's counters."""
    out = {}
    for line in read(path).splitlines():
        name, _, value = line.partition(" ")
        if value.lstrip("-").isdigit():
            out[name] = int(value)
    return out


def collect(directory: pathlib.Path, verdict: str) -> Result:
    """The result of a job from the files in its directory."""
    status = read(directory / "status").strip()
    host_status = read(directory / "host.status").strip()
    marks = len(list(directory.glob("mark.*")))
    result = Result(out=read_bytes(directory / "out"), err=read_bytes(directory / "err"),
                    console=read(directory / "console"),
                    host_before=counters(directory / "before"),
                    host_marks=[counters(directory / f"mark.{i}") for i in range(marks)],
                    host_after=counters(directory / "after"),
                    host_said=read_bytes(directory / "host.out"), guard=read(directory / "guard"))
    if host_status.isdigit():
        result.host_status = int(host_status)
    if verdict == "ok" and status.isdigit():
        result.status = int(status)
    elif verdict != "ok" or status:
        log = read(directory / "qemu.log").strip()
        result.error = verdict + (f"\n--- QEMU ---\n{log}" if log else "")
    return result


def new_directory(jobs: pathlib.Path) -> tuple[pathlib.Path, int]:
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
    The other options are the fields of Machine, or one that is made already.
    l1_append: more arguments for L1's kernel.
    """

    def __init__(self, host: str = "symbiotic", machine: Machine | None = None,
                 l1_append: str = "", **options: Any) -> None:
        self.options = machine or Machine(**options)
        self.host, self.l1_append = host, l1_append
        if self.options.devices:
            self.l1_append += f" hugepagesz=1G hugepages=1 memmap={GUARD[1]}${GUARD[0]}"
        self._machine: Host | None = None
        self._numbers = itertools.count(1)
        self._closing = threading.RLock()
        self.dir, keeper = new_directory(images.BUILD / "jobs")
        self._keeper: int | None = keeper
        self._hardware = "emulated" if self.options.l0 == BOCHS else hardware_of.kind()
        atexit.register(self.close)

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the machine. The second time, which may be at the program's end while a
        thread is still at the first, it waits for that, since such threads do not outlive
        the program; or, if it was interrupted there, goes on with what is left."""
        with self._closing:
            machine, self._machine = self._machine, None
            if machine:
                machine.close()
            if self._keeper is None:
                return
            # More than once: another thread may write there while the program ends.
            tries = 0 if os.environ.get("RIG_KEEP") else 100
            while tries and self.dir.exists():
                shutil.rmtree(self.dir, ignore_errors=True)
                tries -= 1
            os.close(self._keeper)
            self._keeper = None

    # ---- files -----------------------------------------------------------

    def _new_job(self) -> pathlib.Path:
        directory = self.dir / str(next(self._numbers))
        directory.mkdir()
        return directory

    def _share(self, path: pathlib.Path) -> None:
        """Make an image visible to the host machine."""
        shared = self.dir / "images"
        shared.mkdir(exist_ok=True)
        dest = shared / path.name
        if not dest.exists():
            try:
                os.link(path, dest)
            except OSError:
                shutil.copy(path, dest)

    def _images(self, guest: Guest) -> job.Images:
        """What a guest boots from."""
        kind = guest.kernel_row.kind
        kernel = job.kernel_image(guest)
        blob = kind.archive(None if kind.files_on_disk else guest.files)
        initrd = self.dir / f"initrd_{kind.name}-{images.digest(blob)}"
        if not initrd.exists():
            initrd.write_bytes(blob)
        on_disk = guest.files if kind.files_on_disk else None
        return job.Images(kernel, initrd, images.erofs(on_disk) if on_disk else None)

    # ---- running ---------------------------------------------------------

    def run(self, cmd: str, **options: Any) -> Result:
        """Run a shell command in a fresh guest. The options are the fields of Guest."""
        options.setdefault("host", self.host)
        return self.boot(Guest(cmd, **options))

    def boot(self, guest: Guest) -> Result:
        """run() for a Guest."""
        guest.check(self.options, self._hardware)
        directory, boot = self._new_job(), self._images(guest)
        if guest.bare:
            began = time.monotonic()
            result = collect(directory, bare.run(directory, guest, boot, self.options.icount,
                                                 self._hardware))
        else:
            for path in boot.all():
                self._share(path)
            job.write(directory, guest, boot, self._hardware)
            machine = self._host_machine(guest.interactive)
            began = time.monotonic()
            result = self._run_on(machine, directory, guest.timeout, guest.interactive)
            if (directory / "hang").exists():
                symbols = hang.Symbols(images.system_map(guest.kernel))
                result.vcpus = hang.describe(read(directory / "hang"), symbols)
        result.seconds = time.monotonic() - began
        result.disk = (directory if guest.bare else self.dir) / "nvme"
        return result

    def run_l1(self, cmd: str, host: str = "", paging: str = "shadow", kvm_params: str = "",
               timeout: float = 120) -> Result:
        """Run a shell command in the host machine itself, with KVM loaded."""
        directory = self._new_job()
        job.write_l1(directory, cmd, host or self.host, paging, kvm_params, timeout, self._hardware)
        machine = self._host_machine(interactive=False)
        began = time.monotonic()
        result = self._run_on(machine, directory, timeout)
        result.seconds = time.monotonic() - began
        return result

    def _host_machine(self, interactive: bool) -> Host:
        if self._machine is None:
            if self._hardware == "local":
                self._machine = LocalHost()
            elif self.options.l0 == BOCHS:
                self._machine = Bochs(self.dir, self.options.memory, self.l1_append)
            else:
                kvm = self._hardware == "nested" and not self.options.icount
                self._machine = self._l1(kvm, interactive)
        return self._machine

    def _l1(self, kvm: bool, interactive: bool) -> L1:
        """An L1 with a true clock: the next one has it, as a rule."""
        for _ in range(2):
            with contextlib.suppress(WrongClock):
                return L1(self.dir, self.options, kvm, interactive, self.l1_append)
        return L1(self.dir, self.options, kvm, interactive, self.l1_append)

    def _run_on(self, machine: Host, directory: pathlib.Path, timeout: float,
                interactive: bool = False) -> Result:
        said = len(machine.console())
        try:
            machine.run(directory, None if interactive else timeout + 60, foreground=interactive)
            verdict = read(directory / "verdict").strip() or \
                "no verdict\n" + read(directory / "host.log")
        except RigError as e:
            verdict = (f"{e}\n--- L1 console ---\n{machine.console()[-4000:]}\n"
                       f"--- host log ---\n{tail(directory / 'host.log')}")
            machine.close()
            self._machine = None
        result = collect(directory, verdict)
        result.host_console = machine.console()[said:]
        return result
