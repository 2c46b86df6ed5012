#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Shadow against nested paging for STREAM and GUPS on both guests:
`make bench-paging`.

In time, and in instructions of the whole machine below the guest, where an
emulator counts them (-icount): there one instruction is a nanosecond of the
guest's clock.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence

import common
from common import GUESTS
from rig import Bench, ending, measure
from rig.measure import say

PAGINGS = ("shadow", "nested")
WHAT = ("stream init", "stream triad", "gups init", "gups")
UNITS = {False: "ms", True: "10^6 instructions"}

# Seconds, or 10^9 instructions, by WHAT; and that by guest and paging.
Times = dict[str, float]
Found = dict[tuple[str, str], Times]


def times_of(bench: measure.Runner, guest: str, paging: str, args: argparse.Namespace) -> Times:
    """The best STREAM triad and GUPS pass, and until the data was there (the page faults of a
    guest that has any)."""
    out = common.run(bench, guest, f"@stream -m {args.mib} -n {args.passes}\n"
                     f"@gups -m {args.mib} -u {args.updates} -n {args.passes}",
                     guest_mem=args.mib * 2 + 160, smp=1, paging=paging, timeout=280)
    lines = [measure.fields(line) for line in out.splitlines()]
    if sum(f.get("result") == "ok" for f in lines) != 2:
        raise RuntimeError(f"{guest}: wrong results\n{out}")
    stream, gups = (float(f["seconds"]) for f in lines if set(f) == {"seconds"})
    passes = {kernel: min(float(f["seconds"]) for f in lines if f.get("kernel") == kernel)
              for kernel in ("triad", "update")}
    return dict(zip(WHAT, (stream, passes["triad"], gups, passes["update"])))


def table(found: Found, counted: bool) -> list[str]:
    """The lines of one table."""
    return measure.table(
        [UNITS[counted], *(f"{g} {p}" for g in GUESTS for p in PAGINGS),
         *(f"{g} sh/ne" for g in GUESTS)],
        [[what, *(f"{found[g, p][what] * 1000:.3f}" for g in GUESTS for p in PAGINGS),
          *(f"{found[g, 'shadow'][what] / found[g, 'nested'][what]:.2f}" for g in GUESTS)]
         for what in WHAT])


def best(first: Times | None, second: Times) -> Times:
    """Of two measurements, the smaller of each value."""
    return {k: min(first[k], second[k]) for k in first} if first else second


def rows(found: Found, counted: bool) -> Iterator[tuple[object, ...]]:
    """(guest, paging, what, value, unit)"""
    for (guest, paging), times in found.items():
        for what, value in times.items():
            yield guest, paging, what, f"{value * 1000:.3f}", UNITS[counted]


def main(argv: Sequence[str] | None = None, benches: measure.Benches = Bench) -> int:
    """Runs the experiment; returns the exit status."""
    parser = measure.arguments(__doc__, time_only=True)
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--updates", type=int, default=1000000)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    args = parser.parse_args(argv)

    measured: dict[bool, Found] = {}
    for counted in (False,) if args.time_only else (False, True):
        found = measured[counted] = {}
        with benches(host="symbiotic", icount=counted) as bench:
            # Counted instructions repeat: one round is enough.
            for number in range(1, 2 if counted else args.rounds + 1):
                say(f"{'instructions' if counted else 'time'}, round {number}")
                for paging in PAGINGS:
                    for guest in GUESTS:
                        found[guest, paging] = best(found.get((guest, paging)),
                                                    times_of(bench, guest, paging, args))

    report = measure.Report(args.results, "paging", measure.about(counted=not args.time_only))
    report.csv(("guest", "paging", "what", "value", "unit"),
               [row for counted, found in measured.items() for row in rows(found, counted)])
    return report.finish([line for counted, found in measured.items()
                          for line in ["", *table(found, counted)]])


if __name__ == "__main__":
    ending.exit_when_told(main)
