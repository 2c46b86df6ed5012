#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""KUnit in the guest: boot with kunit.enable=1 and fetch the results of every suite over
the data channel. And the lightweight kernel's tests of itself, which print the same way.

On the symbiotic VMM, on unmodified KVM and on bare metal: the same image. With --kasan, the
checking kernel of Linux instead, on bare metal; with --intel, Linux in both modes of paging on
VT-x. KTAP on stdout: a test for each machine, with the kernel's own inside. What the user's own
host cannot be, where the rig uses it, is skipped.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from e2e import ktap
from rig import Bench, OptionError, ending, hardware

LINUX = {"cmd": "cat /sys/kernel/debug/kunit/*/results", "append": "kunit.enable=1"}
KITTEN = {"cmd": "selftest", "kernel": "kitten"}
COMMON: dict[str, Any] = {"guest_mem": 256, "timeout": 180}

RUNS: dict[str, dict[str, Any]] = {
    "symbiotic": {**LINUX, "host": "symbiotic", "smp": 2},
    "plain-kvm": {**LINUX, "host": "plain-kvm", "paging": "nested"},
    "bare-metal": {**LINUX, "host": "bare-metal", "smp": 2},
    "kitten-symbiotic": {**KITTEN, "host": "symbiotic", "smp": 2, "append": "symcalltest"},
    "kitten-plain-kvm": {**KITTEN, "host": "plain-kvm", "paging": "nested"},
    "kitten-bare-metal": {**KITTEN, "host": "bare-metal", "smp": 2},
}
# KASAN needs more memory and time.
KASAN: dict[str, dict[str, Any]] = {
    "kasan": {**LINUX, "host": "bare-metal", "smp": 2, "kernel": "debug", "guest_mem": 1024,
              "timeout": 300},
}


# On VT-x: the tests that know of the VMM.
INTEL: dict[str, dict[str, Any]] = {
    f"vt-x-{paging}": {**LINUX, "host": "symbiotic", "paging": paging}
    for paging in ("nested", "shadow")
}


def boot(bench: Bench, options: dict[str, Any]) -> Iterator[str]:
    """Boot a machine; yields what went wrong, after it has printed what the kernel says."""
    r = bench.run(**{**COMMON, **options})
    for line in r.stdout.splitlines():
        print(f"  {line}")
    results = ktap.read(r.stdout)
    yield from results.problems
    if r.status != 0:
        yield r.explain()
    elif not results.counts.passed:
        yield "no test has passed"


def main() -> int:
    """Returns the exit status."""
    ap = argparse.ArgumentParser(description="Run the kernels' own tests.")
    kind = ap.add_mutually_exclusive_group()
    kind.add_argument("--kasan", action="store_true", help="in the kernel that checks memory")
    kind.add_argument("--intel", action="store_true", help="on a host with VT-x")
    args = ap.parse_args()
    runs = KASAN if args.kasan else INTEL if args.intel else RUNS
    failed = False
    print(f"{ktap.VERSION}\n1..{len(runs)}")
    with Bench(smp=1, l0="bochs" if args.intel else "qemu") as bench:
        for number, (name, options) in enumerate(runs.items(), 1):
            problems, note = [], ""
            try:
                problems = list(boot(bench, options))
            except OptionError as e:
                # Elsewhere it is a mistake in a table above.
                if hardware.kind() != "local":
                    raise
                note = f"SKIP {'; '.join(e.problems)}"
            failed |= bool(problems)
            print(ktap.result(number, name, not problems, note))
            for problem in problems:
                print("\n".join(f"# {line}" for line in problem.splitlines()), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    ending.exit_when_told(main)
