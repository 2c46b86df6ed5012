# SPDX-License-Identifier: GPL-2.0
"""Tests of what goes in and comes out: bytes, statuses, and images by their contents."""

import os
import pathlib
import subprocess
import unittest
from unittest import mock

from rig_for_tests import HERE, RIG, SECONDS, RigTest

from rig import images

NOT_TEXT = b"a\r\nb\rc\n\n\xff\xfe\0z" + bytes(range(256)) * 100 + b"\r"


class OutputTest(RigTest):
    """The rig hands on what the guest's command says."""

    def test_bytes(self) -> None:
        self.leave(out=NOT_TEXT, err=b"\r\n\0" + NOT_TEXT)
        for host in ("symbiotic", "bare-metal"):
            with self.subTest(host=host):
                self.assertEqual(self.cli(CMD="x", HOST=host), (0, NOT_TEXT, b"\r\n\0" + NOT_TEXT))

    def test_status(self) -> None:
        self.leave(status=7)
        for host in ("symbiotic", "bare-metal"):
            self.assertEqual(self.cli(CMD="x", HOST=host)[0], 7)

    def test_host_cmd(self) -> None:
        """(of CMD, of HOST_CMD, the status); the failure is always told."""
        for status, host, both in ((0, 0, 0), (0, 3, 3), (4, 3, 4), (4, 0, 4)):
            with self.subTest(status=status, host=host):
                self.leave(status=status, host_status=str(host).encode(),
                           host_out=b"\xff\r\n" if host == 0 else b"")
                got, out, err = self.cli(CMD="x", HOST_CMD="y")
                self.assertEqual((got, out), (both, b""))
                self.assertTrue(err.startswith(f"--- host_cmd, status {host} ---\n".encode()), err)
                self.assertEqual(err.endswith(b"\n\xff\r\n"), host == 0)

    def test_who_has_seen_enough(self) -> None:
        self.leave(out=b"x" * 1000000)
        p = self.start(["sh", "-c", f"{' '.join(map(str, RIG))} exec | head -c 1 >/dev/null"],
                       CMD="x")
        self.assertEqual(p.communicate(timeout=SECONDS), (b"", b""))

    def test_command_is_bytes(self) -> None:
        command = b"printf '\xff\xfe \xc3\xbc'"
        self.assertIn(b"\0" + command + b"\n", images.job_initramfs(os.fsdecode(command), {}))
        self.leave(out=b"ok")
        for name in ("CMD", "APPEND", "HOST_CMD"):
            with self.subTest(name=name):
                options: dict[str, str | bytes] = {"CMD": "x", name: b"\xff'\xfe"}
                self.assertEqual(self.cli(**options)[:2], (0, b"ok"))

    def test_drivers(self) -> None:
        """Those of the guest's devices, what they need first, where the kernel has modules."""
        for number, path in enumerate(path for paths in images.DRIVERS.values() for path in paths):
            module = self.dir / "build/guest" / path
            module.parent.mkdir(parents=True, exist_ok=True)
            module.write_bytes(b"module %d" % number)
        with mock.patch.object(images, "BUILD", self.dir / "build"):
            self.assertEqual(images.drivers("guest", ("edu", "nvme")), [b"module 0", b"module 1"])
            self.assertEqual(images.drivers("guest", ("edu",)), [])
            self.assertEqual(images.drivers("debug", ("nvme",)), [])
            archive = images.job_initramfs("x", {}, images.drivers("guest", ("nvme", "e1000e")))
        places = [archive.index(b"job/modules/%02d.ko\0" % number) for number in range(3)]
        self.assertEqual(places, sorted(places))
        self.assertLess(archive.index(b"module 0"), archive.index(b"module 2"))

    def test_files_have_any_name(self) -> None:
        (self.dir / "files" / os.fsdecode(b"\xff name")).touch()
        self.assertEqual(self.cli(CMD="x", FILES=str(self.dir / "files"))[0], 0)

    def test_no_room_for_output(self) -> None:
        p = self.start(["sh", "-c", f"{' '.join(map(str, RIG))} exec >/dev/full"], CMD="x")
        self.leave(out=b"x" * 100000)
        _, err = p.communicate()
        self.assertEqual((p.returncode, err.count(b"\n")), (125, 1), err)


class RunnerTest(RigTest):
    """What the end-to-end runner makes of bytes."""

    def test_verdicts(self) -> None:
        self.leave(out=b"a\r\n\xff\0", err=b"a\n")
        rows = {"right": "stdout_is = a\\r\\n\\xff\\0\nstderr_is = a\\n",
                "translated": "stdout_is = a\\n\\xff\\0",
                "shorter": "stderr_is = a", "text": "stdout = ^a"}
        (self.dir / "cases").write_text("".join(
            f"[{n}]\ncmd = x\nfiles = no\nhost = bare-metal\n{r}\n" for n, r in rows.items()))
        p = self.start([*RIG, "e2e", "-w", "1", "-c", self.dir / "cases"])
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, err), (1, b""))
        for name, verdict in (("right", "ok"), ("translated", "not ok"), ("shorter", "not ok"),
                              ("text", "ok")):
            self.assertRegex(out.decode(), rf"(?m)^{verdict} \d \S+/{name} ")

    def test_rows_that_cannot_be(self) -> None:
        (self.dir / "cases").write_text("[good]\ncmd = x\nfiles = no\n"
                                        "[bad]\ncmd = x\nfiles = no\nsmp = 0\n")
        p = self.start([*RIG, "e2e", "-c", self.dir / "cases"])
        out, err = p.communicate(timeout=60)
        self.assertEqual((p.returncode, out), (1, b""))
        self.assertIn(b"/bad: SMP=0: not a number", err)


class ContentsTest(RigTest):
    """The contents decide what an image shows."""

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(setattr, images, "BUILD", images.BUILD)
        images.BUILD = self.dir / "build"

    def put(self, path: pathlib.Path, data: bytes) -> pathlib.Path:
        """The same size, the same time."""
        path.write_bytes(data)
        os.utime(path, (1, 1))
        return path

    def test_files(self) -> None:
        for data in (b"echo A\n", b"echo B\n"):
            self.put(self.dir / "files/a", data)
            image = images.erofs(self.dir / "files")
            self.assertIn(data, image.read_bytes())
            self.assertEqual(images.erofs(self.dir / "files"), image)

    def test_files_are_all_that_shows(self) -> None:
        """Names, modes, links: another image for each."""
        d = self.dir / "files"
        self.put(d / "a", b"x")
        seen = [images.erofs(d)]
        for change in ("chmod 755 a", "mv a b", "ln -s b l", "ln -sfn a l", "mkfifo fifo",
                       "mkdir empty"):
            subprocess.run(change, shell=True, cwd=d, check=True)
            seen.append(images.erofs(d))
        self.assertEqual(len(set(seen)), 7)

    def test_changed_meanwhile(self) -> None:
        real, d = images.tool, self.dir / "files"
        self.put(d / "a", b"x")
        self.addCleanup(setattr, images, "tool", real)

        def slow_tool(*cmd: str, **_: object) -> None:
            real(*cmd)
            self.put(d / "a", b"y")
        images.tool = slow_tool
        with self.assertRaisesRegex(images.RigError, "it is being changed"):
            images.erofs(d)
        images.tool = real
        self.assertIn(b"y", images.erofs(d).read_bytes())

    def test_kernels(self) -> None:
        src = self.dir / "guest" / "bzImage"
        src.parent.mkdir()
        first = images.kept(self.put(src, b"A"))
        second = images.kept(self.put(src, b"B"))
        self.assertEqual((first.read_bytes(), second.read_bytes()), (b"A", b"B"))

    def test_half_an_image(self) -> None:
        """Of somebody who was killed: removed by whoever makes the next one."""
        src = self.put(self.dir / "kernel", b"A")
        images.kept(src)
        (self.dir / "build/images/old.tmp").write_bytes(b"half")
        images.kept(self.put(src, b"B"))
        self.assertFalse((self.dir / "build/images/old.tmp").exists())

    def test_libraries(self) -> None:
        """with-libs.sh replaces a newer file by an older one."""
        d, prog = self.dir / "files", self.dir / "prog"
        for data in (b"A", b"B"):
            prog.write_bytes(data)
            os.utime(prog, (2 if data == b"A" else 1,) * 2)
            subprocess.run([HERE.parent / "build" / "with-libs.sh", d, prog], check=True,
                           capture_output=True)
            self.assertEqual((d / "prog").read_bytes(), data)

    def test_tools_that_fail(self) -> None:
        for cmd, says in ((("false",), "status 1"), (("/nonexistent",), "No such file"),
                          (("sh", "-c", "echo no >&2; exit 3"), "no")):
            with self.subTest(cmd=cmd), self.assertRaisesRegex(images.RigError, says):
                images.tool(*cmd)


if __name__ == "__main__":
    unittest.main()
