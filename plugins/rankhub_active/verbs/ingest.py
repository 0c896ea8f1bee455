"""`rankhub label ingest`: take a file of answers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankhub_active.verbs.place import DEFAULT, Folder


def ingest(
    answers: Annotated[
        Path, typer.Argument(help="CSV with path and score, count or label; of points path, x and y. Or JSON.")
    ],
    folder: Folder = DEFAULT,
    amend: Annotated[bool, typer.Option("--amend", help="Let answers replace labels that are there.")] = False,
) -> None:
    """Take the answers of a file, all of them or, where a row is wrong, none.

    A row with an empty label, or with ?, is left open; skip says that nobody can tell. Of points, a row is a point,
    and an image without one stands once with x and y left empty.

    Example: rankhub label ingest labeling/rounds/001/answers.csv
    """
    from rankhub_active.labeling.answers import ingest as take
    from rankhub_active.labeling.pool import Pool
    from rankhub_active.labeling.summary import advice

    pool = Pool(folder)
    done = take(pool, answers, amend=amend)
    typer.echo(f"{answers.name}: {done.sentence()}")
    typer.echo(f"next: {advice(pool)}")
