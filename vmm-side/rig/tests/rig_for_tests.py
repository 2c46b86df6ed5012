# SPDX-License-Identifier: GPL-2.0
"""What the tests of the rig share: its programs on machines that are not there.

As a program, the rig's own, with nothing built and fake_qemu.py as QEMU; or with "e2e"
as the first argument, the runner of the end-to-end cases.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
from collections.abc import Callable, Sequence
from typing import TypeVar, Union

from rig import cli, ending, images

HERE = pathlib.Path(__file__).resolve().parent
# A program of the rig on a machine that is not there; "exec" or "e2e" comes next.
RIG = (sys.executable, HERE / "rig_for_tests.py")

Command = Sequence[Union[str, pathlib.Path]]
Value = TypeVar("Value")

SECONDS = 60


def wait_for(condition: Callable[[], Value], what: str) -> Value:
    """The value of condition() as soon as it is true."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError(f"waited in vain for {what}")


class RigTest(unittest.TestCase):
    """A directory with a fake QEMU, a build directory and a place for temporary files."""

    def setUp(self) -> None:
        self.dir = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.dir)
        for name in ("fake", "bin", "build/jobs", "tmp", "files"):
            (self.dir / name).mkdir(parents=True)
        shutil.copy(HERE / "fake_qemu.py", self.dir / "bin" / "qemu-system-x86_64")
        (self.dir / "Makefile").write_text(
            f"exec:\n\t@{sys.executable} {HERE}/rig_for_tests.py exec\n")
        self.leave()

    def leave(self, out: bytes = b"", err: bytes = b"", status: int = 0, **more: bytes) -> None:
        """What the guest's command leaves."""
        for name, data in {"out": out, "err": err, "status": str(status).encode(), **more}.items():
            (self.dir / "fake" / name.replace("_", ".")).write_bytes(data)

    def start(self, command: Command, **options: str | bytes) -> subprocess.Popen[bytes]:
        """A program with such an environment."""
        env: dict[str, str | bytes] = {
            "PATH": f"{self.dir}/bin:{os.environ['PATH']}", "PYTHONPATH": os.environ["PYTHONPATH"],
            "HOME": str(self.dir), "TMPDIR": str(self.dir / "tmp"), "LANG": "C.UTF-8",
            "FAKE": str(self.dir / "fake"), "FAKE_BUILD": str(self.dir / "build"),
            "RIG_HARDWARE": "emulated", **options}
        process = subprocess.Popen(command, cwd=self.dir, env=env, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process: subprocess.Popen[bytes]) -> None:
        """After a test: a program may not hold it up."""
        process.kill()
        if process.stdout and not process.stdout.closed:
            process.communicate()

    def cli(self, **options: str | bytes) -> tuple[int, bytes, bytes]:
        """(status, stdout, stderr) of `rig exec` with these options."""
        process = self.start([*RIG, "exec"], **options)
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err

    def started(self) -> int:
        """The process that is the machine of a guest, once the guest runs."""
        started = self.dir / "fake/started"
        return int(wait_for(lambda: started.exists() and started.read_text(), "the guest"))

    def left_behind(self) -> list[str]:
        """Names of what is in the way of the next one."""
        return [str(p.relative_to(self.dir)) for d in ("tmp", "build/jobs")
                for p in (self.dir / d).iterdir() if p.name != ".lock"]


def main() -> None:
    """The rig, or run.py."""
    images.BUILD = pathlib.Path(os.environ["FAKE_BUILD"])
    images.QEMU = pathlib.Path(os.environ["FAKE"]).parent / "bin" / "qemu-system-x86_64"
    nothing = images.BUILD / "nothing"
    nothing.touch()
    images.kernel_image = lambda kernel, boot: nothing
    for name in ("l1_initramfs", "guest_initramfs", "kitten_initramfs"):
        setattr(images, name, lambda *_: b"x")
    program = cli.main
    if sys.argv[1] == "e2e":
        del sys.argv[1]
        from e2e import run     # pylint: disable=C0415
        run.FILES, run.LOGS = images.BUILD.parent / "files", images.BUILD / "log"
        program = run.main
    ending.exit_when_told(program)


if __name__ == "__main__":
    main()
