"""What a component's docstring says, read for lists, pages and the schema for editors."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass

_ENTRY = re.compile(r"\*{0,2}(?P<name>\w+)(?: \([^)]*\))?: ?(?P<text>.*)")


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
    body: list[str] = []
    section: list[str] = []
    inside = False
    for line in inspect.cleandoc(docstring).splitlines():
        if inside and line and not line.startswith(" "):
            inside = False
        if line == "Args:":
            inside = True
        elif inside:
            section.append(line)
        else:
            body.append(line)
    return "\n".join(body).strip(), _entries(section)


def _entries(section: list[str]) -> dict[str, str]:
    filled = [line for line in section if line.strip()]
    if not filled:
        return {}
    indent = min(len(line) - len(line.lstrip()) for line in filled)
    entries: dict[str, str] = {}
    name = ""
    for line in filled:
        match = _ENTRY.fullmatch(line[indent:])
        if match:
            name = match["name"]
            entries[name] = match["text"].strip()
        elif name:
            entries[name] = f"{entries[name]} {line.strip()}".strip()
    return entries
