#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the extension costs where it is not used: `make bench-cost`.

Kernel: the guest with the extension compiled in, but on a machine without a
symbiotic VMM, against the same kernel without our changes: a boot plus a loop of
fork, exec and page faults.

KVM: the extended KVM with its features off for the VM against unmodified KVM,
the same guest and loop, in instructions and exits.

Paging mode: under the extended KVM, a VM that may change it and never does, against
one that has the module's for good.

All run under an emulator that counts instructions (-icount): the time-stamp
counter that the programs print advances with the instructions of the whole
machine, KVM's included. The counter also advances while a machine waits, so the
kernels boot on a machine that has nothing to wait for: memory, two serial ports
and the loop as init; it repeats to the instruction. Guests under KVM vary, so
each side runs several times, in turns, and the best runs are compared: waiting
for the bench only ever adds exits and instructions.
"""

from __future__ import annotations

import argparse
import itertools
import os
import pathlib
import re
import subprocess
from collections.abc import Callable, Sequence

from rig import Bench, ending, images, measure
from rig.cpio import Cpio
from rig.host import L0, TCG_BARE_CPU, nameless, path_of, start
from rig.measure import Target, say

KERNEL_MOST = 1.005
# By paging mode.
KVM_MOST = {"nested": 1.005, "shadow": 1.01}
PAGING_MOST = 1.005
# What part of the loop's rounds is enough: a guest that waits for the bench exits, too, and
# that must be little of the whole. Shadow paging makes of a round four times the instructions.
PAGINGS = {"nested": 1, "shadow": 4}

# Counts of one run: boot, loop, total, and exits under KVM.
Counts = dict[str, int]
# A kernel, the programs, the loop's rounds.
Boot = Callable[[str, pathlib.Path, int], Counts]


def counts(text: str) -> Counts | None:
    """What the loop printed; None if it is not complete."""
    boot = re.search(r"^boot tsc=(\d+)", text, re.M)
    loop = re.search(r"^loop rounds=\d+ tsc=(\d+)", text, re.M)
    if not boot or not loop:
        return None
    return {"boot": int(boot[1]), "loop": int(loop[1]), "total": int(boot[1]) + int(loop[1])}


def boot_bare(kernel: str, programs: pathlib.Path, rounds: int) -> Counts:
    """Boots a kernel on the emulated machine with the loop as init."""
    archive = Cpio()
    archive.file("init", programs / "procloop")
    with nameless(data=archive.bytes()) as initrd, nameless() as console, nameless() as results:
        machine = start(
            [L0, "-M", "pc,graphics=off", "-nodefaults", "-no-user-config", "-display", "none",
             "-no-reboot", "-m", "256", "-accel", "tcg,thread=single",
             "-icount", "shift=0,sleep=off", "-cpu", TCG_BARE_CPU,
             "-rtc", "base=2024-01-01,clock=vm", "-bios", str(images.FIRMWARE / "qboot.rom"),
             "-kernel", str(images.kernel_image(kernel, "pvh")), "-initrd", path_of(initrd),
             "-append", f"console=ttyS0 quiet panic=-1 norandmaps -- {rounds}",
             "-serial", f"file:{path_of(console)}", "-serial", f"file:{path_of(results)}"],
            (initrd, console, results), stdin=subprocess.DEVNULL)
        try:
            status = machine.wait(180)
        finally:
            ending.stop(machine)
        said = [os.pread(f.fileno(), 1 << 20, 0).decode(errors="replace")
                for f in (results, console)]
        found = counts(said[0].replace("\r", ""))
        if status or not found:
            raise RuntimeError(f"{kernel} printed no result\n{said[1]}")
        return found


def run_loop(bench: measure.Runner, programs: pathlib.Path, rounds: int, paging: str) -> Counts:
    """Runs the loop in a guest without the extension."""
    result = bench.run(f"exec ./procloop {rounds}", files=programs, kernel="guest", guest_mem=256,
                       paging=paging, symbiotic=False, append="norandmaps", timeout=180)
    out = measure.checked(result, "procloop")
    found = counts(out)
    if not found:
        raise RuntimeError(f"procloop: no result\n{out}")
    if "exits" in result.host_after:
        found["exits"] = result.host_after["exits"] - result.host_before.get("exits", 0)
    return found


def run_loop_twice(bench: measure.Runner, programs: pathlib.Path, rounds: int,
                   paging: str) -> Counts:
    """As run_loop(), with a second try: guests of an emulated host hang now and then."""
    try:
        return run_loop(bench, programs, rounds, paging)
    except RuntimeError as error:
        say("  failed, once more: " + str(error).split("\n", 1)[0])
        return run_loop(bench, programs, rounds, paging)


def compare(text: str, what: str, most: float, plain: list[Counts], ours: list[Counts]) -> Target:
    """The best runs of both sides."""
    a, b = ([run[what] for run in runs if what in run] for runs in (plain, ours))
    if not a or not b:
        return Target(text, None, most)
    base, new = min(a), min(b)
    spread = max((max(x) - min(x)) / base for x in (a, b))
    return Target(text, new / base, most, form="{:.5f}",
                  detail=f"{new} / {base}; repeats differ by {spread:.3%}")


# What a part of the experiment gives: lines, targets, and rows of the CSV file.
Part = tuple[list[str], list[Target], list[tuple[object, ...]]]


def rows_of(runs: dict[tuple[str, str], list[Counts]]) -> list[tuple[object, ...]]:
    """(side, paging, run, what, count)"""
    return [(side, paging, number, what, count) for (side, paging), found in runs.items()
            for number, run in enumerate(found, 1) for what, count in run.items()]


def kernel_cost(boot: Boot, args: argparse.Namespace) -> Part:
    """The guest kernel on bare metal against the kernel without changes."""
    plain: list[Counts] = []
    ours: list[Counts] = []
    for number in range(1, args.repeats + 1):
        for kernel, found in (("guest-base", plain), ("guest", ours)):
            found.append(boot(kernel, args.programs, args.rounds))
            say(f"  {kernel:<11} run {number}: boot {found[-1]['boot']}, loop {found[-1]['loop']}")
    parts = [compare(f"guest kernel, {what}: with the extension / without", what, KERNEL_MOST,
                     plain, ours) for what in ("total", "boot", "loop")]
    lines = [f"Guest kernel on bare metal, {args.rounds} rounds, instructions; of its total:"]
    lines += [f"  {part.text}: {measure.number(part.value, part.form)} ({part.detail})"
              for part in parts[1:]]
    return lines, parts[:1], rows_of({("guest-base", "none"): plain, ("guest", "none"): ours})


def kvm_cost(benches: measure.Benches, args: argparse.Namespace) -> Part:
    """The extended KVM with the feature off against unmodified KVM."""
    runs: dict[tuple[str, str], list[Counts]] = {}
    rounds = {paging: args.rounds // part for paging, part in PAGINGS.items()}
    # Two hosts do not run at once on a small machine, so the turns are whole
    # boots of L1.
    for number in range(1, args.repeats + 1):
        for host in ("plain-kvm", "symbiotic"):
            with benches(host=host, icount=True) as bench:
                for paging in PAGINGS:
                    found = run_loop_twice(bench, args.programs, rounds[paging], paging)
                    runs.setdefault((host, paging), []).append(found)
                    say(f"  {host:<9} {paging} run {number}: loop {found['loop']}, "
                        f"exits {found.get('exits')}")
    targets = [compare(f"KVM, {text}, {paging} paging: extended / unmodified", what,
                       KVM_MOST[paging], runs["plain-kvm", paging], runs["symbiotic", paging])
               for paging in PAGINGS
               for text, what in (("instructions", "loop"), ("exits", "exits"))]
    text = ", ".join(f"{count} rounds of the loop under {paging} paging"
                     for paging, count in rounds.items())
    return [f"KVM with the feature off: {text}"], targets, rows_of(runs)


def paging_cost(benches: measure.Benches, args: argparse.Namespace) -> Part:
    """A VM that may change its paging mode, and does not, against one that may not."""
    runs: dict[tuple[str, str], list[Counts]] = {}
    sides = {"fixed": "", "may-change": "vm-"}
    with benches(host="symbiotic", icount=True) as bench:
        for number in range(1, args.repeats + 1):
            for (paging, part), (side, prefix) in itertools.product(PAGINGS.items(), sides.items()):
                found = run_loop_twice(bench, args.programs, args.rounds // part, prefix + paging)
                runs.setdefault((side, paging), []).append(found)
                say(f"  {side:<10} {paging} run {number}: loop {found['loop']}, "
                    f"exits {found.get('exits')}")
    targets = [compare(f"paging mode, {text}, {paging}: may change / fixed", what, PAGING_MOST,
                       runs["fixed", paging], runs["may-change", paging])
               for paging in PAGINGS
               for text, what in (("instructions", "loop"), ("exits", "exits"))]
    return ["A VM that may change its paging mode, and does not: the same loops"], targets, \
        rows_of(runs)


def main(argv: Sequence[str] | None = None, benches: measure.Benches = Bench,
         boot: Boot = boot_bare) -> int:
    """Runs the experiment; returns the exit status."""
    parser = measure.arguments(__doc__, targets=True)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--part", choices=("kernel", "kvm", "paging", "all"), default="all")
    parser.add_argument("--programs", type=pathlib.Path, default=measure.PROGRAMS)
    args = parser.parse_args(argv)
    if benches is Bench:
        measure.build_programs(args.programs)

    parts: list[Part] = []
    if args.part in ("kernel", "all"):
        parts.append(kernel_cost(boot, args))
    if args.part in ("kvm", "all"):
        parts.append(kvm_cost(benches, args))
    if args.part in ("paging", "all"):
        parts.append(paging_cost(benches, args))

    report = measure.Report(args.results, "cost", measure.about(timed=False, counted=True))
    report.csv(("side", "paging", "run", "what", "count"), [row for p in parts for row in p[2]])
    return report.finish([line for p in parts for line in p[0]], [t for p in parts for t in p[1]],
                         args.strict)


if __name__ == "__main__":
    ending.exit_when_told(main)
