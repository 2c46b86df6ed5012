# SPDX-License-Identifier: GPL-2.0
"""Options: the fields of a dataclass, each with its type, which knows how text becomes a
value and what is wrong with a value, with a name in the environment and a line of help."""

from __future__ import annotations

import abc
import dataclasses
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any, Self

from .images import RigError


class OptionError(RigError):
    """Options that cannot be; one sentence for each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


# ---- types ---------------------------------------------------------------------

class Type(abc.ABC):
    """A type of options."""

    @property
    def values(self) -> str:
        """All that there are, for people; '' if there is nothing to say."""
        return ""

    def parse(self, text: str) -> Any:
        """The value that a text means; of a wrong text, the text."""
        return text

    @abc.abstractmethod
    def wrong(self, value: Any) -> str:
        """What is wrong with a value; '' if it is right."""


class Text(Type):
    """Any text."""

    def wrong(self, value: Any) -> str:
        if not isinstance(value, str):
            return "not a text"
        return "contains a NUL" if "\0" in value else ""


@dataclasses.dataclass(frozen=True)
class Number(Type):
    """A number."""
    low: int
    high: int

    @property
    def values(self) -> str:
        return f"{self.low} to {self.high}"

    def parse(self, text: str) -> Any:
        return int(text) if re.fullmatch("[0-9]{1,12}", text) else text

    def wrong(self, value: Any) -> str:
        right = isinstance(value, (int, float)) and self.low <= value <= self.high
        return "" if right else f"not a number from {self.low} to {self.high}"


@dataclasses.dataclass(frozen=True)
class Choice(Type):
    """One of several words."""
    words: tuple[str, ...]

    @property
    def values(self) -> str:
        return ", ".join(w for w in self.words if w)

    def wrong(self, value: Any) -> str:
        return "" if value in self.words else f"not one of {self.values}"


class Choices(Choice):
    """Any of several words, each once."""

    def parse(self, text: str) -> Any:
        return tuple(text.split())

    def wrong(self, value: Any) -> str:
        right = set(value) <= set(self.words) and len(set(value)) == len(value)
        return "" if right else f"not some of {self.values}, each once"


@dataclasses.dataclass(frozen=True)
class Flag(Type):
    """One of two words: no, yes."""
    no: str = "no"
    yes: str = "yes"

    @property
    def values(self) -> str:
        return f"{self.no}, {self.yes}"

    def parse(self, text: str) -> Any:
        return {self.no: False, self.yes: True}.get(text, text)

    def wrong(self, value: Any) -> str:
        return "" if isinstance(value, bool) else f"not {self.no} or {self.yes}"


class Directory(Type):
    """A directory that is there."""

    def parse(self, text: str) -> Any:
        return pathlib.Path(text)

    def wrong(self, value: Any) -> str:
        return "" if os.path.isdir(value) else "not a directory"


# ---- tables of them ------------------------------------------------------------

def option(kind: Type, default: Any, env: str = "", text: str = "") -> Any:
    """A field. None as the default: there need not be a value."""
    return dataclasses.field(default=default, metadata={"type": kind, "env": env, "help": text})


@dataclasses.dataclass(frozen=True)
class Options:
    """What classes of options share: a value of a wrong type makes no object."""

    def __post_init__(self) -> None:
        problems = []
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if value is None and f.default is None:
                continue
            wrong = f.metadata["type"].wrong(value)
            if wrong:
                shown = " ".join(value) if isinstance(value, tuple) else str(value)
                problems.append(f"{f.metadata['env'] or f.name}={shown[:60]}: {wrong}")
        if problems:
            raise OptionError(problems)

    @classmethod
    def keys(cls) -> frozenset[str]:
        """The names of all options."""
        return frozenset(f.name for f in dataclasses.fields(cls))

    @classmethod
    def from_row(cls, row: Mapping[str, str]) -> Self:
        """What texts say, by the names of the fields: a row of a table such as the
        end-to-end cases. A value is written as in the environment: `symbiotic = off`,
        `passthrough = nvme edu`, `reboot = yes`. Raises an OptionError, which names
        all that is wrong, unknown names included."""
        problems = [f"{name}: no such option" for name in sorted(set(row) - cls.keys())]
        try:
            made = cls(**{f.name: f.metadata["type"].parse(row[f.name].strip())
                          for f in dataclasses.fields(cls) if f.name in row})
        except OptionError as e:
            raise OptionError(problems + e.problems) from None
        if problems:
            raise OptionError(problems)
        return made

    @classmethod
    def parsed(cls, environ: Mapping[str, str]) -> dict[str, Any]:
        """The values that an environment names, by the names of the fields. Empty is the
        default: it is what make has for a variable that nobody set."""
        return {f.name: f.metadata["type"].parse(environ[f.metadata["env"]])
                for f in dataclasses.fields(cls)
                if f.metadata["env"] and environ.get(f.metadata["env"])}

    @classmethod
    def environment(cls) -> list[str]:
        """The names of options in the environment."""
        return [f.metadata["env"] for f in dataclasses.fields(cls) if f.metadata["env"]]

    @classmethod
    def helptext(cls) -> str:
        """A table of them."""
        lines = []
        for f in dataclasses.fields(cls):
            kind, env = f.metadata["type"], f.metadata["env"]
            if not env:
                continue
            default = f.default if isinstance(f.default, (str, int)) and f.default != "" else None
            if isinstance(kind, Flag):
                default = kind.yes if f.default else kind.no
            usual = "" if default is None else f" (default {default})"
            lines.append(f"{env:12} {f.metadata['help']}{usual}")
            if kind.values:
                lines.append(f"{'':12} {kind.values}")
        return "\n".join(lines)
