"""What a component's docstring says, read for lists, pages and the schema for editors."""

from __future__ import annotations

import inspect
import re
import textwrap
from dataclasses import dataclass

_SECTION = re.compile(r"^Args:\n((?: .*\n?|\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^\*{0,2}(\w+)(?: \([^)]*\))?:(.*(?:\n(?: .*)?)*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Docs:
    """A docstring in two parts.

    Attributes:
        body: Everything but the ``Args:`` section.
        args: Parameter -> its text there, as one line.
    """

    body: str
    args: dict[str, str]


def docs_of(cls: type) -> Docs:
    """The docstring of a class; a parameter that it does not describe is looked up in its bases."""
    body, args = _parse(cls.__doc__ or "")
    for base in cls.__mro__[1:]:
        for name, text in _parse(base.__doc__ or "")[1].items():
            args.setdefault(name, text)
    return Docs(body, args)


def _parse(docstring: str) -> tuple[str, dict[str, str]]:
    text = inspect.cleandoc(docstring)
    section = textwrap.dedent("".join(_SECTION.findall(text)))
    return _SECTION.sub("", text).strip(), {name: " ".join(words.split()) for name, words in _ENTRY.findall(section)}
