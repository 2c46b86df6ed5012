#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A VMM that lies to a guest: by CPUID and in its MSRs, from the boot on and later, and in the
SymSpy pages; and a host's user who gives QEMU commands with any arguments. One seed after the
other, each in three guests: one that is lied to from its first instruction on; one that has booted
with the truth, and swaps to a window, so that grants are lied about, too; and one whose QEMU gets
the commands. KTAP on stdout.

The guest does without the features, with a few lines about it, or goes on; with the truth they
are on again (symspy/tests/guest/lies.sh). QEMU answers each command
(vmm-side/qemu/tests/host/qmp_words.sh)."""

from __future__ import annotations

import argparse
import itertools
import pathlib
import re
import time
from collections.abc import Iterator
from typing import Any

from e2e import ktap
from e2e.run import TROUBLE
from rig import Bench, Result, ending

TOP = pathlib.Path(__file__).resolve().parents[3]
FILES = TOP / "build" / "tests" / "files"
PAGINGS = ("shadow", "nested")
COMMANDS = 400


def problems(r: Result) -> list[str]:
    """What is wrong with a guest that was lied to."""
    if r.status is None:
        return r.explain().splitlines()[-80:]
    said = ktap.read(r.stdout + r.host_out)
    lines = list(said.problems)
    if not said.counts.passed or r.status or r.host_status:
        lines.append(f"status {r.status}, the host's {r.host_status}, {said.counts}")
    return lines + [line for line in (r.console + r.host_console).splitlines()
                    if re.search(TROUBLE, line)]


def guests_of(seed: int, seconds: int) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What happens to each guest of a seed, its command, and its options."""
    paging = PAGINGS[seed % len(PAGINGS)]
    yield ("lies from the boot on", "./lies.sh boot",
           {"paging": paging, "append": f"symbiotic.lies={seed}"})
    yield ("lies later", f"./lies.sh {seconds} {seed}",
           {"paging": paging, "swap": "in-place", "swap_size": 32})
    yield ("commands", "./wait_host.sh 9",
           {"paging": f"vm-{paging}", "host_cmd": f"qmp_words.sh {seed} {COMMANDS}"})


def main() -> int:
    """Returns the exit status."""
    ap = argparse.ArgumentParser(description="Lie to a guest.")
    ap.add_argument("--seconds", type=float, default=60)
    ap.add_argument("--seed", type=int, default=1, help="the first one; not 0")
    ap.add_argument("--kernel", default="guest", help="guest or debug")
    ap.add_argument("--each", type=int, default=5, help="seconds of each way to lie")
    a = ap.parse_args()
    guest: dict[str, Any] = {"smp": 2, "files": FILES, "kernel": a.kernel, "timeout": 300,
                             "guest_mem": 768 if a.kernel == "debug" else 256}
    number = failed = 0
    end = time.monotonic() + a.seconds
    print(ktap.VERSION, flush=True)
    with Bench(smp=2) as bench:
        for seed in itertools.count(a.seed):
            for name, cmd, more in guests_of(seed, a.each):
                r = bench.run(cmd, **guest, **more)
                number += 1
                lines = problems(r)
                failed += bool(lines)
                for line in lines:
                    print(f"# {line}")
                figures = "; ".join(re.findall(r"^# (.*)$", r.stdout + r.host_out, re.M))
                print(ktap.result(number, f"seed {seed}, {more['paging']} paging, {name}",
                                  not lines, figures), flush=True)
            if time.monotonic() > end:
                break
    print(f"1..{number}")
    return int(failed > 0)


if __name__ == "__main__":
    ending.exit_when_told(main)
