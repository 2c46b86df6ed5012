#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Fuzz the memory management of a guest that swaps to windows: what fuzz_mm, in the guest,
cannot do by itself. KTAP on stdout.

It boots the guest, with the devices that the programs are about, beside a host that is restless,
and a VMM that lies.
A find is left in build/fuzz/finds, made small by the guest. If the guest has died of one, the
program is made again from its number, and is made smaller by one boot after the other. Last
the find is tried in a guest that has done nothing else.

With --operations: a piece of a long run, which goes on where the last one with its seed has
ended, until so many are done in this mode, with whatever seeds. Its programs are longer.

With --faults: the guest's kernel without one rule at a time (a test option of its kernel), and
how long it takes until that is found.
"""

from __future__ import annotations

import argparse
import dataclasses
import pathlib
import re
import subprocess
import time
from collections.abc import Iterator
from typing import Any

from e2e import fuzzing, ktap
from e2e.fuzzing import FINDS
from e2e.run import TROUBLE
from rig import Bench, Result, ending

TOP = pathlib.Path(__file__).resolve().parents[3]
FILES = TOP / "build" / "tests" / "files"

WINDOW = ("-object memory-backend-file,id=fw{0},share=on,mem-path=$WORK/fw{0},size=32M "
          "-device symswap,memdev=fw{0}")
# A disk that is not swapped on at the start; the file is made before QEMU sees it.
SPARE = ("-drive if=none,id=spare,format=raw,file=$WORK/spare$(truncate -s 32M $WORK/spare) "
         "-device virtio-blk-pci,drive=spare,serial=spare")
# Of a program's devices, as fuzz_mm.sh has them: by its name, or by another one.
DEVICES = ["/dev/symswap0", "/dev/symswap1", "/dev/zram0", "/mnt/swapfile"]
DISK = "disk=/dev/vda"
IN_PLACE: dict[str, Any] = {
    "paging": "nested", "swap": "virtio-blk", "swap_size": 32,
    "qemu_args": f"{WINDOW.format(0)} {WINDOW.format(1)}"}
MODES: dict[str, tuple[dict[str, Any], str, list[str]]] = {
    "in-place": (IN_PLACE, "in-place", [*DEVICES, DISK]),
    "copy": (IN_PLACE, "copy", [*DEVICES, DISK]),
    # As far as hibernation goes.
    "none": ({"paging": "nested", "swap": "virtio-blk", "swap_size": 32}, "copy",
             [*DEVICES[2:], DISK]),
    # The first window is bypassed, the second in place.
    "bypass": ({"paging": "shadow", "swap": "bypass", "swap_size": 32,
                "qemu_args": f"{WINDOW.format(1)} {SPARE}"},
               "auto", [*DEVICES, DISK])}
# With no VMM: windows are devices that any emulator has, and are named.
PLACES = ("1c", "1d")
BARE: dict[str, Any] = {
    "host": "bare-metal", "swap": "virtio-blk", "swap_size": 32,
    "qemu_args": " ".join(f"-object memory-backend-file,id=fw{i},share=on,mem-path=$WORK/fw{i},"
                          f"size=32M -device ivshmem-plain,memdev=fw{i},addr={place}"
                          for i, place in enumerate(PLACES))}
NAMED = " symswap.device=" + ",".join(f"0000:00:{place}.0" for place in PLACES)
BARE_MODES = {mode: (BARE, mode + NAMED, [*DEVICES, DISK]) for mode in ("in-place", "copy")}

# How often a new guest executes a find, and for how long: where threads race, once is too few.
TIMES, REPEAT_SECONDS = 20, 90

SKIP = "/sys/module/symswap/parameters/skip"
HOOKS = "/sys/kernel/debug/symbiotic_bypass/skip_hooks"
OVERLAY = TOP / "guest-linux" / "overlay"


def broken(rule: str) -> str:
    """FILE=VALUE that leaves out a rule of the guest's, by its name there."""
    symswap = (OVERLAY / "mm/symswap/internal.h").read_text()
    bypass = (OVERLAY / "include/linux/symbiotic_bypass.h").read_text()
    check = re.search(rf"^#define {rule}\s+BIT\((\d+)\)", bypass, re.M)
    if check:
        return f"{HOOKS}={1 << int(check.group(1))}"
    text, file = (bypass, HOOKS) if rule.startswith("BYPASS_HOOK_") else (symswap, SKIP)
    prefix = re.match("[A-Z]+_[A-Z]+_", rule)
    names = re.findall(rf"^\t({prefix.group() if prefix else rule}\w+),", text, re.M)
    return f"{file}={1 << names.index(rule)}"


@dataclasses.dataclass(frozen=True)
class Fault:
    """A rule that is left out."""
    name: str
    swap: str
    rule: str
    kernel: str = "guest"


FAULTS = (
    Fault("the identity of the swap type", "in-place", "SYMSWAP_RULE_TYPE"),
    Fault("the reference to the anon_vma", "in-place", "SYMSWAP_RULE_ANON_VMA", "debug"),
    Fault("the order of publication", "in-place", "SYMSWAP_RULE_PUBLISH", "debug"),
    Fault("the drop in vma_start_write()", "bypass", "BYPASS_HOOK_VMA"),
    Fault("the drop before a slot is read", "bypass", "BYPASS_HOOK_READ"),
    Fault("the check of the VMA's lock sequence", "bypass", "BYPASS_SKIP_VMA_LOCKED"),
)


class Fuzzer:
    """A kind of guest, and what is tried in it."""

    def __init__(self, bench: Bench, options: argparse.Namespace, rule: str = "") -> None:
        self._bench, self._options = bench, options
        self._options_of_all = f"-G {options.lru_gen} " if options.lru_gen else ""
        self._options_of_all += f"-b {broken(rule)} " if rule else ""
        machine, mode, self._devices = (BARE_MODES if options.bare else MODES)[options.swap]
        debug = options.kernel == "debug"
        self._limit = 120 if debug else 60
        self._guest = {
            **machine, "kernel": options.kernel, "smp": options.smp,
            "guest_mem": 768 if debug else 256, "files": FILES,
            "append": f"symswap.mode={mode} zram.num_devices=3"
                      + " kasan_multi_shot page_poison=1 numa=fake=2" * debug}

    def boot(self, arguments: str, seconds: int, program: str = "", storm: bool = False) -> Result:
        """fuzz_mm in a new guest."""
        cmd = ""
        if program:
            cmd += f"cat >/program <<'EOF'\n{program}EOF\n"
        if storm:
            # And a VMM that lies in the pages that both have; it ends with fuzz_mm.
            cmd += f"./vmm_lies -t {seconds} -s {self._options.seed} &\nlying=$!\n"
        cmd += (f"./fuzz_mm.sh {self._options_of_all}{arguments} -l {self._limit}\n"
                "status=$?\n" + "kill $lying; wait $lying\n" * storm +
                "w=/sys/kernel/symbiotic/guest_word\n[ ! -e $w ] || echo 0x57 >$w\n"
                "exit $status\n")
        if storm:
            host_cmd = f"fuzz_mm_storm.sh {self._options.seed} {seconds}"
        else:
            host_cmd = ""
        with fuzzing.progress(self._bench.dir):
            return self._bench.run(cmd, timeout=seconds + 2 * self._limit + 60,
                                   host_cmd=host_cmd, **self._guest)

    def program(self, number: int) -> str:
        """A program by its number."""
        longer = ["-w"] if self._options.operations else []
        return subprocess.run([FILES / "fuzz_mm", "-s", str(self._options.seed), *longer,
                               "-p", str(number), *self._devices],
                              check=True, capture_output=True, text=True).stdout

    def shrink(self, program: str, seconds: int) -> str:
        """A smaller program that still finds something, over as many boots as that takes."""
        known, end = "", time.monotonic() + seconds
        while time.monotonic() < end:
            left = int(end - time.monotonic()) + 1
            r = self.boot(f"-m '{known}' -f /program -S {left}", left, program)
            known += "".join(re.findall(r"^@([yn])$", r.stdout, re.M))
            small = programs(r.stdout, "made smaller")
            if r.status == 1 and small:
                return small[-1]
            if r.status is None and r.stdout.rstrip().endswith("@try"):
                known += "y"
            elif r.status != 3:
                break
        # As far as it has come.
        r = self.boot(f"-m '{known}' -f /program -S 0", 60, program)
        return (programs(r.stdout, "made smaller") or [program])[-1]

    def repeats(self, program: str, boots: int = 3) -> bool:
        """Whether a new guest finds something in it, too."""
        tried = False
        for _ in range(boots):
            r = self.boot(f"-r -x {TIMES} -t {REPEAT_SECONDS} -f /program", REPEAT_SECONDS, program)
            if r.status in (1, 3) or trouble(r) or (r.status is None and begun(r)):
                return True
            tried |= r.status == 0
        if not tried:
            raise RuntimeError(f"a program could not be tried: {r.status}\n{r.explain()}")
        return False


def begun(r: Result) -> list[str]:
    """The numbers of the programs that fuzz_mm has begun."""
    return re.findall(r"^@(\d+)$", r.stdout, re.M)


def programs(text: str, what: str) -> list[str]:
    """The programs that fuzz_mm has printed under such a heading."""
    found = re.findall(rf"^# {what}: .*\n# (?:at|after) .*\n((?:#   .*\n)*)", text, re.M)
    return [re.sub(r"^#   ", "", program, flags=re.M) for program in found]


def trouble(r: Result) -> list[str]:
    """What a console says that it should not."""
    pattern = TROUBLE.replace("|Call Trace", "")
    return [line for line in (r.console + r.host_console).splitlines() if re.search(pattern, line)]


def comments(text: str) -> Iterator[str]:
    """What fuzz_mm says for people."""
    yield from (line for line in text.splitlines() if line.startswith("# "))


def keep(name: str, program: str, why: str) -> pathlib.Path:
    """Leave a find where people look for it."""
    FINDS.mkdir(parents=True, exist_ok=True)
    path = FINDS / f"{name}.prog"
    path.write_text(f"# SPDX-License-Identifier: GPL-2.0\n# {why}\n{program}")
    return path


def fuzz(bench: Bench, options: argparse.Namespace) -> tuple[list[str], str]:
    """One session: what was found, and the figures."""
    ledger = fuzzing.Figures("fuzz-mm", options.kernel)
    begin, limit = options.first, ""
    if options.operations:
        left = options.operations - ledger.operations(options.swap)
        if left <= 0:
            return [], "all operations are done"
        begin, limit = ledger.next(options.swap, options.seed), f"-w -o {left} "
    fuzzer = Fuzzer(bench, options)
    r = fuzzer.boot(f"-s {options.seed} -n {begin} -t {options.seconds} {limit}-S 120",
                    options.seconds + 150, storm=options.storm)
    for line in comments(r.stdout):
        print(line)
    done = fuzzing.at(r.stdout, begin)
    numbers = begun(r)
    if r.status is None and numbers:
        # What it has died of is not tried again by the next piece.
        done = dataclasses.replace(done, next=int(numbers[-1]) + 1)
    lines, figures = judge(fuzzer, options, r), str(done)
    if options.operations:
        ledger.add(options.swap, options.seed, begin, done, int(bool(lines)))
        figures += f"; {ledger.operations(options.swap)} of {options.operations} operations"
    return lines, figures


def judge(fuzzer: Fuzzer, options: argparse.Namespace, r: Result) -> list[str]:
    """What was found in a session, small and in a file."""
    lines: list[str] = []
    name = f"fuzz_mm-{options.swap}-{options.seed}"
    if options.storm and r.status == 0 and r.host_status != 0:
        return [f"the host's part has ended by {r.host_status}", r.host_out]
    if r.status == 0 and not trouble(r):
        return []
    lines += trouble(r)[:5]
    small = programs(r.stdout, "made smaller")
    if r.status == 1 and small:
        found = small
    else:
        # The guest has died, or something in it hangs for good.
        numbers = begun(r)
        if r.status is None:
            lines += r.explain().splitlines()[:60]
        if not numbers:
            return [*lines, f"status {r.status}", *r.stdout.splitlines()[-20:],
                    *r.stderr.splitlines()[-20:]]
        program = fuzzer.program(int(numbers[-1]))
        lines.append(f"program {numbers[-1]}")
        # First of all it is in a file: what follows may fail.
        keep(f"{name}-0", program, "found")
        if fuzzer.repeats(program):
            found = [fuzzer.shrink(program, options.shrink)]
        else:
            lines.append("it does not repeat by itself")
            found = [program]
    for i, program in enumerate(found):
        keep(f"{name}-{i}", program, "found")
        again = "repeats" if fuzzer.repeats(program) else "does not repeat at once"
        path = keep(f"{name}-{i}", program, f"in a new guest it {again}")
        lines += [f"{path}: in a new guest it {again}", *program.splitlines()]
    return lines


def find_fault(bench: Bench, options: argparse.Namespace,
               fault: Fault) -> tuple[fuzzing.Found, list[str]]:
    """Whether, and how, the fuzzer finds that a rule is missing."""
    options = argparse.Namespace(**{**vars(options), "swap": fault.swap, "kernel": fault.kernel})
    fuzzer, whole = Fuzzer(bench, options, fault.rule), Fuzzer(bench, options)
    r = fuzzer.boot(f"-1 -s {options.seed} -t {options.seconds} -S {options.shrink}",
                    options.seconds + options.shrink + 60)
    lines, done = list(comments(r.stdout)), fuzzing.at(r.stdout)
    small = programs(r.stdout, "made smaller")
    numbers = begun(r)
    after = re.search(r"^# found after ([\d.]+) s, (\d+) operations", r.stdout, re.M)
    seconds, operations = done.seconds, done.operations
    if after:
        seconds, operations = float(after.group(1)), int(after.group(2))
    if not small and numbers and r.status in (None, 3):
        # It was the guest's end, or something in it hangs: by one boot after the other.
        seconds += 0 if after else fuzzing.AT_SECONDS
        program = fuzzer.program(int(numbers[-1]))
        if fuzzer.repeats(program):
            small = [fuzzer.shrink(program, options.shrink)]
        else:
            lines += [f"program {numbers[-1]} does not repeat by itself", *program.splitlines()]
    if small and whole.repeats(small[-1], boots=1):
        lines += ["with the rule in force it is found, too: another fault", *small[-1].splitlines()]
        keep("fuzz_mm-" + re.sub(r"\W+", "-", fault.name), small[-1], "with all rules in force")
        small = []
    if not small:
        return fuzzing.Found(fault.name, fault.swap, seconds, operations), [
            *lines, *r.stdout.splitlines()[-5:], r.error or "nothing was found", *trouble(r)[:5]]
    again = "repeats" if fuzzer.repeats(small[-1]) else "does not repeat at once"
    lines += [f"in a new guest it {again}", *small[-1].splitlines()]
    keep("fuzz_mm-" + re.sub(r"\W+", "-", fault.name), small[-1], f"without {fault.name}")
    return fuzzing.Found(fault.name, fault.swap, seconds, operations,
                         len(small[-1].splitlines())), lines


def find_faults(bench: Bench, options: argparse.Namespace) -> int:
    """The faults that were asked for, and a table of all."""
    chosen = [f for f in FAULTS if re.search(options.faults, f.name)]
    table, good = fuzzing.Faults("fuzz-mm"), bool(chosen)
    print(f"1..{len(chosen)}", flush=True)
    for number, fault in enumerate(chosen, 1):
        found, lines = find_fault(bench, options, fault)
        table.add(found)
        good &= found.good
        report(number, f"without {fault.name}", found.good,
               f"{found.seconds:.1f} s, {found.operations} operations, "
               f"{found.steps or '-'} steps", lines)
    for line in table.lines(f.name for f in FAULTS):
        print(f"# {line}")
    return int(not good)


def main() -> int:
    """Returns the exit status."""
    ap = argparse.ArgumentParser(description="Fuzz a guest's memory management.")
    ap.add_argument("--seconds", type=int, default=60)
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--first", type=int, default=0, help="number of the first program")
    ap.add_argument("--swap", choices=MODES, default="in-place")
    ap.add_argument("--kernel", default="guest", help="guest or debug")
    ap.add_argument("--smp", type=int, default=2)
    ap.add_argument("--lru-gen", choices=("on", "off"), help="MGLRU, from the start of the guest")
    ap.add_argument("--shrink", type=int, default=300, help="seconds to make a find smaller")
    ap.add_argument("--operations", type=int, default=0,
                    help="in pieces, until so many are done in this mode; --seconds for a piece")
    ap.add_argument("--no-storm", dest="storm", action="store_false",
                    help="the host rests, and tells the truth")
    ap.add_argument("--bare", action="store_true",
                    help="in-place and copy: no VMM, but the emulator itself, which is faster")
    ap.add_argument("--faults", metavar="REGEX", nargs="?", const="", help="rules to leave out")
    options = ap.parse_args()
    if options.bare:
        options.storm = False
        if options.swap not in BARE_MODES or options.faults is not None:
            ap.error("--bare: only with --swap in-place or copy")

    print(ktap.VERSION, flush=True)
    with Bench(smp=2) as bench:
        if options.faults is not None:
            return find_faults(bench, options)
        print("1..1", flush=True)
        lines, figures = fuzz(bench, options)
        report(1, f"{options.swap}: {'finds' if lines else 'no finds'}", not lines, figures, lines)
        return int(bool(lines))


def report(number: int, name: str, good: bool, note: str, lines: list[str]) -> None:
    """Say a result."""
    for line in lines:
        print(line if line.startswith("#") else f"# {line}")
    print(ktap.result(number, name, good, note), flush=True)


if __name__ == "__main__":
    ending.exit_when_told(main)
