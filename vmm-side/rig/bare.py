# SPDX-License-Identifier: GPL-2.0
"""A guest's images straight on L0: a machine with no hypervisor.

It leaves in the directory of its job what l2.sh leaves there for a guest under KVM."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
import socket
import subprocess
import time
from collections.abc import Iterator
from typing import IO, Any

from . import ending, job
from .guest import Guest
from .host import L0, nameless, path_of, start
from .words import plain


def run(directory: pathlib.Path, guest: Guest, boot: job.Images, icount: bool,
        hardware: str) -> str:
    """Runs a guest; returns the verdict, "ok" or what went wrong."""
    initrd = directory / "initrd"
    initrd.write_bytes(boot.initrd.read_bytes() + job.initrd_of_job(guest))
    boot = dataclasses.replace(boot, initrd=initrd)
    ours, ctl = socket.socketpair()
    with ours, ctl, contextlib.ExitStack() as stack:
        files: list[IO[bytes] | socket.socket] = [ctl]
        swapfile = ""
        if guest.swap_row.stores:
            files.append(stack.enter_context(nameless(guest.swap_size << 20)))
            swapfile = path_of(files[-1])
        words = job.on_bare_metal(guest, boot, directory, f"socket,id=ctl,fd={ctl.fileno()}",
                                  swapfile, icount, hardware)
        command = [L0, *map(plain, words)]
        streams: dict[str, Any] = {}
        if not guest.interactive:
            log = stack.enter_context(open(directory / "qemu.log", "wb"))
            streams = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
        machine = start(command, files, own_terminal=guest.interactive, **streams)
        stack.callback(ending.stop, machine)
        ctl.close()     # so that the port ends with the machine
        if guest.interactive:
            machine.wait()
            verdict = "ok"
        else:
            verdict = converse(ours, directory, guest.timeout)
    return verdict


def _lines(port: socket.socket, seconds: float) -> Iterator[str]:
    """What the guest says until it is gone. Raises a TimeoutError when the time is up."""
    deadline = time.monotonic() + seconds
    pending = b""
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        port.settimeout(left)
        try:
            said = port.recv(4096)
        except ConnectionResetError:
            said = b""
        if not said:
            return
        *lines, pending = (pending + said).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").strip()


def converse(port: socket.socket, directory: pathlib.Path, timeout: float) -> str:
    """Answers the guest until it is gone; returns the verdict."""
    answers = {"ready": b"go\n", "mark": b"go\n", "exit": b"bye\n"}
    status = ""
    try:
        for line in _lines(port, timeout):
            verb, _, rest = line.partition(" ")
            if verb == "failed":
                return f"guest set-up failed: {rest}"
            if verb == "exit":
                status = rest
            if verb in answers:
                # A machine that is gone is noticed above.
                with contextlib.suppress(BrokenPipeError):
                    port.sendall(answers[verb])
    except TimeoutError:
        return f"timeout after {timeout} s"
    if not status:
        return "the guest ended without a status"
    (directory / "status").write_text(status)
    return "ok"
