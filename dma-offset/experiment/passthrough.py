#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What passthrough without an IOMMU costs: `make run-passthrough`.

One NVMe disk (L0's, a file in memory), one guest kernel, direct I/O with one
request at a time: as the guest's own device, as the device of the same kernel on
the bare (emulated) machine, and virtio-blk in the guest for comparison. Then the
offset alone, in instructions under an emulator that counts them (-icount):
mapping a page with and without it, against a whole request.

Times are emulated, and comparable only within one run.
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Sequence
from typing import Any

from rig import Bench, Result, ending, measure
from rig.measure import Target, say

FILES = measure.TOP / "build" / "tests" / "files"
SCRIPT = pathlib.Path(__file__).resolve().parent / "offset.sh"
LINE = re.compile(r"^([a-z-]+) requests (\d+) ns (\d+) tsc (\d+) median (\d+) worst (\d+)$", re.M)
COST = re.compile(r"^cost times (\d+) with (\d+) without (\d+)$", re.M)
SIZE = {"seq": 128, "rand": 4}      # KiB
COLUMNS = ("machine", "load", "requests", "MiB/s", "median us", "worst us")
# The offset's share of a request.
MOST = 0.01

NVME: dict[str, Any] = {"passthrough": ("nvme",), "guest_mem": 1024}
# (machine, command, options of the guest); a swap disk is there to be had as a disk.
MACHINES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("passthrough", "./ioload /dev/nvme0n1", {**NVME, "paging": "nested"}),
    ("bare metal", "./ioload /dev/nvme0n1", {**NVME, "host": "bare-metal"}),
    ("virtio-blk", "swapoff -a; ./ioload /dev/vdb",
     {"swap": "virtio-blk", "swap_size": 256, "guest_mem": 1024, "paging": "nested"}),
)


def checked(result: Result) -> str:
    """The output of a run that went well, and that left other memory alone."""
    out = measure.checked(result)
    if result.guard and "changed 0 bytes" not in result.guard:
        raise RuntimeError(f"memory outside the guest: {result.guard}")
    return out


def throughput(bench: measure.Runner, seconds: float) -> list[tuple[object, ...]]:
    """Rows of the table, measured in one run of the host machine."""
    rows: list[tuple[object, ...]] = []
    for name, command, options in MACHINES:
        out = checked(bench.run(f"{command} {seconds}", files=FILES, timeout=300, **options))
        for load, requests, nanos, _, median, worst in LINE.findall(out):
            rate = int(requests) * SIZE[load.split("-")[0]] / 1024 / (int(nanos) / 1e9)
            rows.append((name, load, int(requests), round(rate, 2), round(int(median) / 1e3, 1),
                         round(int(worst) / 1e3, 1)))
    return rows


def offset_cost(bench: measure.Runner, times: int = 20000) -> tuple[float, float]:
    """(instructions of the offset per mapping, instructions of a request)"""
    out = checked(bench.run(measure.script(SCRIPT, times), files=FILES, guest_mem=1024,
                            paging="nested", timeout=500, passthrough=("nvme", "edu")))
    costs = [(int(w) - int(o)) / int(n) for n, w, o in COST.findall(out)]
    loads = {m[0]: int(m[3]) / int(m[1]) for m in LINE.findall(out)}
    if not costs or "rand-read" not in loads:
        raise RuntimeError(f"no result\n{out}")
    return min(costs), loads["rand-read"]


def target(offset: float, request: float) -> Target:
    """The offset's share."""
    return Target("the offset's share of a random read of 4 KiB", offset / request, MOST,
                  form="{:.3%}", detail=f"{offset:.1f} / {request:.0f} instructions")


def main(argv: Sequence[str] | None = None, benches: measure.Benches = Bench) -> int:
    """Runs the experiment; returns the exit status."""
    parser = measure.arguments(__doc__, targets=True, time_only=True)
    parser.add_argument("--seconds", type=float, default=3, help="per load")
    args = parser.parse_args(argv)

    with benches(devices=True) as bench:
        rows = throughput(bench, args.seconds)
    lines = measure.table(COLUMNS, rows)
    targets, counts = [], []
    if not args.time_only:
        # The times are there to see, whatever becomes of the counts.
        for line in lines:
            say(line)
        with benches(devices=True, icount=True) as bench:
            counts = [offset_cost(bench)]
        targets = [target(*counts[0])]

    report = measure.Report(args.results, "passthrough", measure.about(counted=not args.time_only))
    report.csv(COLUMNS, rows)
    if counts:
        report.csv(("offset", "request"), counts, "offset.csv")
    return report.finish(lines, targets, args.strict)


if __name__ == "__main__":
    ending.exit_when_told(main)
