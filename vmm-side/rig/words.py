# SPDX-License-Identifier: GPL-2.0
"""Arguments of a program that another machine's shell starts.

QEMU's are made here, but where its files lie is known only to l2.sh, which starts it. So
an argument is a text, or a variable of that shell, or several of these one after the
other: ("file,path=", WORK, "/console").
"""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterable
from typing import Union


@dataclasses.dataclass(frozen=True)
class Variable:
    """The value of a shell's variable."""
    name: str


Word = Union[str, Variable, tuple["Word", ...]]

# What l2.sh knows: a directory of the guest in memory, and the file behind its swap device.
WORK = Variable("WORK")
SWAPFILE = Variable("SWAPFILE")


def quoted(word: Word) -> str:
    """As a shell reads it."""
    if isinstance(word, Variable):
        return f'"${word.name}"'
    if isinstance(word, tuple):
        return "".join(map(quoted, word))
    return shlex.quote(word)


def plain(word: Word) -> str:
    """The text of one without variables."""
    if isinstance(word, Variable):
        raise TypeError(f"${word.name}: there is no shell to know it")
    return "".join(map(plain, word)) if isinstance(word, tuple) else word


def command(words: Iterable[Word]) -> str:
    """A line for a shell."""
    return " ".join(map(quoted, words))
