#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""A VMM that lies to a guest: by CPUID and in its MSRs, from the boot on and later, and in the
SymSpy pages. One seed after the other, each in two guests: one that is lied to from its first
instruction on, and one that has booted with the truth. KTAP on stdout.

The guest does without the features, with a few lines about it, or goes on; with the truth they
are on again (symspy/tests/guest/lies.sh)."""

from __future__ import annotations

import argparse
import itertools
import pathlib
import re
import time
from typing import Any

from e2e import ktap
from e2e.run import TROUBLE
from rig import Bench, Result, ending

TOP = pathlib.Path(__file__).resolve().parents[3]
FILES = TOP / "build" / "tests" / "files"
PAGINGS = ("shadow", "nested")


def problems(r: Result) -> list[str]:
    """What is wrong with a guest that was lied to."""
    if r.status is None:
        return r.explain().splitlines()[-80:]
    said = ktap.read(r.stdout)
    lines = list(said.problems)
    if not said.counts.passed or r.status:
        lines.append(f"status {r.status}, {said.counts}")
    return lines + [line for line in (r.console + r.host_console).splitlines()
                    if re.search(TROUBLE, line)]


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
            paging = PAGINGS[seed % len(PAGINGS)]
            for name, cmd, append in (
                    ("from the boot on", "./lies.sh boot", f"symbiotic.lies={seed}"),
                    ("later", f"./lies.sh {a.each} {seed}", "")):
                r = bench.run(cmd, paging=paging, append=append, **guest)
                number += 1
                lines = problems(r)
                failed += bool(lines)
                for line in lines:
                    print(f"# {line}")
                figures = "; ".join(re.findall(r"^# (.*)$", r.stdout, re.M))
                print(ktap.result(number, f"seed {seed}, {paging} paging, lies {name}",
                                  not lines, figures), flush=True)
            if time.monotonic() > end:
                break
    print(f"1..{number}")
    return int(failed > 0)


if __name__ == "__main__":
    ending.exit_when_told(main)
