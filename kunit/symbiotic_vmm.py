# SPDX-License-Identifier: GPL-2.0
"""kunit.py --qemu_config: run the suites under this project's VMM.

On a host whose KVM has the symbiotic extension (see README.md), this is plain
QEMU: SYMBIOTIC_QEMU names it if it is not in build/qemu. On any other host
kunit/bin/qemu-system-x86_64 takes its place and boots on the bench.
"""

import os
import pathlib

# The kernel's own, which runs this file as a part of itself.
from ..qemu_config import QemuArchParams  # type: ignore[import,misc]

TOP = pathlib.Path(__file__).resolve().parents[1]
QEMU = os.environ.get("SYMBIOTIC_QEMU", TOP / "build/qemu/qemu-system-x86_64")

QEMU_ARCH = QemuArchParams(
    linux_arch="x86_64",
    kconfig="CONFIG_SERIAL_8250=y\nCONFIG_SERIAL_8250_CONSOLE=y",
    # kunit.py runs qemu-system-x86_64 by name: PATH below makes it ours.
    qemu_arch="x86_64",
    kernel_path="arch/x86/boot/bzImage",
    kernel_command_line="console=ttyS0",
    extra_qemu_params=["-bios", "qboot.rom", "-accel", "kvm,symbiotic=on",
                       "-cpu", "host,-tsc-deadline,-svm,-vmx"])

EXTENDED = pathlib.Path("/sys/module/kvm/parameters/symbiotic").exists()
BIN = pathlib.Path(QEMU).parent if EXTENDED else TOP / "kunit/bin"
os.environ["PATH"] = f"{BIN}:{os.environ['PATH']}"
