# SPDX-License-Identifier: GPL-2.0
"""Tests of the options: what is refused, in which words, and before anything starts."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import subprocess
import unittest
import unittest.mock
from typing import Any

from rig_for_tests import HERE, RigTest

from e2e import run
from rig import Guest, Machine, OptionError, guest
from rig.swap import SWAPS

TOP = HERE.parents[2]

# (the environment besides CMD, the sentence)
REFUSED: tuple[tuple[dict[str, str], str], ...] = (
    ({"CMD": ""}, "CMD is missing"),
    ({"HOST": "here"}, "HOST=here: not one of symbiotic, plain-kvm, bare-metal"),
    ({"PAGING": "both"}, "PAGING=both: not one of shadow, nested, vm-shadow, vm-nested, auto"),
    ({"SYMBIOTIC": "yes"}, "SYMBIOTIC=yes: not off or on"),
    ({"SWAP": "disk"}, "SWAP=disk: not one of none, bypass"),
    ({"SWAP_STORE": "ram"}, "SWAP_STORE=ram: not one of tmpfs, hugetlbfs, disk"),
    ({"KERNEL": "windows"},
     "KERNEL=windows: not one of guest, guest-base, stock, debug, kitten, nor"),
    ({"KERNEL": "../guest"}, "KERNEL=../guest: not one of"),
    ({"FILES": "/nonexistent"}, "FILES=/nonexistent: not a directory"),
    ({"FILES": "/nonexistent", "KERNEL": "kitten"}, "FILES=/nonexistent: not a directory"),
    ({"FILES": "/etc/passwd"}, "FILES=/etc/passwd: not a directory"),
    ({"ICOUNT": "yes"}, "ICOUNT=yes: not 0 or 1"),
    ({"STATS": "2"}, "STATS=2: not 0 or 1"),
    ({"PASSTHROUGH": "gpu"}, "PASSTHROUGH=gpu: not some of nvme, e1000e, edu"),
    ({"PASSTHROUGH": "edu edu"}, "PASSTHROUGH=edu edu: not some of"),
    *(({name: value}, f"{name}={value}: not a number from ")
      for name in ("GUEST_MEM", "SMP", "SWAP_SIZE", "TIMEOUT", "HOST_SMP")
      for value in ("0", "-1", "²", "٣", "1.5", "1e3", "0x10", "x", " 512", "99999999999999999999",
                    "2000000")),
    # Each right, but not together.
    ({"SMP": "9"}, "SMP=9: KERNEL=guest has at most 8 CPUs"),
    ({"SMP": "64", "KERNEL": "kitten"}, "SMP=64: KERNEL=kitten has at most 16 CPUs"),
    ({"GUEST_MEM": "32"}, "GUEST_MEM=32: KERNEL=guest needs at least 64"),
    ({"GUEST_MEM": "256", "KERNEL": "debug"}, "GUEST_MEM=256: KERNEL=debug needs at least 384"),
    ({"GUEST_MEM": "6000"}, "GUEST_MEM=6000: the host has 5376 MiB for its guest"),
    ({"GUEST_MEM": "1048576", "HOST": "bare-metal"}, "GUEST_MEM=1048576: the host has "),
    ({"GUEST_MEM": "2048", "SWAP": "symswap", "SWAP_SIZE": "4096"},
     "GUEST_MEM=2048 SWAP_SIZE=4096: the host has 5376 MiB for its guest"),
    ({"SWAP": "symswap", "SWAP_SIZE": "65536"}, "SWAP_SIZE=65536: QEMU has addresses for"),
    ({"SWAP": "in-place", "SWAP_SIZE": "96"}, "SWAP_SIZE=96: a window is a PCI region"),
    ({"SWAP": "virtio-mem"}, "SWAP=virtio-mem: KERNEL=guest has no driver for it"),
    ({"SWAP": "in-place", "KERNEL": "stock"}, "SWAP=in-place: KERNEL=stock has no driver for it"),
    ({"REPORTING": "1"}, "REPORTING=1: not off or on"),
    ({"SWAP": "virtio-pmem", "SWAP_SIZE": "65536"},
     "SWAP_SIZE=65536: with GUEST_MEM more than 65536"),
    ({"SWAP": "virtio-blk", "SWAP_STORE": "disk", "SWAP_SIZE": "2000"},
     "SWAP_SIZE=2000: SWAP_STORE=disk has room"),
    ({"SWAP": "bypass", "PAGING": "nested"},
     "SWAP=bypass: it needs PAGING=shadow, vm-nested, vm-shadow or auto"),
    ({"PAGING": "auto", "HOST": "plain-kvm"}, "PAGING=auto: it needs HOST=symbiotic"),
    ({"PAGING": "vm-shadow", "HOST": "bare-metal"},
     "PAGING=vm-shadow: HOST=bare-metal has no KVM"),
    ({"SWAP": "bypass", "HOST": "plain-kvm"},
     "SWAP=bypass: it needs HOST=symbiotic and SYMBIOTIC=on"),
    ({"SWAP": "bypass", "SYMBIOTIC": "off"},
     "SWAP=bypass: it needs HOST=symbiotic and SYMBIOTIC=on"),
    ({"SWAP": "in-place", "KERNEL": "guest-base"},
     "SWAP=in-place: KERNEL=guest-base has no driver"),
    ({"SWAP": "virtio-blk", "KERNEL": "kitten"}, "SWAP=virtio-blk: KERNEL=kitten has only none"),
    ({"SWAP": "virtio-blk", "SWAP_STORE": "hugetlbfs"},
     "SWAP_STORE=hugetlbfs: the file of SWAP=virtio-blk can only lie on tmpfs, disk"),
    ({"SWAP": "virtio-pmem", "SWAP_SIZE": "33"}, "SWAP_SIZE=33: odd"),
    ({"SWAP": "dimm", "SWAP_SIZE": "64"}, "SWAP_SIZE=64: Linux plugs memory in by 128"),
    ({"SWAP": "symswap", "SWAP_STORE": "hugetlbfs", "SWAP_SIZE": "1"}, "SWAP_SIZE=1: odd"),
    ({"SWAP": "zram", "SWAP_STORE": "disk"}, "SWAP_STORE=disk: SWAP=zram has no file"),
    ({"SWAP_STORE": "disk"}, "SWAP_STORE=disk: SWAP=none has no file"),
    ({"HOST": "bare-metal", "SWAP": "in-place"}, "SWAP=in-place: it needs our QEMU"),
    ({"HOST": "bare-metal", "SWAP": "virtio-blk", "SWAP_STORE": "disk"},
     "SWAP_STORE=disk: HOST=bare-metal"),
    ({"HOST": "bare-metal", "PAGING": "nested"}, "PAGING=nested: HOST=bare-metal has no KVM"),
    ({"HOST": "bare-metal", "HOST_CMD": "true"}, "HOST_CMD: HOST=bare-metal has no L1"),
    ({"HOST": "bare-metal", "STATS": "1"}, "STATS=1: HOST=bare-metal has no KVM"),
    ({"PASSTHROUGH": "edu", "HOST": "plain-kvm"}, "PASSTHROUGH=edu: it needs HOST=symbiotic"),
    ({"PASSTHROUGH": "edu", "SYMBIOTIC": "off"}, "PASSTHROUGH=edu: it needs HOST=symbiotic"),
    ({"PASSTHROUGH": "edu", "GUEST_MEM": "512"}, "GUEST_MEM=512: with PASSTHROUGH it is 1024"),
    ({"PASSTHROUGH": "nvme edu", "KERNEL": "kitten"},
     "PASSTHROUGH=nvme edu: KERNEL=kitten has a driver for edu"),
    ({"APPEND": "x" * 1701}, "APPEND: longer than 1700 bytes"),
    ({"APPEND": "x" * 401, "KERNEL": "kitten"}, "APPEND: longer than 400 bytes"),
    ({"APPEND": "a\nb"}, "APPEND: more than one line"),
    ({"HOST": "plain-kvm", "RIG_HARDWARE": "local"}, "HOST=plain-kvm: this host's own KVM"),
    ({"ICOUNT": "1", "RIG_HARDWARE": "local"}, "ICOUNT=1: this host's own KVM"),
    ({"PASSTHROUGH": "edu", "RIG_HARDWARE": "local"},
     "PASSTHROUGH=edu: these are devices of an emulated host"),
    ({"L0": "xen"}, "L0=xen: not one of qemu, bochs"),
    ({"L0": "bochs", "HOST": "bare-metal"}, "HOST=bare-metal: L0=bochs is for hosts with VT-x"),
    ({"L0": "bochs", "ICOUNT": "1"}, "ICOUNT=1: L0=bochs counts instructions anyway"),
    ({"L0": "bochs", "HOST_SMP": "2"}, "HOST_SMP=2: L0=bochs hangs with more CPUs"),
    ({"L0": "bochs", "PASSTHROUGH": "nvme edu"}, "PASSTHROUGH=nvme edu: L0=bochs has no such"),
    ({"L0": "bochs", "SWAP": "zswap", "SWAP_STORE": "disk"}, "SWAP_STORE=disk: L0=bochs has no"),
    ({"L0": "bochs", "GUEST_MEM": "1536"}, "GUEST_MEM=1536: the host has 1280 MiB"),
    ({"L0": "bochs", "RIG_HARDWARE": "local"}, "L0=bochs: this host's own KVM"),
)
ACCEPTED: tuple[dict[str, str], ...] = (
    {}, {"GUEST_MEM": "64", "SMP": "8"}, {"KERNEL": "kitten", "SMP": "16", "GUEST_MEM": "16"},
    {"SWAP": "bypass"}, {"SWAP": "in-place", "PAGING": "nested", "SWAP_SIZE": "4096"},
    {"SWAP": "in-place", "HOST": "plain-kvm"}, {"SWAP": "dimm", "SWAP_STORE": "hugetlbfs"},
    {"SWAP": "zswap", "SWAP_STORE": "disk"}, {"HOST": "bare-metal", "SWAP": "zram"},
    {"HOST": "bare-metal", "SWAP": "ivshmem"}, {"HOST": "bare-metal", "SWAP": "pmem-window"},
    {"PASSTHROUGH": "nvme edu"}, {"PASSTHROUGH": "edu", "HOST": "bare-metal", "GUEST_MEM": "256"},
    {"ICOUNT": "1", "STATS": "1", "HOST_CMD": "true"}, {"KERNEL": "/tmp"},
    {"HOST": "bare-metal", "SYMBIOTIC": "off", "ICOUNT": "1"},
    {"L0": "bochs", "SMP": "2", "SWAP": "bypass", "HOST_SMP": "1", "HOST_CMD": "true"},
)


class OptionsTest(RigTest):
    """What the rig says of its environment."""

    def problems(self, options: dict[str, str]) -> list[str]:
        """All that is wrong with an environment."""
        try:
            wanted, machine = guest.from_environment({"CMD": "true", **options})
            return list(wanted.conflicts(machine, options.get("RIG_HARDWARE", "emulated")))
        except OptionError as e:
            return e.problems

    def test_refused(self) -> None:
        for options, sentence in REFUSED:
            with self.subTest(**options):
                found = self.problems(options)
                self.assertEqual(sum(p.startswith(sentence) for p in found), 1, found)
                self.assertFalse(any("\n" in p for p in found), found)

    def test_before_anything_starts(self) -> None:
        wrong: tuple[dict[str, str | bytes], ...] = (
            {"SMP": "0", "GUEST_MEM": "²", "ICOUNT": "yes"}, {"CMD": ""},
            {"KERNEL": "kitten", "FILES": "/nonexistent"}, {"FILES": b"/\xff"},
            {"SWAP": "bypass", "PAGING": "nested"}, {"GUEST_MEM": b"\xff"})
        for options in wrong:
            with self.subTest(**options):
                options.setdefault("CMD", "true")
                status, out, err = self.cli(**options)
                lines = err.splitlines()
                self.assertEqual((status, out), (2, b""), err)
                self.assertEqual(len(lines), 3 if "SMP" in options else 1, err)
                self.assertTrue(all(line.startswith(b"rig: ") for line in lines), err)
        self.assertFalse((self.dir / "fake/started").exists())
        self.assertEqual(self.left_behind(), [])

    def test_accepted(self) -> None:
        for options in ACCEPTED:
            with self.subTest(**options):
                wanted, machine = guest.from_environment({"CMD": "true", **options})
                self.assertEqual(list(wanted.conflicts(machine)), [])

    def test_store(self) -> None:
        """Also the default is one that the device must have."""
        row = dataclasses.replace(SWAPS["virtio-pmem"], stores=("hugetlbfs", "disk"))
        refused = ["SWAP_STORE=tmpfs: the file of SWAP=virtio-pmem can only lie on hugetlbfs, disk"]
        with unittest.mock.patch.dict(SWAPS, {"virtio-pmem": row}):
            self.assertEqual(self.problems({"SWAP": "virtio-pmem"}), refused)
            self.assertEqual(self.problems({"SWAP": "virtio-pmem", "SWAP_STORE": "tmpfs"}), refused)
            self.assertEqual(self.problems({"SWAP": "virtio-pmem", "SWAP_STORE": "disk"}), [])

    def test_shell(self) -> None:
        wanted, machine = guest.from_environment({"STATS": "1"}, interactive=True)
        self.assertIn("interactive", "".join(wanted.conflicts(machine)))
        for option, sentence in (("KERNEL=kitten", "KERNEL=kitten: it has no interactive shell"),
                                 ("L0=bochs", "L0=bochs: it has no terminal")):
            name, _, value = option.partition("=")
            wanted, machine = guest.from_environment({name: value}, interactive=True)
            self.assertIn(sentence, "".join(wanted.conflicts(machine)))

    def test_empty_is_default(self) -> None:
        empty = dict.fromkeys(guest.environment(), "")
        wanted, machine = guest.from_environment({**empty, "CMD": "x"})
        self.assertEqual((wanted, machine), (Guest(cmd="x"), Machine()))
        self.assertEqual(wanted.memory, 512)
        self.assertEqual(guest.from_environment({"CMD": "x", "PASSTHROUGH": "edu"})[0].memory, 1024)

    def test_python(self) -> None:
        for name, value in (("guest_mem", "512"), ("swap", "tape"), ("symbiotic", "on"),
                            ("boot", "floppy"), ("append", 1)):
            wrong: dict[str, Any] = {name: value}
            with self.subTest(**wrong), self.assertRaises(OptionError):
                Guest(cmd="true", **wrong)
        with self.assertRaises(dataclasses.FrozenInstanceError):
            Guest().smp = 2     # type: ignore[misc]


class RowTest(unittest.TestCase):
    """A row of texts."""

    def test_row(self) -> None:
        """Names of fields; values as in the environment, and empty ones."""
        made = Guest.from_row({"swap": "in-place", "symbiotic": "off", "passthrough": "nvme edu",
                               "ram": "", "smp": " 2 ", "reboot": "yes", "files": "/"})
        self.assertEqual(made, Guest(swap="in-place", symbiotic=False, passthrough=("nvme", "edu"),
                                     ram="", smp=2, reboot=True, files=pathlib.Path("/")))

    def test_wrong(self) -> None:
        """All that is wrong is told, by its name."""
        with self.assertRaises(OptionError) as caught:
            Guest.from_row({"mem": "256", "smp": "two", "symbiotic": "0", "cpu": "x"})
        self.assertEqual(caught.exception.problems, [
            "cpu: no such option", "mem: no such option",
            "SYMBIOTIC=0: not off or on", "SMP=two: not a number from 1 to 255"])

    def test_programs_may_say_lists(self) -> None:
        made = Guest(qemu_args=["-device", "a b"], passthrough=["edu"])     # type: ignore[arg-type]
        self.assertEqual((made.qemu_args, made.passthrough), ("-device 'a b'", ("edu",)))


class OneplaceTest(unittest.TestCase):
    """What is made from the table has all of it."""

    def test_make(self) -> None:
        """make passes all of them on, and help has them."""
        wrong = {f.metadata["env"]: "?" for cls in (Guest, Machine) for f in dataclasses.fields(cls)
                 if f.metadata["env"] and f.metadata["type"].wrong("?")}
        self.assertGreater(len(wrong), 12)
        words = [f"{name}={value}" for name, value in wrong.items()]
        done = subprocess.run(["make", "-C", TOP, "exec", "CMD=true", *words],
                              capture_output=True, text=True, check=False)
        told = re.findall(r"^rig: (\w+)=", done.stderr, re.M)
        self.assertEqual((done.returncode, sorted(told)), (2, sorted(wrong)), done.stderr)
        for name in guest.environment():
            self.assertTrue(re.search(rf"(?m)^{name} ", guest.helptext()), name)

    def test_not_there(self) -> None:
        """Nonsense is tried, but not on a machine that has no such thing."""
        made = Guest(cmd="true", passthrough=("edu",), symbiotic=False, nonsense=True)
        self.assertEqual(list(made.conflicts(Machine())), [])
        self.assertEqual(list(made.conflicts(Machine(l0="bochs"))),
                         ["PASSTHROUGH=edu: L0=bochs has no such devices"])

    def test_host_kernel(self) -> None:
        """What only cases can ask for."""
        self.assertEqual(list(Machine(l0="bochs", host_kernel="debug").conflicts("emulated")),
                         ["host_kernel=debug: L0=bochs is too slow for it"])

    def test_cases(self) -> None:
        """Each row of the end-to-end cases is accepted; those that are nonsense are."""
        files, run.FILES = run.FILES, pathlib.Path("/")
        self.addCleanup(setattr, run, "FILES", files)
        cases = run.load(run.places())
        run.check(cases)
        for case in cases:
            if case.flag("nonsense"):
                serious = dataclasses.replace(case.guest(), nonsense=False)
                self.assertTrue(list(serious.conflicts(case.machine())), case.name)


if __name__ == "__main__":
    unittest.main()
