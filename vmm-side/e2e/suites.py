#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run test suites one after the other and add up their counts: suites.py NAME=COMMAND...

A suite prints `N passed, N failed, N skipped` as its last line of that form.
A suite that fails without saying so, or says nothing, counts as one failure:
nothing that goes wrong may look like success.
"""

import re
import subprocess
import sys
import time

from rig import ending

COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped\s*$")


def run(name, command):
    """Run one suite; returns its counts."""
    print(f"== {name}", flush=True)
    start, found = time.monotonic(), None
    with subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, text=True, errors="replace",
                          start_new_session=True) as p:
        try:
            for line in p.stdout:
                m = COUNTS.match(line)
                if m:
                    found = [int(n) for n in m.groups()]
                print(line, end="", flush=True)
        except ending.Interrupted:
            ending.stop_session(p)
            raise
    counts = found or [0, 0, 0]
    if (p.returncode and not counts[1]) or found is None:
        print(f"{name}: status {p.returncode}, " + ("no counts" if found is None else "no failure counted"))
        counts[1] += 1
    print(f"== {name}: {time.monotonic() - start:.0f} s", flush=True)
    return counts


def main():
    total = [0, 0, 0]
    failed = []
    for spec in sys.argv[1:]:
        name, found, command = spec.partition("=")
        if not found:
            sys.exit(f"suites.py: {spec}: not a suite")
        counts = run(name, command)
        total = [a + b for a, b in zip(total, counts)]
        if counts[1]:
            failed.append(name)
    if failed:
        print(f"failed suites: {', '.join(failed)}")
    print("{} passed, {} failed, {} skipped".format(*total))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    ending.exit_when_told(main)
