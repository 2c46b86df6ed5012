# SPDX-License-Identifier: GPL-2.0
"""The bench, for Python programs: put this directory on sys.path, then

    from rig import Bench
    with Bench() as bench:
        result = bench.run("uname -a", guest_mem=256)
"""

from bench import Bench, Result
from images import RigError

__all__ = ["Bench", "Result", "RigError"]
