#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""KUnit in the guest: boot with kunit.enable=1, fetch the results of every
suite over the data channel, count cases. And the lightweight kernel's tests of
itself, which print the same way.

On the symbiotic VMM, on unmodified KVM and on bare metal: the same image. With
--kasan, the checking kernel of Linux instead, on bare metal.
"""

import re
import sys

from rig import Bench, ending

CMD = "cat /sys/kernel/debug/kunit/*/results"
# Four spaces: a case; deeper: a row of a parameter table; none: a suite.
CASE = re.compile(r"^    (not )?ok \d+ (\S+)(.*)$")
SUITE = re.compile(r"^(?:not )?ok \d+ (\S+)")
PLAN = re.compile(r"^    1\.\.(\d+)$")

# (name, machine); KASAN needs more memory and time
RUNS = (("symbiotic", {"host": "symbiotic", "paging": "shadow", "smp": 2}),
        ("plain-kvm", {"host": "plain-kvm", "paging": "nested"}),
        ("bare-metal", {"host": "bare-metal", "smp": 2}))
# The lightweight kernel's tests of itself speak the same language.
KITTEN = (("kitten-symbiotic", {"host": "symbiotic", "paging": "shadow", "smp": 2, "append": "symcalltest"}),
          ("kitten-plain-kvm", {"host": "plain-kvm", "paging": "nested"}),
          ("kitten-bare-metal", {"host": "bare-metal", "smp": 2}))
KASAN = ("kasan", {"host": "bare-metal", "smp": 2, "kernel": "debug", "guest_mem": 1024,
                   "timeout": 300})


def count(text, run):
    passed = failed = skipped = planned = 0
    for line in text.splitlines():
        m = PLAN.match(line)
        if m:
            planned += int(m.group(1))
        m = CASE.match(line)
        if not m:
            continue
        if m.group(1):
            failed += 1
            print(f"not ok {run}: {m.group(2)}")
        elif "# SKIP" in m.group(3):
            skipped += 1
        else:
            passed += 1
    missing = planned - passed - failed - skipped
    if missing or not planned:
        print(f"not ok {run}: {missing} of {planned} planned cases have no result")
        failed += max(1, missing)
    return passed, failed, skipped


def main():
    total = [0, 0, 0]
    linux = [KASAN] if "--kasan" in sys.argv[1:] else RUNS
    runs = [(n, {"cmd": CMD, "append": "kunit.enable=1", **m}) for n, m in linux]
    if linux is RUNS:
        runs += [(n, {"cmd": "selftest", "kernel": "kitten", **m}) for n, m in KITTEN]
    with Bench(smp=1) as bench:
        for name, machine in runs:
            options = {"guest_mem": 256, "timeout": 180, **machine}
            r = bench.run(**options)
            if r.status != 0:
                print(f"not ok {name}: {r.explain()}")
                total[1] += 1
                continue
            counts = count(r.stdout, name)
            if counts[1]:
                print("\n".join(f"#   {line}" for line in r.stdout.splitlines()
                                if re.match(r"\s*(not ok|#)", line)))
            print(f"{'not ok' if counts[1] else 'ok'} {name}: {counts[0]} cases in {r.seconds:.0f} s",
                  flush=True)
            total = [a + b for a, b in zip(total, counts)]
    print("{} passed, {} failed, {} skipped".format(*total))
    return 1 if total[1] else 0


if __name__ == "__main__":
    ending.exit_when_told(main)
