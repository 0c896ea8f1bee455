"""The files of a round for the people who label: the list, a form for answers, the images, a contact sheet."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rankhub.interfaces.files import unwritable, whole
from rankhub_active.labeling.answer_file import UNKNOWN
from rankhub_active.labeling.choose import Chosen
from rankhub_active.labeling.export import write_csv
from rankhub_active.labeling.pool import PoolRow
from rankhub_active.labeling.settings import Settings
from rankhub_active.labeling.setup import Progress
from rankhub_data.sheet import Tile, draw_sheet, fitted

SIDE, COLUMNS = 160, 8
MOST = 400
"""Images on a sheet; more would be too small a part of a round to look at one by one anyway."""

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
        tiles = [
            Tile(fitted(chosen.images[chosen.position[row.path]].image, SIDE), _texts(row)) for row in there[:MOST]
        ]
        lines = [tiles[first : first + COLUMNS] for first in range(0, len(tiles), COLUMNS)]
        with whole(folder / SHEET) as beside:
            draw_sheet(lines, title, SIDE).save(beside, "PNG")
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
