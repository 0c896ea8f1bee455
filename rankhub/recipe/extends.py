"""``extends: OTHER``: a recipe that says only in what it differs from another, or what a shared block leaves open."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.complaints import show
from rankhub.catalog.hints import Steps
from rankhub.interfaces.errors import UserError
from rankhub.recipe.phases import CHOICE, OF_THE_PHASE, PHASES, STREAMS
from rankhub.recipe.reader import Document, read
from rankhub.recipe.report import Place, RecipeErrors
from rankhub.recipe.schema import LENGTHS
from rankhub.recipe.shipped import Source, find

KEY = "extends"
OWN = frozenset({"name", "description"})
"""Keys that say which recipe this is; they are not taken over from the one that is extended."""

_SAYS_WHICH = ("use", "like")
"""Keys that say whose options stand beside them."""


def expand_extends(document: Document, source: Source, catalog: Catalog) -> Source | None:
    """Put what the recipe extends under what it says itself. Changes ``document`` in place.

    - A mapping is merged with the mapping in its place, key by key, at any depth; but one with another ``use`` or
      ``like`` replaces it whole, so that no option of one component reaches another.
    - Lists of mappings with ``name`` (phases) are merged by that name; names that are new come last.
    - A mapping over a list of names (the streams of a phase) says what differs for some of them.
    - Anything else, other lists among it, replaces what was in its place.
    - ``steps``, ``epochs`` and ``phases`` are one choice: whoever sets one replaces the others.

    What is taken over keeps its file and line. ``name`` and ``description`` are not taken over.

    Args:
        document: A recipe as it was read.
        source: Where it was read from.
        catalog: The plugins, which bring what can be extended.

    Returns:
        The file that is extended; None without ``extends``.

    Raises:
        RecipeErrors: ``extends`` cannot be followed, so that nothing else can be judged.
    """
    if KEY not in document.data:
        return None
    other = document.data[KEY]
    if not isinstance(other, str) or not other:
        text = f"got {show(other)}; expected the name of a recipe or block that comes along, or a file's path"
        raise _refused(document, text)
    try:
        found = find(other, catalog, "block", "recipe", beside=source)
    except UserError as error:
        raise _refused(document, str(error)) from error
    if None not in (source.path, found.path) and Path(str(found.path)).resolve() == Path(str(source.path)).resolve():
        raise _refused(document, "a recipe cannot extend itself")
    base = read(found.text, found.file, origin=found.origin)
    if KEY in base.data:
        what = f"{found.file} extends {show(base.data[KEY])} itself, and a recipe that is extended may not"
        raise _refused(document, f"{what}; write what is needed of it into one of the two")
    del document.data[KEY]
    replaced = _replaced(document.data)
    base.data = {key: value for key, value in base.data.items() if key not in OWN and key not in replaced}
    merge = _Merge(base, document)
    document.data = merge.mappings(base.data, document.data, (), (), ())
    document.places = merge.places
    return found


def base_of(source: Source, catalog: Catalog) -> Source | None:
    """The file that a recipe extends; None if it extends nothing.

    Raises:
        UserError: It cannot be found.
        RecipeErrors: The recipe cannot be read.
    """
    other = read(source.text, source.file).data.get(KEY)
    return find(other, catalog, "block", "recipe", beside=source) if isinstance(other, str) else None


def with_base(text: str, other: str) -> str:
    """A recipe's text, comments and all, with another name behind ``extends:``."""
    return re.sub(rf"(?m)^{KEY}:[^#\n]*?(?=\s*(#|$))", f"{KEY}: {other}", text, count=1)


def _replaced(own: Mapping[str, Any]) -> set[str]:
    """Keys of the base that say how long it trains, where the recipe says that itself."""
    said = {key for key in CHOICE if key in own}
    if not said:
        return set()
    return {*CHOICE, *(OF_THE_PHASE if PHASES in said else ())} - said


def _refused(document: Document, text: str) -> RecipeErrors:
    return RecipeErrors([document.problem((KEY,), text)])


class _Merge:
    """Merges ``own`` over ``base``; the data of both must not be used afterwards.

    Three places go down together: that in the base, that in the recipe itself and that in the outcome. They
    differ below lists that are merged by name.

    Attributes:
        places: Where the entries of the outcome stand.
    """

    def __init__(self, base: Document, own: Document) -> None:
        self.base = base
        self.own = own
        self.places: dict[Steps, Place] = {}

    def value(self, base: Any, own: Any, in_base: Steps, in_own: Steps, to: Steps) -> Any:
        if in_own[:1] == (PHASES,) and in_own[2:] == (STREAMS,) and isinstance(own, dict) and _are_names(base):
            base = {name: {} for name in base}
        if isinstance(base, dict) and isinstance(own, dict) and not _another(base, own):
            return self.mappings(base, own, in_base, in_own, to)
        if _named(base) and _named(own):
            return self.lists(base, own, in_base, in_own, to)
        return self.take(self.own, own, in_own, to)

    def mappings(
        self, base: dict[str, Any], own: dict[str, Any], in_base: Steps, in_own: Steps, to: Steps
    ) -> dict[str, Any]:
        self._place(self.own, in_own, to)
        if in_own[:-1] == (PHASES,) and any(own.get(key) is not None for key in LENGTHS):
            base = {key: value for key, value in base.items() if key not in LENGTHS}
        merged: dict[str, Any] = {}
        for key in [*base, *(key for key in own if key not in base)]:
            there, here, below = (*in_base, key), (*in_own, key), (*to, key)
            if key not in own:
                merged[key] = self.take(self.base, base[key], there, below)
            elif key not in base:
                merged[key] = self.take(self.own, own[key], here, below)
            else:
                merged[key] = self.value(base[key], own[key], there, here, below)
        return merged

    def lists(self, base: list[Any], own: list[Any], in_base: Steps, in_own: Steps, to: Steps) -> list[Any]:
        self._place(self.own, in_own, to)
        # A name that stands twice is an error, and both items stay, to be reported as such.
        mine = {key: number for number, key in enumerate(_numbered(own))}
        theirs = _numbered(base)
        merged: list[Any] = []
        for number, (item, key) in enumerate(zip(base, theirs, strict=True)):
            there, below = (*in_base, number), (*to, number)
            if key in mine:
                merged.append(self.value(item, own[mine[key]], there, (*in_own, mine[key]), below))
            else:
                merged.append(self.take(self.base, item, there, below))
        for key, number in mine.items():
            if key not in theirs:
                merged.append(self.take(self.own, own[number], (*in_own, number), (*to, len(merged))))
        return merged

    def take(self, document: Document, value: Any, source: Steps, to: Steps) -> Any:
        """``value`` as it is, with the places of all that is in it."""
        self._place(document, source, to)
        pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for segment, inner in pairs:
            self.take(document, inner, (*source, segment), (*to, segment))
        return value

    def _place(self, document: Document, source: Steps, to: Steps) -> None:
        if source in document.places:
            self.places[to] = document.places[source]


def _another(base: dict[str, Any], own: dict[str, Any]) -> bool:
    """Whether ``own`` says that it is another component than ``base``."""
    return any(key in own and own[key] != base.get(key) for key in _SAYS_WHICH)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _named(value: Any) -> bool:
    """Whether ``value`` is a list whose items go by their names."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(item, dict) and isinstance(item.get("name"), str) for item in value)
    )


def _numbered(items: list[Any]) -> list[tuple[str, int]]:
    """The name of each item, and how often it stood before."""
    seen: Counter[str] = Counter()
    keys = []
    for item in items:
        keys.append((item["name"], seen[item["name"]]))
        seen[item["name"]] += 1
    return keys
