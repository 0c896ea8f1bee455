"""``extends: OTHER``, a recipe, and ``{like: OTHER}``, a data set or stream, that say only in what they differ."""

import copy
from collections.abc import Mapping
from typing import Any

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.complaints import show
from rankhub.catalog.hints import KeyPath
from rankhub.catalog.nearest import suggestion
from rankhub.interfaces.errors import UserError
from rankhub.recipe.phases import CHOICE, OF_THE_PHASE, PHASES, STREAMS
from rankhub.recipe.reader import Document, at, mapping_at, read_yaml
from rankhub.recipe.report import Problem, RecipeErrors
from rankhub.recipe.schema import LENGTHS
from rankhub.recipe.shipped import Source, find

EXTENDS, LIKE = "extends", "like"
OWN = frozenset({"name", "description"})
"""Keys that say which recipe this is; they are not taken over from the one that is extended."""

SECTIONS: Mapping[str, tuple[str, str]] = {"data": ("data set", "use"), "streams": ("stream", "data")}
"""Where an entry may be like another: what such an entry is called, and the key that it must get from there."""


def expand_extends(document: Document, source: Source, catalog: Catalog) -> Source | None:
    """Put what the recipe extends under what it says itself, in place; returns that file, None without ``extends``.

    - A mapping is merged with the mapping in its place, key by key, at any depth; but one with another ``use`` or
      ``like`` replaces it whole, so that no option of one component reaches another.
    - Lists of mappings with ``name`` (phases) are merged by that name; names that are new come last.
    - A mapping over a list of names (the streams of a phase) says what differs for some of them.
    - Anything else, other lists among it, replaces what was in its place.
    - ``steps``, ``epochs`` and ``phases`` are one choice: whoever sets one replaces the others.

    What is taken over keeps its file and line. ``name`` and ``description`` are not taken over.

    Raises:
        RecipeErrors: ``extends`` cannot be followed, so that nothing else can be judged.
    """
    if EXTENDS not in document.data:
        return None
    other = document.data[EXTENDS]
    if not isinstance(other, str) or not other:
        text = f"got {show(other)}; expected the name of a recipe or block that comes along, or a file's path"
        raise _refused(document, text)
    try:
        found = find(other, catalog, "block", "recipe", beside=source)
    except UserError as error:
        raise _refused(document, str(error)) from error
    if source.path and found.path and found.path.resolve() == source.path.resolve():
        raise _refused(document, "a recipe cannot extend itself")
    base = read_yaml(found.text, found.file, origin=found.origin)
    if EXTENDS in base.data:
        what = f"{found.file} extends {show(base.data[EXTENDS])} itself, and a recipe that is extended may not"
        raise _refused(document, f"{what}; write what is needed of it into one of the two")
    del document.data[EXTENDS]
    given = {key for key in CHOICE if key in document.data}
    replaced = {*CHOICE, *(OF_THE_PHASE if PHASES in given else ())} - given if given else set()
    for key in OWN | replaced:
        base.data.pop(key, None)
        base.forget((key,))
    document.data = _merged(base, document, (), base.data, document.data)
    document.locations = base.locations
    return found


def _refused(document: Document, text: str) -> RecipeErrors:
    return RecipeErrors([document.problem((EXTENDS,), text)])


def _merged(base: Document, own: Document, steps: KeyPath, under: Any, over: Any) -> Any:
    """What ``own`` has at ``steps`` over what ``base`` has there, whose data and locations become those of both."""
    uses = steps[:1] == (PHASES,) and steps[2:] == (STREAMS,) and isinstance(over, dict)
    if uses and isinstance(under, list) and all(isinstance(name, str) for name in under):
        base.move(steps, dict(enumerate(under)))
        under = {name: {} for name in under}
    if isinstance(under, dict) and isinstance(over, dict) and not (steps and _says_another(under, over)):
        base.locations |= {steps: own.location(steps)}
        if steps[:-1] == (PHASES,) and any(over.get(key) is not None for key in LENGTHS):
            for key in LENGTHS:
                under.pop(key, None)
                base.forget((*steps, key))
        for key, value in over.items():
            under[key] = _merged(base, own, (*steps, key), under.get(key), value)
        return under
    if _named(under) and _named(over):
        # A name that stands twice is an error, and both items stay, to be reported as such.
        names, mine = _numbered(under), _numbered(over)
        names += [name for name in mine if name not in names]
        own.move(steps, {number: names.index(name) for number, name in enumerate(mine)})
        base.locations |= {steps: own.location(steps)}
        for name, value in zip(mine, over, strict=True):
            position = names.index(name)
            below = under[position : position + 1] or [None]
            under[position : position + 1] = [_merged(base, own, (*steps, position), below[0], value)]
        return under
    base.take(own, steps)
    return over


def _says_another(under: dict[str, Any], over: dict[str, Any]) -> bool:
    """Whether ``over`` says that the options beside it are those of another component, or another entry's."""
    return any(key in over and over[key] != under.get(key) for key in ("use", LIKE))


def _named(value: Any) -> bool:
    """Whether this is a list whose items go by their names."""
    return isinstance(value, list) and bool(value) and all(isinstance(at(item, ("name",)), str) for item in value)


def _numbered(items: list[Any]) -> list[tuple[str, int]]:
    """The name of each item, and how often it stood before."""
    names = [item["name"] for item in items]
    return [(name, names[:number].count(name)) for number, name in enumerate(names)]


def expand_like(document: Document) -> list[Problem]:
    """Give each entry that says ``like: OTHER`` the keys of OTHER that it does not state, in place.

    What was inherited is remembered, so that what is wrong with it is reported once and where it is written. Returned
    are the entries whose ``like`` cannot be followed; they keep it.
    """
    problems = []
    for section in SECTIONS:
        entries = mapping_at(document.data, section)
        written = dict(entries)
        for name, entry in written.items():
            if not isinstance(entry, dict) or LIKE not in entry:
                continue
            objection = _objection(section, name, written)
            if objection:
                problems.append(document.problem((section, name, LIKE), objection))
                continue
            other, own = entry[LIKE], {key: value for key, value in entry.items() if key != LIKE}
            taken = {key: value for key, value in entries[other].items() if key not in own}
            entries[name] = {**copy.deepcopy(taken), **own}
            document.inherited.update({(section, name, key): (section, other, key) for key in taken})
    return problems


def source_of(data: Any, steps: KeyPath) -> Mapping[str, Any]:
    """The entry that the one at ``steps`` is like; empty where it is like none, or that one is not there."""
    other = at(data, (*steps, LIKE)) if len(steps) == 2 and steps[0] in SECTIONS else None
    return mapping_at(data, steps[0], other) if isinstance(other, str) else {}


def _objection(section: str, name: str, entries: Mapping[str, Any]) -> str | None:
    """The sentence against what an entry is like; None if it can be followed."""
    noun, needed = SECTIONS[section]
    entry = entries[name]
    other = entry[LIKE]
    if needed in entry and section == "data":
        return "`use` and `like` stand together; an entry takes `use` from the one it is like"
    if not isinstance(other, str):
        return f"got {show(other)}; expected the name of another entry under `{section}:`"
    whole = [known for known, value in entries.items() if isinstance(value, dict) and LIKE not in value]
    names = [known for known in whole if needed in entries[known]]
    if other == name:
        return f"{name!r} is like itself{suggestion('', names)}"
    if other not in entries:
        return f"no {noun} is called {other!r}{suggestion(other, names)}"
    if isinstance(entries[other], dict) and LIKE in entries[other]:
        return f"{other!r} is itself like another; name an entry that has `{needed}`{suggestion('', names)}"
    if other not in names:
        return f"{other!r} has no `{needed}` that could be taken over"
    return None
