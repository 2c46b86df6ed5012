#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A module from the VMM beside insmod: `make bench-modules`.

The same file, nvme.ko with its signature, in the same guest, in turns of one kind after the
other: loaded by `symcall module load` in the host, and by insmod in the guest. Both are whole
commands. Of the first, the guest says what it took itself, from the symcall's thread on: to
copy the module, its hash, and then all that insmod's system call does, too. The rest is the
host's: a program that starts, reads the file and its neighbours, and talks to QEMU; the same
without a module is `symcall module list`.

Once in time, and once in instructions, under an emulator that counts them (-icount). Its
counter also advances while a machine waits, so these are elapsed instructions.
"""

from __future__ import annotations

import pathlib
import re
import statistics
from collections.abc import Sequence

from rig import Bench, ending, measure
from rig.measure import say

FILES = measure.TOP / "build" / "tests" / "files"
SCRIPT = pathlib.Path(__file__).resolve().parent / "insmod.sh"
TOOK = re.compile(r"^took (\w+) ns (\d+) tsc (\d+) status 0$", re.M)
GUEST = re.compile(r"module nvme loaded, from the VMM, in (\d+) us$", re.M)
SIZE = re.compile(r"^(\d+) modules/nvme\.ko$", re.M)
# What is measured, and what to call it; "guest" is a part of "load".
WAYS = {"insmod": "insmod, in the guest", "load": "symcall module load, in the host",
        "guest": "  of that, the guest's thread", "list": "symcall module list"}
COLUMNS = ("way", "ms", "million instructions", "of insmod")

# By way: of each round, in milliseconds or in million instructions, which both are 1e6 of
# what was counted.
Found = dict[str, list[float]]


def rounds_of(bench: measure.Runner, rounds: int, counted: bool) -> tuple[Found, int]:
    """What each round but the first took, and the size of the file."""
    result = bench.run(measure.script(SCRIPT, rounds), files=FILES, guest_mem=256, paging="nested",
                       append="symbiotic.modules=signed", timeout=500,
                       host_cmd=f"module_times.sh {rounds}")
    out = measure.checked(result)
    found: Found = {way: [] for way in WAYS}
    for way, nanos, ticks in TOOK.findall(out) + TOOK.findall(result.host_out):
        found[way].append(int(ticks if counted else nanos) / 1e6)
    # One instruction is a nanosecond of counted time.
    found["guest"] = [int(micros) / 1e3 for micros in GUEST.findall(out)]
    size = SIZE.search(out)
    if not size or {len(values) for values in found.values()} != {rounds}:
        raise RuntimeError(f"not {rounds} rounds:\n{out}\n{result.host_out}")
    return {way: values[1:] for way, values in found.items()}, int(size[1])


def rows_of(timed: Found, counted: Found) -> list[tuple[object, ...]]:
    """Rows of the table: medians."""
    rows: list[tuple[object, ...]] = []
    for way, text in WAYS.items():
        share = statistics.median(counted[way]) / statistics.median(counted["insmod"])
        rows.append((text, f"{statistics.median(timed[way]):.1f}",
                     f"{statistics.median(counted[way]):.2f}", f"{share:.2f}"))
    return rows


def main(argv: Sequence[str] | None = None, benches: measure.Benches = Bench) -> int:
    """Runs the experiment; returns the exit status."""
    parser = measure.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=11, help="the first is not counted")
    args = parser.parse_args(argv)

    with benches() as bench:
        timed, size = rounds_of(bench, args.rounds, False)
    say(f"  in time: insmod {statistics.median(timed['insmod']):.1f} ms")
    with benches(icount=True) as bench:
        counted, _ = rounds_of(bench, args.rounds, True)
    rows = rows_of(timed, counted)
    report = measure.Report(args.results, "modules", measure.about(counted=True))
    report.csv(COLUMNS, [(str(way).strip(), *rest) for way, *rest in rows])
    lines = [f"nvme.ko, {size} bytes, medians of {args.rounds - 1} rounds:",
             *measure.table(COLUMNS, rows)]
    return report.finish(lines)


if __name__ == "__main__":
    ending.exit_when_told(main)
