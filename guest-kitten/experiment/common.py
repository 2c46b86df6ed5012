# SPDX-License-Identifier: GPL-2.0
"""How both guests run the same program."""

from __future__ import annotations

from typing import Any

from rig import measure

PROGRAMS = measure.TOP / "build" / "kitten" / "programs"
GUESTS = ("kitten", "linux")


def run(bench: measure.Runner, guest: str, command: str, **options: Any) -> str:
    """Runs a command in one of the guests; returns its output. @ stands before a program's
    name: Linux has the programs in a directory, the lightweight kernel in its archive."""
    if guest == "linux":
        result = bench.run(command.replace("@", "./"), files=PROGRAMS, kernel="guest", **options)
    else:
        result = bench.run(command.replace("@", ""), kernel="kitten", **options)
    return measure.checked(result, guest)
