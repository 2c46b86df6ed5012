#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""`make exec` and `make shell`: one command, or an interactive shell, in a guest.

The options come from the environment, as make passes them: CMD, FILES,
GUEST_MEM, SMP, PAGING, SYMBIOTIC, SWAP, SWAP_SIZE,
SWAP_STORE, HOST, ICOUNT, APPEND,
KERNEL, TIMEOUT, HOST_CMD, STATS, PASSTHROUGH.
"""

import os
import sys

from rig import Bench, RigError


def option(name, default):
    return os.environ.get(name) or default


def number(name, default):
    text = option(name, str(default))
    if not text.isdigit():
        raise RigError(f"{name}={text}: not a number")
    return int(text)


def show_stats(result):
    for name, value in sorted(result.host_after.items()):
        change = value - result.host_before.get(name, 0)
        if change:
            print(f"{name:32} {change:+d}", file=sys.stderr)


def main():
    if len(sys.argv) != 2 or sys.argv[1] not in ("exec", "shell"):
        sys.exit("usage: cli.py exec|shell (see `make help`)")
    interactive = sys.argv[1] == "shell"
    cmd = option("CMD", "")
    if not interactive and not cmd:
        raise RigError("make exec CMD='command in the guest' [FILES=dir] ...")
    onoff = option("SYMBIOTIC", "on")
    if onoff not in ("on", "off"):
        raise RigError(f"SYMBIOTIC={onoff}: on or off")

    devices = option("PASSTHROUGH", "").split()
    with Bench(host=option("HOST", "symbiotic"), icount=option("ICOUNT", "0") == "1",
               smp=number("HOST_SMP", 2), devices=bool(devices)) as bench:
        if interactive:
            print("Starting the machines; `exit` or `poweroff -f` ends the guest.", flush=True)
        result = bench.run(
            cmd, files=option("FILES", None), guest_mem=number("GUEST_MEM", 1024 if devices else 512), smp=number("SMP", 1),
            paging=option("PAGING", "shadow"), symbiotic=onoff == "on", swap=option("SWAP", "none"),
            swap_size=number("SWAP_SIZE", 512), swap_store=option("SWAP_STORE", "tmpfs"),
            append=option("APPEND", ""),
            kernel=option("KERNEL", "guest"), timeout=number("TIMEOUT", 120),
            host_cmd=option("HOST_CMD", None), interactive=interactive,
            passthrough=devices)
    sys.stdout.write(result.stdout)
    sys.stdout.flush()
    sys.stderr.write(result.stderr)
    if result.host_out:
        sys.stderr.write(f"--- host_cmd, status {result.host_status} ---\n{result.host_out}")
    if result.guard:
        sys.stderr.write(f"memory outside the guest: {result.guard.splitlines()[-1]}\n")
    if option("STATS", "0") == "1":
        show_stats(result)
    if interactive and not result.error:
        return 0
    if result.status is None:
        sys.stderr.write(f"make {sys.argv[1]}: {result.explain()}\n")
        return 125
    return result.status


if __name__ == "__main__":
    try:
        sys.exit(main())
    except RigError as error:
        sys.exit(f"rig: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
