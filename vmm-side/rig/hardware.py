# SPDX-License-Identifier: GPL-2.0
"""Which virtualization does this machine really have?"""

from __future__ import annotations

import os
import pathlib


def cpu_flags() -> set[str]:
    """What the first CPU has."""
    for line in pathlib.Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()


def nested_enabled() -> bool:
    """Whether guests of this host may have guests."""
    for module in ("kvm_amd", "kvm_intel"):
        p = pathlib.Path(f"/sys/module/{module}/parameters/nested")
        if p.exists():
            return p.read_text().strip() in ("1", "Y")
    return False


def kind() -> str:
    """"local": this host runs the extended KVM, it is L1 itself.
    "nested": L0 can use hardware. "emulated": L0 is QEMU's TCG.

    /dev/kvm alone proves nothing: there are machines where it exists and any
    guest hangs. The CPU must show the feature. RIG_HARDWARE overrides.
    """
    forced = os.environ.get("RIG_HARDWARE")
    if forced in ("local", "nested", "emulated"):
        return forced
    if not cpu_flags() & {"svm", "vmx"} or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "emulated"
    if pathlib.Path("/sys/module/kvm/parameters/symbiotic").exists():
        return "local"
    return "nested" if nested_enabled() else "emulated"
