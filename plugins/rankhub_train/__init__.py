"""Official plugin: recipes are checked and trained from the command line, and runs say what they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import rankhub
from rankhub import Verb

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rankhub import Cost, Parts, Talk
    from rankhub.interfaces.callback import Callback, RunInfo
    from rankhub.interfaces.evaluate import Reference


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verbs of this plugin."""
    return [
        Verb("run", "rankhub_train.run:run", "Train a recipe, or go on with a run."),
        Verb("validate", "rankhub_train.validate:validate", "Check a recipe without running it."),
    ]


@rankhub.hookimpl
def rankhub_trial(parts: Parts) -> Iterable[Cost]:
    """Measures a step of each phase on copies, while guards look at all that takes part in it."""
    from rankhub_train.cost import costs

    return costs(parts)


@rankhub.hookimpl
def rankhub_observers(run: RunInfo) -> Iterable[Callback]:
    """One that says when training waits for its images."""
    from rankhub_train.data_bound import DataBound

    return [DataBound(run)]


@rankhub.hookimpl
def rankhub_references() -> list[Reference]:
    """Raw pixels, and the network as it was before training."""
    from rankhub_train.references import ROWS

    return ROWS


@rankhub.hookimpl
def rankhub_words(event: object, talk: Talk) -> None:
    """Says what a run is about to do, what was measured, and how it ended."""
    from rankhub_train.words import say

    say(event, talk)
