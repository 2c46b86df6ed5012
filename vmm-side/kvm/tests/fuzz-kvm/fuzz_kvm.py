#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run kvm_fuzz in a host machine, and look after it: what it finds may be the host's end.
KTAP on stdout.

A program that kills the host is known by the file `now`, which lies outside of it. It is
made small by booting again: kvm_fuzz tries smaller ones, and the one at which the host
dies is the next to start from.

With --operations: a piece of a long run, which goes on where the last one with its seed has
ended, until so many are done in each paging mode, with whatever seeds.

With --faults: each rule that kvm.without_rules of the debug kernel can leave out, and how
long it takes until that is found, by a program that finds nothing with the rule."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import time
from collections.abc import Iterator, Sequence

from e2e import fuzzing, ktap
from e2e.fuzzing import FINDS
from rig import Bench, Machine, Result, ending

TOP = pathlib.Path(__file__).resolve().parents[4]
RULES = TOP / "vmm-side/kvm/overlay/arch/x86/kvm/symbiotic/rules.h"
# By --paging: how KVM is loaded, and what kvm_fuzz is told: VMs of the third kind change
# their mode while they run.
PAGINGS = {"shadow": ("shadow", ""), "nested": ("nested", ""), "switched": ("nested", "-p ")}
MOST_BOOTS = 24
# All of a report is wanted, not only that of the first fault.
APPEND = "kasan_multi_shot"
# With what it says: how long until the processes are gone, and smaller programs tried.
SLACK = 600
# A fault may take some finds until one is small enough.
MOST_FINDS, SHRINK_SECONDS = 5, 300
# What kvm_fuzz says of memory.
KEPT = "have not come back"
# Programs that are kept, and what they have covered.
POOL_FILES = ("", ".cover")


class Find:
    """A program that finds something, and what."""

    def __init__(self, text: str, why: str, when: str = "") -> None:
        self.text, self.why, self.when = text.strip() + "\n", why, when

    @property
    def steps(self) -> int:
        """How many: all lines but the first of a program, which says what the VM is."""
        return len(re.findall(r"^(?!#|vm |$)", self.text, re.M))

    def leave(self, paging: str) -> pathlib.Path:
        """Put it into a file."""
        FINDS.mkdir(parents=True, exist_ok=True)
        name = hashlib.sha256(self.text.encode()).hexdigest()[:12]
        path = FINDS / f"kvm-{paging}-{name}"
        path.write_text(f"# {paging} paging: {self.why}\n{self.text}")
        return path


class Fuzzer:
    """kvm_fuzz in a host machine, which is booted again when it has died."""

    def __init__(self, host_kernel: str, smp: int, rules: int = 0) -> None:
        self._machine = Machine(host_kernel=host_kernel, smp=smp)
        self.rules = rules      # that KVM is loaded without
        self._bench: Bench | None = None
        self.quiet = 0.0        # how long the last run went on after it had said something

    def close(self) -> None:
        """Ends the machine."""
        if self._bench:
            self._bench.close()
        self._bench = None

    def run(self, options: str, paging: str, seconds: float,
            pool: str = "") -> tuple[Result, Find | None]:
        """Run it. There is a find if it says so, or if the host is dead. @pool: files of
        build/fuzz with what is kept from run to run."""
        if self._bench is None:
            self._bench = Bench(machine=self._machine, l1_append=APPEND)
        bench = self._bench
        module, option = PAGINGS[paging]
        if pool:
            for name in POOL_FILES:
                copy(fuzzing.FUZZ / f"{pool}{name}", bench.dir / f"{pool}{name}")
            options = f"-P $JOB/../{pool} {options}"
        params = "nested=1" + (f" without_rules={self.rules}" if self.rules else "")
        with fuzzing.progress(bench.dir):
            result = bench.run_l1(f"fuzz_on_swap.sh -w $JOB/now -f $JOB {option}{options}",
                                  paging=module, kvm_params=params, timeout=seconds + SLACK)
        for name in POOL_FILES if pool else ():
            copy(bench.dir / f"{pool}{name}", fuzzing.FUZZ / f"{pool}{name}")
        job = max((d for d in bench.dir.iterdir() if d.name.isdigit()), key=lambda d: int(d.name))
        self.quiet = 0.0
        with contextlib.suppress(OSError):
            # Of the last program that was begun: the rest was waiting.
            self.quiet = max(0.0, (job / "now").stat().st_mtime - (job / "out").stat().st_mtime)
        find = None
        if (job / "kvm-find").exists():
            text = (job / "kvm-find").read_text()
            find = Find(re.sub(r"^#.*\n", "", text, flags=re.M), first(r"^# (.*)", text),
                        first(r"^# (program .* s)$", text))
        elif result.status not in (0, 2) and (job / "now").exists():
            why = "a step does not end" if result.status == 4 else "the host has died"
            find = Find((job / "now").read_text(), why)
        if result.status is None or result.status == 4:
            self.close()
        return result, find

    def again(self, find: Find, paging: str) -> str:
        """What a program finds in another machine, which nothing has hurt: executed several
        times where it races. Empty if that is nothing."""
        self.close()
        text, option = find.text, ""
        if KEPT in find.why:
            # The first time says how much there was before.
            text, option = f"{text}\n{text}", "-l "
        result, _ = self.run(f"{option}-r /proc/self/fd/0 <<'EOF'\n{text}EOF", paging, 0)
        if result.status == 0:
            return ""
        return first(r"^# (step \d+: .*)", result.stdout,
                     result.error or f"status {result.status}")

    def shrink(self, find: Find, paging: str, seconds: float) -> Find:
        """The smallest program at which the host dies."""
        end = time.monotonic() + seconds
        for _ in range(MOST_BOOTS):
            if time.monotonic() > end:
                break
            _, smaller = self.run(f"-x /proc/self/fd/0 <<'EOF'\n{find.text}EOF", paging, 0)
            if smaller is None or smaller.text == find.text:
                break
            find = Find(smaller.text, find.why)
            if self._bench is not None:
                break
        return find


def copy(path: pathlib.Path, to: pathlib.Path) -> None:
    """A file, if it is there: all of it, or nothing."""
    with contextlib.suppress(FileNotFoundError):
        new = to.with_name(f"{to.name}.{os.getpid()}")
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, new)
        new.replace(to)


def first(pattern: str, text: str, default: str = "") -> str:
    """The group that a pattern has where it is found first."""
    found = re.search(pattern, text, re.M)
    return found.group(1) if found else default


def died(result: Result) -> bool:
    """Whether it did not come to its own end."""
    return result.status is None or result.status == 4


def comments(text: str) -> str:
    """Lines that KTAP does not look at."""
    return "".join(f"# {line.removeprefix('# ')}\n" for line in text.splitlines())


def said(result: Result) -> Iterator[str]:
    """What is worth being read of its output."""
    for line in result.stdout.splitlines():
        if re.match(r"# ([a-z-]+ +\d+:|\d+ programs,)", line):
            yield line.removeprefix("# ")


def fuzz(a: argparse.Namespace, pagings: Sequence[str]) -> int:
    """The fuzzer itself, in each paging mode."""
    failed = 0
    fuzzer, figures = Fuzzer(a.host_kernel, a.smp), fuzzing.Figures("fuzz-kvm", a.host_kernel)
    print(f"{ktap.VERSION}\n1..{len(pagings)}", flush=True)
    for n, paging in enumerate(pagings, 1):
        begin, limit = 0, ""
        if a.operations:
            left = a.operations - figures.operations(paging)
            if left <= 0:
                print(ktap.result(n, f"{paging} paging", True, "all operations are done"),
                      flush=True)
                continue
            begin, limit = figures.next(paging, a.seed), f"-o {left} "
        # With one vCPU a seed shall do the same each time.
        pool = f"kvm-pool-{a.host_kernel}-{paging}" if a.vcpus > 1 else ""
        result, find = fuzzer.run(f"-t {a.seconds} -s {a.seed} -c {a.vcpus} -N {begin} "
                                  f"{limit}{a.options}", paging, a.seconds, pool)
        print(comments("\n".join(said(result))), end="")
        good, done = result.status == 0, fuzzing.at(result.stdout, begin)
        if a.operations:
            figures.add(paging, a.seed, begin, done, int(not good))
        if find and died(result):
            find = fuzzer.shrink(find, paging, a.shrink)
        if find:
            path = find.leave(paging)
            print(comments(f"{find.why}\n{find.text}in {path}"), end="")
        if not good:
            failed += 1
            print(comments(result.error + "\n" + "\n".join(result.stdout.splitlines()[-30:])
                           + "\n" + "\n".join(result.host_console.splitlines()[-60:])), end="")
        note = first(r"^# (\d+ programs, .* covered)$", result.stdout, str(done))
        if a.operations:
            note += f"; {figures.operations(paging)} of {a.operations} operations"
        print(ktap.result(n, f"{paging} paging", good, note), flush=True)
    fuzzer.close()
    return int(failed > 0)


def rules() -> list[str]:
    """The rules that can be left out, in the order of their bits."""
    text = RULES.read_text()
    return re.findall(r"^\tKVM_RULE_(\w+),$", text, re.M)


def faults(a: argparse.Namespace) -> int:
    """How long each takes to be found."""
    names, table = rules(), fuzzing.Faults("fuzz-kvm")
    wanted = [n for n in names if re.search(a.faults, n)]
    failed = 0
    print(f"{ktap.VERSION}\n1..{len(wanted)}", flush=True)
    for n, name in enumerate(wanted, 1):
        fuzzer = Fuzzer(a.host_kernel, a.smp, 1 << names.index(name))
        result, find = fuzzer.run(f"-t {a.seconds} -s {a.seed} -c {a.vcpus} -k {MOST_FINDS} "
                                  f"-m {fuzzing.FAULT_STEPS} -S {SHRINK_SECONDS} {a.options}",
                                  "shadow", a.seconds + MOST_FINDS * SHRINK_SECONDS)
        done = fuzzing.at(result.stdout)
        when = (find.when if find else "") or first(r"^# (program .* s): step", result.stdout)
        seconds = float(first(r"([\d.]+) s$", when, str(done.seconds + fuzzer.quiet)))
        operations = int(first(r"(\d+) steps", when, str(done.operations)))
        if find and died(result):
            find = fuzzer.shrink(find, "shadow", a.shrink)
        also = ""
        if find:
            fuzzer.rules = 0
            also = fuzzer.again(find, "shadow")
        fuzzer.close()
        found = fuzzing.Found(name, "shadow", seconds, operations, find.steps if find else 0,
                              also)
        table.add(found)
        failed += not found.good
        if find:
            print(comments(f"{find.why}\n{find.text}"
                           + (f"with this rule, too: {also}\n" if also else "")), end="")
        else:
            print(comments("\n".join(said(result)) + "\n" + result.error), end="")
        print(ktap.result(n, name, found.good, f"{seconds:.1f} s, {operations} operations, "
                          f"{found.steps or '-'} steps"), flush=True)
    print(comments("\n".join(table.lines(names))), end="")
    return int(failed > 0 or not wanted)


def main() -> int:
    """Returns the exit status."""
    ap = argparse.ArgumentParser(description="Run kvm_fuzz in a host machine.")
    ap.add_argument("--seconds", type=float, default=60, help="for each paging mode, or fault")
    ap.add_argument("--seed", type=int, default=1)
    ap.add_argument("--paging", choices=("", *PAGINGS), default="", help="all if it is empty")
    ap.add_argument("--host-kernel", default="host", help="host or debug")
    ap.add_argument("--smp", type=int, default=2, help="CPUs of the host")
    ap.add_argument("--vcpus", type=int, default=4,
                    help="of a guest at most; with 1, a seed always does the same")
    ap.add_argument("--options", default="", help="more for kvm_fuzz")
    ap.add_argument("--shrink", type=float, default=1800,
                    help="seconds to make smaller what kills the host")
    ap.add_argument("--operations", type=int, default=0,
                    help="in pieces, until so many are done in each mode; --seconds for a piece")
    ap.add_argument("--faults", metavar="REGEX", nargs="?", const="",
                    help="leave those rules out, one at a time")
    a = ap.parse_args()
    if a.faults is not None:
        a.host_kernel = "debug"
        return faults(a)
    return fuzz(a, [a.paging] if a.paging else list(PAGINGS))


if __name__ == "__main__":
    ending.exit_when_told(main)
