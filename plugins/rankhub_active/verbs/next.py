"""`rankhub label next`: the images from whose labels the network would learn most."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import rankhub
from rankhub import UserError
from rankhub_active.verbs.place import DEFAULT, Folder


def next(
    run: Annotated[
        str | None,
        typer.Argument(help="A run's folder, or one of its checkpoints; without it, that of the last `label train`."),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes to the run's recipe, such as acquire.draws=20.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Images to choose.")] = 50,
    among: Annotated[
        int | None, typer.Option(min=1, help="Look at so many images at the most, drawn at random; all by default.")
    ] = None,
    more: Annotated[bool, typer.Option("--more", help="Begin another round though one has open images.")] = False,
    copy: Annotated[bool, typer.Option("--copy/--no-copy", help="Copy the images into the round's folder.")] = True,
    folder: Folder = DEFAULT,
) -> None:
    """Choose the images to label next, and write them out: a list, a form for answers, copies, a contact sheet.

    While images of a round are open, the same round is written out again.

    Example: rankhub label next --count 50 acquire.draws=20
    """
    changes = overrides or []
    if run is not None and "=" in run and not Path(run).exists():  # an override where no run is named
        run, changes = None, [str(run), *changes]
    from rankhub_active.labeling.choose import Request, choose
    from rankhub_active.labeling.handout import hand_out
    from rankhub_active.labeling.pool import Pool
    from rankhub_active.labeling.summary import advice

    talk, pool = rankhub.talking(), Pool(folder)
    place = None if run is None else Path(run)
    if place is not None and not place.is_dir():
        raise UserError(f"{place.absolute()} is no run's folder; leave it out to take the last run of `label train`")
    chosen = choose(pool, Request(count, place, changes, among, more), talk.work)
    talk.finish()
    number, rows = chosen.round.number, chosen.rows
    files = hand_out(pool.folder / "rounds" / f"{number:03d}", chosen, pool.settings, copy=copy, progress=talk.work)
    talk.finish()
    for note in chosen.notes:
        talk.note(note)
    waiting = sum(row.state == "asked" for row in rows)
    if chosen.resumed:
        talk.line(
            f"Round {number} is not over: {waiting} of {len(rows)} images wait for an answer (--more begins another)."
        )
    else:
        talk.line(f"Round {number}: {len(rows)} images, chosen by {chosen.round.by}")
    for file in files:
        talk.line(f"  {file}")
    talk.line(f"Next: {advice(pool)}")
