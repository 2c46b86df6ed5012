#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""The null symcall against the null hypercall: `make bench-micro`.

Both run on the same VM in one run, in turns, from inside the guest: loops of
hypercalls that do nothing, and one hypercall that makes KVM do as many symcalls
that do nothing. A symcall needs one entry and one exit as well, so a ratio of
1.0 is the limit.

Once in time, on the host's own processor if the rig can use it, else on AMD-V. On AMD-V
in instructions, under an emulator that counts them (-icount): there the guest's
time-stamp counter advances with the instructions of the whole machine, KVM's included.
On VT-x in instructions: those of Bochs, whose clocks count nothing else.

There, too: what both calls take in a VM that may change its paging mode and never does,
against one that has its module's for good, of the same mode.

What KVM takes is the most of it, but on VT-x, where everything takes more, a guest's
own part does not hide behind the hypercall: so it is KVM that is judged there, with the
guest of its tests, which has no operating system. Linux is told beside it: its entry
does what that of an NMI does, and where it isolates page tables, as on the processor
that Bochs is, reads CR3, which exits under shadow paging.
"""

from __future__ import annotations

import pathlib
import re
import statistics
from collections.abc import Sequence
from typing import Any

from rig import Bench, ending, hardware, measure
from rig.bochs import IPS
from rig.guest import BOCHS
from rig.measure import Target, say

SCRIPT = pathlib.Path(__file__).resolve().parent / "null_calls.sh"
KINDS = ("hypercall", "symcall")
UNITS = {False: "ns", True: "instructions"}
PAGING = ("nested", "shadow")
# Whether it counts, and the bench.
MACHINES: tuple[tuple[bool, dict[str, Any]], ...] = (
    (False, {}), (True, {"icount": True}), (True, {"l0": BOCHS}))
TIME_LIMIT = 1.25
# In instructions. What VT-x has in the VMCS takes one or three per field; a context has some
# forty.
LIMITS = {"AMD-V": {"nested": 0.93, "shadow": 0.93}, "VT-x": {"nested": 1.5, "shadow": 2.0}}
MAY_CHANGE_LIMIT = 1.005

KVM_TEST = re.compile(r"^hypercall (\d+) ns, symcall (\d+) ns", re.M)
LINE = re.compile(r"^(hypercall|symcall) calls (\d+) ns (\d+) tsc (\d+) status (-?\d+)$", re.M)

# Of one call, in the order of the rounds; by kind.
Found = dict[str, list[float]]


def virtualization(options: dict[str, Any]) -> str:
    """What the processor of a bench has: QEMU's AMD-V, Bochs's VT-x, the host's own."""
    if options.get("l0") == BOCHS:
        return "VT-x"
    own = not options.get("icount") and hardware.kind() != "emulated"
    return "VT-x" if own and "vmx" in hardware.cpu_flags() else "AMD-V"


def rounds_of(bench: measure.Runner, paging: str, calls: int, rounds: int, counted: bool) -> Found:
    """What a call took in each round but the first."""
    out = measure.checked(bench.run(measure.script(SCRIPT, rounds, calls), guest_mem=256,
                                    paging=paging, timeout=300))
    found: Found = {kind: [] for kind in KINDS}
    for kind, done, nanos, ticks, status in LINE.findall(out):
        if status != "0":
            raise RuntimeError(f"a {kind} failed with status {status}")
        found[kind].append(int(ticks if counted else nanos) / int(done))
    if {len(values) for values in found.values()} != {rounds}:
        raise RuntimeError(f"not {rounds} rounds:\n{out}")
    return {kind: values[1:] for kind, values in found.items()}


def of_kvm(bench: measure.Runner, paging: str, calls: int) -> Found:
    """What a call took in the guest of KVM's tests; once, since Bochs repeats itself."""
    out = measure.checked(bench.run_l1(f"symbiotic_test -b {calls}", paging=paging, timeout=300))
    found = KVM_TEST.search(out)
    if not found:
        raise RuntimeError(f"no result of symbiotic_test -b:\n{out}")
    return {kind: [int(nanos) * IPS / 10**9] for kind, nanos in zip(KINDS, found.groups())}


def target(machine: str, paging: str, counted: bool, found: Found, most: float) -> Target:
    """The ratio of the two."""
    # Neighbours in time saw the same load of the machine.
    ratio = statistics.median(s / h for s, h in zip(found["symcall"], found["hypercall"]))
    medians = " / ".join(f"{statistics.median(found[kind]):.0f}" for kind in reversed(KINDS))
    what = "instructions" if counted else "time"
    return Target(f"{what}, {machine}, {paging} paging: symcall / hypercall",
                  ratio, most, form="{:.3f}",
                  detail=f"{medians} {UNITS[counted]}; 1.0 is the limit")


def may_change(machine: str, paging: str, found: Found, fixed: Found) -> list[Target]:
    """What a choice costs that nobody makes."""
    targets = []
    for kind in KINDS:
        ours, base = statistics.median(found[kind]), statistics.median(fixed[kind])
        text = f"instructions, {machine}, {paging} paging: {kind}, may change / fixed"
        targets.append(Target(text, ours / base, MAY_CHANGE_LIMIT, form="{:.4f}",
                              detail=f"{ours:.0f} / {base:.0f} instructions"))
    return targets


def main(argv: Sequence[str] | None = None, benches: measure.Benches = Bench) -> int:
    """Runs the experiment; returns the exit status."""
    parser = measure.arguments(__doc__, targets=True, time_only=True)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=21)
    args = parser.parse_args(argv)

    targets, rows, told = [], [], []
    for counted, options in MACHINES[:1] if args.time_only else MACHINES:
        machine = virtualization(options)
        with benches(host="symbiotic", **options) as bench:
            for paging in PAGING:
                found = rounds_of(bench, paging, args.calls, args.rounds, counted)
                rows += [(kind, machine, paging, number, f"{value:.1f}", UNITS[counted])
                         for kind in KINDS for number, value in enumerate(found[kind], 1)]
                if options.get("l0") == BOCHS:
                    linux = target(machine, paging, counted, found, 0)
                    told.append(f"  {linux.text}, Linux: {linux.value:.3f}, {linux.detail}")
                    found = of_kvm(bench, paging, 3 * args.calls)
                    rows += [(kind, "VT-x, KVM's tests", paging, 1, f"{found[kind][0]:.1f}",
                              UNITS[counted]) for kind in KINDS]
                targets.append(target(machine, paging, counted, found,
                                      LIMITS[machine][paging] if counted else TIME_LIMIT))
                say(targets[-1].lines()[0])
                # The one machine on which a small difference is one.
                if options.get("icount"):
                    own = rounds_of(bench, f"vm-{paging}", args.calls, args.rounds, counted)
                    rows += [(kind, machine, f"vm-{paging}", number, f"{value:.1f}",
                              UNITS[counted])
                             for kind in KINDS for number, value in enumerate(own[kind], 1)]
                    targets += may_change(machine, paging, own, found)

    report = measure.Report(args.results, "micro", measure.about(counted=not args.time_only))
    report.csv(("call", "machine", "paging", "round", "value", "unit"), rows)
    return report.finish([f"Null symcall and null hypercall, medians of {args.rounds - 1} rounds "
                          f"of {args.calls} calls each, in turns", *told], targets,
                         args.strict)


if __name__ == "__main__":
    ending.exit_when_told(main)
