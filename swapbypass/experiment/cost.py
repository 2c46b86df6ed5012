#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What the extension costs where it is not used: `make bench-cost`.

Kernel: the guest with the extension compiled in, but on a machine without a
symbiotic VMM, against the same kernel without our changes. Bar: 0.5% more
instructions for boot plus a loop of fork, exec and page faults.

KVM: the extended KVM with its features off for the VM against unmodified KVM,
the same guest and loop. Bars: no more exits and no more instructions, 1%.

All run under an emulator that counts instructions (-icount): the time-stamp
counter that the programs print advances with the instructions of the whole
machine, KVM's included. The counter also advances while a machine waits, so the
kernels boot on a machine that has nothing to wait for: memory, two serial ports
and the loop as init; it repeats to the instruction. Guests under KVM vary, so
each side runs several times, in turns, and the best runs are compared: waiting
for the bench only ever adds exits and instructions.
"""

import argparse
import os
import pathlib
import re
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent

KERNEL_BAR = 1.005
KVM_BAR = 1.01


def say(text=""):
    """Prints a line at once."""
    print(text, flush=True)


def counts(text):
    """{boot, loop, total} from what the loop printed; None if it is not
    complete."""
    boot = re.search(r"^boot tsc=(\d+)", text, re.M)
    loop = re.search(r"^loop rounds=\d+ tsc=(\d+)", text, re.M)
    if not boot or not loop:
        return None
    return {"boot": int(boot[1]), "loop": int(loop[1]),
            "total": int(boot[1]) + int(loop[1])}


def boot_bare(kernel, programs, rounds):
    """Boots a kernel on the emulated machine with the loop as init."""
    # pylint: disable=C0415
    from rig import ending, images
    from rig.cpio import Cpio
    from rig.host import L0, TCG_BARE_CPU, nameless, path_of, start
    archive = Cpio()
    archive.file("init", programs / "procloop")
    with nameless(data=archive.bytes()) as initrd, nameless() as console, \
            nameless() as results:
        machine = start(
            [L0, "-M", "pc,graphics=off", "-nodefaults", "-no-user-config",
             "-display", "none", "-no-reboot", "-m", "256",
             "-accel", "tcg,thread=single", "-icount", "shift=0,sleep=off",
             "-cpu", TCG_BARE_CPU,
             "-rtc", "base=2024-01-01,clock=vm",
             "-bios", str(images.FIRMWARE / "qboot.rom"),
             "-kernel", str(images.kernel_image(kernel, "pvh")),
             "-initrd", path_of(initrd),
             "-append", "console=ttyS0 quiet panic=-1 norandmaps "
             f"-- {rounds}",
             "-serial", f"file:{path_of(console)}",
             "-serial", f"file:{path_of(results)}"],
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


def measure(bench, programs, rounds, **options):
    """Runs the loop in a guest; returns {boot, loop, total, exits}."""
    result = bench.run(f"exec ./procloop {rounds}", files=programs,
                       guest_mem=256, swap="none", timeout=180,
                       append="norandmaps", **options)
    found = counts(result.stdout)
    if result.status != 0 or not found:
        raise RuntimeError("procloop: " + (
            result.stderr.strip() or "no result"
            if result.status is not None else result.explain()))
    before, after = result.host_before or {}, result.host_after or {}
    if "exits" in after:
        found["exits"] = after["exits"] - before.get("exits", 0)
    return found


def measure_again(bench, *args, **options):
    """As measure(), with a second try: guests of an emulated host hang now
    and then."""
    try:
        return measure(bench, *args, **options)
    except RuntimeError as error:
        say("  failed, once more: " + str(error).split("\n", 1)[0])
        return measure(bench, *args, **options)


def compare(title, what, bar, plain, ours):
    """Prints one line of the comparison; returns whether the bar is met."""
    a = [m[what] for m in plain if what in m]
    b = [m[what] for m in ours if what in m]
    if not a or not b:
        say(f"  ----  {title}: not measured")
        return False
    base, new = min(a), min(b)
    spread = max((max(x) - min(x)) / base for x in (a, b))
    good = new / base <= bar
    say(f"  {'PASS' if good else 'MISS'}  {title:<44} {base:>15.0f} "
        f"{new:>15.0f}  {100 * (new / base - 1):+.3f}%  "
        f"(bar +{100 * (bar - 1):.1f}%; repeats differ by "
        f"{100 * spread:.3f}%)")
    return good


def kernel_cost(boot, args):
    """The guest kernel on bare metal against the kernel without changes."""
    runs = {"guest-base": [], "guest": []}
    for number in range(args.repeats):
        for kernel, found in runs.items():
            found.append(boot(kernel, args.programs, args.rounds))
            say(f"  {kernel:<11} run {number + 1}: boot "
                f"{found[-1]['boot']}, loop {found[-1]['loop']}")
    say()
    say(f"Guest kernel on bare metal, {args.rounds} rounds "
        "(unpatched, with the extension)")
    good = True
    for what in ("total", "boot", "loop"):
        title = {"total": "boot and loop, instructions",
                 "boot": "boot alone", "loop": "loop alone"}[what]
        met = compare(title, what, KERNEL_BAR, runs["guest-base"],
                      runs["guest"])
        good = good and (met or what != "total")
    return good


def kvm_cost(bench_class, args):
    """The extended KVM with the feature off against unmodified KVM."""
    good = True
    runs = {}
    # Two hosts do not run at once on a small machine, so the turns are whole
    # boots of L1.
    for number in range(args.repeats):
        for host in ("plain-kvm", "symbiotic"):
            with bench_class(host=host, icount=True) as bench:
                for paging in ("nested", "shadow"):
                    found = measure_again(bench, args.programs,
                                          args.rounds // 4, kernel="guest",
                                          paging=paging, symbiotic=False)
                    runs.setdefault((host, paging), []).append(found)
                    say(f"  {host:<9} {paging} run {number + 1}: loop "
                        f"{found['loop']}, exits {found.get('exits')}")
    say()
    say(f"KVM with the feature off, {args.rounds // 4} rounds "
        "(unpatched, extended)")
    for paging in ("nested", "shadow"):
        plain, ours = runs["plain-kvm", paging], runs["symbiotic", paging]
        good &= compare(f"loop, instructions, {paging} paging", "loop",
                        KVM_BAR, plain, ours)
        good &= compare(f"exits, {paging} paging", "exits", KVM_BAR, plain,
                        ours)
    return good


def main(argv=None, bench_class=None, boot=boot_bare):
    """Runs the benchmark; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--part", choices=("kernel", "kvm", "all"),
                        default="all")
    parser.add_argument("--programs", type=pathlib.Path,
                        default=TOP / "build" / "bench")
    parser.add_argument("--strict", action="store_true",
                        help="fail if a bar is missed")
    args = parser.parse_args(argv)
    if bench_class is None:
        from rig import Bench as bench_class    # pylint: disable=C0415
        subprocess.run(["make", "-s", "-C", str(HERE.parent / "bench"),
                        f"O={args.programs.resolve()}"], check=True)

    good = True
    if args.part in ("kernel", "all"):
        good &= kernel_cost(boot, args)
    if args.part in ("kvm", "all"):
        say()
        good &= kvm_cost(bench_class, args)
    return 1 if args.strict and not good else 0


if __name__ == "__main__":
    from rig import ending
    ending.exit_when_told(main)
