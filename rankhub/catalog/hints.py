"""Type hints as data: their marks, the way down into them, and what they say in words.

One reading of the hints serves the recipe's errors, the overrides, the ``describe`` pages and the search for
names that must exist, so that none of them states again what a constructor already says.
"""

from __future__ import annotations

import dataclasses
import functools
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from annotated_types import Ge, GroupedMetadata, Gt, Le, Lt, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from rankhub.catalog.spec import ComponentSpec, Uses
from rankhub.interfaces.options import Refers

Steps = tuple[str | int, ...]
"""A place in a recipe: keys and list positions from the top."""


@dataclass(frozen=True, slots=True)
class Reads:
    """Says in words what a string must look like, where its pattern would say it in signs."""

    text: str


@dataclass(frozen=True, slots=True)
class Spot:
    """A marked value inside a larger one, and the hint that carries the mark."""

    steps: Steps
    value: Any
    mark: Any
    hint: Any


def dotted(steps: Sequence[str | int]) -> str:
    """``phases.0.streams``: the form of overrides and of errors."""
    return ".".join(map(str, steps))


def unwrap(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """The hint without ``Annotated``, and all its metadata, the outermost last."""
    metadata: list[Any] = []
    while get_origin(hint) is Annotated:
        hint, *own = get_args(hint)
        metadata[:0] = own
    flat: list[Any] = []
    for item in metadata:
        if isinstance(item, FieldInfo):
            flat.extend(item.metadata)
        elif isinstance(item, GroupedMetadata):
            flat.extend(item)
        else:
            flat.append(item)
    return hint, tuple(flat)


def members(hint: Any) -> tuple[Any, ...]:
    """The members of a union, or the hint alone. ``hint`` has no ``Annotated`` around it."""
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def fields_of(bare: Any) -> dict[str, Any] | None:
    """Key -> hint of a pydantic model or a dataclass; None for any other type."""
    return _fields_of(bare) if isinstance(bare, type) else None


@functools.lru_cache(maxsize=256)
def _fields_of(bare: type) -> dict[str, Any] | None:
    if issubclass(bare, BaseModel):
        hints = get_type_hints(bare, include_extras=True)
        return {info.alias or name: hints[name] for name, info in bare.model_fields.items()}
    if dataclasses.is_dataclass(bare):
        hints = get_type_hints(bare, include_extras=True)
        return {field.name: hints[field.name] for field in dataclasses.fields(bare) if field.init}
    return None


def step(hint: Any, segment: str | int) -> Any:
    """The hint of what lies at ``segment``; None where nothing can lie there, Any where anything can."""
    bare, _ = unwrap(hint)
    if bare is Any:
        return Any
    if len(members(bare)) > 1:
        found = [inner for inner in (step(member, segment) for member in members(bare)) if inner is not None]
        return found[0] if found else None
    known = fields_of(bare)
    if known is not None:
        free = issubclass(bare, BaseModel) and bare.model_config.get("extra") == "allow"
        return known.get(str(segment), Any if free else None)
    origin, args = get_origin(bare) or bare, get_args(bare)
    if _is(origin, Mapping):
        return args[1] if args else Any
    if origin is tuple and args and args[-1] is not Ellipsis:
        return args[segment] if isinstance(segment, int) and segment < len(args) else None
    if _is(origin, Sequence | set | frozenset) and origin is not str and isinstance(segment, int):
        return args[0] if args else Any
    return None


def walk(hint: Any, value: Any, steps: Steps = ()) -> Iterator[Spot]:
    """Every value under ``value`` (plain data of a recipe) whose hint carries a mark, parents first."""
    bare, metadata = unwrap(hint)
    for mark in metadata:
        yield Spot(steps, value, mark, hint)
    if len(members(bare)) > 1:
        for member in members(bare):
            if _fits(member, value):
                yield from walk(member, value, steps)
        return
    if isinstance(value, Mapping):
        pairs: Sequence[tuple[str | int, Any]] = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value))
    else:
        return
    for segment, inner in pairs:
        below = step(bare, segment)
        if below is not None and below is not Any:
            yield from walk(below, inner, (*steps, segment))


def _fits(member: Any, value: Any) -> bool:
    """Whether plain data of this shape could be meant for this member of a union."""
    bare, _ = unwrap(member)
    origin = get_origin(bare) or bare
    takes_keys = fields_of(bare) is not None or _is(origin, Mapping)
    takes_items = origin is not str and _is(origin, Sequence | set | frozenset)
    return takes_keys == isinstance(value, Mapping) and takes_items == isinstance(value, list)


def _is(origin: Any, base: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, base)


_PLAIN = {
    float: "a number",
    int: "a whole number",
    bool: "true or false",
    str: "text",
    type(None): "null",
    Path: "a path",
    Any: "anything",
}
_BOUNDS = {Gt: ("gt", "above"), Ge: ("ge", "at least"), Lt: ("lt", "below"), Le: ("le", "at most")}
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
    origin, args = get_origin(bare) or bare, get_args(bare)
    if origin is Literal:
        return _choice([_literal(arg) for arg in args])
    if isinstance(bare, type) and issubclass(bare, Enum):
        return _choice([_literal(member.value) for member in bare])
    if bare in _PLAIN:
        return _PLAIN[bare] + (_bounded(metadata) if bare in (int, float) else "")
    return _structure(bare, origin, args, metadata)


def _structure(bare: Any, origin: Any, args: tuple[Any, ...], metadata: tuple[Any, ...]) -> str:
    if isinstance(bare, type) and issubclass(bare, ComponentSpec):
        return "a component, {use: NAME, ...}"
    known = fields_of(bare)
    if known is not None:
        return f"a mapping with the keys {', '.join(known)}"
    if _is(origin, Mapping):
        inner = unwrap(args[1])[0] if args else Any
        simple = inner in _PLAIN and inner is not Any
        return f"a mapping{_counted(metadata)}" + (f" from names to {words(args[1])}" if simple else "")
    if origin is tuple and args and args[-1] is not Ellipsis:
        inner = list(dict.fromkeys(words(arg) for arg in args))
        return f"a list of {len(args)}: " + (f"each {inner[0]}" if len(inner) == 1 else ", ".join(map(words, args)))
    if _is(origin, Sequence | set | frozenset):
        each = ""
        if args and args[0] is not Any:
            each = f", each {'a mapping' if fields_of(unwrap(args[0])[0]) else words(args[0])}"
        return f"a list{_counted(metadata)}{each}"
    return f"a {getattr(bare, '__name__', bare)}"


def _bounded(metadata: Sequence[Any]) -> str:
    texts = []
    for item in metadata:
        if type(item) in _BOUNDS:
            attribute, word = _BOUNDS[type(item)]
            texts.append(f"{word} {getattr(item, attribute):g}")
    if not texts:
        return ""
    return f" {'of ' if texts[0].startswith('at ') else ''}{' and '.join(texts)}"


def _counted(metadata: Sequence[Any]) -> str:
    least = [f"at least {m.min_length}" for m in metadata if isinstance(m, MinLen) and m.min_length]
    most = [f"at most {m.max_length}" for m in metadata if isinstance(m, MaxLen)]
    return f" of {' and '.join(least + most)}" if least or most else ""


def _choice(texts: Sequence[str]) -> str:
    return f"one of {', '.join(texts)}" if len(texts) > 1 else texts[0]


def _literal(value: Any) -> str:
    return {True: "true", False: "false", None: "null"}[value] if isinstance(value, bool | None) else str(value)


def with_article(noun: str) -> str:
    """``a loss``, ``an evaluator``."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"
