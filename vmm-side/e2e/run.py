#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
r"""Run the end-to-end cases, the rows of */tests/cases.ini and vmm-side/*/tests/cases.ini;
KTAP on stdout, counts last.

Each case is a section. What runs in it:

  cmd        shell command in the guest, in /files (build/tests/files)
  l1_cmd     instead of cmd: shell command in L1 itself, no guest
  host_cmd   shell command in L1 while the guest's cmd runs ($QMP, $KVMDIR)
  files      no: without /files
  parallel   yes: vCPUs run at the same time. Otherwise an emulated host has one
             CPU, which two workers can do side by side, and which the faults of
             the emulator do not concern (docs/design.md)
  machine    the host machine: host (default); debug, the same with the debug kernel; or
             bochs, which has VT-x. --host-kernel and --l0 overrule it
  needs      "emulated": only where L0 emulates the machine; "vt-x": only where it
             has VT-x; "disk": only where L1 has a disk, which is not the user's; "network":
             only where L1's kernel has networks; else a file in build/ that may not have
             been made

and any other field of rig.Guest, such as `swap = bypass`; guest_mem is 256 if it is not
there. What must come of it:

  status     expected exit status of cmd, default 0; "any"; "none" means the
             guest must not report one
  error      regular expression for how a run with status = none ended
  stdout stderr console host_out   regular expressions that must be found
  vcpus      ... in the report on the vCPUs of a guest that hangs
  no_stdout no_console no_host_console    ... that must not be found; the default
             of the consoles is what a kernel prints when something is wrong
  stdout_is  stdout, byte for byte, with \n, \0 and \xff for what is not text
  stderr_is  the same of stderr
  counters   conditions on the change of KVM's counters while cmd ran, such as
             "symcalls > 0, bypass_maps == 0"
  guard      with passthrough: what happened to L1's memory that the devices must
             not reach, a regular expression; default "changed 0 bytes"

Where cmd, l1_cmd or host_cmd say results by KTAP, all of these must be good, and as many as
were planned. A line "disk OFFSET SIZE SHA256" (MiB) of stdout is compared with what L0 sees
on the disk of the NVMe.

machine, host, paging, smp, swap and symbiotic may name several values: then the case
runs once for each combination. The section [DEFAULT] has what all cases of a file share.
The name of a case is its part of the project and its section: qemu/reset.
"""

from __future__ import annotations

import argparse
import ast
import collections
import configparser
import hashlib
import itertools
import operator
import pathlib
import re
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from e2e import ktap
from rig import Bench, Guest, Machine, OptionError, Result, ending, hardware
from rig.guest import PAGINGS

TOP = pathlib.Path(__file__).resolve().parents[2]
FILES = TOP / "build" / "tests" / "files"
LOGS = TOP / "build" / "log" / "e2e"
PLACES = ("*/tests/cases.ini", "vmm-side/*/tests/cases.ini")

MACHINES: dict[str, dict[str, Any]] = {
    "host": {}, "debug": {"host_kernel": "debug"}, "bochs": {"l0": "bochs"}}
MATRIX = ("machine", "host", "paging", "smp", "swap", "symbiotic")
GUEST_KEYS = Guest.keys() - {"files", "stats", "interactive"}
# What a case in L1 can say of its machine.
L1_KEYS = frozenset({"host", "paging", "kvm_params", "timeout"})
OWN_KEYS = frozenset({
    "l1_cmd", "files", "parallel", "machine", "needs", "status", "error", "stdout", "stderr",
    "console", "host_out", "vcpus", "no_stdout", "no_console", "no_host_console", "stdout_is",
    "stderr_is", "counters", "guard"})
TROUBLE = (r"BUG:|WARNING:|Oops|KASAN|general protection fault|rcu.*stall|soft lockup|hung task"
           r"|possible (recursive|circular) locking|suspicious RCU|inconsistent lock state"
           r"|Call Trace")
COMPARE: dict[str, Callable[[int, int], bool]] = {
    "==": operator.eq, "!=": operator.ne, ">=": operator.ge, "<=": operator.le,
    ">": operator.gt, "<": operator.lt}


class CaseError(Exception):
    """A row that cannot be."""


class Case:
    """One row of the table, after expansion."""

    def __init__(self, name: str, row: dict[str, str]) -> None:
        self.name, self.row = name, row
        if ("cmd" in row) == ("l1_cmd" in row):
            raise CaseError(f"{name}: exactly one of cmd and l1_cmd")
        unknown = set(row) - OWN_KEYS - (GUEST_KEYS if "cmd" in row else L1_KEYS)
        if unknown:
            raise CaseError(f"{name}: unknown keys {', '.join(sorted(unknown))}")
        if self.get("machine", "host") not in MACHINES:
            raise CaseError(f"{name}: machine = {row['machine']} is none of {', '.join(MACHINES)}")
        for condition in self._conditions():
            if not condition:
                raise CaseError(f"{name}: counters = {row['counters']} has a bad condition")

    def get(self, key: str, default: str = "") -> str:
        """The value of a key."""
        return self.row.get(key, default).strip()

    def flag(self, key: str, default: str = "no") -> bool:
        """The value of a key that is yes or no."""
        return self.get(key, default) in ("yes", "on", "1")

    def machine(self, **options: Any) -> Machine:
        """The host machine, which cases with the same share."""
        return Machine(devices="passthrough" in self.row, smp=2 if self.flag("parallel") else 1,
                       **{**MACHINES[self.get("machine", "host")], **options})

    def order(self) -> tuple[bool | int | str, ...]:
        """Neighbours share a machine, and loaded KVM modules. Slow machines come first: what
        is taken last should be short."""
        machine = self.machine()
        return (machine.host_kernel != "debug", machine.l0 != "bochs",
                machine.devices, machine.smp, self.get("host", "symbiotic"),
                PAGINGS[self.get("paging", "shadow")][0], self.get("kvm_params"))

    def run(self, bench: Bench) -> Result:
        """Run it."""
        if "l1_cmd" in self.row:
            return bench.run_l1(self.get("l1_cmd"), host=self.get("host", "symbiotic"),
                                paging=self.get("paging", "shadow"),
                                kvm_params=self.get("kvm_params"),
                                timeout=int(self.get("timeout", "120")))
        return bench.boot(self.guest())

    def guest(self) -> Guest:
        """The guest that the row describes."""
        row = {k: v for k, v in self.row.items() if k in GUEST_KEYS}
        files = {"files": str(FILES)} if self.flag("files", "yes") else {}
        return Guest.from_row({"guest_mem": "256", **files, **row})

    def problems(self, r: Result) -> Iterator[str]:
        """Everything in the result that is not as the row says."""
        yield from self._ending(r)
        texts = {"stdout": r.stdout, "stderr": r.stderr, "console": r.console,
                 "host_console": r.host_console, "host_out": r.host_out,
                 "vcpus": "\n".join(r.vcpus)}
        for key, text in texts.items():
            for pattern in filter(None, self.get(key).split("\n")):
                if not re.search(pattern, text, re.M):
                    yield f"{key} lacks /{pattern}/"
        for key, default in (("stdout", ""), ("console", TROUBLE), ("host_console", TROUBLE)):
            pattern = self.get(f"no_{key}", default)
            found = re.search(pattern, texts[key], re.M) if pattern else None
            if found:
                yield f"{key} has {found.group(0)!r}"
        for key, said in (("stdout_is", r.out), ("stderr_is", r.err)):
            if key in self.row and said != exactly(self.get(key)):
                yield f"{key[:6]} is {said[:200]!r}, expected {exactly(self.get(key))[:200]!r}"
        for key in ("stdout", "host_out"):
            results = ktap.read(texts[key])
            if results.documents:
                yield from (f"{key}: {problem}" for problem in results.problems)
        guarded = "passthrough" in self.row and self.get("host") != "bare-metal"
        if guarded and not re.search(self.get("guard", "changed 0 bytes"), r.guard):
            yield f"memory outside the guest: {r.guard or 'nothing known'}"
        yield from self._counters(r)
        yield from disk_problems(r)

    def _ending(self, r: Result) -> Iterator[str]:
        want = self.get("status", "0")
        if want == "none":
            if r.status is not None:
                yield f"reported status {r.status}, expected none"
            elif not re.search(self.get("error"), r.error):
                yield f"ended otherwise than expected: {r.error}"
        elif r.status is None:
            yield f"no status: {r.error}"
        elif want != "any" and r.status != int(want):
            yield f"status {r.status}, expected {want}"
        # Without a guest it is stopped, too.
        if self.get("host_cmd") and want != "none" and r.host_status != 0:
            yield f"host_cmd: status {r.host_status}"

    def _conditions(self) -> list[re.Match[str] | None]:
        """(counter, comparison, number) for each; None where it is not that."""
        return [re.fullmatch(r"(\w+)\s*([=!<>]=|[<>])\s*(\d+)", c.strip())
                for c in self.get("counters").split(",") if c.strip()]

    def _counters(self, r: Result) -> Iterator[str]:
        for condition in filter(None, self._conditions()):
            name, op, limit = condition.groups()
            change = r.host_after.get(name, 0) - r.host_before.get(name, 0)
            if name not in r.host_after:
                yield f"KVM has no counter {name}"
            elif not COMPARE[op](change, int(limit)):
                yield f"{name} changed by {change}, expected {condition.group(0)}"


def exactly(text: str) -> bytes:
    """The bytes that a text with escapes means."""
    return bytes(ast.literal_eval("b'" + text.replace("'", "\\'") + "'"))


def disk_problems(r: Result) -> Iterator[str]:
    """What the guest says that it has written against what is there."""
    last = {}       # it may write the same place again
    for at, size, digest in re.findall(r"^disk (\d+) (\d+) ([0-9a-f]{64})$", r.stdout, re.M):
        last[int(at), int(size)] = digest
    for (at, size), digest in last.items():
        if r.disk is None:
            yield "there is no disk"
            continue
        with open(r.disk, "rb") as disk:
            disk.seek(at << 20)
            if hashlib.sha256(disk.read(size << 20)).hexdigest() != digest:
                yield f"the disk has other data at {at} MiB than the guest has written"


def places() -> list[pathlib.Path]:
    """The files with cases."""
    return sorted(path for place in PLACES for path in TOP.glob(place))


def load(paths: Iterable[pathlib.Path], one_machine: bool = False) -> list[Case]:
    """All cases, expanded. A case is known by the last part of its name alone.
    one_machine: it is given which, whatever the rows say."""
    cases: list[Case] = []
    seen: dict[str, pathlib.Path] = {}
    for path in paths:
        parser = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",),
                                           delimiters=("=",))
        try:
            with open(path, encoding="utf-8") as text:
                parser.read_file(text)
        except configparser.Error as e:
            raise CaseError(str(e)) from e
        for section in parser.sections():
            fields = dict(parser[section])
            if one_machine:
                fields.pop("machine", None)
            for name, row in expand(section, fields):
                if name in seen:
                    raise CaseError(f"two cases are called {name}: in {seen[name]} and {path}")
                seen[name] = path
                cases.append(Case(f"{path.absolute().parents[1].name}/{name}", row))
    return cases


def expand(section: str, row: dict[str, str]) -> Iterator[tuple[str, dict[str, str]]]:
    """A section's cases: one for each combination of several values."""
    several = {k: row[k].split() for k in MATRIX if len(row.get(k, "").split()) > 1}
    for values in itertools.product(*several.values()):
        chosen = dict(zip(several, values))
        suffix = "".join(f"-{'smp' if k == 'smp' else ''}{v}" for k, v in chosen.items())
        yield section + suffix, {**row, **chosen}


def check(cases: Iterable[Case]) -> None:
    """Every row can be: known before the first one runs."""
    for case in cases:
        try:
            if "cmd" in case.row and (FILES.exists() or not case.flag("files", "yes")):
                case.guest().check(case.machine())
        except OptionError as e:
            raise CaseError(f"{case.name}: {e}") from e


def loaded_otherwise(case: Case) -> bool:
    """Whether the user's own host has KVM loaded otherwise than a case wants it."""
    wanted = dict(word.split("=", 1) for word in case.get("kvm_params").split())
    return hardware.paging() != PAGINGS[case.get("paging", "shadow")][0] or \
        any(hardware.loaded(name) != value for name, value in wanted.items())


def skip_reason(case: Case, machine: Machine) -> str:
    """Why a case cannot run on such a machine here; "" if it can."""
    build, kind, needs = FILES.parents[1], hardware.kind(), case.get("needs", "emulated")
    host_kernel = machine.host_kernel
    reasons = {
        "only one host kernel has unmodified modules":
            host_kernel != "host" and "plain-kvm" in case.get("host"),
        "no host kernel in it": host_kernel != "host" and case.get("host") == "bare-metal",
        "only on an emulated machine": case.get("needs") == "emulated" and kind != "emulated",
        "this host's KVM is the extended one":
            kind == "local" and case.get("host") == "plain-kvm",
        "this host's KVM is loaded otherwise":
            kind == "local" and case.get("host") != "bare-metal" and loaded_otherwise(case),
        "only on an emulated machine with VT-x":
            needs == "vt-x" and (kind != "emulated" or machine.l0 != "bochs"),
        "only where L1 has a disk": needs == "disk" and (kind == "local" or machine.l0 == "bochs"),
        "this host kernel has no networks": needs == "network" and host_kernel != "host",
        f"{needs} is not built":
            needs not in ("emulated", "vt-x", "disk", "network") and not (build / needs).exists(),
        "passthrough is tested with emulated devices":
            "passthrough" in case.row and kind == "local",
        "the debug kernel is not built":
            (case.get("kernel") == "debug" or host_kernel == "debug" and kind != "local")
            and not (build / "debug" / "vmlinux").exists(),
    }
    if machine.l0 != "qemu":
        # Cases are written for the other emulator; check() does not know of this one.
        lacks = machine.conflicts(kind) if "l1_cmd" in case.row else \
            case.guest().conflicts(machine, kind)
        reasons.update((reason, True) for reason in lacks)
    return next((reason for reason, is_so in reasons.items() if is_so), "")


def log_failure(case: Case, result: Result | None, problems: Sequence[str]) -> pathlib.Path:
    """Write down all that is known of a case that has failed."""
    LOGS.mkdir(parents=True, exist_ok=True)
    path = LOGS / (case.name.replace("/", "-") + ".log")
    parts = [f"case {case.name}", *(f"{k} = {v}" for k, v in case.row.items()), "", *problems]
    if result:
        for key in ("stdout", "stderr", "host_out", "console", "host_console"):
            parts += [f"--- {key} ---", getattr(result, key)]
        parts += ["--- counters ---"] + [f"{k} {v} {result.host_before.get(k, 0)}"
                                         for k, v in sorted(result.host_after.items())]
    path.write_text("\n".join(parts) + "\n", errors="replace")
    return path


class Report:
    """What is said about cases, in the order in which they end. Nothing any more after
    quiet(): the cases of an interrupted run have not failed."""

    def __init__(self, total: int) -> None:
        self.counts = ktap.Counts()
        self._quiet = False
        self._number = itertools.count(1)
        self._lock = threading.Lock()
        print(f"{ktap.VERSION}\n1..{total}", flush=True)

    def quiet(self) -> None:
        """Say nothing more."""
        with self._lock:
            self._quiet = True

    def _say(self, what: ktap.Counts, case: Case, note: str, details: Sequence[str] = ()) -> None:
        with self._lock:
            if self._quiet:
                return
            self.counts += what
            line = ktap.result(next(self._number), case.name, not what.failed, note)
            print("\n".join([line, *details]), flush=True)

    def skip(self, case: Case, reason: str) -> None:
        """A case does not run."""
        self._say(ktap.SKIPPED, case, f"SKIP {reason}")

    def end(self, case: Case, seconds: float, result: Result | None,
            problems: Sequence[str]) -> None:
        """A case has ended."""
        details: list[str] = []
        if problems:
            path = log_failure(case, result, problems)
            for p in problems:
                details += [f"# {line}" for line in p.splitlines()[-30:]]
            if result:
                details += [f"#   {line}" for line in result.stdout.splitlines()[-15:]]
                if result.status is None:
                    details += [f"#   {line}" for line in result.vcpus]
                    details += [f"#   console: {line}"
                                for line in result.console.splitlines()[-30:]]
            details.append(f"# log: {path}")
        self._say(ktap.FAILED if problems else ktap.PASSED, case, f"{seconds:.1f} s", details)


class Worker(threading.Thread):
    """One host machine, which runs cases until take() has none left."""

    def __init__(self, take: Callable[[], Case], options: dict[str, str], report: Report) -> None:
        super().__init__(daemon=True)
        self._take, self._options, self._report = take, options, report
        self._bench: Bench | None = None
        self._machine: Machine | None = None

    def run(self) -> None:
        """Until there are no cases left."""
        while True:
            try:
                case = self._take()
            except IndexError:
                break
            start, result = time.monotonic(), None
            try:
                result = case.run(self._bench_for(case))
                problems = list(case.problems(result))
            except Exception as e:      # a case may fail, the worker may not
                problems = [f"the bench failed: {type(e).__name__}: {e}"]
            self._report.end(case, time.monotonic() - start, result, problems)
        if self._bench:
            self._bench.close()

    def _bench_for(self, case: Case) -> Bench:
        machine = case.machine(**self._options)
        if self._bench is None or self._machine != machine:
            if self._bench:
                self._bench.close()
            self._machine = machine
            self._bench = Bench(machine=machine)
        return self._bench


def chosen(options: argparse.Namespace) -> list[Case]:
    """The cases that the options name, as neighbours run."""
    one = bool(options.host_kernel or options.l0)
    cases = [c for c in load(options.cases or places(), one) if re.search(options.only, c.name)
             and not (options.exclude and re.search(options.exclude, c.name))]
    cases.sort(key=Case.order)
    check(cases)
    return cases


def main() -> int:
    """Returns the exit status."""
    ap = argparse.ArgumentParser(description="Run the end-to-end cases.")
    ap.add_argument("-o", "--only", default="", help="regular expression for names (part/case)")
    ap.add_argument("-x", "--exclude", help="regular expression for names to leave out")
    ap.add_argument("-l", "--list", action="store_true")
    ap.add_argument("-c", "--cases", type=pathlib.Path, action="append",
                    help="a file of cases, instead of all in the project")
    ap.add_argument("-w", "--workers", type=int, help="host machines at a time")
    ap.add_argument("--host-kernel", help="host or debug, for all cases")
    ap.add_argument("--l0", help="qemu, or bochs, which has VT-x, for all cases")
    a = ap.parse_args()

    try:
        cases = chosen(a)
    except CaseError as e:
        sys.exit(f"run.py: {e}")
    if a.list:
        print("\n".join(c.name for c in cases))
        return 0
    options = {k: v for k, v in (("host_kernel", a.host_kernel), ("l0", a.l0)) if v}
    report = Report(len(cases))
    queue: collections.deque[Case] = collections.deque()
    for case in cases:
        reason = skip_reason(case, case.machine(**options))
        if reason:
            report.skip(case, reason)
        else:
            queue.append(case)

    # The user's own host is one machine. Emulated ones wait a lot: two keep two
    # CPUs busy. They start at both ends of the list, so that each still finds
    # neighbours that share loaded modules.
    count = a.workers or (1 if hardware.kind() == "local" else 2)
    ends = [queue.popleft, queue.pop]
    workers = [Worker(ends[i % 2], options, report) for i in range(count)]
    for w in workers:
        w.start()
    try:
        for w in workers:
            w.join()
    except ending.Interrupted:
        queue.clear()
        report.quiet()
        raise
    print(report.counts)
    return 1 if report.counts.failed or not cases else 0


if __name__ == "__main__":
    ending.exit_when_told(main)
