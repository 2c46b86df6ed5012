# SPDX-License-Identifier: GPL-2.0
"""The rig: it builds what machines boot from, starts guests and tells what became of them.

    from rig import Bench
    with Bench() as bench:
        result = bench.run("uname -a", guest_mem=256)

The Makefile sets PYTHONPATH, so that programs find it.
"""

from .bench import Bench, Result
from .guest import Guest, Machine
from .images import RigError
from .options import OptionError

__all__ = ["Bench", "Guest", "Machine", "OptionError", "Result", "RigError"]
