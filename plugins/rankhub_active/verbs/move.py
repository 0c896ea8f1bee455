"""`rankhub label move`: the images lie in another folder now."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankhub_active.verbs.place import DEFAULT, Folder


def move(
    images: Annotated[Path, typer.Argument(help="Where the images lie now, under the same paths below it.")],
    incomplete: Annotated[bool, typer.Option("--incomplete", help="Go on though some images are missing.")] = False,
    folder: Folder = DEFAULT,
) -> None:
    """Tell the pool that its images have moved, or lie elsewhere on this machine; nothing is copied.

    The folder of labeling itself can be moved without being told.

    Example: rankhub label move /data/photos
    """
    from rankhub_active.labeling.moved import move
    from rankhub_active.labeling.pool import Pool
    from rankhub_active.labeling.summary import advice

    pool = Pool(folder)
    missing = move(pool, images, incomplete=incomplete)
    if missing:
        typer.echo(f"{missing:,} images are missing there; they keep their labels, but are not chosen or learned from.")
    typer.echo(f"Images: {Pool(folder).settings.images}")
    typer.echo(f"Next: {advice(pool)}")
