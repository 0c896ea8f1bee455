"""`rankhub show`: what a component makes of an image, as a picture."""

from __future__ import annotations

import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rankhub.interfaces.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from rankhub.catalog.catalog import Catalog
    from rankhub.interfaces.batch import Batch
    from rankhub.interfaces.generator import Generator, ViewSpec

app = typer.Typer(no_args_is_help=True, help="Draw what a component makes of an image.")


@app.callback()
def _group() -> None:
    """Keep `generator` a verb of its own while it is the only one."""


@app.command()
def generator(
    name: Annotated[str, typer.Argument(help="A generator, as a recipe names it after `use:`.")],
    options: Annotated[list[str] | None, typer.Argument(help="Its options, such as size=96.")] = None,
    image: Annotated[Path | None, typer.Option(help="The image from which it makes views.")] = None,
    out: Annotated[Path | None, typer.Option(help="PNG file to write; default: NAME.png in this folder.")] = None,
    side: Annotated[int, typer.Option(min=16, help="Larger views are reduced to this side, in pixels.")] = 240,
    seed: Annotated[int, typer.Option(help="Seed of what is drawn at random.")] = 0,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
) -> None:
    """Draw the views that a generator makes of an image: a line for each group, from the highest level down.

    Where views are parts of the image, they are outlined on it, each in the colour of its frame.

    Example: rankhub show generator random_views size=96 views=4 --image photo.jpg
    """
    if image is None:
        raise UserError("there is no image to make views of; name one with --image FILE")
    target = out or Path(f"{name.rpartition('/')[2]}.png")
    if target.exists() and not force:
        raise UserError(f"--out {target} is there already; name another file, or --force to replace it")
    if not target.absolute().parent.is_dir():
        raise UserError(f"--out {target}: there is no folder {target.absolute().parent}; make it first")
    from rankhub.catalog.catalog import Catalog
    from rankhub.cli.sheet import draw_sheet
    from rankhub.recipe.wiring import plan_chain

    catalog = Catalog.discover()
    step: Generator = catalog.build("generator", {"use": name, **_options(options or [])})
    spec = plan_chain([step])
    source = _read(image, catalog)
    batch = _views(step, spec, source, seed)
    sheet = draw_sheet(batch, spec, side, source)
    try:
        sheet.save(target, "PNG")
    except OSError as error:
        raise UserError(f"--out {target} cannot be written: {error.strerror or error}") from None
    groups = len(set(batch.target.group.tolist()))
    typer.echo(f"{len(batch)} views in {groups} group{'s' if groups > 1 else ''}, {target}")


def _options(words: list[str]) -> dict[str, Any]:
    """Option -> value, by the rules of a recipe's overrides.

    Raises:
        UserError: A word is not of the form ``option=value``, or its value is no YAML.
    """
    from rankhub.recipe.overrides import apply_overrides
    from rankhub.recipe.reader import Document

    options: dict[str, Any] = {}
    for word in words:
        path, equals, value = word.partition("=")
        first, dot, rest = path.partition(".")
        if not equals:
            raise UserError(f"the option {word!r} has no value; write {word}=VALUE")
        if dot and first not in options:
            raise UserError(
                f"the option {word!r} is a part of {first!r}, which is not given; write {first}={{{rest}: {value}}}"
            )
        problems = apply_overrides(Document(options, "options"), [word])
        if problems:
            raise UserError(f"the option {word!r} cannot be used: {problems[0].text}")
    if "use" in options:
        raise UserError("`use` is no option: the generator's name stands before its options")
    return options


def _read(path: Path, catalog: Catalog) -> Tensor:
    """An image file as [3, H, W] uint8, decoded as the images of a folder are in training.

    Raises:
        UserError: It is not there, or no image.
    """
    from rankhub.interfaces.data import Dataset, OpenContext

    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(f"--image {path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    with TemporaryDirectory(prefix="rankhub-show-") as place:
        folder = Path(place, "images")  # the data set takes a folder
        folder.mkdir()
        file = folder / f"image{path.suffix}"
        file.write_bytes(content)
        reader = {"use": catalog.in_role("dataset", "folder"), "root": str(folder)}
        images: Dataset = catalog.build("dataset", reader)
        try:
            images.open(OpenContext(Path(place, "cache"), sys.maxsize, lambda done, total, what: None))
        except UserError as error:  # which names the folder; the reason stands behind the file's name, if it has one
            _, named, reason = str(error).rpartition(f" {file.name}: ")
            why = f"cannot be read: {reason}" if named else "is no image; convert it to PNG or JPEG first"
            raise UserError(f"--image {path} {why}") from None
        return images[0].image


def _views(step: Generator, spec: ViewSpec, image: Tensor, seed: int) -> Batch:
    """The views of one image, made as in training."""
    from rankhub.engine.collate import collate, first_view
    from rankhub.engine.console import Talk, listening
    from rankhub.engine.feed import Chain
    from rankhub.interfaces.data import LabelSpec, Sample

    listening(Talk())
    chain = Chain([step], spec, seed, "show")
    views = chain.in_worker([first_view(Sample(image, 0))], 0)
    return chain.on_device(collate(views, spec.groups, LabelSpec()), 0)
