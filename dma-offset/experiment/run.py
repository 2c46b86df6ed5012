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

import argparse
import csv
import datetime
import pathlib
import re

TOP = pathlib.Path(__file__).resolve().parent.parent.parent

FILES = TOP / "build" / "tests" / "files"
LINE = re.compile(r"^([a-z-]+) requests (\d+) ns (\d+) tsc (\d+) median (\d+) worst (\d+)$", re.M)
COST = re.compile(r"^cost times (\d+) with (\d+) without (\d+)$", re.M)
SIZE = {"seq": 128, "rand": 4}      # KiB
COLUMNS = ("machine", "load", "requests", "MiB/s", "median us", "worst us")
BAR = 0.01

CASES = (("passthrough", "/dev/nvme0n1", {"passthrough": ("nvme",), "guest_mem": 1024, "paging": "nested"}),
         ("bare metal", "/dev/nvme0n1", {"host": "bare-metal", "passthrough": ("nvme",), "guest_mem": 1024}),
         ("virtio-blk", "/dev/vdb", {"swap": "virtio-blk", "swap_size": 256, "guest_mem": 1024,
                                     "paging": "nested"}))


def say(text=""):
    """Prints a line at once."""
    print(text, flush=True)


def checked(result):
    """The output of a run that went well."""
    if result.status != 0:
        raise RuntimeError(result.explain() if result.status is None else result.stderr + result.stdout)
    if result.guard and "changed 0 bytes" not in result.guard:
        raise RuntimeError(f"memory outside the guest: {result.guard}")
    return result.stdout


def throughput(bench, seconds):
    """Rows of the table, measured in one run of the host machine."""
    rows = []
    for name, disk, options in CASES:
        prepare = "swapoff -a; " if "swap" in options else ""
        out = checked(bench.run(f"{prepare}./ioload {disk} {seconds}", files=FILES, timeout=300, **options))
        for load, requests, nanos, _, median, worst in LINE.findall(out):
            rate = int(requests) * SIZE[load.split("-")[0]] / 1024 / (int(nanos) / 1e9)
            rows.append((name, load, int(requests), round(rate, 2), round(int(median) / 1e3, 1),
                         round(int(worst) / 1e3, 1)))
    return rows


def offset_cost(bench, times=20000):
    """(instructions of the offset per mapping, instructions of a request)"""
    cmd = (f"e=/sys/kernel/debug/symbiotic_edu; for i in 1 2 3; do echo cost {times} >$e; cat $e; done; "
           "./ioload /dev/nvme0n1 0.3")
    out = checked(bench.run(cmd, files=FILES, guest_mem=1024, paging="nested", timeout=500,
                            passthrough=("nvme", "edu")))
    costs = [(int(w) - int(o)) / int(n) for n, w, o in COST.findall(out)]
    loads = {m[0]: int(m[3]) / int(m[1]) for m in LINE.findall(out)}
    return min(costs), loads["rand-read"]


def main():
    """Runs the experiment; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--seconds", type=float, default=3, help="per load")
    parser.add_argument("--no-icount", action="store_true", help="times alone")
    parser.add_argument("--results", type=pathlib.Path, default=TOP / "results")
    args = parser.parse_args()
    from rig import Bench   # pylint: disable=C0415

    with Bench(devices=True) as bench:
        rows = throughput(bench, args.seconds)
    say("  ".join(f"{c:>12}" for c in COLUMNS))
    for row in rows:
        say("  ".join(f"{v:>12}" for v in row))

    where = args.results / f"{datetime.datetime.now():%Y-%m-%d-%H%M%S}-passthrough"
    where.mkdir(parents=True)
    with open(where / "summary.csv", "w", newline="", encoding="ascii") as f:
        out = csv.writer(f)
        out.writerow(COLUMNS)
        out.writerows(rows)
    say(f"{where}/summary.csv")

    if args.no_icount:
        return 0
    with Bench(devices=True, icount=True) as bench:
        offset, request = offset_cost(bench)
    share = offset / request
    say(f"  {'PASS' if share <= BAR else 'MISS'}  the offset: {offset:.1f} instructions of {request:.0f} per random "
        f"read of 4 KiB, {share:.3%} (bar {BAR:.0%})")
    with open(where / "offset.csv", "w", newline="", encoding="ascii") as f:
        csv.writer(f).writerows((("offset", "request"), (offset, request)))
    return 0 if share <= BAR else 1


if __name__ == "__main__":
    from rig import ending
    ending.exit_when_told(main)
