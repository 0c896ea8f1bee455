"""pydantic's errors as plain sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from rankhub.catalog.hints import Steps, fields_of, members, step, unwrap, with_article, words
from rankhub.catalog.nearest import suggestion
from rankhub.catalog.spec import Uses

_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
_MISSING = ("missing", "missing_argument", "missing_keyword_only_argument")


@dataclass(frozen=True, slots=True)
class Complaint:
    """One thing that is wrong with plain data.

    Attributes:
        steps: Where, from the top of the data.
        text: What is wrong there, what was expected, the nearest valid name.
    """

    steps: Steps
    text: str


@dataclass(frozen=True, slots=True)
class _Located:
    steps: Steps
    in_union: bool
    details: ErrorDetails


def complaints(error: ValidationError, hint: Any, data: Any, noun: str = "key") -> list[Complaint]:
    """One sentence for each thing that is wrong.

    Args:
        error: What pydantic said.
        hint: The type that ``data`` was checked against.
        data: Plain data.
        noun: What an unknown key is called: "key" or "option".
    """
    located = [_locate(details, data) for details in error.errors(include_url=False)]
    # Of a union pydantic reports every member. Where one of them was entered, the others were not meant.
    meant = [
        item for item in located if not (item.in_union and any(_below(item.steps, other.steps) for other in located))
    ]
    found = (Complaint(item.steps, _sentence(item, hint, data, noun)) for item in meant)
    return list(dict.fromkeys(found))


def show(value: Any) -> str:
    """A value as it would stand in a recipe, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _below(upper: Steps, lower: Steps) -> bool:
    return len(lower) > len(upper) and lower[: len(upper)] == upper


def _locate(details: ErrorDetails, data: Any) -> _Located:
    """The place in the data: pydantic's own way also names members of unions and validators."""
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
    return _Located(tuple(steps), skipped, details)


def _at(data: Any, steps: Steps) -> Any:
    for segment in steps:
        data = data[segment]
    return data


def _descend(hint: Any, steps: Steps) -> Any:
    for segment in steps:
        hint = step(hint, segment) if hint is not None else None
    return hint


def _sentence(item: _Located, hint: Any, data: Any, noun: str) -> str:
    kind, steps = item.details["type"], item.steps
    here = _descend(hint, steps)
    if kind in _UNKNOWN:
        return f"unknown {noun} {str(steps[-1])!r}" + suggestion(str(steps[-1]), _keys(_descend(hint, steps[:-1])))
    if kind in _MISSING:
        return f"missing; expected {_wanted(hint, steps)}"
    if kind in ("value_error", "assertion_error"):
        return str(item.details.get("ctx", {}).get("error", item.details["msg"]))
    if item.details["loc"][-1] == "[key]":
        (key, *_) = next(iter(_keys_hint(_descend(hint, steps[:-1]))), (None,))
        return f"got the name {show(steps[-1])}" + (f"; expected {words(key)}" if key is not None else "")
    value = _at(data, steps)
    if here is None or here is Any:
        return f"got {show(value)}; {item.details['msg'][:1].lower()}{item.details['msg'][1:]}"
    uses = [mark for mark in _marks(here) if isinstance(mark, Uses)]
    advice = f" (write {{use: {value}}})" if uses and isinstance(value, str) and value.isidentifier() else ""
    return f"got {show(value)}; expected {words(here)}{advice}"


def _marks(hint: Any) -> Iterator[Any]:
    bare, metadata = unwrap(hint)
    yield from metadata
    if len(members(bare)) > 1:
        for member in members(bare):
            yield from _marks(member)


def _wanted(hint: Any, steps: Steps) -> str:
    parent = _descend(hint, steps[:-1])
    kinds = [mark.kind for mark in _marks(parent) if isinstance(mark, Uses)]
    if steps[-1] == "use" and kinds:
        return f"the name of {with_article(kinds[0])}"
    here = _descend(hint, steps)
    return words(here) if here is not None else "a value"


def _keys(hint: Any) -> list[str]:
    bare, _ = unwrap(hint)
    return [key for member in members(bare) for key in (fields_of(unwrap(member)[0]) or {})]


def _keys_hint(hint: Any) -> Iterator[tuple[Any, ...]]:
    from typing import get_args

    bare, _ = unwrap(hint)
    for member in members(bare):
        args = get_args(unwrap(member)[0])
        if len(args) == 2:
            yield args
