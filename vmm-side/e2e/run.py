#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Run the end-to-end cases of cases.ini; KTAP on stdout, counts last.

Each case is a section; its keys:

  cmd        shell command in the guest, in /files (build/tests/files)
  l1_cmd     instead of cmd: shell command in L1 itself, no guest
  host_cmd   shell command in L1 while the guest's cmd runs ($QMP, $KVMDIR)
  host paging smp mem symbiotic swap swap_size swap_store append kernel boot
  bypass_mode reboot kvm_params qemu_args timeout     as in `make exec` and Bench.run()
  icount     yes: on the machine whose clocks count instructions
  files      no: without /files

  status     expected exit status of cmd, default 0; "any"; "none" means the
             guest must not report one
  error      regular expression for how a run with status = none ended
  stdout stderr console host_out   regular expressions that must be found
  stdout_is  stdout, byte for byte, with \\n, \\0 and \\xff for what is not text
  stderr_is  the same of stderr
  vcpus      ... in the report on the vCPUs of a guest that hangs
  no_stdout no_console no_host_console    ... that must not be found; the default
             of the consoles is what a kernel prints when something is wrong
  stats      conditions on the change of KVM's counters while cmd ran, such as
             "symcalls > 0, bypass_maps == 0"
  passthrough   devices of L1 that the guest gets: nvme, e1000e, edu; the guest
             has one huge page for RAM then, so mem = 1024
  ram        page size of that RAM: 1G, 2M, tmpfs, or anonymous memory if empty
  noiommu    no: with VFIO's no-IOMMU mode off
  nonsense   yes: options that the rig would refuse, to see what the machines say
  guard      what happened to L1's memory that the devices must not reach, a
             regular expression; default "changed 0 bytes"
             A line "disk OFFSET SIZE SHA256" (MiB) of stdout is compared with
             what L0 sees on the disk of the NVMe.
  group      what to choose by; also the first part of the name
  needs      "emulated": only where L0 emulates the machine; else a file in
             build/ that may not have been made
  parallel   yes: vCPUs run at the same time. Otherwise an emulated host has one
             CPU, which two workers can do side by side, and which the faults of
             the emulator do not concern (docs/design.md)

host, paging, smp, swap and symbiotic may name several values: then the case
runs once for each combination.
"""

import argparse
import ast
import collections
import configparser
import hashlib
import itertools
import pathlib
import re
import sys
import threading
import time

from rig import Bench, Guest, Machine, OptionError, ending, hardware

HERE = pathlib.Path(__file__).resolve().parent
FILES = HERE.parents[1] / "build" / "tests" / "files"
LOGS = HERE.parents[1] / "build" / "log" / "e2e"

MATRIX = ("host", "paging", "smp", "swap", "symbiotic")
KEYS = {"cmd", "l1_cmd", "host_cmd", "host", "paging", "smp", "mem", "symbiotic", "swap", "swap_size",
        "swap_store", "bypass_mode", "append", "kernel", "boot", "reboot", "kvm_params", "qemu_args", "timeout", "icount",
        "files", "status", "error", "stdout", "stderr", "console", "host_out", "vcpus", "no_stdout", "no_console",
        "no_host_console",
        "stats", "group", "needs", "parallel", "passthrough", "ram", "noiommu", "guard", "nonsense",
        "stdout_is", "stderr_is"}
TROUBLE = (r"BUG:|WARNING:|Oops|KASAN|general protection fault|rcu.*stall|soft lockup|hung task"
           r"|possible (recursive|circular) locking|suspicious RCU|inconsistent lock state|Call Trace")


class Case:
    """One row of the table, after expansion."""

    def __init__(self, name, row):
        unknown = set(row) - KEYS
        if unknown:
            sys.exit(f"cases.ini [{name}]: unknown keys {', '.join(sorted(unknown))}")
        if ("cmd" in row) == ("l1_cmd" in row):
            sys.exit(f"cases.ini [{name}]: exactly one of cmd and l1_cmd")
        self.row = row
        self.name = f"{row.get('group', 'misc')}/{name}"

    def get(self, key, default=""):
        return self.row.get(key, default).strip()

    def flag(self, key, default="no"):
        return self.get(key, default) in ("yes", "on", "1")

    def number(self, key, default):
        """A number, or what is there instead, which Guest will not like."""
        text = self.get(key, str(default))
        return int(text) if text.isascii() and text.isdigit() else text

    def machine(self):
        """Cases with the same answer share a booted L1."""
        return self.flag("icount"), "passthrough" in self.row, 2 if self.flag("parallel") else 1

    def order(self):
        """Neighbours share loaded KVM modules."""
        return (*self.machine(), self.get("host", "symbiotic"), self.get("paging", "shadow"),
                self.get("kvm_params"))

    def run(self, bench):
        if "l1_cmd" in self.row:
            return bench.run_l1(self.get("l1_cmd"), host=self.get("host", "symbiotic"),
                                paging=self.get("paging", "shadow"), kvm_params=self.get("kvm_params"),
                                timeout=int(self.get("timeout", "120")))
        return bench.boot(self.guest())

    def guest(self):
        """The guest that the row describes."""
        return Guest(
            cmd=self.get("cmd"), files=FILES if self.flag("files", "yes") else None,
            guest_mem=self.number("mem", 256), smp=self.number("smp", 1),
            paging=self.get("paging", "shadow"), symbiotic=self.flag("symbiotic", "on"),
            swap=self.get("swap", "none"), swap_size=self.number("swap_size", 512),
            swap_store=self.get("swap_store", "tmpfs"), append=self.get("append"),
            kernel=self.get("kernel", "guest"), timeout=self.number("timeout", 120),
            host_cmd=self.get("host_cmd"), host=self.get("host", "symbiotic"),
            kvm_params=self.get("kvm_params"), qemu_args=self.get("qemu_args"),
            boot=self.get("boot", "pvh"), reboot=self.flag("reboot"),
            bypass_mode=self.get("bypass_mode"), passthrough=self.get("passthrough").split(),
            ram=self.get("ram", "1G"), noiommu=self.flag("noiommu", "yes"), nonsense=self.flag("nonsense"))

    def problems(self, r):
        """Everything in the result that is not as the row says."""
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
        for key, text in (("stdout", r.stdout), ("stderr", r.stderr), ("console", r.console),
                          ("host_out", r.host_out), ("vcpus", "\n".join(r.vcpus))):
            for pattern in filter(None, self.get(key).split("\n")):
                if not re.search(pattern, text, re.M):
                    yield f"{key} lacks /{pattern}/"
        for key, said in (("stdout_is", r.out), ("stderr_is", r.err)):
            if key in self.row and said != exactly(self.get(key)):
                yield f"{key[:6]} is {said[:200]!r}, expected {exactly(self.get(key))[:200]!r}"
        for key, text, default in (("no_stdout", r.stdout, ""), ("no_console", r.console, TROUBLE),
                                   ("no_host_console", r.host_console, TROUBLE)):
            pattern = self.get(key, default)
            found = pattern and re.search(pattern, text, re.M)
            if found:
                yield f"{key[3:]} has {found.group(0)!r}"
        # Without a guest it is stopped, too.
        if self.get("host_cmd") and want != "none" and r.host_status != 0:
            yield f"host_cmd: status {r.host_status}"
        guarded = "passthrough" in self.row and self.get("host") != "bare-metal"
        if guarded and not re.search(self.get("guard", "changed 0 bytes"), r.guard):
            yield f"memory outside the guest: {r.guard or 'nothing known'}"
        yield from self._stats(r)

    def _stats(self, r):
        for condition in filter(None, (c.strip() for c in self.get("stats").split(","))):
            m = re.fullmatch(r"(\w+)\s*(==|!=|>=|<=|>|<)\s*(\d+)", condition)
            if not m:
                yield f"bad condition {condition!r}"
                continue
            name, op, limit = m.groups()
            if name not in r.host_after:
                yield f"KVM has no counter {name}"
                continue
            change = r.host_after[name] - r.host_before.get(name, 0)
            limit = int(limit)
            if not {"==": change == limit, "!=": change != limit, ">=": change >= limit,
                    "<=": change <= limit, ">": change > limit, "<": change < limit}[op]:
                yield f"{name} changed by {change}, expected {condition}"


def exactly(text):
    """The bytes that a text with escapes means."""
    return ast.literal_eval("b'" + text.replace("'", "\\'") + "'")


def disk_problems(r):
    """What the guest says that it has written against what is there."""
    last = {}       # it may write the same place again
    for at, size, digest in re.findall(r"^disk (\d+) (\d+) ([0-9a-f]{64})$", r.stdout, re.M):
        last[int(at), int(size)] = digest
    for (at, size), digest in last.items():
        with open(r.disk, "rb") as disk:
            disk.seek(at << 20)
            if hashlib.sha256(disk.read(size << 20)).hexdigest() != digest:
                yield f"the disk has other data at {at} MiB than the guest has written"


def load(path):
    parser = configparser.ConfigParser(interpolation=None, comment_prefixes=("#",), delimiters=("=",))
    parser.read(path)
    cases = []
    for name in parser.sections():
        row = dict(parser[name])
        several = {k: row[k].split() for k in MATRIX if len(row.get(k, "").split()) > 1}
        for values in itertools.product(*several.values()):
            chosen = dict(zip(several, values))
            suffix = "".join(f"-{'smp' if k == 'smp' else ''}{v}" for k, v in chosen.items())
            cases.append(Case(name + suffix, {**row, **chosen}))
    return cases


def check(cases):
    """Every row can be: known before the first one runs."""
    for case in cases:
        icount, devices, cpus = case.machine()
        try:
            if "cmd" in case.row and (FILES.exists() or not case.flag("files", "yes")):
                case.guest().check(Machine(icount=icount, devices=devices, smp=cpus))
        except OptionError as e:
            sys.exit(f"cases.ini [{case.name}]: {e}")


def skip_reason(case, host_kernel):
    if host_kernel != "host" and "plain-kvm" in case.get("host"):
        return "only one host kernel has unmodified modules"
    if host_kernel != "host" and case.get("host") == "bare-metal":
        return "no host kernel in it"
    if case.get("needs") == "emulated" and hardware.kind() != "emulated":
        return "only on an emulated machine"
    if hardware.kind() == "local" and case.get("host") == "plain-kvm":
        return "this host's KVM is the extended one"
    if case.get("needs", "emulated") != "emulated" and not (FILES.parents[1] / case.get("needs")).exists():
        return f"{case.get('needs')} is not built"
    if "passthrough" in case.row and hardware.kind() == "local":
        return "passthrough is tested with emulated devices"
    if case.get("kernel") == "debug" and not (FILES.parents[1] / "debug" / "vmlinux").exists():
        return "the debug kernel is not built"
    return ""


def log_failure(case, result, problems):
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

    def __init__(self, total):
        self._quiet = False
        self.counts = {"passed": 0, "failed": 0, "skipped": 0}
        self._number = itertools.count(1)
        self._lock = threading.Lock()
        print(f"TAP version 14\n1..{total}", flush=True)

    def quiet(self):
        with self._lock:
            self._quiet = True

    def _say(self, what, case, comment, details=()):
        with self._lock:
            if self._quiet:
                return
            self.counts[what] += 1
            verdict = "not ok" if what == "failed" else "ok"
            print("\n".join([f"{verdict} {next(self._number)} - {case.name} # {comment}", *details]), flush=True)

    def skip(self, case, reason):
        self._say("skipped", case, f"SKIP {reason}")

    def end(self, case, seconds, result, problems):
        details = []
        if problems:
            path = log_failure(case, result, problems)
            for p in problems:
                details += [f"# {line}" for line in p.splitlines()[-30:]]
            if result:
                details += [f"#   {line}" for line in result.stdout.splitlines()[-15:]]
                if result.status is None:
                    details += [f"#   {line}" for line in result.vcpus]
                    details += [f"#   console: {line}" for line in result.console.splitlines()[-30:]]
            details.append(f"# log: {path}")
        self._say("failed" if problems else "passed", case, f"{seconds:.1f} s", details)


class Worker(threading.Thread):
    """One host machine, which runs cases until take() has none left."""

    def __init__(self, take, host_kernel, report):
        super().__init__(daemon=True)
        self._take, self._host_kernel, self._report = take, host_kernel, report
        self._bench, self._machine = None, None

    def run(self):
        while True:
            try:
                case = self._take()
            except IndexError:
                break
            start, result = time.monotonic(), None
            try:
                bench = self._bench_for(case)
                result = case.run(bench)
                problems = list(case.problems(result)) + list(disk_problems(result))
            except Exception as e:      # a case may fail, the worker may not
                problems = [f"the bench failed: {type(e).__name__}: {e}"]
            self._report.end(case, time.monotonic() - start, result, problems)
        if self._bench:
            self._bench.close()

    def _bench_for(self, case):
        if self._bench is None or self._machine != case.machine():
            if self._bench:
                self._bench.close()
            self._machine = case.machine()
            icount, devices, cpus = self._machine
            self._bench = Bench(icount=icount, devices=devices, host_kernel=self._host_kernel, smp=cpus)
        return self._bench


def main():
    ap = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ap.add_argument("-o", "--only", default="", help="regular expression for names (group/case)")
    ap.add_argument("-x", "--exclude", help="regular expression for names to leave out")
    ap.add_argument("-l", "--list", action="store_true")
    ap.add_argument("-c", "--cases", type=pathlib.Path, default=HERE / "cases.ini")
    ap.add_argument("-w", "--workers", type=int, help="host machines at a time")
    ap.add_argument("--host-kernel", default="host", help="host or debug")
    a = ap.parse_args()

    cases = [c for c in load(a.cases) if re.search(a.only, c.name)
             and not (a.exclude and re.search(a.exclude, c.name))]
    cases.sort(key=Case.order)
    check(cases)
    if a.list:
        print("\n".join(c.name for c in cases))
        return 0
    report = Report(len(cases))
    queue = collections.deque()
    for case in cases:
        reason = skip_reason(case, a.host_kernel)
        if reason:
            report.skip(case, reason)
        else:
            queue.append(case)

    # The user's own host is one machine. Emulated ones wait a lot: two keep two
    # CPUs busy. They start at both ends of the list, so that each still finds
    # neighbours that share loaded modules.
    count = a.workers or (1 if hardware.kind() == "local" else 2)
    ends = [queue.popleft, queue.pop]
    workers = [Worker(ends[i % 2], a.host_kernel, report) for i in range(count)]
    for w in workers:
        w.start()
    try:
        for w in workers:
            w.join()
    except ending.Interrupted:
        queue.clear()
        report.quiet()
        raise
    print(", ".join(f"{n} {what}" for what, n in report.counts.items()))
    return 1 if report.counts["failed"] or not cases else 0


if __name__ == "__main__":
    ending.exit_when_told(main)
