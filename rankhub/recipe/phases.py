"""The long form of a recipe: phases as a list, each with a mapping from its streams to what differs there.

A recipe of one phase may say its length at the top, and a phase may list its streams; both are written out here, so
that everything behind knows one form only.
"""

from typing import Any

from rankhub.catalog.complaints import show
from rankhub.catalog.hints import KeyPath
from rankhub.recipe.reader import Document, list_at, mapping_at
from rankhub.recipe.report import Problem, RecipeErrors
from rankhub.recipe.schema import LENGTHS, Stream, StreamUse

PHASES, STREAMS = "phases", "streams"
ONE = "train"
"""What the phase of a recipe that lists none is called."""

OF_THE_PHASE = (*LENGTHS, "mix", "clock", "freeze", "reset", "lr_scale")
"""Keys of a phase that may stand at the top in place of ``phases``."""

CHOICE = (*LENGTHS, PHASES)
"""Keys of which a recipe has one; who sets one replaces the others."""

OF_A_STREAM = frozenset(Stream.model_fields) - frozenset(StreamUse.model_fields)
"""Keys of a stream that no phase can change."""


def write_out(document: Document) -> list[Problem]:
    """Bring a recipe into its long form, in place; errors still point to the lines as they are written.

    Returned are keys of a phase that stand at the top although phases are listed, and streams that are listed twice.

    Raises:
        RecipeErrors: The recipe has the form of an earlier version; one sentence for each change.
    """
    data = document.data
    old = [document.problem(steps, text) for steps, text in old_forms(data)]
    if old:
        raise RecipeErrors(old)
    problems = []
    short = [key for key in OF_THE_PHASE if key in data]
    if PHASES in data:
        for key in short:
            said = f"with `phases`, this is said of one of them: phases.NAME.{key}"
            problems.append(document.problem((key,), said))
            del data[key]
        if is_short(document) and (PHASES, 0, STREAMS) not in document.locations:
            # The one phase of a recipe that lists none has all streams, also when a change has brought others.
            phase, streams = mapping_at(data, PHASES, 0), mapping_at(data, STREAMS)
            uses = mapping_at(phase, STREAMS)
            phase.update({STREAMS: {name: uses.get(name, {}) for name in streams}} if streams else {})
    elif short or data.get(STREAMS):
        one_phase(document, short)
    for number in range(len(list_at(data, PHASES))):
        problems += _name_streams(document, (PHASES, number, STREAMS))
    return problems


def one_phase(document: Document, keys: list[str]) -> None:
    """Make one phase of all streams, with the keys that stand at the top."""
    data = document.data
    uses: dict[str, Any] = {name: {} for name in mapping_at(data, STREAMS)}
    data[PHASES] = [{"name": ONE, STREAMS: uses, **{key: data.pop(key) for key in keys}}]
    document.inherited[PHASES, 0] = ()


def is_short(document: Document) -> bool:
    """Whether the recipe's one phase stands at its top."""
    return (PHASES, 0) in document.inherited


def _name_streams(document: Document, steps: KeyPath) -> list[Problem]:
    """A list of streams as a mapping; ``NAME:`` without a value says that nothing differs."""
    phase = mapping_at(document.data, *steps[:-1])
    streams = phase.get(STREAMS)
    problems = []
    if isinstance(streams, list) and streams and all(isinstance(name, str) for name in streams):
        document.move(steps, dict(enumerate(streams)))
        twice = sorted({name for name in streams if streams.count(name) > 1})
        if twice:
            problems.append(document.problem(steps, f"{', '.join(twice)} stands more than once; name a stream once"))
        streams = dict.fromkeys(streams)
    if isinstance(streams, dict):
        phase[STREAMS] = {name: {} if use is None else use for name, use in streams.items()}
    return problems


_SHOWN = {"objectives": "[{use: LOSS, head: HEAD, ...}]"}


def old_forms(data: Any) -> list[tuple[KeyPath, str]]:
    """What has the form of recipes before streams stood at the top: where, and a sentence that shows the new one."""
    found: list[tuple[KeyPath, str]] = []
    for number in range(len(list_at(data, PHASES))):
        for name, use in mapping_at(data, PHASES, number, STREAMS).items():
            if isinstance(use, dict) and OF_A_STREAM & set(use):
                keys = ", ".join(f"{key}: {_SHOWN.get(key, '...')}" for key in use)
                new = f"streams: {{{name}: {{{keys}}}}}"
                text = f"streams stand at the top now: write `{new}` there, and `streams: [{name}]` in the phase"
                found.append(((PHASES, number, STREAMS, name), text))
    for name in mapping_at(data, STREAMS):
        for number, objective in enumerate(list_at(data, STREAMS, name, "objectives")):
            if isinstance(objective, dict) and "loss" in objective and "use" not in objective:
                found.append(((STREAMS, name, "objectives", number, "loss"), _flat(objective)))
    return found


def _flat(objective: dict[str, Any]) -> str:
    loss = objective["loss"] if isinstance(objective["loss"], dict) else {"use": objective["loss"]}
    new = {**loss, **{key: value for key, value in objective.items() if key != "loss"}}
    shown = ", ".join(f"{key}: {value if isinstance(value, str) else show(value)}" for key, value in new.items())
    return f"an objective is its loss, with `head` and `weight` beside the loss's own options: {{{shown}}}"
