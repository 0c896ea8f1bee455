"""`rankhub predict`: the answers of a trained network for a folder of images."""

from pathlib import Path
from typing import Annotated, Any

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
    from rankhub import load_run, open_data, talking
    from rankhub.engine import folder as folders
    from rankhub.engine.answers import scale_of

    # Where the table is printed, what is said about it goes beside it.
    talk = talking(stderr=out is None)
    with load_run(run, overrides=overrides or []) as trained:
        reader = {"use": trained.recipe.catalog.in_role("dataset", "folder"), "root": str(folder)}
        images, report = open_data(reader, trained.recipe, talk.work)
        if not trained.labels:
            raise UserError("no head of this run gives one number an image; `rankhub predict` writes scores and counts")
        columns = trained.columns
        paths = images.facts("path") or [str(number) for number in range(len(images))]
        rows, drawn = list[dict[str, Any]](), 0
        for answer in trained.answers(images):
            path = paths[answer.index]
            rows.append({"path": path} | {name: trained.number(answer, output) for output, name in columns.items()})
            for head, picture in trained.pictures(answer, path) if pictures is not None else ():
                suffix = f"_{head}.png" if len(trained.recipe.recipe.heads) > 1 else ".png"
                folders.write_picture(Path(str(pictures)) / f"{path}{suffix}", picture)
                drawn += 1
            talk.work(len(rows), len(images), "predict")
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
        if out is None:
            typer.echo(folders.as_csv(rows), nl=False)
        else:
            folders.write_rows(out, rows)
            talk.line(f"{len(rows)} images, {out}")
        if pictures is not None:
            talk.line(f"{drawn} pictures, {pictures}" if drawn else "no head of this run draws onto images")
        for remark in trained.remarks():
            talk.note(remark)
        talk.note(f"by {trained.weights}")
        for output, label in trained.labels.items():
            talk.note(f"{columns[output]}: {scale_of(label)}")
