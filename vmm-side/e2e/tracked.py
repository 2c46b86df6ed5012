#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""What holds for every file that git tracks.

It says under which licence it is. A path of this repository that it names, in
a comment, a script or a page, exists; and so do the functions of ours that a page
names, and what its links lead to. A page is wrapped, but for its tables. Inputs of
fuzzers are no text, and not looked at.
"""

import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator

TOP = pathlib.Path(__file__).resolve().parents[2]

# Inputs of fuzzers: bytes, no text. Patches that are not in the tree yet name what is not there.
INPUT = re.compile(r".*/tests/fuzz/corpus/.*|.*/next/.*\.patch")

# The texts of licences; LICENSES/README.md says what holds for patches.
NO_SPDX = re.compile(r"COPYING|LICENSES/[BL].*|.*\.patch")
SPDX_LINES = 3
WIDTH = 100

# A path from the top, not a part of a longer one, a variable or an #include.
FOLDERS = ("symspy", "symcall", "swapbypass", "dma-offset", "guest-linux", "guest-kitten",
           "vmm-side", "kunit", "docs", r"\.ci", "LICENSES")
PATH = re.compile(rf"(?<![\w/.<$}})-])(?:{'|'.join(FOLDERS)})/[\w./*+-]*")

LINK = re.compile(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)")
FUNCTION = re.compile(r"\b(\w*(?:symb|symspy|symcall|symswap|bypass|dma_offset)\w*)\(\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


def anchors(page: pathlib.Path) -> set[str]:
    """List the names of a page's headings in links, as GitHub makes them."""
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
            for heading in HEADING.findall(page.read_text())}


def licence(name: str, lines: list[str]) -> Iterator[str]:
    """Complain if the file does not tell its licence."""
    if NO_SPDX.fullmatch(name) or any("SPDX-License-Identifier:" in s for s in lines[:SPDX_LINES]):
        return
    yield f"{name}: no SPDX-License-Identifier in the first {SPDX_LINES} lines"


def may_be_case(path: str) -> bool:
    """Tell whether it could be the name of an end-to-end case: PART/CASE."""
    part, _, case = path.partition("/")
    return "." not in case and "/" not in case and (TOP / part / "tests" / "cases.ini").exists()


def paths(name: str, lines: list[str]) -> Iterator[str]:
    """Complain of each path that is named and does not exist."""
    for number, line in enumerate(lines, 1):
        for match in PATH.finditer(line):
            path = match.group().rstrip(".-/")
            if not any(TOP.glob(path)) and not may_be_case(path):
                yield f"{name}:{number}: there is no {path}"


def links(name: str, text: str) -> Iterator[str]:
    """Complain of each link of a page that leads nowhere."""
    for target, anchor in LINK.findall(text):
        page = TOP / name
        if target:
            page = page.parent / target
        if not page.exists():
            yield f"{name}: a link to {target}, which does not exist"
        elif anchor and anchor not in anchors(page):
            yield f"{name}: a link to {target}#{anchor}, and there is no such heading"


def wrapping(name: str, lines: list[str]) -> Iterator[str]:
    """Complain of each line that is too long, and no row of a table."""
    for number, line in enumerate(lines, 1):
        if len(line) > WIDTH and not line.startswith("|"):
            yield f"{name}:{number}: longer than {WIDTH} characters"


def complaints(texts: dict[str, str]) -> Iterator[str]:
    """Tell all that is wrong with files, given by their names."""
    code = {word for name, text in texts.items() if not name.endswith(".md")
            for word in re.findall(r"\w+", text)}
    for name, text in texts.items():
        lines = text.splitlines()
        yield from licence(name, lines)
        yield from paths(name, lines)
        if name.endswith(".md"):
            yield from links(name, text)
            yield from wrapping(name, lines)
            for function in sorted(set(FUNCTION.findall(text)) - code):
                yield f"{name}: there is no function {function}()"


def main() -> int:
    """Print all complaints; the status says whether there are any."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=TOP, check=True, capture_output=True,
                           text=True).stdout.split("\0")
    # A file that is removed and not yet committed is still on git's list.
    files = [name for name in names
             if name and (TOP / name).exists() and not INPUT.fullmatch(name)]
    found = list(complaints({name: (TOP / name).read_text() for name in files}))
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
