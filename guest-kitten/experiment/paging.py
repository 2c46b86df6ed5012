#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Shadow against nested paging for STREAM and GUPS on both guests:
`make bench-paging`.

In time, and in instructions of the whole machine below the guest, where an
emulator counts them (-icount): there one instruction is a nanosecond of the
guest's clock.
"""

import argparse
import re

import common
from common import GUESTS, fields, say

PAGINGS = ("shadow", "nested")


def measure(bench, guest, paging, args):
    """Best seconds of a STREAM triad and of a GUPS pass, and until the data
    was there (the page faults of a guest that has any)."""
    out = common.run(bench, guest, f"@stream -m {args.mib} -n {args.passes}\n"
                     f"@gups -m {args.mib} -u {args.updates} -n {args.passes}",
                     guest_mem=args.mib * 2 + 160, smp=1, paging=paging, timeout=280)
    lines = [fields(line) for line in out.splitlines()]
    if len(re.findall("verify result=ok", out)) != 2:
        raise RuntimeError(f"{guest}: wrong results\n{out}")
    inits = [f["seconds"] for f in lines if set(f) == {"seconds"}]
    return {"stream init": inits[0], "gups init": inits[1],
            "stream triad": min(f["seconds"] for f in lines if f.get("kernel") == "triad"),
            "gups": min(f["seconds"] for f in lines if f.get("kernel") == "update")}


WHAT = ("stream init", "stream triad", "gups init", "gups")


def table(found, unit, scale):
    """The lines of one table."""
    yield f"{'':14}" + "".join(f"{g + ' ' + p:>16}" for g in GUESTS for p in PAGINGS) + \
          "".join(f"{g + ' sh/ne':>14}" for g in GUESTS) + f"   {unit}"
    for what in WHAT:
        row = f"{what:14}"
        row += "".join(f"{found[g, p][what] * scale:16.3f}" for g in GUESTS for p in PAGINGS)
        row += "".join(f"{found[g, 'shadow'][what] / found[g, 'nested'][what]:14.2f}" for g in GUESTS)
        yield row


def best(first, second):
    """Of two measurements, the smaller of each value."""
    return {k: min(first[k], second[k]) for k in first} if first else second


def main(argv=None):
    """Runs the experiment; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--mib", type=int, default=64)
    parser.add_argument("--updates", type=int, default=1000000)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--no-icount", action="store_true", help="time alone")
    args = parser.parse_args(argv)
    from rig import Bench   # pylint: disable=C0415

    lines = []
    for icount in (False, True)[:1 if args.no_icount else 2]:
        found = {}
        with Bench(host="symbiotic", icount=icount) as bench:
            # Counted instructions repeat: one round is enough.
            for _ in range(1 if icount else args.rounds):
                for paging in PAGINGS:
                    for guest in GUESTS:
                        found[guest, paging] = best(found.get((guest, paging)),
                                                    measure(bench, guest, paging, args))
        new = list(table(found, "10^6 instructions" if icount else "ms", 1000))
        lines += new + [""]
        for line in new:
            say(line)
        say()
    directory = common.results_directory()
    (directory / "paging.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    from rig import ending
    ending.exit_when_told(main)
