"""`rankhub duplicates`: images of an index that look alike."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from rankhub_console.speech import talking
from rankhub_find.output import write_table
from rankhub_find.search_verb import write_sheet_of
from rankhub_use.options import read_options
from rankhub_use.placed import shown
from rankhub_use.shell import SafeOption, as_json, number_option
from rankhub_use.target import checked

COLUMNS = ("group", "path", "similarity")


def duplicates(
    index: Annotated[Path, typer.Argument(help="A folder that `rankhub index` made.")],
    above: Annotated[float, number_option("--above", float, -1, 1, help="Cosine from which on two are alike.")] = 0.95,
    out: Annotated[Path | None, typer.Option(help="Write the groups: .csv or .json.")] = None,
    sheet: Annotated[Path | None, typer.Option(help="Write a picture of the groups: .png.")] = None,
    options: Annotated[
        list[str] | None,
        typer.Option("--option", help="An option of the index's store, such as memory_gb=4. May be repeated."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    safe_csv: SafeOption = False,
    as_data: Annotated[bool, typer.Option("--json", help="Print JSON instead of a list.")] = False,
) -> None:
    """Group the images of an index that look alike: linked, directly or through others, by cosines of --above or more.

    The similarity of each image is that to the first of its group; where it is lower than --above, the image belongs
    there through others. No network is needed.

    Example: rankhub duplicates photos.index --above 0.98 --out groups.csv --sheet groups.png
    """
    checked("--out", out, force=force, endings=(".csv", ".json"))
    checked("--sheet", sheet, force=force, endings=(".png",))
    from rankhub_find.stores import open_index

    talk = talking(stderr=as_data)
    found = open_index(index, talk.work, read_options(options or []))
    groups = found.duplicates(above, talk.work)
    talk.finish()
    rows: list[dict[str, Any]] = [
        {"group": number, "path": name, "similarity": value}
        for number, group in enumerate(groups, 1)
        for name, value in zip(group.names, group.similarity, strict=True)
    ]
    if as_data:
        typer.echo(as_json(rows, indent=1))
    elif out is None:
        for row in rows:
            typer.echo(f"{row['group']:>5}  {row['similarity']:.4f}  {shown(row['path'])}")
    if out is not None:
        write_table(out, rows, COLUMNS, safe=safe_csv)
    if sheet is not None:
        pictures = [
            [(name, f"{value:.3f}") for name, value in zip(group.names, group.similarity, strict=True)]
            for group in groups
        ]
        write_sheet_of(sheet, pictures, f"{index}: {len(groups)} groups of images alike from {above:g} on")
    through = sum(row["similarity"] < above for row in rows)
    if through:
        talk.note(f"{through:,} images are in their group through others: less than {above:g} like its first")
    if found.kind != "flat":
        talk.note(f"a {found.kind} index may miss a link between two images")
    extra = len(rows) - len(groups)
    talk.line(
        f"{len(groups):,} groups of {len(rows):,} images among {len(found):,}; {extra:,} beside the first of each"
    )
