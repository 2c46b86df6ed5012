#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Stands in for QEMU in tests of the rig: no machine, only what the rig talks with.

As L0 with an L1 in it, which answers for its guest; as L0 with a guest on bare metal; or
as the QEMU of a guest on the user's own host. FAKE is a directory; its files are what
the guest's command leaves (out, err, status, host.out, host.status), or "hang" says
that nothing ever happens. "started" is written there when a guest would run, "sigint"
when that signal comes, which QEMU too would end by at once.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import sys
import time
from typing import IO

FAKE = pathlib.Path(os.environ["FAKE"])
ARGS = "\n".join(sys.argv)


def argument(pattern: str) -> str | None:
    """What an argument of QEMU says, if there is one like this."""
    found = re.search(pattern, ARGS)
    return found.group(1) if found else None


def run() -> None:
    """The guest's command."""
    # Two of them may start at a time: each renames its own file.
    new = FAKE / f"started.{os.getpid()}"
    new.write_text(str(os.getpid()))
    new.rename(FAKE / "started")
    while (FAKE / "hang").exists():
        time.sleep(0.05)


def l1(agent: socket.socket, jobs: pathlib.Path) -> None:
    """An L1 that says what its guests would leave."""
    # What the clocks of machines say of their ages, the first one's first.
    ages = (FAKE / "ages").read_text().split() if (FAKE / "ages").exists() else ["0.01"]
    (FAKE / "ages").write_text(" ".join(ages[1:] or ["0.01"]))
    agent.sendall(f"ready {ages[0]}\n".encode())
    for line in agent.makefile("r"):
        job = jobs / line.split()[1]
        run()
        for name in ("out", "err", "status", "host.out", "host.status"):
            if (FAKE / name).exists():
                shutil.copy(FAKE / name, job / name)
        (job / "verdict").write_text("ok\n")
        agent.sendall(f"done {line.split()[1]} 0\n".encode())


def guest(answers: IO[str], port: IO[str]) -> None:
    """A guest's half of the conversation."""
    print("ready", file=port, flush=True)
    answers.readline()
    run()
    for name in ("out", "err"):
        shutil.copy(FAKE / name, argument(rf"file,id={name},path=(.*)") or "")
    print("exit", (FAKE / "status").read_text().strip(), file=port, flush=True)
    answers.readline()


def on_sigint(*_: object) -> None:
    """QEMU's own end."""
    (FAKE / "sigint").touch()
    os._exit(1)


def main() -> None:
    """The part that the arguments ask for."""
    signal.signal(signal.SIGINT, on_sigint)
    agent, ctl = (argument(rf"socket,id={n},fd=(\d+)") for n in ("agent", "ctl"))
    if agent:
        jobs = argument("local,path=([^,]*),mount_tag=jobs")
        l1(socket.socket(fileno=int(agent)), pathlib.Path(jobs or ""))
    elif ctl:
        connection = socket.socket(fileno=int(ctl))
        guest(connection.makefile("r"), connection.makefile("w"))
    else:
        pathlib.Path(argument("-pidfile\n(.*)") or "").write_text(str(os.getpid()))
        pipe = argument("pipe,id=ctl,path=(.*)")
        with open(f"{pipe}.in") as answers, open(f"{pipe}.out", "w") as port:
            guest(answers, port)


main()
