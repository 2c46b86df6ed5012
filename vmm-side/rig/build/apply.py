#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Make a patched source tree: a pristine base, overlay files, hook patches.

apply.py --base DIR --version X.Y --tree DIR [--copy SRC:DEST]... [--patches DIR]...

The tree is a full copy of the base (no hard links: an edit in the tree must
never reach the base). Overlay files are copied when they differ. Patches are
first applied in a scratch directory, all of them, and only if every one fits
does the tree change: that is the dry run. Running it again changes nothing.

A developer edits a patched file in the tree to make the next version of a
patch. Such an edit is kept: when the patches change, the new result is merged
into the edited file, and a conflict stops the build.
"""

import argparse
import filecmp
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NoReturn


def die(text: str) -> NoReturn:
    """End with a complaint."""
    print(f"apply: {text}", file=sys.stderr)
    sys.exit(1)


def base_version(base: Path) -> str:
    """Tell the version of a source tree: QEMU's is in VERSION, Linux's in Makefile."""
    if (base / "VERSION").exists():
        return (base / "VERSION").read_text().strip()
    lines = (base / "Makefile").read_text().splitlines()
    fields = dict(re.split(r"\s*=\s*", line, maxsplit=1) for line in lines[:6] if "=" in line)
    return ".".join(fields[name] for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL"))


def put(src: Path, dest: Path) -> None:
    """Copy src over dest; a fresh inode and mtime so that make notices."""
    dest.parent.mkdir(parents=True, exist_ok=True)
    tmp = dest.with_name(dest.name + ".apply-tmp")
    shutil.copyfile(src, tmp)
    shutil.copymode(src, tmp)
    os.replace(tmp, dest)


def same(a: Path, b: Path) -> bool:
    """Tell whether both are files with the same contents."""
    return a.is_file() and b.is_file() and filecmp.cmp(a, b, shallow=False)


def overlay_files(copies: Iterable[str]) -> Iterator[tuple[Path, str]]:
    """Yield (source, path below the tree) for every SRC[/GLOB]:DEST."""
    for spec in copies:
        name, _, dest = spec.partition(":")
        src = Path(name)
        pattern = "*"
        deep = True
        if "*" in src.name:
            pattern, src, deep = src.name, src.parent, False
        if not src.is_dir():
            continue
        found = src.rglob("*") if deep else src.glob("*")
        for f in sorted(found):
            if f.is_file() and fnmatch.fnmatch(f.name, pattern) and not f.name.endswith("~"):
                yield f, str(Path(dest) / f.relative_to(src))


def sync_overlay(tree: Path, copies: Iterable[str], old: list[str]) -> list[str]:
    """Copy what differs, remove what is an overlay's no longer; returns the files' names."""
    new: dict[str, str] = {}
    for src, rel in overlay_files(copies):
        if rel in new:
            die(f"{rel} comes from two overlays: {new[rel]} and {src}")
        new[rel] = str(src)
        if not same(src, tree / rel):
            put(src, tree / rel)
            print(f"  COPY    {rel}")
    for rel in old:
        if rel not in new and (tree / rel).exists():
            (tree / rel).unlink()
            print(f"  REMOVE  {rel}")
    return sorted(new)


def touched(patch: Path) -> list[str]:
    """List the names of the files a patch changes or creates."""
    names = []
    for line in patch.read_text().splitlines():
        m = re.match(r"\+\+\+ (?:[^/\s]+)/(\S+)", line)
        if m:
            names.append(m.group(1))
    if not names:
        die(f"{patch} changes no file")
    return names


def patch_results(base: Path, patches: list[Path], scratch: Path) -> list[str]:
    """Apply all patches in scratch; returns the names of the files there."""
    names: list[str] = []
    for p in patches:
        for n in touched(p):
            if n not in names:
                names.append(n)
    for n in names:
        (scratch / n).parent.mkdir(parents=True, exist_ok=True)
        if (base / n).exists():
            shutil.copy2(base / n, scratch / n)
    for p in patches:
        # --fuzz=0: a hook that only nearly fits must be looked at.
        r = subprocess.run(["patch", "-p1", "--fuzz=0", "--no-backup-if-mismatch", "-r", "-",
                            "-d", str(scratch), "-i", str(p.resolve())],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if r.returncode:
            die(f"{p} does not apply; the tree is unchanged\n{r.stdout}")
    return names


def merge(tree_file: Path, last: Path, new: Path) -> bool:
    """Three-way merge new into an edited tree file; False on conflict."""
    with tempfile.NamedTemporaryFile(dir=tree_file.parent, prefix=".merge") as out:
        r = subprocess.run(["diff3", "-m", str(tree_file), str(last), str(new)], stdout=out)
        if r.returncode:
            return False
        put(Path(out.name), tree_file)
    os.chmod(tree_file, 0o644)
    return True


def sync_patches(base: Path, tree: Path, patches: list[Path], state_dir: Path,
                 old: list[str]) -> list[str]:
    """Bring what the patches change up to date in the tree; returns the files' names."""
    with tempfile.TemporaryDirectory(dir=state_dir.parent) as tmp:
        scratch = Path(tmp)
        names = patch_results(base, patches, scratch)
        for n in set(old) - set(names):
            # No patch touches it any more: its new content is the base's.
            (scratch / n).parent.mkdir(parents=True, exist_ok=True)
            if (base / n).exists():
                shutil.copy2(base / n, scratch / n)
        for n in sorted(set(old) | set(names)):
            new, cur, last = scratch / n, tree / n, state_dir / n
            if not last.exists():
                last = base / n
            if not new.exists():
                cur.unlink(missing_ok=True)
            elif same(new, cur):
                pass
            elif not cur.exists() or same(cur, last):
                put(new, cur)
                print(f"  PATCH   {n}")
            elif same(new, last):
                print(f"  EDITED  {n} (differs from the patches)")
            elif last.exists() and merge(cur, last, new):
                print(f"  MERGE   {n}")
            else:
                die(f"{cur} was edited by hand and conflicts with the new patches")
            if new.exists():
                put(new, state_dir / n)
    return names


def main() -> None:
    """Do what the command line says."""
    ap = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    ap.add_argument("--base", type=Path, required=True)
    ap.add_argument("--version", help="what the patches are for: no other base is taken")
    ap.add_argument("--tree", type=Path, required=True)
    ap.add_argument("--copy", action="append", default=[], metavar="SRC:DEST")
    ap.add_argument("--patches", type=Path, action="append", default=[])
    ap.add_argument("--dry-run", action="store_true", help="only check that the patches apply")
    a = ap.parse_args()

    if a.version:
        found = base_version(a.base)
        if not f"{found}.".startswith(f"{a.version}."):
            die(f"{a.base} is {found}, and versions.mk says {a.version}; "
                "if it was fetched before that was changed: make distclean")

    patches = [p for directory in a.patches for p in sorted(directory.glob("*.patch"))]
    if a.dry_run:
        with tempfile.TemporaryDirectory() as scratch:
            names = patch_results(a.base, patches, Path(scratch))
        print(f"  {len(patches)} patches apply to {len(names)} files")
        return

    if not a.tree.exists():
        tmp = a.tree.with_name(a.tree.name + ".tmp")
        shutil.rmtree(tmp, ignore_errors=True)
        subprocess.run(["cp", "-a", str(a.base), str(tmp)], check=True)
        tmp.rename(a.tree)
    state_dir = a.tree.with_name("." + a.tree.name + ".applied")
    state_dir.mkdir(exist_ok=True)
    state_file = a.tree.with_name("." + a.tree.name + ".state")
    state: dict[str, list[str]] = {"overlay": [], "patched": []}
    if state_file.exists():
        state = json.loads(state_file.read_text())

    # Both steps record what they are about to own before the next one can
    # fail, so that a failed run is repaired by the next.
    state["patched"] = sync_patches(a.base, a.tree, patches, state_dir, state["patched"])
    state_file.write_text(json.dumps(state))
    state["overlay"] = sync_overlay(a.tree, a.copy, state["overlay"])
    state_file.write_text(json.dumps(state))


if __name__ == "__main__":
    main()
