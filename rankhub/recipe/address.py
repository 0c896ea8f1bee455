"""Dotted paths into a recipe, what ``streams.views.generator.random_views.views`` means, and the labels in them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args, get_origin

from rankhub.catalog.hints import KeyPath, dotted, fields_of, step, unwrap
from rankhub.catalog.nearest import suggestion
from rankhub.recipe.extends import source_of
from rankhub.recipe.phases import OF_A_STREAM, PHASES, STREAMS
from rankhub.recipe.reader import mapping_at

NO_OVERRIDE = "this is no override; expected the form a.b.c=value"
NO_PATH = "this is no path in a recipe; expected the form a.b.c"
EVERY = "*"


def numbered(names: Iterable[str]) -> list[str]:
    """A label for each name: the name, ``NAME_2`` where it stands for the second time, and so on; all differ."""
    listed = list(names)
    found: list[str] = []
    for name in listed:
        number = 1 + sum(other == name for other in listed[: len(found)])
        label = name if number == 1 else f"{name}_{number}"
        while label in found or (label != name and label in listed):  # a component may be called `knn_2` itself
            number += 1
            label = f"{name}_{number}"
        found.append(label)
    return found


def labels_of(items: Sequence[Any]) -> list[str]:
    """The labels of a list's items: the name of a phase, the component of what has ``use``; "" for anything else."""
    entries = [item if isinstance(item, dict) else {} for item in items]
    uses = [entry["use"].rpartition("/")[2] if isinstance(entry.get("use"), str) else "" for entry in entries]
    if not any(uses):  # phases must differ, and are called what they are called
        return [entry["name"] if isinstance(entry.get("name"), str) else "" for entry in entries]
    labels = iter(numbered(name for name in uses if name))
    return [next(labels) if name else "" for name in uses]


class Refused(Exception):
    """A path that leads nowhere: how far it leads, and why."""

    def __init__(self, steps: KeyPath, text: str) -> None:
        super().__init__(text)
        self.steps = steps


def targets(data: dict[str, Any], segments: Sequence[str], shape: Any) -> list[KeyPath]:
    """The addresses that a path means, in a recipe of the long form. Mappings on the way may not be there yet.

    An item of a list goes by its position or by its label: the component's name, ``NAME_2`` for the second of that
    name, the name of a phase. ``*`` means every entry; those behind it that lack an item are passed over. ``shape`` is
    the type of the data, None any mapping. A path to no address is Refused.
    """
    if shape is not None:
        _refuse_old(segments)
    found = list(_below(data, segments, (), data, shape))
    if not found:
        raise Refused((), f"there is nothing that its `{EVERY}` could mean")
    return found


def _below(data: dict[str, Any], segments: Sequence[str], done: KeyPath, here: Any, hint: Any) -> Iterator[KeyPath]:
    """The addresses that a path means, from ``here`` on, which stands at ``done``."""
    if _takes_numbers(hint):  # whose keys are patterns, with dots and stars of their own
        yield (*done, ".".join(segments[len(done) :]))
        return
    segment = segments[len(done)]
    for key in _keys(here, segment, done):
        steps = (*done, key)
        if len(steps) == len(segments):
            yield steps
            continue
        try:
            inner = here.get(key) if isinstance(here, dict) else here[int(key)]
            if inner is None:
                inner = _absent(data, segments, steps, hint)
            yield from _below(data, segments, steps, inner, None if hint is None else step(hint, key))
        except Refused:
            if segment != EVERY:  # the nearest `*` above passes on to its next entry
                raise


def _keys(here: Any, segment: str, done: KeyPath) -> list[str | int]:
    """The keys or positions that one segment of a path means."""
    if isinstance(here, dict):
        return list(here) if segment == EVERY else [segment]
    if not isinstance(here, list):
        raise Refused(done, f"{dotted(done)} is no mapping, so it has no {segment!r}")
    if segment == EVERY:
        return list(range(len(here)))
    labels = labels_of(here)
    if segment in labels:
        return [labels.index(segment)]
    if segment in map(str, range(len(here))):
        return [int(segment)]
    known = [label for label in labels if label]
    there = f"it has 0 to {len(here) - 1}" if here else "it is empty"
    if known and not segment.isdigit():
        there = f"it has {', '.join(known)}" + suggestion(segment, known).partition("; expected")[0]
    raise Refused(done, f"{dotted(done)} is a list, {segment!r} is no item of it; {there}")


def _absent(data: dict[str, Any], segments: Sequence[str], steps: KeyPath, hint: Any) -> Any:
    """What an entry that is not there stands for: that of what its owner is like, or a mapping that will be made."""
    *done, key = steps
    inherited = source_of(data, tuple(done)).get(str(key))
    if inherited is not None:
        if EVERY in segments[: len(done)]:
            raise Refused(steps, "the change of the source reaches its copies")
        return inherited
    if hint is None or hint is Any:
        return {}
    known, below = fields_of(unwrap(hint)[0]), step(hint, key)
    if known is None or below is None:
        names = mapping_at(data, *done) if known is None else known
        raise Refused(steps, f"{dotted(done) or 'a recipe'} has no {key!r}{suggestion(str(key), names)}")
    return [] if get_origin(unwrap(below)[0]) is list else {}


def _takes_numbers(hint: Any) -> bool:
    """Whether this is a mapping from names to numbers."""
    bare = unwrap(hint)[0]
    return get_origin(bare) is dict and unwrap(get_args(bare)[1])[0] is float


def _refuse_old(segments: Sequence[str]) -> None:
    """Paths of before streams stood at the top, each with its new form."""
    path = list(segments)
    if path[0] == PHASES and path[2:3] == [STREAMS] and len(path) > 4 and path[4] in OF_A_STREAM:
        path = [STREAMS, *path[3:]]
    if path[0] == STREAMS and path[2:3] == ["objectives"] and path[4:5] == ["loss"]:
        del path[4]
    if path != list(segments):
        raise Refused((), f"streams stand at the top, and an objective is its loss: write {'.'.join(path)}")
