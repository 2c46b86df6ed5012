# SPDX-License-Identifier: GPL-2.0
"""How a program ends that was told to: by Ctrl-C, SIGINT, SIGTERM or SIGHUP, and when
the make that started it was told. Its children end with it, and nothing is left behind.

The first signal raises Interrupted, so that what has been opened gets closed as it does
after an error; more signals do not interrupt that. After SIGKILL there is nobody to
clean up: so machines die with whoever started them (PR_SET_PDEATHSIG), their files have
no names (TemporaryFile), and directories are locked as long as somebody uses them.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
SHELLS = ("sh", "dash", "bash")
MAKES = ("make", "gmake")


class Interrupted(KeyboardInterrupt):
    """A signal has asked the program to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.status = 128 + number


def _interrupt(number: int, _frame: object) -> None:
    for s in SIGNALS:
        signal.signal(s, signal.SIG_IGN)
    raise Interrupted(number)


def _status(pid: int, key: str) -> str:
    """A line of /proc/PID/status; '' when the process is gone."""
    with contextlib.suppress(OSError):
        for line in pathlib.Path(f"/proc/{pid}/status").read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name == key:
                return value.strip()
    return ""


def _catches_sigint(pid: int) -> bool:
    return bool(int(_status(pid, "SigCgt") or "0", 16) & 1 << (signal.SIGINT - 1))


def _make_above() -> int:
    """The make that runs this program, perhaps by a shell; 0 if there is none."""
    pid = os.getppid()
    while _status(pid, "Name") in SHELLS:
        pid = int(_status(pid, "PPid") or "0")
    return pid if _status(pid, "Name") in MAKES and _catches_sigint(pid) else 0


def _watch(make: int, parent: int) -> None:
    """A SIGINT that comes to make alone, not from a terminal, it tells nobody: it puts
    its handler away and waits for its children. So they have to look."""
    while os.getppid() == parent and _catches_sigint(make):
        time.sleep(0.2)
    os.kill(os.getpid(), signal.SIGINT if os.getppid() == parent else signal.SIGTERM)


def exit_when_told(main: Callable[[], int], name: str = "") -> None:
    """Runs a program's main(), for its status; says so when it was interrupted."""
    for s in SIGNALS:
        # What was ignored stays so: nohup, a shell's background jobs.
        if signal.getsignal(s) != signal.SIG_IGN:
            signal.signal(s, _interrupt)
    make = _make_above()
    if make:
        threading.Thread(target=_watch, args=(make, os.getppid()), daemon=True).start()
    try:
        sys.exit(main())
    except KeyboardInterrupt as e:
        sys.stdout.flush()
        print(f"{name or pathlib.Path(sys.argv[0]).name}: interrupted", file=sys.stderr, flush=True)
        sys.exit(getattr(e, "status", 128 + signal.SIGINT))


def stop(process: subprocess.Popen[Any], seconds: float = 5) -> None:
    """End a child for certain."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _members(session: int) -> Iterator[int]:
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name, in parentheses, may contain anything.
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] not in "ZX":
                    yield int(entry.name)


def stop_session(leader: subprocess.Popen[Any], seconds: float = 20) -> None:
    """End a child that leads a session, and all that it has started in it. All are asked
    first, since they may have to clean up."""
    deadline = time.monotonic() + seconds
    number: int = signal.SIGTERM
    while True:
        leader.poll()
        left = list(_members(leader.pid))
        # What does not die by SIGKILL is in the kernel's hands.
        if not left or time.monotonic() > deadline + 10:
            break
        for pid in left if number else ():
            with contextlib.suppress(OSError):
                os.kill(pid, number)
        # Asked once, then killed again and again: they may still start others.
        number = signal.SIGKILL if time.monotonic() > deadline else 0
        time.sleep(0.05)
