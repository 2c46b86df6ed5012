# SPDX-License-Identifier: GPL-2.0
"""Tests of the end-to-end runner: what it makes of rows and of results. Nothing boots."""

from __future__ import annotations

import collections
import contextlib
import hashlib
import io
import pathlib
import tempfile
import unittest
from typing import Any
from unittest import mock

from e2e import ktap, run
from rig import Result

KTAP = "KTAP version 1\n1..1\n"
DATA = b"\1" * (1 << 20)
WRITTEN = f"disk 2 1 {hashlib.sha256(DATA).hexdigest()}\n".encode()

# (keys, result that is as they say, result that is not, what is said of it). A key with two
# ways to fail has two rows.
VERDICTS: tuple[tuple[dict[str, str], dict[str, Any], dict[str, Any], str], ...] = (
    ({}, {}, {"status": 3}, "status 3, expected 0"),
    ({}, {}, {"status": None, "error": "timeout"}, "no status: timeout"),
    ({"status": "7"}, {"status": 7}, {"status": 0}, "status 0, expected 7"),
    ({"status": "any"}, {"status": 9}, {"status": None, "error": "it hangs"}, "it hangs"),
    ({"status": "none", "error": "time.ut"}, {"status": None, "error": "a timeout"}, {},
     "reported status 0, expected none"),
    ({"status": "none", "error": "time.ut"}, {"status": None, "error": "a timeout"},
     {"status": None, "error": "crash"}, "otherwise than expected: crash"),
    ({"stdout": "^a$\n^c$"}, {"out": b"a\nb\nc\n"}, {"out": b"a\nb\n"}, "stdout lacks /^c$/"),
    ({"stderr": "^a$"}, {"err": b"a\n"}, {"err": b"aa\n"}, "stderr lacks"),
    ({"console": "panic"}, {"console": "x panic"}, {}, "console lacks"),
    ({"vcpus": "^vCPU 1"}, {"vcpus": ["vCPU 0", "vCPU 1"]}, {"vcpus": ["vCPU 0"]}, "vcpus lacks"),
    ({"host_cmd": "x", "host_out": "^a"}, {"host_status": 0, "host_said": b"a"},
     {"host_status": 0, "host_said": b"b"}, "host_out lacks"),
    ({"host_cmd": "x"}, {"host_status": 0}, {"host_status": 1}, "host_cmd: status 1"),
    ({"host_cmd": "x"}, {"host_status": 0}, {}, "host_cmd: status None"),
    ({"no_stdout": "a|b"}, {"out": b"c"}, {"out": b"xb"}, "stdout has 'b'"),
    ({}, {"console": "all is well"}, {"console": "BUG: at"}, "console has 'BUG:'"),
    ({"no_console": "moon"}, {"console": "BUG: at"}, {"console": "moon"}, "console has 'moon'"),
    ({"no_console": ""}, {"console": "WARNING: at"}, {"status": 1}, "status 1"),
    ({}, {}, {"host_console": "Oops: 0"}, "host_console has 'Oops'"),
    ({"no_host_console": "moon"}, {"host_console": "Oops"}, {"host_console": "moon"}, "has 'moon'"),
    ({"stdout_is": r"a\r\xff"}, {"out": b"a\r\xff"}, {"out": b"a\xff"}, r"stdout is b'a\xff'"),
    ({"stderr_is": r"\0"}, {"err": b"\0"}, {"err": b""}, "stderr is b''"),
    ({"counters": "exits > 2, calls == 1"},
     {"host_before": {"exits": 4}, "host_after": {"exits": 7, "calls": 1}},
     {"host_before": {"exits": 4}, "host_after": {"exits": 6, "calls": 1}},
     "exits changed by 2, expected exits > 2"),
    ({"counters": "exits > 2"}, {"host_after": {"exits": 3}}, {}, "KVM has no counter exits"),
    ({"passthrough": "edu"}, {"guard": "changed 0 bytes"}, {"guard": "changed 8 bytes"},
     "memory outside the guest: changed 8 bytes"),
    ({"passthrough": "edu"}, {"guard": "changed 0 bytes"}, {}, "nothing known"),
    ({"passthrough": "edu", "guard": "changed [1-9]"}, {"guard": "changed 8 bytes"},
     {"guard": "changed 0 bytes"}, "memory outside"),
    ({"passthrough": "edu", "host": "bare-metal"}, {}, {"status": 1}, "status 1"),
    # KTAP, wherever it is said.
    ({}, {"out": f"{KTAP}ok 1 a".encode()}, {"out": f"{KTAP}not ok 1 a".encode()},
     "stdout: not ok a"),
    ({}, {"out": b"ok 1 a, but not in KTAP"}, {"out": KTAP.encode()}, "0 results of 1"),
    ({}, {}, {"out": b"KTAP version 1\nok 1 a\n"}, "a test ended early"),
    ({"host_cmd": "x"}, {"host_status": 0, "host_said": f"{KTAP}ok 1 a".encode()},
     {"host_status": 0, "host_said": f"{KTAP}not ok 1 a".encode()}, "host_out: not ok a"),
    ({}, {}, {"out": WRITTEN}, "there is no disk"),
)
# What the table cannot tell of: what runs, not what comes of it.
SETTINGS = {"l1_cmd", "files", "parallel", "machine", "needs"}


def problems(row: dict[str, str], result: dict[str, Any]) -> list[str]:
    """What is said of a case with such a row and such a result."""
    case = run.Case("part/name", {"cmd": "true", **row})
    values: dict[str, Any] = {"status": 0, **result}
    return list(case.problems(Result(**values)))


class Verdicts(unittest.TestCase):
    """Every key can pass, and can fail."""

    def test_table(self) -> None:
        for row, good, bad, complaint in VERDICTS:
            with self.subTest(row=row, complaint=complaint):
                self.assertEqual(problems(row, good), [])
                said = problems(row, bad)
                self.assertEqual(len(said), 1, said)
                self.assertIn(complaint, said[0])

    def test_all_keys_are_in_it(self) -> None:
        tested = {key for row, *_ in VERDICTS for key in row}
        self.assertEqual(run.OWN_KEYS - SETTINGS - tested, set())

    def test_each_comparison(self) -> None:
        """A counter has changed by 5."""
        for op, right, wrong in (("==", 5, 4), ("!=", 4, 5), (">=", 5, 6), ("<=", 5, 4),
                                 (">", 4, 5), ("<", 6, 5)):
            result = {"host_before": {"n": 1}, "host_after": {"n": 6}}
            self.assertEqual(problems({"counters": f"n {op} {right}"}, result), [])
            self.assertEqual(len(problems({"counters": f"n{op}{wrong}"}, result)), 1)

    def test_each_trouble(self) -> None:
        """What kernels print when something is wrong."""
        for text in ("BUG: unable", "WARNING: CPU", "Oops: 0002", "BUG: KASAN: use-after-free",
                     "general protection fault", "rcu: INFO: rcu_sched self-detected stall",
                     "watchdog: soft lockup", "INFO: hung task", "possible recursive locking",
                     "possible circular locking", "suspicious RCU usage", "Call Trace:",
                     "inconsistent lock state"):
            self.assertEqual(len(problems({}, {"console": f"[1.0] {text}\n"})), 1, text)

    def test_disk(self) -> None:
        """The last that was written to a place is there."""
        with tempfile.TemporaryDirectory() as where:
            disk = pathlib.Path(where) / "nvme"
            disk.write_bytes(b"\0" * (2 << 20) + DATA)
            old = b"disk 2 1 " + b"0" * 64 + b"\n"
            self.assertEqual(problems({}, {"out": old + WRITTEN, "disk": disk}), [])
            said = problems({}, {"out": WRITTEN + old, "disk": disk})
            self.assertEqual(said, ["the disk has other data at 2 MiB than the guest has written"])

    def test_exactly(self) -> None:
        self.assertEqual(run.exactly(r"a\r\n\xff\0z'\\"), b"a\r\n\xff\0z'\\")


class Written(unittest.TestCase):
    """What has files of cases."""

    def setUp(self) -> None:
        where = tempfile.TemporaryDirectory()
        self.addCleanup(where.cleanup)
        self.top = pathlib.Path(where.name)

    def write(self, part: str, text: str) -> pathlib.Path:
        """A part's file of cases."""
        path = self.top / part / "tests" / "cases.ini"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path


class Rows(Written):
    """What such files come to."""

    def names(self, text: str) -> list[str]:
        """The cases that a file of the part p comes to."""
        return [c.name for c in run.load([self.write("p", text)])]

    def refused(self, text: str, complaint: str) -> None:
        """A file is refused, by that sentence."""
        with self.assertRaisesRegex(run.CaseError, complaint):
            run.check(run.load([self.write("p", text)]))

    def test_combinations(self) -> None:
        """Each of several values; other keys may have words as they like."""
        self.assertEqual(self.names("[a]\ncmd = x\nsmp = 1 4\npaging = shadow nested\n"
                                    "append = b c\n[d]\ncmd = x\n"),
                         ["p/a-shadow-smp1", "p/a-shadow-smp4", "p/a-nested-smp1",
                          "p/a-nested-smp4", "p/d"])

    def test_defaults(self) -> None:
        """What all of a file share, unless one says otherwise; not those of another file."""
        first = self.write("p", "[DEFAULT]\nkernel = kitten\n[a]\ncmd = x\n[b]\ncmd = x\n"
                                "kernel = guest\n")
        second = self.write("q", "[c]\ncmd = x\n")
        self.assertEqual([c.get("kernel") for c in run.load([first, second])],
                         ["kitten", "guest", ""])

    def test_same_name(self) -> None:
        """In one file, by combination, or in two parts."""
        self.refused("[a]\ncmd = x\n[a]\ncmd = y\n", "already exists")
        self.refused("[a]\ncmd = x\nsmp = 1 2\n[a-smp1]\ncmd = y\n", "two cases are called a-smp1")
        one, two = self.write("p", "[a]\ncmd = x\n"), self.write("q", "[a]\ncmd = x\n")
        with self.assertRaisesRegex(run.CaseError, "two cases are called a: in .*p.* and .*q"):
            run.load([one, two])

    def test_keys(self) -> None:
        """Unknown ones, and those that have no meaning in L1."""
        self.refused("[a]\ncmd = x\nswop = none\n", "unknown keys swop")
        self.refused("[a]\ncmd = x\ninteractive = yes\n", "unknown keys interactive")
        self.refused("[a]\nl1_cmd = x\nswap = none\n", "unknown keys swap")
        self.refused("[a]\nswap = none\n", "exactly one of cmd and l1_cmd")
        self.refused("[a]\ncmd = x\nl1_cmd = x\n", "exactly one of cmd and l1_cmd")
        self.refused("[a]\ncmd = x\ncounters = exits\n", "bad condition")
        self.refused("[a]\ncmd = x\nfiles = no\nsmp = many\n", "SMP=many: not a number")

    def test_guest(self) -> None:
        """The guest's fields are those of the row."""
        case, = run.load([self.write("p", "[a]\ncmd = x\nfiles = no\nswap = bypass\nsmp = 3\n"
                                          "symbiotic = off\nstatus = 1\n")])
        guest = case.guest()
        self.assertEqual((guest.cmd, guest.swap, guest.smp, guest.symbiotic, guest.guest_mem,
                          guest.files), ("x", "bypass", 3, False, 256, None))

    def test_machine(self) -> None:
        """What cases share an L1."""
        rows: tuple[dict[str, str], ...] = ({}, {"parallel": "yes"}, {"passthrough": "edu"})
        machines = [run.Case("p/a", {"cmd": "x", **row}).machine() for row in rows]
        self.assertEqual([(m.smp, m.devices) for m in machines],
                         [(1, False), (2, False), (1, True)])

    def test_machines(self) -> None:
        """What a row says of its machine, unless the command line does."""
        path = self.write("p", "[a]\nl1_cmd = x\nmachine = debug bochs\n[b]\nl1_cmd = x\n")
        got = [(c.name, c.machine().host_kernel, c.machine().l0) for c in run.load([path])]
        self.assertEqual(got, [("p/a-debug", "debug", "qemu"), ("p/a-bochs", "host", "bochs"),
                               ("p/b", "host", "qemu")])
        cases = run.load([path], one_machine=True)
        self.assertEqual([(c.name, c.machine(l0="bochs").l0) for c in cases],
                         [("p/a", "bochs"), ("p/b", "bochs")])
        self.refused("[a]\nl1_cmd = x\nmachine = fast\n", "machine = fast is none of host, debug")

    def test_project(self) -> None:
        """All that the project has are found, where they should be."""
        parts = collections.Counter(c.name.split("/")[0] for c in run.load(run.places()))
        for part in ("symspy", "symcall", "swapbypass", "dma-offset", "guest-kitten", "kvm",
                     "qemu", "tools", "rig"):
            self.assertTrue(parts[part], part)

    def test_shell(self) -> None:
        """Shell that shellcheck should see is in scripts; the rig's cases are about shell."""
        for case in run.load(run.places()):
            if not case.name.startswith("rig/"):
                for key in ("cmd", "l1_cmd", "host_cmd"):
                    self.assertNotRegex(case.get(key), r"[;|`]|\$\(", case.name)

    def test_skips(self) -> None:
        """Cases that cannot run here say why."""
        rows: tuple[tuple[dict[str, str], str, str, str], ...] = (
            ({"host": "plain-kvm"}, "debug", "emulated", "unmodified modules"),
            ({"host": "bare-metal"}, "debug", "emulated", "no host kernel"),
            ({"needs": "emulated"}, "host", "nested", "only on an emulated machine"),
            ({"needs": "vt-x"}, "host", "emulated", "machine with VT-x"),
            ({"needs": "disk"}, "host", "local", "only where L1 has a disk"),
            ({"needs": "network"}, "debug", "emulated", "has no networks"),
            ({"host": "plain-kvm"}, "host", "local", "the extended one"),
            ({"paging": "nested"}, "host", "local", "loaded otherwise"),
            ({"kvm_params": "symcall_budget_ms=6000"}, "host", "local", "loaded otherwise"),
            ({"needs": "no/such/file"}, "host", "emulated", "no/such/file is not built"),
            ({"passthrough": "edu"}, "host", "local", "emulated devices"),
            ({"kernel": "debug"}, "host", "emulated", "the debug kernel is not built"),
            ({}, "debug", "emulated", "the debug kernel is not built"))
        for row, host_kernel, kind, reason in rows:
            with self.subTest(row=row), mock.patch("rig.hardware.kind", return_value=kind), \
                    mock.patch("rig.hardware.SYS_MODULE", self.loaded()), \
                    mock.patch.object(run, "FILES", self.top / "build" / "tests" / "files"):
                case = run.Case("p/a", {"cmd": "x", **row})
                machine = case.machine(host_kernel=host_kernel)
                self.assertIn(reason, run.skip_reason(case, machine))
                self.assertEqual(run.skip_reason(run.Case("p/a", {"cmd": "x"}),
                                                 case.machine(host_kernel="host")), "")

    def loaded(self) -> pathlib.Path:
        """What a host shows that has KVM loaded with shadow paging."""
        for name, value in (("kvm_intel/ept", "N"), ("kvm_intel/nested", "Y"),
                            ("kvm/symcall_budget_ms", "1000")):
            module, _, parameter = name.partition("/")
            path = self.top / module / "parameters" / parameter
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n", encoding="ascii")
        return self.top

    def test_own_host(self) -> None:
        """What runs on a user's own host, however its KVM is loaded."""
        rows: tuple[dict[str, str], ...] = (
            {}, {"kvm_params": "nested=1 symcall_budget_ms=1000"},
            {"host": "bare-metal", "paging": "nested"})
        with mock.patch("rig.hardware.kind", return_value="local"), \
                mock.patch("rig.hardware.SYS_MODULE", self.loaded()):
            for row in rows:
                case = run.Case("p/a", {"cmd": "x", **row})
                self.assertEqual(run.skip_reason(case, case.machine()), "")

    def test_skips_on_bochs(self) -> None:
        """What Bochs has not got is skipped for what the rig says of it."""
        for row, reason in (({"cmd": "x", "host": "bare-metal"}, "for hosts with VT-x"),
                            ({"cmd": "x", "swap": "zswap", "swap_store": "disk"}, "no disk"),
                            ({"cmd": "x", "needs": "disk"}, "only where L1 has a disk"),
                            ({"cmd": "x", "guest_mem": "1500"}, "1280 MiB for its guest"),
                            ({"cmd": "x", "parallel": "yes"}, "hangs with more CPUs"),
                            ({"l1_cmd": "x", "parallel": "yes"}, "hangs with more CPUs"),
                            ({"cmd": "x"}, ""), ({"l1_cmd": "x", "needs": "vt-x"}, "")):
            case = run.Case("p/a", {"files": "no", **row} if "cmd" in row else row)
            said = run.skip_reason(case, case.machine(l0="bochs"))
            with self.subTest(row=row):
                self.assertIn(reason, said)
                self.assertEqual(bool(reason), bool(said))


class FakeBench:
    """Guests that end as their command says."""

    def __init__(self, **_: Any) -> None:
        self.closed = False

    def boot(self, guest: Any) -> Result:
        """A status, or no bench."""
        if guest.cmd == "broken":
            raise OSError("no room")
        return Result(status=int(guest.cmd))

    def close(self) -> None:
        """The end of the machine."""
        self.closed = True


class Running(Written):
    """What is printed, and the status."""

    def run_cases(self, text: str, *args: str) -> tuple[int, str]:
        """(status, stdout) of the runner."""
        path = self.write("p", text)
        argv = ["run.py", "-c", str(path), *args]
        out = io.StringIO()
        with mock.patch.object(run, "Bench", FakeBench), mock.patch("sys.argv", argv), \
                mock.patch.object(run, "LOGS", self.top / "log"), contextlib.redirect_stdout(out):
            status = run.main()
        return status, out.getvalue()

    def test_counts(self) -> None:
        """A KTAP document, with what is wrong behind each result; a log of what has failed."""
        status, out = self.run_cases("[DEFAULT]\nfiles = no\n[good]\ncmd = 0\n[bad]\ncmd = 3\n"
                                     "[broken]\ncmd = broken\n[not-here]\ncmd = 0\nneeds = x/y\n")
        self.assertEqual(status, 1)
        counts = ktap.read(out).counts
        self.assertEqual((counts.passed, counts.failed, counts.skipped), (1, 2, 1))
        self.assertEqual(out.splitlines()[-1], "1 passed, 2 failed, 1 skipped")
        self.assertIn("# status 3, expected 0", out)
        self.assertIn("# the bench failed: OSError: no room", out)
        self.assertIn("cmd = 3", (self.top / "log" / "p-bad.log").read_text(encoding="utf-8"))

    def test_chosen(self) -> None:
        """By regular expressions; none at all is no success."""
        text = "[DEFAULT]\nfiles = no\n[one]\ncmd = 0\n[two]\ncmd = 0\n"
        self.assertEqual(self.run_cases(text, "--list")[1], "p/one\np/two\n")
        self.assertEqual(self.run_cases(text, "--list", "-o", "wo")[1], "p/two\n")
        self.assertEqual(self.run_cases(text, "--list", "-x", "^p/t")[1], "p/one\n")
        self.assertEqual(self.run_cases(text)[0], 0)
        self.assertEqual(self.run_cases(text, "-o", "three")[0], 1)


if __name__ == "__main__":
    unittest.main()
