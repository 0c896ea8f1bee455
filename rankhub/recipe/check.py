"""Checks a recipe before any data are read: all that is wrong with it, at once.

In order: its shape, each component against its constructor, the names that must exist, and meaning. A later
step looks only at parts that passed the earlier ones, so that one error is not reported twice, and at all of
those, so that it hides no other.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from rankhub.catalog.catalog import Catalog, CatalogError, ComponentInfo
from rankhub.catalog.complaints import complaints
from rankhub.catalog.hints import KeyPath, dotted, walk
from rankhub.catalog.nearest import nearest, suggestion
from rankhub.catalog.options import plain, validate_options
from rankhub.catalog.spec import Uses
from rankhub.interfaces.errors import UserError, brief
from rankhub.interfaces.options import Refers
from rankhub.recipe.address import labels_of
from rankhub.recipe.phases import PHASES, STREAMS, is_short
from rankhub.recipe.reader import Document, at, list_at, mapping_at
from rankhub.recipe.report import Problem
from rankhub.recipe.schema import LENGTHS, Recipe, Stream, shape_of

if TYPE_CHECKING:
    from rankhub.interfaces.data import Dataset
    from rankhub.interfaces.model import Backbone


@dataclass(frozen=True, slots=True)
class Checked:
    """A component of the recipe whose options, here with defaults, fit its constructor."""

    entry: ComponentInfo
    options: BaseModel

    def refers(self) -> Iterator[tuple[KeyPath, str, str]]:
        """The names in its options: where they stand, of what they are names, and the names."""
        for spot in walk(type(self.options), plain(self.options)):
            if isinstance(spot.mark, Refers) and isinstance(spot.value, str):
                yield spot.steps, spot.mark.to, spot.value


@dataclass(slots=True)
class Draft:
    """A recipe as data, what is wrong with it so far, and which of its components have passed."""

    document: Document
    catalog: Catalog
    problems: list[Problem] = field(default_factory=list)
    recipe: Recipe | None = None  # once its shape is right
    components: dict[KeyPath, Checked] = field(default_factory=dict)
    wrong: set[KeyPath] = field(default_factory=set)  # addresses at which something is
    shape: type[Recipe] = field(init=False)

    def __post_init__(self) -> None:
        self.shape = shape_of(self.catalog.kinds)
        self.wrong.update(problem.steps for problem in self.problems)

    def add(self, steps: KeyPath, text: str, owner: str = "") -> None:
        """Something is wrong at ``steps``; ``owner`` is by default the plugin of the component there."""
        component = self.components.get(steps)
        self.wrong.add(steps)
        self.problems.append(self.document.problem(steps, text, owner or (component.entry.owner if component else "")))

    def failed(self, steps: KeyPath) -> bool:
        """Whether something is wrong with what stands at ``steps`` or inside it."""
        return any(known[: len(steps)] == steps for known in self.wrong)

    def resolved(self) -> dict[str, Any]:
        """The recipe's data with every component that passed as ``owner/name``, with all its options."""
        data = copy.deepcopy(self.document.data)
        for steps, component in sorted(self.components.items(), key=lambda item: len(item[0])):
            # The schedules among the options follow: their addresses are longer.
            at(data, steps).update({"use": component.entry.full_name, **plain(component.options)})
        return data

    def mapping(self, *steps: str | int) -> dict[str, Any]:
        """The mapping at ``steps``; empty if no mapping stands there."""
        return mapping_at(self.document.data, *steps)


def check(draft: Draft, *, need_data: bool = False) -> None:
    """Add everything that is wrong to ``draft.problems``; with ``need_data`` also data that are not there.

    Without problems ``draft.recipe`` is the recipe.
    """
    check_shape(draft)
    check_components(draft)
    check_names(draft)
    _point_deeper(draft)
    from rankhub.recipe.meaning import check_meaning  # imports torch, which a typo must not wait for

    parts = check_meaning(draft)
    if need_data:
        for name in () if draft.recipe is None else draft.recipe.data.keys() - draft.recipe.used_data:
            parts.pop(("data", name), None)
        draft.problems.extend(missing(draft.document, parts))


def _point_deeper(draft: Draft) -> None:
    """For a key that is not where it was looked for, name the paths that end as it does, as an override has them."""
    paths: dict[str, None] = {}
    for number, problem in enumerate(draft.problems):
        if not re.match(r"unknown (key|option) |.* has no '", problem.text) or "did you mean" in problem.text:
            continue
        streams = (f"{STREAMS}.{name}.{key}" for name in draft.mapping(STREAMS) for key in Stream.model_fields)
        paths = paths or dict.fromkeys([*streams, *_paths(draft.resolved())])
        typed, equals, value = (problem.location.override or dotted(problem.steps)).partition("=")
        tails = ["." + ".".join(typed.split(".")[start:]) for start in range(typed.count(".") + 1)]
        found = next(filter(None, ([path for path in paths if path.endswith(t) and path != typed] for t in tails)), [])
        if found:
            said = problem.text.partition("; ")[0] if len(problem.steps) < 2 else problem.text
            meant = " or ".join(f"{path}{equals}{value}" for path in found[:3])
            draft.problems[number] = replace(problem, text=f"{said}; did you mean {meant}?")


def _paths(value: Any, before: str = "") -> Iterator[str]:
    """The paths to all entries of a recipe, items of lists by their labels."""
    items = zip(labels_of(value), value, strict=True) if isinstance(value, list) else ()
    for key, inner in value.items() if isinstance(value, Mapping) else items:
        if key:
            yield f"{before}{key}"
            yield from _paths(inner, f"{before}{key}.")


def check_shape(draft: Draft) -> None:
    """Keys, types and bounds of the recipe's own parts."""
    data = draft.document.data
    known = [problem.steps[:2] for problem in draft.problems if problem.steps[2:] == ("like",)]
    try:
        draft.recipe = draft.shape.model_validate_json(json.dumps(data))
    except ValidationError as error:
        for complaint in complaints(error, draft.shape, data):
            caused = complaint.steps[:2] in known  # without `use` only because its `like` could not be followed
            if complaint.steps and not caused:
                unknown = len(complaint.steps) == 1 and complaint.text.startswith("unknown key")
                draft.add(complaint.steps, complaint.text + (draft.catalog.elsewhere() if unknown else ""))
    _check_phases(draft)


def _check_phases(draft: Draft) -> None:
    """What several keys of the phases must have together; said also where one of them is wrong."""
    names = []
    for number, written in enumerate(list_at(draft.document.data, PHASES)):
        phase, steps = draft.mapping(PHASES, number), cast("KeyPath", (PHASES, number))
        names += [phase["name"]] if isinstance(phase.get("name"), str) else []
        given = [key for key in LENGTHS if phase.get(key) is not None]
        # A recipe that lists no phases has no line for its one phase; the key's own says it better.
        steps = (*steps, given[-1]) if given and is_short(draft.document) else steps
        if len(given) > 1:
            draft.add(steps, "`epochs` and `steps` both say how long the phase is; keep one of them")
        elif not given and isinstance(written, dict):
            draft.add(steps, "nothing says how long the phase is; expected `epochs: NUMBER` or `steps: NUMBER`")
        elif given == ["epochs"] and len(draft.mapping(PHASES, number, STREAMS)) > 1 and phase.get("clock") is None:
            text = "a phase of several streams with `epochs` needs `clock: STREAM`, the stream whose epochs are counted"
            draft.add(steps, text)
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        draft.add((PHASES,), f"phase names must differ, {', '.join(twice)} stands more than once")


def check_components(draft: Draft) -> None:
    """Each ``use`` against the catalog, each option against the constructor."""
    for spot in walk(draft.shape, draft.document.data):
        if isinstance(spot.mark, Uses):
            _check_component(draft, spot.steps, spot.mark.kind, spot.value)


def _check_component(draft: Draft, steps: KeyPath, kind: str, value: Any) -> None:
    if not isinstance(value, Mapping) or not isinstance(value.get("use"), str):
        return  # the shape is wrong, and said to be
    if draft.failed((*steps, "like")):
        return
    try:
        entry = draft.catalog.find(kind, value["use"], draft.document.location((*steps, "use")).origin)
    except CatalogError as error:
        return draft.add((*steps, "use"), str(error))
    try:
        model = draft.catalog.options(entry)
    except CatalogError as error:
        return draft.add((*steps, "use"), str(error), entry.owner)
    before = draft.document.replaced.get(steps)
    if before:
        with suppress(CatalogError):
            _drop_defaults(draft, steps, draft.catalog.options(draft.catalog.find(kind, str(before))), model)
    own = ("use", *draft.catalog.kinds[kind].reserved)
    options = {name: option for name, option in value.items() if name not in own}
    for spot in walk(model, options):
        if isinstance(spot.mark, Uses):
            _check_component(draft, (*steps, *spot.steps), spot.mark.kind, spot.value)
    try:
        checked = validate_options(model, options)
    except ValidationError as error:
        other = f"; to leave the options of {before} behind: {dotted(steps)}={{use: {value['use']}}}" if before else ""
        for complaint in complaints(error, model, options, "option"):
            draft.add((*steps, *complaint.steps), complaint.text + other, entry.owner)
        return
    if not draft.failed(steps):
        draft.components[steps] = Checked(entry, checked)


def _drop_defaults(draft: Draft, steps: KeyPath, before: type[BaseModel], model: type[BaseModel]) -> None:
    """Drop the defaults of the component that stood here ``before``, which resolved recipes write out.

    The others are the user's, and those that the new component has too are set for it as well.
    """
    value, known = draft.mapping(*steps), {info.alias or name for name, info in model.model_fields.items()}
    for field_name, info in before.model_fields.items():
        name = info.alias or field_name
        default = json.loads(json.dumps(info.get_default(call_default_factory=True), default=str))
        own = draft.document.locations.get((*steps, name))
        if name not in known and value.get(name) == default and (own is None or own.override is None):
            value.pop(name, None)


def check_names(draft: Draft) -> None:
    """Names of data sets, heads and streams; and streams that nobody uses."""
    used: set[Any] = set()
    for spot in walk(draft.shape, draft.document.data):
        if isinstance(spot.mark, Refers):
            _check_name(draft, spot.steps, spot.mark.to, spot.value)
        elif isinstance(spot.mark, Uses) and spot.steps not in draft.components and isinstance(spot.value, Mapping):
            used.update(value for value in spot.value.values() if isinstance(value, str))  # were it not wrong
    for steps, component in list(draft.components.items()):
        for below, what, name in component.refers():
            if what != "output":  # which are known once heads are built
                _check_name(draft, (*steps, *below), what, name, component.entry.owner)
                used.add(name if what == "stream" else None)
    for number in range(len(list_at(draft.document.data, PHASES))):
        for name in draft.mapping(PHASES, number, STREAMS):
            _check_name(draft, (PHASES, number, STREAMS, name), "stream", name)
            used.add(name)
    if any(problem.steps[:1] == (PHASES,) for problem in draft.problems):
        return  # who uses what is not known
    for name in draft.mapping(STREAMS):
        if name not in used:
            said = "no phase uses this stream, and nothing else names it; name it in a phase, or take it out"
            draft.add((STREAMS, name), said)


_NOUNS = {"data": ("data", "data set"), "head": ("heads", "head"), "stream": ("streams", "stream")}


def _check_name(draft: Draft, steps: KeyPath, what: str, name: Any, owner: str = "") -> None:
    if not isinstance(name, str):
        return
    key, noun = _NOUNS[what]
    names, where = set(draft.mapping(key)), ""
    if steps[:1] == (PHASES,) and steps[2:] == ("clock",):
        names, where = set(draft.mapping(*steps[:2], STREAMS)), " in this phase"
    if names and name not in names:
        text = f"no {noun} is called {name!r}{where}{suggestion(name, names)}"
        if steps[0] == "evaluate" and nearest(name, names) is None:  # of a recipe whose data or streams were replaced
            text += "; to go without this evaluator write `evaluate: []`, or a list of those that stay"
        draft.add(steps, text, owner)


def missing(document: Document, parts: Mapping[KeyPath, Dataset | Backbone]) -> list[Problem]:
    """A problem for each sentence that says what is missing, however many parts say it."""
    addresses: dict[str, list[KeyPath]] = {}
    for steps, part in parts.items():
        try:
            sentence = part.missing()
        except UserError as error:
            sentence = str(error)
        except Exception as error:
            sentence = f"its `missing` fails, which is for the plugin's author to mend: {brief(error)}"
        if sentence is not None:
            addresses.setdefault(sentence, []).append(steps)
    problems = []
    for sentence, (first, *others) in addresses.items():
        also = f" (so for {', '.join('.'.join(map(str, other)) for other in others)})" if others else ""
        problems.append(document.problem(first, f"{sentence}{also}"))
    return problems
