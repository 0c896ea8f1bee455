"""`rankhub predict`: the answers of a trained network for a folder of images."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import as_csv, beside_of, csv_line, fitting, unwritable, write_text

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
    safe_csv: Annotated[
        bool, typer.Option("--safe-csv", help="Write ' before names that a spreadsheet would take for a formula.")
    ] = False,
) -> None:
    """Score every image of a folder with the network of a run, by the recipe's `predict`.

    The file is written as NAME.partial while it grows, and gets its name when it is complete.

    Example: rankhub predict runs/quality/2026-01-31_12-00-00 ~/photos --out scores.csv
    """
    if out is not None and out.exists() and not out.is_file():
        raise UserError(f"--out {out} is a folder, or no plain file; name a file")
    if out is not None and out.exists() and not force:
        raise UserError(f"--out {out} is there already; name another file, or --force to replace it")
    if out is not None and not out.absolute().parent.is_dir():
        raise UserError(f"--out {out}: there is no folder {out.absolute().parent}; make it first")
    from rankhub import load_run, open_data, talking
    from rankhub.engine.answers import scale_of
    from rankhub.engine.folder import write_picture

    # Where the table is printed, what is said about it goes beside it.
    talk = talking(stderr=out is None)
    with _table(out, safe_csv) as write, load_run(run, overrides=overrides or []) as trained:
        if pictures is not None:
            try:
                pictures.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unwritable(f"--pictures {pictures}", error, "name a folder that can be made") from error
        reader = {"use": trained.recipe.catalog.in_role("dataset", "folder"), "root": str(folder)}
        images, report = open_data(reader, trained.recipe, talk.work)
        if not trained.labels:
            advice = f"its features, in Python: rankhub.load_run({str(run)!r}).embed(images)"
            raise UserError(f"no head of this run gives one number an image, which `rankhub predict` writes; {advice}")
        columns = trained.columns
        paths = images.facts("path") or [str(number) for number in range(len(images))]
        rows, unsuited = trained.suited(images)
        done, drawn = 0, 0
        write(["path", *columns.values()])
        for answer in trained.answers(images, rows=rows):
            path = paths[answer.index]
            write([path, *(trained.number(answer, output) for output in columns)])
            for head, picture in trained.pictures(answer, path) if pictures is not None else ():
                suffix = f"_{head}.png" if len(trained.recipe.recipe.heads) > 1 else ".png"
                write_picture(Path(str(pictures)) / fitting(path, suffix), picture)
                drawn += 1
            done += 1
            talk.work(done, len(rows), "predict")
        talk.finish()
        for note in report.notes:
            talk.note(note)
        if unsuited:
            first = f"{unsuited[0]['path']}, {unsuited[0]['reason']}"
            talk.note(f"{len(unsuited):,} of {len(images):,} images are skipped, such as {first}")
        tables = {**report.tables, "skipped": [*report.tables.get("skipped", ()), *unsuited]}
        for name, found in tables.items():
            if out is not None and found:  # such as the images that were skipped, and why
                table = out.with_name(fitting(f"{out.stem}_{name}", ".csv"))
                write_text(table, as_csv(found, safe=safe_csv))
                talk.note(f"table {name}: {table}")
            elif found:
                for row in found[:SHOWN]:
                    talk.note(f"{name}: {', '.join(str(value) for value in row.values())}")
        if pictures is not None:
            talk.line(f"{drawn} pictures, {pictures}" if drawn else "no head of this run draws onto images")
        for remark in trained.remarks():
            talk.note(remark)
        talk.note(f"by {trained.weights}")
        for output, label in trained.labels.items():
            talk.note(f"{columns[output]}: {scale_of(label)}")
    if out is not None:
        talk.line(f"{done} images, {out}")


@contextmanager
def _table(out: Path | None, safe: bool) -> Iterator[Callable[[list[Any]], None]]:
    """Takes a table line by line: to a file, which is complete once it has its name, or to be printed at the end.

    Where it ends early the lines so far stay beside, but for a full disk.
    """
    if out is None:
        kept: list[str] = []
        yield lambda cells: kept.append(csv_line(cells, safe=safe, end="\r\n"))
        return typer.echo("".join(kept), nl=False)
    lines, beside = 0, beside_of(out)

    def write(cells: list[Any]) -> None:
        nonlocal lines
        line = csv_line(cells, safe=safe, end="\r\n").encode()
        if file.write(line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(out))
        lines += 1

    try:
        file = beside.open("wb", buffering=0)
    except OSError as error:
        raise unwritable(out, error) from error
    try:
        with file:
            yield write
            os.fsync(file.fileno())
        beside.replace(out)
    except BaseException as error:
        own = isinstance(error, OSError) and error.filename in (None, str(out), str(beside))
        if lines > 1 and not own:
            typer.echo(f"it is not complete: the first {lines - 1} rows are in {beside}", err=True)
        else:
            beside.unlink(missing_ok=True)
        if own and isinstance(error, OSError):
            raise unwritable(out, error) from error
        raise
