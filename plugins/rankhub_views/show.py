"""`rankhub show`: what a component makes of an image, as a picture."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import rankhub
from rankhub import UserError
from rankhub.interfaces.files import whole
from rankhub_console.speech import talking
from rankhub_use.target import checked

if TYPE_CHECKING:
    from torch import Tensor

    from rankhub.interfaces.data import GivenData

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
    checked("--out", target, force=force)
    from rankhub.interfaces.data import LabelSpec, Sample
    from rankhub.interfaces.generator import ViewSpec
    from rankhub_use.options import read_options
    from rankhub_views.sheet import draw_sheet

    given = read_options(options or [])
    try:
        step = rankhub.build("generator", {"use": name, **given})
    except UserError as error:
        if "missing; expected" not in str(error):
            raise
        option = str(error).partition(": missing")[0].rpartition(" ")[2]
        value = "96" if option == "size" else "VALUE"
        raise UserError(f"{error}; write rankhub show generator {name} {option}={value} --image {image}") from None
    source = _read(image)
    talking()  # what the generator warns of is shown
    spec = step.plan(ViewSpec())
    chain = rankhub.Chain([step], spec, seed, "show")
    batch = chain.on_device(chain.batch([Sample(source, 0)], 0, LabelSpec()), 0)
    sheet = draw_sheet(batch, spec, side, source)
    with whole(target) as beside:
        sheet.save(beside, "PNG")
    groups = len(set(batch.target.group.tolist()))
    typer.echo(f"{len(batch)} views in {groups} group{'s' if groups > 1 else ''}, {target}")


def _read(path: Path) -> Tensor:
    """An image file as [3, H, W] uint8, decoded as the images of a folder are in training.

    Raises:
        UserError: It is not there, or no image.
    """
    try:
        path.open("rb").close()
    except OSError as error:
        raise UserError(f"--image {path} cannot be read: {(error.strerror or str(error)).lower()}") from None
    catalog = rankhub.Catalog.discover()
    taker: type[GivenData] = catalog.load(catalog.find("dataset", catalog.in_role("dataset", "given")))
    try:
        images, _ = taker.take(path, {}, partial(catalog.build, "dataset"))
        return images[0].image
    except UserError as error:
        raise UserError(f"--image {error}") from None
