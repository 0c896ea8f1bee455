"""``{like: OTHER, option: value}``: a data set or a stream that differs from another in a few keys."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from rankhub.catalog.complaints import show
from rankhub.catalog.nearest import suggestion
from rankhub.recipe.reader import Document
from rankhub.recipe.report import Problem

KEY = "like"
PLACES: Mapping[str, tuple[str, str]] = {"data": ("data set", "use"), "streams": ("stream", "data")}
"""Where an entry may be like another: what such an entry is called, and the key that it must get from there."""


def expand_like(document: Document) -> list[Problem]:
    """Give each entry that says ``like: OTHER`` the keys of OTHER that it does not state.

    Changes ``document`` in place. What was inherited is remembered, so that what is wrong with it is reported
    once and where it is written.

    Returns:
        The entries whose ``like`` cannot be followed; they keep it.
    """
    problems = []
    for place in PLACES:
        entries = document.data.get(place)
        if not isinstance(entries, dict):
            continue
        written = dict(entries)
        for name, entry in written.items():
            if not isinstance(entry, dict) or KEY not in entry:
                continue
            other = entry[KEY]
            objection = _objection(place, name, written)
            if objection:
                problems.append(document.problem((place, name, KEY), objection))
                continue
            own = {key: value for key, value in entry.items() if key != KEY}
            taken = {key: value for key, value in entries[other].items() if key not in own}
            entries[name] = {**copy.deepcopy(taken), **own}
            document.inherited.update({(place, name, key): (place, other, key) for key in taken})
    return problems


def source_of(data: Mapping[str, Any], place: str, name: str) -> Mapping[str, Any]:
    """The entry that another one is like; empty where it is like none, or that one is not there."""
    entries = data.get(place)
    entry = entries.get(name) if place in PLACES and isinstance(entries, dict) else None
    other = entry.get(KEY) if isinstance(entry, dict) else None
    found = entries.get(other) if isinstance(entries, dict) and isinstance(other, str) else None
    return found if isinstance(found, dict) else {}


def _objection(place: str, name: str, entries: Mapping[str, Any]) -> str | None:
    """The sentence against what an entry is like; None if it can be followed."""
    noun, needed = PLACES[place]
    entry = entries[name]
    other = entry[KEY]
    if needed in entry and place == "data":
        return "`use` and `like` stand together; an entry takes `use` from the one it is like"
    if not isinstance(other, str):
        return f"got {show(other)}; expected the name of another entry under `{place}:`"
    whole = [known for known, value in entries.items() if isinstance(value, dict) and KEY not in value]
    names = [known for known in whole if needed in entries[known]]
    if other == name:
        return f"{name!r} is like itself{suggestion('', names)}"
    if other not in entries:
        return f"no {noun} is called {other!r}{suggestion(other, names)}"
    if isinstance(entries[other], dict) and KEY in entries[other]:
        return f"{other!r} is itself like another; name an entry that has `{needed}`{suggestion('', names)}"
    if other not in names:
        return f"{other!r} has no `{needed}` that could be taken over"
    return None
