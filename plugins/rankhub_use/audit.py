"""``rankhub audit``: whether a scorer keeps orders that are known without labels."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

from rankhub import Talk, UserError
from rankhub.interfaces.files import as_csv, write_text
from rankhub_data.decode import Pixels
from rankhub_listing.files import UnusedImage
from rankhub_use.audit_page import draw, page
from rankhub_use.filling import fill
from rankhub_use.findings import Findings
from rankhub_use.growing import Growing, sources_of
from rankhub_use.named import ChosenFiles, NamedFile
from rankhub_use.ordered import Orders
from rankhub_use.reading import read_blocks
from rankhub_use.scorers import Picture, Scorer
from rankhub_use.shell import as_json
from rankhub_use.tables import JsonTable, Row
from rankhub_use.target import SCORES, made

COLUMNS = ("path", "kinds", "levels", "scores", "plain", "flip", "jpeg95", "batch")


def run_audit(
    scorer: Scorer,
    orders: Orders,
    files: Sequence[NamedFile],
    talk: Talk,
    *,
    seed: int = 0,
    out: Path | None = None,
    force: bool = False,
    resume: bool = False,
) -> Findings:
    """Score every image and its versions, and count.

    Args:
        scorer: What is audited.
        orders: Whose order it is to keep.
        files: Images.
        talk: Where progress is told.
        seed: Of what the generator draws.
        out: Folder for what was found; None = it is only returned.
        force: Replace what is there.
        resume: Go on with what was begun.

    Raises:
        UserError: Not one image can be taken, or the folder cannot be written.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory())) if out is None else out
        stack.enter_context(made("--out", folder))
        about = {
            "scorer": scorer.about,
            "direction": scorer.direction,
            "generator": list(orders.about),
            "seed": seed,
            "sources": sources_of(files),
        }
        table = JsonTable(folder / SCORES, COLUMNS)
        growing = Growing(table, folder / SCORES, about)
        with growing.kept() if out is not None else ExitStack():
            scored = partial(_scored, scorer, orders, seed)
            _, first = fill(growing, files, scored, talk, what="audit", resume=resume, force=force)
        found = Findings.of(_rows(folder / SCORES), scorer.higher_is_better)
        if growing.left_out:
            talk.note(f"{growing.left_out:,} of {len(files):,} images are skipped, such as {first and first.reason}")
        if out is not None:
            _write(out, scorer, orders, found)
        return found


def _scored(
    scorer: Scorer, orders: Orders, seed: int, files: Sequence[NamedFile]
) -> Iterator[tuple[list[Row], list[UnusedImage]]]:
    """Of each file a row, or why it has none."""
    for block in read_blocks(files, 1):
        if block.unread:
            yield [], [block.unread[0]]
            continue
        name = block.files[0].name
        try:
            yield [(name, *_row(scorer, orders, block.images[0], name, seed))], []
        except UserError as error:
            if scorer.run is None:
                raise
            yield [], [UnusedImage(name, "unsuited", str(error))]


def _row(scorer: Scorer, orders: Orders, image: Pixels, name: str, seed: int) -> tuple[Any, ...]:
    plain = np.ascontiguousarray(image.transpose(1, 2, 0))
    flipped, written = np.ascontiguousarray(plain[:, ::-1]), rewritten(plain)
    (alone,), beside = scorer.score([plain]), scorer.score([plain, flipped, written])
    views = orders.views(image, name, seed)
    kinds, levels = [kind for kind, _, _ in views], [list(level) for _, level, _ in views]
    scores = scorer.score([view for _, _, view in views])
    return kinds, levels, scores, alone, beside[1], beside[2], beside[0]


def rewritten(image: Picture) -> Picture:
    """An image written and read as JPEG of quality 95 (chroma at half the size, as is usual)."""
    file = BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=95)
    return np.asarray(Image.open(file).convert("RGB"))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def spread(files: Sequence[NamedFile], limit: int | None) -> Sequence[NamedFile]:
    """At most so many, evenly spread over all."""
    if limit is None or limit >= len(files):
        return files
    return ChosenFiles(files, np.arange(limit, dtype=np.int64) * len(files) // limit)


def summary_of(scorer: Scorer, orders: Orders, found: Findings) -> dict[str, Any]:
    """The tables as plain data, with scorer, direction, generator and verdict."""
    return {
        "scorer": scorer.name,
        "direction": scorer.direction,
        "generator": list(orders.about),
        "images": found.images,
        "kinds": found.by_kind(orders),
        "invariance": found.invariance(),
        "verdict": verdict(scorer, found),
    }


def verdict(scorer: Scorer, found: Findings) -> str:
    """One sentence, with the direction that was taken."""
    if not found.all.pairs:
        return "the generator orders no two versions of these images"
    cells = found.all.cells()
    said = (
        f"{scorer.direction}: {100 * cells['right']:.1f} % of {found.all.pairs:,} pairs right, "
        f"{100 * cells['ties']:.1f} % tied, {100 * cells['wrong']:.1f} % wrong"
    )
    if cells["wrong"] > 0.5:
        said += "; it seems to run the other way" + ("" if scorer.run else ": see --lower-is-better")
    return said


def _write(out: Path, scorer: Scorer, orders: Orders, found: Findings) -> None:
    summary = summary_of(scorer, orders, found)
    levels = found.by_level(orders)
    write_text(out / "kinds.csv", as_csv(summary["kinds"]))
    write_text(out / "levels.csv", as_csv(levels))
    write_text(out / "invariance.csv", as_csv(summary["invariance"]))
    write_text(out / "audit.json", as_json({**summary, "levels": levels}, indent=1) + "\n")
    write_text(out / "audit.md", page(summary, levels))
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    draw(summary, levels, out / "audit.png")
