"""`rankhub predict`: the answers of a trained network for a folder of images."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rankhub.interfaces.errors import UserError

SHOWN = 20
"""Lines of each of the data set's tables that are printed where no file is written."""


def predict(
    run: Annotated[Path, typer.Argument(help="A run's folder, or one of its checkpoints.")],
    folder: Annotated[Path, typer.Argument(help="Images to answer for, nested or flat.")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes, such as device=cpu or predict.count=10.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV file to write; without it the table is printed.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for what a head draws onto each image, such as density; made if absent.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Score every image of a folder with the network of a run, by the recipe's `predict`.

    Example: rankhub predict runs/quality/2026-01-31_12-00-00 ~/photos --out scores.csv
    """
    if out is not None and out.exists() and not force:
        raise UserError(f"--out {out} is there already; name another file, or --force to replace it")
    if out is not None and not out.absolute().parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.absolute().parent}; make it first")
    from rich.console import Console

    from rankhub.catalog.catalog import Catalog
    from rankhub.engine import folder as folders
    from rankhub.engine.console import Talk, listening
    from rankhub.engine.parts import open_folder
    from rankhub.engine.trained import as_csv, column_of, open_run, scale_of

    # Where the table is printed, what is said about it goes beside it.
    talk, catalog = listening(Talk(Console(stderr=out is None, highlight=False, soft_wrap=True))), Catalog.discover()
    trained = open_run(run, catalog, overrides or [])
    images, report = open_folder(str(folder), trained.recipe, catalog, talk.work)
    answers = trained.answers(images, talk.work)
    rows = answers.rows()
    talk.finish()
    for note in report.notes:
        talk.note(note)
    for name, found in report.tables.items():
        if out is not None and found:  # such as the images that were skipped, and why
            table = out.with_name(f"{out.stem}_{name}.csv")
            folders.write_rows(table, found)
            talk.note(f"table {name}: {table}")
        elif found:
            for row in found[:SHOWN]:
                talk.note(f"{name}: {', '.join(str(value) for value in row.values())}")
    numbers = trained.numbers()
    if out is None:
        typer.echo(as_csv(rows), nl=False)
    else:
        folders.write_text(out, as_csv(rows))
        talk.line(f"{len(rows)} images, {out}")
    if pictures is not None:
        drawn = 0
        for path, head, picture in answers.pictures():
            suffix = f"_{head}.png" if len(trained.recipe.heads) > 1 else ".png"
            folders.write_picture(pictures / f"{path}{suffix}", picture)
            drawn += 1
            talk.work(drawn, len(rows), "pictures")
        talk.finish()
        talk.line(f"{drawn} pictures, {pictures}" if drawn else "no head of this run draws onto images")
    for remark in answers.remarks():
        talk.note(remark)
    talk.note(f"by {trained.weights}")
    for name, label in numbers.items():
        talk.note(f"{column_of(name, numbers)}: {scale_of(label)}")
