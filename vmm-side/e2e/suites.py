#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run test suites one after the other and add up their counts.

suites.py SPEC...

  NAME=COMMAND          a suite
  NAME&=COMMAND         a build that only some suites need: in the background
                        from the start, at low priority, its output kept
  NAME:BUILD=COMMAND    a suite that waits for that build

A suite prints `N passed, N failed, N skipped` as its last line of that form.
A suite that fails without saying so, or says nothing, counts as one failure:
nothing that goes wrong may look like success. So does a build that fails.
"""

import re
import subprocess
import sys
import tempfile
import time

COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped\s*$")
SPEC = re.compile(r"([^=&:]+)(?:(&)|:([^=]+))?=(.*)", re.S)


class Build:
    """A command in the background."""

    def __init__(self, name, command):
        self.name = name
        self.output = tempfile.TemporaryFile("w+", errors="replace")
        self.process = subprocess.Popen(["nice", "-n", "19", "sh", "-c", command], stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=subprocess.STDOUT)

    def wait(self):
        """Wait for its end, once; returns whether it worked."""
        if self.process.returncode is None:
            print(f"== waiting for the build of {self.name}", flush=True)
            self.process.wait()
            self.output.seek(0)
            print(self.output.read(), end="", flush=True)
        return self.process.returncode == 0


def run(name, command):
    """Run one suite; returns its counts."""
    print(f"== {name}", flush=True)
    start, found = time.monotonic(), None
    with subprocess.Popen(command, shell=True, stdout=subprocess.PIPE, text=True, errors="replace") as p:
        for line in p.stdout:
            m = COUNTS.match(line)
            if m:
                found = [int(n) for n in m.groups()]
            print(line, end="", flush=True)
    counts = found or [0, 0, 0]
    if (p.returncode and not counts[1]) or found is None:
        print(f"{name}: status {p.returncode}, " + ("no counts" if found is None else "no failure counted"))
        counts[1] += 1
    print(f"== {name}: {time.monotonic() - start:.0f} s", flush=True)
    return counts


def main():
    total = [0, 0, 0]
    failed, suites, builds = [], [], {}
    for spec in sys.argv[1:]:
        m = SPEC.fullmatch(spec)
        if not m:
            sys.exit(f"suites.py: {spec}: not a suite")
        name, background, needs, command = m.groups()
        if background:
            builds[name] = Build(name, command)
        else:
            suites.append((name, needs, command))
    for name, needs, command in suites:
        if needs and not builds[needs].wait():
            print(f"{name}: no {needs}")
            counts = [0, 1, 0]
        else:
            counts = run(name, command)
        total = [a + b for a, b in zip(total, counts)]
        if counts[1]:
            failed.append(name)
    if failed:
        print(f"failed suites: {', '.join(failed)}")
    print("{} passed, {} failed, {} skipped".format(*total))
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main())
