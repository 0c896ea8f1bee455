"""Which streams and data sets a recipe uses, and what a phase makes of a stream."""

from __future__ import annotations

from collections.abc import Iterator

from rankhub.recipe.schema import Phase, Recipe, Stream


def stream_in(recipe: Recipe, phase: Phase, name: str) -> Stream:
    """A stream with what is different about it in a phase."""
    use = phase.streams[name].model_dump(exclude={"weight"}, exclude_none=True)
    return recipe.streams[name].model_copy(update=use)


def phase_streams(recipe: Recipe) -> Iterator[tuple[int, str, Stream]]:
    """Every stream of every phase, in the order of their turns: number of the phase, name, the stream there."""
    for number, phase in enumerate(recipe.phases):
        for name in phase.streams:
            yield number, name, stream_in(recipe, phase, name)


def trained_streams(recipe: Recipe) -> list[str]:
    """The streams that phases use, in the order in which they first do."""
    return list(dict.fromkeys(name for phase in recipe.phases for name in phase.streams))


def used_data(recipe: Recipe) -> set[str]:
    """The data sets that a stream of a phase or an evaluator names.

    Others, such as a shared block's or those of a stream that no phase uses, need not be there.
    """
    found = {recipe.streams[name].data for name in trained_streams(recipe)}
    options = [list(spec.options.values()) for spec in [*recipe.evaluate, *recipe.callbacks]]
    named = {value for values in options for value in values if isinstance(value, str)}
    return found | (named & set(recipe.data))
