# SPDX-License-Identifier: GPL-2.0
"""A bench for the tests of experiments. It starts nothing, but an option that cannot be, or
options that cannot go together, are errors as ever."""

from __future__ import annotations

import contextlib
from typing import Any

from .bench import Result
from .guest import Guest, Machine


class FakeBench(contextlib.nullcontext[Any]):
    """Made like a Bench. Tests derive from it, with answer()."""

    def __init__(self, host: str = "symbiotic", **machine: Any) -> None:
        super().__init__(self)
        self.host, self.machine = host, Machine(**machine)

    def run(self, cmd: str, files: object = None, **options: Any) -> Result:
        """Pretends to run a command. Whether the files are built does not matter."""
        del files
        wanted: dict[str, Any] = {"host": self.host, "cmd": cmd, **options}
        guest = Guest(**wanted)
        guest.check(self.machine)
        return self.answer(guest)

    def run_l1(self, cmd: str, *, paging: str, timeout: float) -> Result:
        """Pretends to run a command in the host machine."""
        del timeout
        return self.answer_l1(cmd, paging)

    def answer_l1(self, cmd: str, paging: str) -> Result:
        """What it leaves."""
        raise NotImplementedError

    def answer(self, guest: Guest) -> Result:
        """What a guest leaves."""
        raise NotImplementedError
