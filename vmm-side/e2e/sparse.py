#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""sparse on all files of ours in a built kernel: sparse.py OBJDIR [OTHER].

Which ones they are is known from what apply.py has copied into the tree; what the tree has in
common with that of OTHER, another OBJDIR, is left to that one. How each is compiled is known
from the command that the kernel's build has left beside its object. A file without an object
is an error, too: nobody would ever look at it. Nothing is built.
"""

from __future__ import annotations

import concurrent.futures
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator

# As the kernel's Makefiles call it on x86.
SPARSE = ["sparse", "-D__linux__", "-Dlinux", "-D__STDC__", "-Dunix", "-D__unix__", "-Wbitwise",
          "-Wno-return-void", "-Wno-unknown-attribute", "-D__x86_64__", "--arch=x86",
          "-mlittle-endian", "-m64"]
# It does not follow pte_offset_map(), pte_offset_map_lock() and lock_cluster(), which have the
# lock only if they return something.
KNOWN = re.compile("context imbalance in '(symswap_(map_around|claim|hold|hold_new|touch_run)|"
                   "__symswap_touch_ahead)'")
COMMAND = re.compile(r"^savedcmd_\S+ := \S+ (.*?) -c -o \S+ (\S+\.c)(?: |$)", re.M)
MESSAGE = re.compile(r"\S+:\d+:\d+: (warning|error): ")


def copied(objects: pathlib.Path) -> set[str]:
    """The files of ours in the tree that was built there: a directory in the tree itself."""
    tree = objects.parent
    state = tree.with_name(f".{tree.name}.state").read_text(encoding="utf-8")
    return set(json.loads(state)["overlay"])


def commands(objects: pathlib.Path) -> Iterator[tuple[str, list[str]]]:
    """(file, what the compiler was told) for each object that was built from C."""
    for path in objects.rglob(".*.o.cmd"):
        m = COMMAND.search(path.read_text(errors="replace"))
        if m:
            source = os.path.normpath(objects / m.group(2))
            yield os.path.relpath(source, objects.parent), [*shlex.split(m.group(1)), m.group(2)]


def findings(objects: pathlib.Path, command: list[str], ours: set[str]) -> list[str]:
    """What sparse says of one file, and of our headers that it includes."""
    r = subprocess.run([*SPARSE, *command], cwd=objects, capture_output=True, text=True,
                       errors="replace", check=False)
    lines = [line for line in (r.stdout + r.stderr).splitlines()
             if MESSAGE.match(line) and not KNOWN.search(line)]
    found = [line for line in lines
             if os.path.relpath(objects / line.partition(":")[0], objects.parent) in ours]
    return found or ([f"{command[-1]}: sparse: status {r.returncode}"] if r.returncode else [])


def main(objects: pathlib.Path, other: pathlib.Path | None = None) -> int:
    """Returns the exit status."""
    objects = objects.resolve()
    ours = copied(objects) - (copied(other.resolve()) if other else set())
    built = {source: command for source, command in commands(objects) if source in ours}
    complaints = [f"{f}: there is no object of it" for f in sorted(ours - set(built))
                  if f.endswith(".c")]
    with concurrent.futures.ThreadPoolExecutor(int(os.environ.get("JOBS", "2"))) as pool:
        for found in pool.map(lambda command: findings(objects, command, ours), built.values()):
            complaints += found
    print("\n".join([*dict.fromkeys(complaints), f"{len(built)} files"]))
    return 1 if complaints or not built else 0


if __name__ == "__main__":
    sys.exit(main(*[pathlib.Path(a) for a in sys.argv[1:]]))
