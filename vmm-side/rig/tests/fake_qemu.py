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

FAKE = pathlib.Path(os.environ["FAKE"])
ARGS = "\n".join(sys.argv)


def argument(pattern):
    found = re.search(pattern, ARGS)
    return found and found.group(1)


def run():
    """The guest's command."""
    (FAKE / "started.new").write_text(str(os.getpid()))
    (FAKE / "started.new").rename(FAKE / "started")
    while (FAKE / "hang").exists():
        time.sleep(0.05)


def l1(agent, jobs):
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


def guest(answers, port):
    print("ready", file=port, flush=True)
    answers.readline()
    run()
    for name in ("out", "err"):
        shutil.copy(FAKE / name, argument(rf"file,id={name},path=(.*)"))
    print("exit", (FAKE / "status").read_text().strip(), file=port, flush=True)
    answers.readline()


def on_sigint(*_):
    (FAKE / "sigint").touch()
    os._exit(1)


def main():
    signal.signal(signal.SIGINT, on_sigint)
    agent, ctl = (argument(rf"socket,id={n},fd=(\d+)") for n in ("agent", "ctl"))
    if agent:
        l1(socket.socket(fileno=int(agent)), pathlib.Path(argument("local,path=([^,]*),mount_tag=jobs")))
    elif ctl:
        port = socket.socket(fileno=int(ctl))
        guest(port.makefile("r"), port.makefile("w"))
    else:
        pathlib.Path(argument("-pidfile\n(.*)")).write_text(str(os.getpid()))
        pipe = argument("pipe,id=ctl,path=(.*)")
        with open(f"{pipe}.in") as answers, open(f"{pipe}.out", "w") as port:
            guest(answers, port)


main()
