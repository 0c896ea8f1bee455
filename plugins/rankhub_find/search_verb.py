"""`rankhub search`: the images of an index that are nearest to others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from rankhub import UserError
from rankhub.interfaces.files import readable
from rankhub_console.speech import talking
from rankhub_find.output import write_table
from rankhub_use.options import read_options
from rankhub_use.placed import shown
from rankhub_use.shell import SafeOption, as_json, number_option
from rankhub_use.target import checked

COLUMNS = ("query", "rank", "similarity", "path")


def search(
    index: Annotated[Path, typer.Argument(help="A folder that `rankhub index` made.")],
    queries: Annotated[list[str], typer.Argument(help="Images to search for: files, folders, tables or their rows.")],
    k: Annotated[int, number_option("-k", int, 1, help="How many images to find for each.")] = 20,
    out: Annotated[Path | None, typer.Option(help="Write the table: .csv or .json.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write a picture of what was found: .png.")] = None,
    run: Annotated[Path | None, typer.Option(help="The network of the index, where it is elsewhere by now.")] = None,
    device: Annotated[str | None, typer.Option(help="Where the network computes, such as cpu.")] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", help="An option of the index's store, such as memory_gb=4. May be repeated."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    safe_csv: SafeOption = False,
    as_data: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Find the nearest images of an index, by cosine; equal ones in the order in which they were indexed.

    A query that is in the index itself is found too, with similarity 1.

    Example: rankhub search photos.index query.jpg -k 20 --sheet found.png
    """
    checked("--out", out, force=force, endings=(".csv", ".json"))
    checked("--sheet", sheet, force=force, endings=(".png",))
    from rankhub_find.embedding import embedded, load_known
    from rankhub_find.stores import open_index
    from rankhub_use.sources import files_for

    talk = talking(stderr=as_data)
    asked = files_for(queries, None)
    found = open_index(index, talk.work, read_options(options or []))
    rows: list[dict[str, Any]] = []
    pictures: list[list[tuple[str, str]]] = []
    failed: list[tuple[str, str]] = []
    with load_known(found.network, run, device) as trained:
        done, by_path = 0, (replace(file, name=file.path) for file in asked)
        for names, vectors, skipped in embedded(trained, found.network.output, by_path):
            for name, matches in zip(names, found.search(vectors, k) if names else [], strict=True):
                rows += [
                    {"query": name, "rank": rank, "similarity": match.similarity, "path": match.name}
                    for rank, match in enumerate(matches, 1)
                ]
                pictures.append([(name, "query"), *((match.name, f"{match.similarity:.3f}") for match in matches)])
            failed += skipped
            done += len(names) + len(skipped)
            talk.work(done, len(asked), "search")
    talk.finish()
    for path, reason in failed:
        talk.note(f"{readable(path)} is left out: {reason}")
    if not pictures:
        raise UserError(f"no query could be read, such as {readable(failed[0][0])}: {failed[0][1]}")
    if as_data:
        typer.echo(as_json(rows, indent=1))
    elif out is None:
        _show(rows, len(pictures))
    if out is not None:
        write_table(out, rows, COLUMNS, safe=safe_csv)
        talk.line(f"{len(pictures)} queries, {len(rows)} rows, {out}")
    if sheet is not None:
        write_sheet_of(sheet, pictures, f"{index}: nearest images, {found.kind}")
        talk.line(f"sheet: {sheet}")
    if found.kind != "flat":
        talk.note(f"a {found.kind} index may miss images; the similarities of those found are exact")


def write_sheet_of(sheet: Path, pictures: list[list[tuple[str, str]]], title: str) -> None:
    """A sheet of at most 40 rows of 25 images."""
    from rankhub_find.pictures import write_sheet

    write_sheet(sheet, [row[:25] for row in pictures[:40]], title)


def _show(rows: list[dict[str, Any]], queries: int) -> None:
    """Rank, similarity and path, below a line for each query where there are several."""
    last = None
    for row in rows:
        if queries > 1 and row["query"] != last:
            last = row["query"]
            typer.echo(readable(last))
        typer.echo(f"{row['rank']:>4}  {row['similarity']:.4f}  {shown(row['path'])}")
