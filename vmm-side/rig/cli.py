# SPDX-License-Identifier: GPL-2.0
"""`make exec` and `make shell`: one command, or an interactive shell, in a guest.

The options come from the environment, as make passes them; `rig help` lists them.
The exit status is that of the command, or, if the command succeeded, that of HOST_CMD.
2: an option is wrong, nothing was started. 125: the guest or the bench failed.
128 and a signal's number: interrupted.
"""

from __future__ import annotations

import os
import signal
import sys

from . import guest, hardware
from .bench import Bench, Result
from .images import RigError
from .options import OptionError

WRONG_OPTION = 2
NO_STATUS = 125


def say(text: str) -> None:
    """A line about a run, behind what the guest's command has said."""
    sys.stderr.buffer.write(text.encode(errors="backslashreplace") + b"\n")
    sys.stderr.flush()


def end_with_the_reader() -> None:
    """One who has seen enough ends this program, as any other."""
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def show(wanted: guest.Guest, result: Result) -> None:
    """The output of the command, byte for byte, and what else there is to say."""
    end_with_the_reader()
    sys.stdout.buffer.write(result.out)
    sys.stdout.flush()
    sys.stderr.buffer.write(result.err)
    sys.stderr.flush()
    if result.host_said or result.host_status:
        say(f"--- host_cmd, status {result.host_status} ---")
        sys.stderr.buffer.write(result.host_said)
    if result.guard and (wanted.stats or "changed 0 bytes" not in result.guard):
        say(f"memory outside the guest: {result.guard.splitlines()[-1]}")
    if wanted.stats:
        for name, value in sorted(result.host_after.items()):
            change = value - result.host_before.get(name, 0)
            if change:
                say(f"{name:32} {change:+d}")


def run(wanted: guest.Guest, machine: guest.Machine) -> int:
    """Runs a guest; returns the exit status."""
    with Bench(machine=machine) as bench:
        if wanted.interactive:
            print("Starting the machines; `exit` or `poweroff -f` ends the guest.", flush=True)
        result = bench.boot(wanted)
    show(wanted, result)
    if wanted.interactive and not result.error:
        return 0
    if result.status is None:
        say(f"rig: {result.explain()}")
        return NO_STATUS
    return result.status or result.host_status or 0


def main() -> int:
    """Returns the exit status."""
    modes = {"exec": False, "shell": True}
    if sys.argv[1:] == ["help"]:
        end_with_the_reader()
        print(f"{__doc__}\n{guest.helptext()}")
        return 0
    check = sys.argv[2:] == ["--check"]
    if not sys.argv[1:] or sys.argv[1] not in modes or sys.argv[2:] and not check:
        say("usage: rig exec|shell [--check] or rig help")
        return WRONG_OPTION
    try:
        wanted, machine = guest.from_environment(os.environ, interactive=modes[sys.argv[1]])
        wanted.check(machine, hardware.kind())
        return 0 if check else run(wanted, machine)
    except OptionError as error:
        for problem in error.problems:
            say(f"rig: {problem}")
        return WRONG_OPTION
    except (RigError, OSError) as error:
        say(f"rig: {error}")
        return NO_STATUS
