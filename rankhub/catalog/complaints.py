"""pydantic's errors as plain sentences."""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any, NamedTuple, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rankhub.catalog.hints import KeyPath, fields_of, members, step, unwrap, with_article, words
from rankhub.catalog.nearest import suggestion
from rankhub.catalog.spec import Uses

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_MISSING = ("missing", "missing_argument", "missing_keyword_only_argument")


class Complaint(NamedTuple):
    """One thing that is wrong with plain data: where, from its top; and what, what was expected, the nearest name."""

    steps: KeyPath
    text: str


def complaints(error: ValidationError, hint: Any, data: Any, noun: str = "key") -> list[Complaint]:
    """One sentence for each thing that pydantic found wrong with plain ``data``, checked against the type ``hint``.

    ``noun`` is what an unknown key is called.
    """
    located = [(*_locate(details, data), details) for details in error.errors(include_url=False)]
    # Of a union pydantic reports every member. Where one of them was entered, the others were not meant.
    entered = {steps[:length] for steps, _, _ in located for length in range(len(steps))}
    found = [
        Complaint(steps, _sentence(details, steps, hint, data, noun))
        for steps, in_union, details in located
        if not (in_union and steps in entered)
    ]
    return list(dict.fromkeys(found))


def show(value: Any) -> str:
    """A value as it would stand in a recipe, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _locate(details: ErrorDetails, data: Any) -> tuple[KeyPath, bool]:
    """The address in the data, and whether pydantic's own way to it also names members of unions and validators."""
    steps: list[str | int] = []
    skipped = False
    here = data
    for number, segment in enumerate(details["loc"]):
        last = number == len(details["loc"]) - 1
        if isinstance(here, Mapping) and segment in here:
            steps.append(segment)
            here = here[str(segment)]
        elif isinstance(here, Sequence) and not isinstance(here, str) and segment in range(len(here)):
            steps.append(segment)
            here = here[int(segment)]
        elif last and details["type"] in _MISSING:
            steps.append(segment)
        elif segment != "[key]":
            skipped = True
    return tuple(steps), skipped


def _sentence(details: ErrorDetails, steps: KeyPath, hint: Any, data: Any, noun: str) -> str:
    kind, said = details["type"], details["msg"]
    above, here = reduce(step, steps[:-1], hint), reduce(step, steps, hint)
    if kind in _UNKNOWN:
        return f"unknown {noun} {str(steps[-1])!r}" + suggestion(str(steps[-1]), _keys(above))
    if kind in _MISSING:
        return f"missing; expected {_wanted(above, here, steps[-1])}"
    if kind in ("value_error", "assertion_error"):
        return str(details.get("ctx", {}).get("error", said))
    if details["loc"][-1] == "[key]":
        keys = [args[0] for member in members(above) if len(args := get_args(unwrap(member)[0])) == 2]
        return f"got the name {show(steps[-1])}" + (f"; expected {words(keys[0])}" if keys else "")
    value = reduce(getitem, steps, data)
    if here is None or here is Any:
        return f"got {show(value)}; {said[:1].lower()}{said[1:]}"
    uses = [mark for mark in _marks(here) if isinstance(mark, Uses)]
    advice = f" (write {{use: {value}}})" if uses and isinstance(value, str) and value.isidentifier() else ""
    return f"got {show(value)}; expected {words(here)}{advice}"


def _marks(hint: Any) -> Iterator[Any]:
    bare, metadata = unwrap(hint)
    yield from metadata
    if len(members(bare)) > 1:
        for member in members(bare):
            yield from _marks(member)


def _wanted(above: Any, here: Any, key: str | int) -> str:
    kinds = [mark.kind for mark in _marks(above) if isinstance(mark, Uses)]
    if key == "use" and kinds:
        return f"the name of {with_article(kinds[0])}"
    return words(here) if here is not None else "a value"


def _keys(hint: Any) -> list[str]:
    return [key for member in members(hint) for key in (fields_of(unwrap(member)[0]) or {})]
