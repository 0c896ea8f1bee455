"""What people get of a round: the list, a form for the answers, the images, a contact sheet."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from rankhub.interfaces.files import unwritable, whole
from rankhub_active.labeling.answer_file import UNKNOWN
from rankhub_active.labeling.choose import Chosen
from rankhub_active.labeling.export import write_csv
from rankhub_active.labeling.pool import PoolRow
from rankhub_active.labeling.settings import Settings
from rankhub_active.labeling.setup import Progress

SIDE, COLUMNS, GAP, TEXT, MARGIN = 160, 8, 10, 15, 16
MOST = 400
"""Images on a sheet; more would be too small a part of a round to look at one by one anyway."""

_PAPER, _INK, _FAINT = (255, 255, 255), (30, 30, 30), (110, 110, 110)


def contact_sheet(
    title: str, image_of: Callable[[int], Tensor], texts: Sequence[tuple[str, str]]
) -> npt.NDArray[np.uint8]:
    """Images in rows of eight, each with two lines below it.

    [H, W, 3] uint8, of images [3, H, W] uint8 by their number. Texts that are too long are cut; images beyond
    :data:`MOST` are left out.
    """
    font, small = ImageFont.load_default(TEXT), ImageFont.load_default(TEXT - 3)
    shown = texts[:MOST]
    columns = max(1, min(COLUMNS, len(shown)))
    cell = SIDE + 2 * TEXT + GAP
    height = 2 * MARGIN + 2 * TEXT + cell * -(-len(shown) // columns)
    width = max(2 * MARGIN + columns * (SIDE + GAP) - GAP, 2 * MARGIN + int(font.getlength(title)) + 1)
    sheet = Image.new("RGB", (width, height), _PAPER)
    draw = ImageDraw.Draw(sheet)
    draw.text((MARGIN, MARGIN), title, _INK, font)
    for number, (first, second) in enumerate(shown):
        row, column = divmod(number, columns)
        left, top = MARGIN + column * (SIDE + GAP), MARGIN + 2 * TEXT + row * cell
        picture = _reduced(image_of(number))
        sheet.paste(picture, (left + (SIDE - picture.width) // 2, top + SIDE - picture.height))
        draw.text((left, top + SIDE + 1), _cut(first, font), _INK, font)
        draw.text((left, top + SIDE + 1 + TEXT), _cut(second, small), _FAINT, small)
    return np.asarray(sheet)


def _reduced(image: Tensor) -> Image.Image:
    picture = Image.fromarray(image.permute(1, 2, 0).cpu().numpy())
    scale = SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS if scale < 1 else Image.Resampling.NEAREST)


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """The end of a text that is too long for its image, since names differ at their end."""
    while len(text) > 1 and font.getlength(text) > SIDE:
        text = "…" + text[2:]
    return text


LIST, FORM, SHEET, IMAGES = "ask.csv", "answers.csv", "sheet.png", "images"


def hand_out(folder: Path, chosen: Chosen, settings: Settings, *, copy: bool, progress: Progress) -> list[Path]:
    """Write the files of a round, and say which; those that are there are replaced, but for answers someone has begun.

    Raises UserError if it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / LIST, [_line(row) for row in chosen.rows])
        written = [folder / LIST]
        form = folder / FORM
        if not form.exists():
            _write(form, [_empty(row, settings) for row in chosen.rows if row.state == "asked"])
        written.append(form)
        title = f"Round {chosen.round.number}: {len(chosen.rows)} images to label, by {chosen.round.by}"
        there = [row for row in chosen.rows if row.path in chosen.position]
        images = [chosen.images[chosen.position[row.path]].image for row in there[:MOST]]
        texts = [_texts(row) for row in there[:MOST]]
        with whole(folder / SHEET) as beside:
            Image.fromarray(contact_sheet(title, images.__getitem__, texts)).save(beside, "PNG")
        written.append(folder / SHEET)
        if copy:
            _copy(folder / IMAGES, [row.path for row in there], Path(settings.images), progress)
            written.append(folder / IMAGES)
    except OSError as error:
        raise unwritable(f"the files of the round in {folder.absolute()}", error) from error
    return written


def _write(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    write_csv(path, list(rows[0]) if rows else (), (list(row.values()) for row in rows))


def _line(row: PoolRow) -> dict[str, Any]:
    # The acquirer's score is not called `score`: that is the column of the answers.
    number = "" if row.position is None else row.position + 1
    return {"path": row.path, "place": number, "priority": "" if row.score is None else row.score, "part": row.part}


def _empty(row: PoolRow, settings: Settings) -> dict[str, str]:
    if settings.takes == "points":
        return {"path": row.path, "x": UNKNOWN, "y": UNKNOWN}  # empty ones would say that there is nothing
    return {"path": row.path, settings.takes: ""}


def _texts(row: PoolRow) -> tuple[str, str]:
    number = (row.position or 0) + 1
    first = f"{number}  test image" if row.part == "test" else f"{number}"
    return (first if row.score is None or row.part == "test" else f"{number}  priority {row.score:.3g}"), row.path


def _copy(folder: Path, paths: Sequence[str], images: Path, progress: Progress) -> None:
    """Copies under the paths that they have below the folder of images."""
    for done, path in enumerate(paths, 1):
        target = folder / path
        if not target.exists():
            with whole(target, make=True) as beside:
                shutil.copyfile(images / path, beside)
        progress(done, len(paths), "copy images")
