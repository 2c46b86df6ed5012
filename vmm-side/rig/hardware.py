# SPDX-License-Identifier: GPL-2.0
"""Which virtualization does this machine really have?"""

from __future__ import annotations

import os
import pathlib

SYS_MODULE = pathlib.Path("/sys/module")


def cpu_flags() -> set[str]:
    """What the first CPU has."""
    for line in pathlib.Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
        if line.startswith("flags"):
            return set(line.split(":", 1)[1].split())
    return set()


def loaded(name: str) -> str:
    """A parameter of this host's KVM; "" if it has none of that name."""
    for module in ("kvm", "kvm_amd", "kvm_intel"):
        p = SYS_MODULE / module / "parameters" / name
        if p.exists():
            value = p.read_text().strip()
            return {"Y": "1", "N": "0"}.get(value, value)
    return ""


def nested_enabled() -> bool:
    """Whether guests of this host may have guests."""
    return loaded("nested") == "1"


def paging() -> str:
    """How this host's KVM is loaded."""
    return "nested" if "1" in (loaded("npt"), loaded("ept")) else "shadow"


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
    if (SYS_MODULE / "kvm/parameters/symbiotic").exists():
        return "local"
    return "nested" if nested_enabled() else "emulated"
