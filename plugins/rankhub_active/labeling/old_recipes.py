"""Recipes of before streams stood at the top, in the form that they have now.

Folders of labeling were made with them. What stands in a recipe is kept as it is written, number by number, but for
comments.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import yaml

import rankhub
from rankhub import Catalog
from rankhub.interfaces.kinds import Kind

KeyPath = tuple[str | int, ...]

_MAYBE = re.compile(r"\bloss\b")
_MANY = 100_000
"""Entries beyond which aliases must have multiplied a file."""
_CHANGED = ("batch_size", "accumulate", "statistics")
"""What a phase may change of a stream."""


class _Written(str):
    """A scalar as it is written: the same text, quoted or not, is written again."""

    node: yaml.ScalarNode


class _OldRecipeDumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


_OldRecipeDumper.add_representer(_Written, lambda dumper, scalar: scalar.node)


@dataclass(frozen=True, slots=True)
class Converted:
    """A recipe in its new form.

    Attributes:
        text: YAML.
        losses: Old beginning of the names of a loss's parameters -> the new one. Phases that share a stream now share
            its losses, of which the last phase's come last here.
    """

    text: str
    losses: Mapping[str, str]


def convert(text: str) -> Converted | None:
    """A recipe in its new form; None if it has that already, or is no recipe."""
    if not _MAYBE.search(text):
        return None
    try:
        recipe = _read(yaml.compose(text, Loader=yaml.SafeLoader), count())
    except (yaml.YAMLError, RecursionError):
        return None  # what is wrong with it is said where it is loaded
    found = list(_streams(recipe.get("phases"))) if isinstance(recipe, dict) else []
    if not found or not all(_is_old(stream) for _, _, stream in found):
        return None
    losses: dict[str, str] = {}
    streams: dict[str, Any] = {}
    names = {name for _, name, _ in found}
    for phase, name, old in found:
        stream = {**old, "objectives": [_flat(objective) for objective in old["objectives"]]}
        shared, use = _named(streams, names, name, stream)
        streams.setdefault(shared, stream)
        _use(phase, name, shared, use)
        for number, label in enumerate(_labels([objective["use"] for objective in stream["objectives"]])):
            losses[f"losses.{phase['name']}.{name}.{number}"] = f"losses.{shared}.{label}"
    for phase in recipe["phases"]:
        for key in ("freeze", "reset", "lr_scale"):
            if key in phase:
                phase[key] = _renamed(phase[key], losses)
    best = recipe.get("keep_best")
    if isinstance(best, str) and (renamed := re.sub(r" (\d+)(?=\.|$)", r"_\1", best)) != best:
        recipe["keep_best"] = renamed
    entries, index = list(recipe.items()), list(recipe).index("phases")
    recipe = dict([*entries[:index], ("streams", streams), *entries[index:]])
    _own(recipe, _owners())
    return Converted(yaml.dump(recipe, Dumper=_OldRecipeDumper, sort_keys=False, allow_unicode=True, width=120), losses)


def _read(node: yaml.Node | None, entries: Iterator[int]) -> Any:
    if next(entries) > _MANY:
        raise yaml.YAMLError("aliases blow it up")
    if isinstance(node, yaml.MappingNode):
        return {key.value: _read(value, entries) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_read(item, entries) for item in node.value]
    if not isinstance(node, yaml.ScalarNode):
        return None
    scalar = _Written(node.value)
    scalar.node = node
    return scalar


def _streams(phases: Any) -> Iterator[tuple[Any, str, Any]]:
    for phase in phases if isinstance(phases, list) else ():
        streams = phase.get("streams") if isinstance(phase, dict) else None
        for name, stream in streams.items() if isinstance(streams, dict) else ():
            yield phase, name, stream


def _is_old(stream: Any) -> bool:
    objectives = stream.get("objectives") if isinstance(stream, dict) else None
    return isinstance(objectives, list) and all(isinstance(one, dict) and "loss" in one for one in objectives)


def _flat(objective: Mapping[str, Any]) -> dict[str, Any]:
    """An objective as its loss."""
    loss = objective["loss"] if isinstance(objective["loss"], dict) else {"use": objective["loss"]}
    return {**loss, **{key: value for key, value in objective.items() if key != "loss"}}


def _named(
    streams: Mapping[str, Any], names: Container[str], name: str, stream: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """What a stream of a phase is called now, beside ``streams`` of phases before, and what the phase says of it."""
    own = (name if number == 1 else f"{name}_{number}" for number in count(1))
    for label in (each for each in own if each == name or each not in names):
        if label not in streams:
            return label, {}
        if (use := _difference(streams[label], stream)) is not None:
            return label, use
    raise AssertionError("there are names without end")


def _difference(known: Mapping[str, Any], stream: Mapping[str, Any]) -> dict[str, Any] | None:
    """What a phase says of a known stream to have this one; None if it cannot."""
    if any(known.get(key) != stream.get(key) for key in ("data", "generator")):
        return None
    factor = _factor(known["objectives"], stream["objectives"])
    if factor is None or any(key in known and key not in stream for key in _CHANGED):
        return None
    use = {key: stream[key] for key in _CHANGED if key in stream and known.get(key) != stream[key]}
    return use if factor == 1 else {"weight": factor, **use}


def _factor(known: list[dict[str, Any]], objectives: list[dict[str, Any]]) -> float | None:
    """By what the weights of the known objectives are to be multiplied; None if these are others."""

    def rest(objective: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in objective.items() if key != "weight"}

    before, after = ([one.get("weight", "1.0") for one in each] for each in (known, objectives))
    if [rest(one) for one in known] != [rest(one) for one in objectives]:
        return None
    if before == after:
        return 1
    try:
        old, new = ([float(weight) for weight in each] for each in (before, after))
    except (TypeError, ValueError):  # schedules
        return None
    factor = new[0] / old[0] if old[0] else 0.0
    return factor if [weight * factor for weight in old] == new else None


def _use(phase: dict[str, Any], name: str, shared: str, use: Mapping[str, Any]) -> None:
    """Let a phase name a stream in the place of its own."""
    phase["streams"] = {
        shared if key == name else key: dict(use) if key == name else value for key, value in phase["streams"].items()
    }
    if phase.get("clock") == name:
        phase["clock"] = shared


def _labels(uses: list[str]) -> list[str]:
    names = [use.rpartition("/")[2] for use in uses]
    numbers = [names[: index + 1].count(name) for index, name in enumerate(names)]
    return [name if number == 1 else f"{name}_{number}" for name, number in zip(names, numbers, strict=True)]


def _renamed(patterns: Any, losses: Mapping[str, str]) -> Any:
    """Patterns of parameters, as a list or as the keys of a mapping."""

    def rename(pattern: str) -> str:
        for old, new in losses.items():
            if pattern == old or pattern.startswith(f"{old}."):
                return new + pattern[len(old) :]
        return pattern

    if isinstance(patterns, dict):
        return {rename(pattern): value for pattern, value in patterns.items()}
    return [rename(pattern) for pattern in patterns] if isinstance(patterns, list) else patterns


def _owners() -> Callable[[KeyPath, str], list[str]]:
    """The plugins that give a component: its address and name -> owners."""
    catalog, found = Catalog.discover(), dict[tuple[str, str], list[str]]()
    for one in rankhub.list_components(catalog=catalog):
        found.setdefault((one.kind, one.name.rpartition("/")[2]), []).append(one.owner)
    return lambda path, name: found.get((_kind(path, catalog.kinds), name), [])


def _own(here: Any, owners: Callable[[KeyPath, str], list[str]], path: KeyPath = ()) -> None:
    """Let every ``OWNER/NAME`` whose owner gives it no more name the plugin that does, where there is one."""
    if isinstance(here, list):
        for number, item in enumerate(here):
            _own(item, owners, (*path, number))
    if not isinstance(here, dict):
        return
    for key, value in here.items():
        _own(value, owners, (*path, key))
    owner, slash, name = str(here.get("use", "")).rpartition("/")
    if slash:
        there = owners(path, name)
        if owner not in there and len(there) == 1:
            here["use"] = f"{there[0]}/{name}"


def _kind(path: KeyPath, kinds: Mapping[str, Kind]) -> str:
    """The kind of a component by its address; inside another component it is a schedule."""
    for kind in kinds.values():
        pattern = kind.address.replace("[]", ".[]").split(".")
        if len(pattern) == len(path) and all(map(_fits, pattern, path)):
            return kind.name
    return str(path[-1]) if path and path[-1] in kinds else "schedule"


def _fits(pattern: str, step: str | int) -> bool:
    return isinstance(step, int) if pattern == "[]" else pattern in ("*", step)
