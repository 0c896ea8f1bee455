"""`rankhub label export`: the table of a pool as CSV."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankhub import UserError
from rankhub_active.verbs.place import DEFAULT, Folder


def export(
    file: Annotated[Path, typer.Argument(help="CSV file to write.")],
    folder: Folder = DEFAULT,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Write the whole table as CSV: path, part, state, label, round, score, source and time of each image.

    Example: rankhub label export labels.csv
    """
    from rankhub_active.labeling.export import write_table
    from rankhub_active.labeling.pool import Pool

    pool = Pool(folder)
    if file.exists() and not force:
        raise UserError(f"{file} is there already; name another file, or --force to replace it")
    if not file.absolute().parent.is_dir():
        raise UserError(f"{file}: there is no folder {file.absolute().parent}; make it first")
    typer.echo(f"{write_table(pool, file):,} images, {file}")
