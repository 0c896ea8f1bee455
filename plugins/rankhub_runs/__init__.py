"""Official plugin: which runs there are, what distinguishes them, which one is best."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import rankhub

if TYPE_CHECKING:
    from rankhub.interfaces.callback import Callback, RunInfo


@rankhub.hookimpl
def rankhub_verbs() -> list[rankhub.Verb]:
    """The verb of this plugin."""
    return [rankhub.Verb("runs", "rankhub_runs.verbs:app", "List runs, compare them, find the best.")]


@rankhub.hookimpl
def rankhub_observers(run: RunInfo) -> Iterable[Callback]:
    """One that keeps in the run's folder how far it is."""
    from rankhub_runs.record import RunRecord

    return [RunRecord()]
