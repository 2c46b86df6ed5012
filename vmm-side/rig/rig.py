# SPDX-License-Identifier: GPL-2.0
"""The bench, for Python programs: put this directory on sys.path, then

    from rig import Bench
    with Bench() as bench:
        result = bench.run("uname -a", guest_mem=256)
"""

from bench import Bench, Result
from guest import Guest, Machine, OptionError
from images import RigError

__all__ = ["Bench", "Guest", "Machine", "OptionError", "Result", "RigError"]
