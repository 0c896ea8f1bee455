"""Type hints as data: their marks, the way down into them, and what they say in words.

One reading serves the recipe's errors, the overrides, the ``describe`` pages and the search for names that must exist,
so that none of them states again what a constructor already says.
"""

import dataclasses
import functools
import json
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rankhub.catalog.spec import ComponentSpec, Uses
from rankhub.interfaces.options import Refers

KeyPath = tuple[str | int, ...]
"""An address in a recipe: keys and list positions from the top."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Mark of a string: its form in words, for messages, in place of its regular expression."""

    text: str


@dataclass(frozen=True, slots=True)
class Spot:
    """A value whose type hint carries a mark, and its address in the whole."""

    steps: KeyPath
    value: Any
    mark: Any


_LISTS = (Sequence, set, frozenset)


def dotted(steps: Sequence[str | int]) -> str:
    """``phases.0.streams``: the form of overrides and of errors."""
    return ".".join(map(str, steps))


def unwrap(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The hint without ``Annotated``, and all its metadata, the outermost last."""
    if get_origin(hint) is not Annotated:
        return hint, ()
    bare, *metadata = get_args(hint)
    groups = [item.metadata if isinstance(item, FieldInfo) else item for item in metadata]
    return bare, tuple(chain.from_iterable(g if isinstance(g, list | GroupedMetadata) else [g] for g in groups))


def members(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the hint alone, without ``Annotated`` around it."""
    bare, _ = unwrap(hint)
    return get_args(bare) if get_origin(bare) in (Union, types.UnionType) else (bare,)


def fields_of(bare: Any) -> dict[str, Any] | None:
    """Key -> hint of a pydantic model or a dataclass; None for any other type."""
    return _fields_of(bare) if isinstance(bare, type) else None


@functools.lru_cache(maxsize=256)
def _fields_of(bare: type) -> dict[str, Any] | None:
    if issubclass(bare, BaseModel):
        names = {info.alias or name: name for name, info in bare.model_fields.items()}
    elif dataclasses.is_dataclass(bare):
        names = {field.name: field.name for field in dataclasses.fields(bare) if field.init}
    else:
        return None
    hints = get_type_hints(bare, include_extras=True)
    return {key: hints[name] for key, name in names.items()}


def step(hint: Any, segment: str | int) -> Any:
    """The hint of what lies at ``segment``; None where nothing can lie there, Any where anything can."""
    bare, *others = members(hint)
    if others:
        return next((inner for one in (bare, *others) if (inner := step(one, segment)) is not None), None)
    if bare is Any:
        return Any
    known = fields_of(bare)
    if known is not None:
        free = issubclass(bare, BaseModel) and bare.model_config.get("extra") == "allow"
        return known.get(str(segment), Any if free else None)
    args = get_args(bare)
    if _is(bare, Mapping):
        return args[1] if args else Any
    if not _is(bare, _LISTS) or not isinstance(segment, int):
        return None
    if _is_fixed(bare):
        return args[segment] if segment < len(args) else None
    return args[0] if args else Any


def walk(hint: Any, value: Any, steps: KeyPath = ()) -> Iterator[Spot]:
    """Every value under ``value`` (plain data of a recipe) whose hint carries a mark, parents first."""
    bare, metadata = unwrap(hint)
    for mark in metadata:
        yield Spot(steps, value, mark)
    if len(members(bare)) > 1:
        for member in members(bare):
            if _fits(member, value):
                yield from walk(member, value, steps)
    elif isinstance(value, Mapping | list):
        for segment, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            below = step(bare, segment)
            if below is not None and below is not Any:
                yield from walk(below, inner, (*steps, segment))


def _fits(member: Any, value: Any) -> bool:
    """Whether plain data of this shape could be meant for this member of a union."""
    bare, _ = unwrap(member)
    takes_keys = fields_of(bare) is not None or _is(bare, Mapping)
    return takes_keys == isinstance(value, Mapping) and _is(bare, _LISTS) == isinstance(value, list)


def _is(bare: Any, types: Any) -> bool:
    origin = get_origin(bare) or bare
    return isinstance(origin, type) and issubclass(origin, types) and origin is not str


def _is_fixed(bare: Any) -> bool:
    """Whether it is a tuple of a fixed number of items."""
    return get_origin(bare) is tuple and get_args(bare)[-1:] not in ((), (Ellipsis,))


_PLAIN = {
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    str: "text",
    type(None): "null",
    Path: "a path",
    Any: "anything",
}
_BOUNDS: dict[type, str] = {
    Gt: "above {0.gt:g}",
    Ge: "at least {0.ge:g}",
    Lt: "below {0.lt:g}",
    Le: "at most {0.le:g}",
    MinLen: "at least {0.min_length}",
    MaxLen: "at most {0.max_length}",
}
_NAMES = {
    "data": "the name of an entry under `data:`",
    "head": "the name of an entry under `heads:`",
    "stream": "the name of a stream",
    "output": "an output: `backbone` or HEAD.OUTPUT",
}


def words(hint: Any) -> str:
    """What a recipe may write for ``hint``: "a number above 0 and at most 1", "one of mean, sum, or null"."""
    bare, metadata = unwrap(hint)
    for mark in metadata:
        if isinstance(mark, Uses):
            return f"{with_article(mark.kind)}, {{use: NAME, ...}}"
        if isinstance(mark, Refers):
            return _NAMES[mark.to]
        if isinstance(mark, Reads):
            return mark.text
    if len(members(bare)) > 1:
        # null reads best at the end
        parts = sorted(members(bare), key=lambda member: member is type(None))
        texts = list(dict.fromkeys(words(Annotated[part, *metadata] if metadata else part) for part in parts))
        return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"
    if get_origin(bare) is Literal:
        return _choice(get_args(bare))
    if isinstance(bare, type) and issubclass(bare, Enum):
        return _choice([member.value for member in bare])
    if bare in _PLAIN:
        return _PLAIN[bare] + (_bounded(metadata) if bare in (int, float) else "")
    return _structure(bare, _bounded(metadata))


def _structure(bare: Any, bounds: str) -> str:
    args = get_args(bare)
    if isinstance(bare, type) and issubclass(bare, ComponentSpec):
        return "a component, {use: NAME, ...}"
    known = fields_of(bare)
    if known is not None:
        return f"a mapping with the keys {', '.join(known)}"
    if _is(bare, Mapping):
        inner = unwrap(args[1])[0] if args else Any
        simple = inner in _PLAIN and inner is not Any
        return f"a mapping{bounds}" + (f" from names to {words(args[1])}" if simple else "")
    if _is_fixed(bare):
        texts = [words(arg) for arg in args]
        return f"a list of {len(args)}: " + (f"each {texts[0]}" if len(set(texts)) == 1 else ", ".join(texts))
    if _is(bare, _LISTS):
        if not args or args[0] is Any:
            return f"a list{bounds}"
        return f"a list{bounds}, each {'a mapping' if fields_of(unwrap(args[0])[0]) else words(args[0])}"
    return f"a {getattr(bare, '__name__', bare)}"


def _bounded(metadata: Sequence[Any]) -> str:
    texts = [_BOUNDS[type(item)].format(item) for item in metadata if type(item) in _BOUNDS]
    return f" {'of ' if texts[0].startswith('at ') else ''}{' and '.join(texts)}" if texts else ""


def _choice(values: Sequence[Any]) -> str:
    texts = [json.dumps(value) if isinstance(value, bool | None) else str(value) for value in values]
    return f"one of {', '.join(texts)}" if len(texts) > 1 else texts[0]


def with_article(noun: str) -> str:
    """``a loss``, ``an evaluator``."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
