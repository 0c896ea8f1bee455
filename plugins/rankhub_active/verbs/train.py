"""`rankhub label train`: learn from the labels that are there."""

from __future__ import annotations

from typing import Annotated

import typer

import rankhub
from rankhub_active.verbs.place import DEFAULT, Folder


def train(
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes to the recipe for this run, such as steps=500.")
    ] = None,
    scratch: Annotated[
        bool, typer.Option("--scratch", help="Begin with untrained weights, not the last run's.")
    ] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Train once more on labels that were trained on.")] = False,
    folder: Folder = DEFAULT,
) -> None:
    """Train the recipe on all labels of the pool, from where the last run's network stands.

    A run that was interrupted goes on.

    Example: rankhub label train steps=500
    """
    from rankhub_active.labeling.alone import alone
    from rankhub_active.labeling.pool import Pool
    from rankhub_active.labeling.summary import advice
    from rankhub_active.labeling.train import train as learn

    talk, pool = rankhub.talking(), Pool(folder)
    waiting = len(pool.rows(state="asked"))
    if waiting:
        talk.note(f"images that were asked for and have no answer yet: {waiting}; the run learns from the others")
    with alone(folder):
        trained = learn(pool, overrides or [], talk, scratch=scratch, anew=anew)
    if trained.stopped:
        talk.line(f"Or, so that the round is noted as trained: {advice(pool)}")
        raise typer.Exit(130)
    talk.line(f"Next: {advice(pool)}")
