"""What people get of a round: the list, a form for the answers, the images, a contact sheet."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rankhub import UserError
from rankhub_active.labeling.choose import Chosen
from rankhub_active.labeling.export import write_csv
from rankhub_active.labeling.given import UNKNOWN
from rankhub_active.labeling.pool import Row
from rankhub_active.labeling.settings import Settings
from rankhub_active.labeling.setup import Progress
from rankhub_data.sheet import Tile, draw_sheet, fitted

SIDE, COLUMNS = 160, 8
MOST = 400
"""Images on a sheet; more would be too small a part of a round to look at one by one anyway."""

LIST, FORM, SHEET, IMAGES = "ask.csv", "answers.csv", "sheet.png", "images"


def hand_out(place: Path, chosen: Chosen, settings: Settings, *, copy: bool, progress: Progress) -> list[Path]:
    """Write the files of a round, and say which; those that are there are replaced, but for answers someone has begun.

    Raises UserError if it cannot be written.
    """
    try:
        place.mkdir(parents=True, exist_ok=True)
        _write(place / LIST, [_line(row) for row in chosen.rows])
        written = [place / LIST]
        form = place / FORM
        if not form.exists():
            _write(form, [_empty(row, settings) for row in chosen.rows if row.state == "asked"])
        written.append(form)
        title = f"Round {chosen.round.number}: {len(chosen.rows)} images to label, by {chosen.round.by}"
        there = [row for row in chosen.rows if row.path in chosen.place]
        tiles = [Tile(fitted(chosen.images[chosen.place[row.path]].image, SIDE), _texts(row)) for row in there[:MOST]]
        lines = [tiles[first : first + COLUMNS] for first in range(0, len(tiles), COLUMNS)]
        draw_sheet(lines, title, SIDE).save(place / SHEET)
        written.append(place / SHEET)
        if copy:
            _copy(place / IMAGES, [row.path for row in there], Path(settings.images), progress)
            written.append(place / IMAGES)
    except OSError as error:
        raise UserError(f"the files of the round cannot be written to {place.absolute()}: {error.strerror}") from error
    return written


def _write(place: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    write_csv(place, list(rows[0]) if rows else (), (list(row.values()) for row in rows))


def _line(row: Row) -> dict[str, Any]:
    # The acquirer's score is not called `score`: that is the column of the answers.
    number = "" if row.place is None else row.place + 1
    return {"path": row.path, "place": number, "priority": "" if row.score is None else row.score, "part": row.part}


def _empty(row: Row, settings: Settings) -> dict[str, str]:
    if settings.takes == "points":
        return {"path": row.path, "x": UNKNOWN, "y": UNKNOWN}  # empty ones would say that there is nothing
    return {"path": row.path, settings.takes: ""}


def _texts(row: Row) -> tuple[str, str]:
    number = (row.place or 0) + 1
    first = f"{number}  test image" if row.part == "test" else f"{number}"
    return (first if row.score is None or row.part == "test" else f"{number}  priority {row.score:.3g}"), row.path


def _copy(place: Path, paths: Sequence[str], images: Path, progress: Progress) -> None:
    """Copies under the paths that they have below the folder of images."""
    for done, path in enumerate(paths, 1):
        target = place / path
        if not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f"{target.name}.partial")
            shutil.copyfile(images / path, beside)
            beside.replace(target)
        progress(done, len(paths), "copy images")
