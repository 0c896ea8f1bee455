"""``rankhub pack``."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from rankhub import UserError
from rankhub_train.waiting import cores
from rankhub_use.options import read_options
from rankhub_use.shell import JsonOption, number_option, say, talk_beside


def pack(
    source: Annotated[
        str, typer.Argument(help="A folder of images, the name of a data set (with --set), or '{use: NAME, ...}'.")
    ],
    to: Annotated[str, typer.Option(help="The table: a path such as photos.lance, or s3://BUCKET/photos.lance.")],
    options: Annotated[
        list[str] | None,
        typer.Option("--set", help="An option of the data set, such as labels=folder or split=train. May be repeated."),
    ] = None,
    resize: Annotated[
        int | None,
        number_option(
            "--resize", int, 8, help="Shrink to this shorter side and keep pixels; default: files as they are."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="What the images are packed as: `where: \"split = 'train'\"`.")] = "",
    prefix: Annotated[
        str, typer.Option(help="Stands before the images' names, so that two sources of like names go together.")
    ] = "",
    append: Annotated[bool, typer.Option("--append", help="Add what is not in the table yet.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with a packing that was interrupted.")] = False,
    processes: Annotated[
        int | None, number_option("--processes", int, 1, help="That read and decode; default: one for each core.")
    ] = None,
    storage: Annotated[
        list[str] | None,
        typer.Option("--storage", help="An option of the store, such as aws_endpoint=http://... May be repeated."),
    ] = None,
    patience: Annotated[
        float, number_option("--patience", float, 0, help="Seconds for which a store that is away is asked again.")
    ] = 120.0,
    as_json: JsonOption = False,
) -> None:
    """Pack images with their labels, points and facts into a Lance table, on a disk or in an object store.

    Images are kept as their files are, or as PNG where a data set serves other pixels than its files have; with
    --resize, as pixels. It may be killed at any time, and goes on with --resume; no image is packed twice. What cannot
    be read is listed and left out. Each image is decoded once to see that it can be.

    Example: rankhub pack ~/photos --to photos.lance
    """
    from rankhub.interfaces.data import OpenContext
    from rankhub_lance import Store
    from rankhub_lance.table import package
    from rankhub_pack.packing import Packing
    from rankhub_pack.sources import source_for

    talk = talk_beside(as_json)
    package()
    given: dict[str, str] = {}
    for word in storage or []:
        name, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"--storage {word} has no value; write {word}=VALUE")
        given[name] = value
    store = Store.of(to, given, patience)
    with tempfile.TemporaryDirectory(prefix="rankhub_pack_") as folder:
        context = OpenContext(Path(folder), 2_000_000_000, talk.work)
        images = source_for(source, read_options(options or []), resize, context, talk)
        packing = Packing(images, store, split, prefix, processes or cores())
        done = packing.run(talk, append=append, resume=resume)
    for fault in done.faults[:5]:
        talk.note(f"{fault.path} is left out: {fault.reason}")
    if len(done.faults) > 5:
        talk.note(f"{len(done.faults) - 5:,} more are left out")
    there = f", {done.there:,} were there" if done.there else ""
    talk.line(f"{done.added:,} images were packed{there}: {store.uri} has {done.rows:,}, version {done.version}")
    if as_json:
        summary = {"to": store.uri, "added": done.added, "there": done.there, "rows": done.rows}
        say({**summary, "version": done.version, "left_out": [vars_of(fault) for fault in done.faults]})


def vars_of(fault: object) -> dict[str, str]:
    """What is said of an image that is left out."""
    return {name: str(getattr(fault, name)) for name in ("path", "kind", "reason", "remedy")}
