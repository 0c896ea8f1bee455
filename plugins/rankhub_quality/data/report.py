"""What to tell of a set of scored images that was opened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rankhub.interfaces.data import DataReport, LabelSpec
from rankhub_data.named import NamedImages
from rankhub_data.tables.split import Ints
from rankhub_quality.data.parts import Parts, Units
from rankhub_quality.data.table import ScoreTable


@dataclass(frozen=True, slots=True)
class Opened:
    """A data set that was opened.

    Attributes:
        table: n rows, of which some are served. Those that row filters leave out are among them only where the split
            cannot be drawn without their images.
        images: n images.
        units: n of them.
        folds: [n] the fold of each image, if there are folds.
        rows: Those that are served, ascending.
    """

    table: ScoreTable
    images: NamedImages
    units: Units
    folds: Ints | None
    rows: Ints


def report(title: str, opened: Opened, parts: Parts, scale: LabelSpec) -> DataReport:
    """Sentences and tables.

    The table ``scores`` has a row for each image that is served, its score on the data set's own scale; the table
    ``references`` says for each reference how many images are served of how many, and its fold.

    Args:
        title: The data set's name.
        opened: What was opened.
        parts: The part that is served.
        scale: What the scores are.
    """
    tables: dict[str, Sequence[Mapping[str, Any]]] = {"scores": list(_scores(opened))}
    if opened.units.what == "references":
        tables["references"] = list(_references(opened))
    return DataReport(list(_notes(title, opened, parts, scale)), tables)


def _scores(opened: Opened) -> Iterator[dict[str, Any]]:
    names = opened.images.names
    for number in opened.rows.tolist():
        row = opened.table.rows[number]
        said: dict[str, Any] = {"path": names[number], "score": row.score}
        said.update((name, value) for name in ("reference", "kind") if (value := getattr(row, name)))
        if opened.folds is not None:
            said["fold"] = int(opened.folds[number])
        yield said


def _references(opened: Opened) -> Iterator[dict[str, Any]]:
    served = np.zeros(len(opened.table.rows), bool)
    served[opened.rows] = True
    names = np.array(opened.units.names)
    for reference in sorted(set(opened.units.names)):
        of_it = names == reference
        said: dict[str, Any] = {"reference": reference, "images": int(of_it.sum()), "served": int(served[of_it].sum())}
        if opened.folds is not None:
            said["fold"] = int(opened.folds[of_it][0])
        yield said


def _notes(title: str, opened: Opened, parts: Parts, scale: LabelSpec) -> Iterator[str]:
    rows, table = opened.rows, opened.table
    wanted = table.wanted.rows
    of = "" if len(rows) == len(wanted) else f" of {len(wanted):,}"
    known = [f"{len(set(opened.units.names)):,} references"] if opened.units.what == "references" else []
    kinds = {row.kind for row in wanted if row.kind}
    known += [f"{len(kinds)} kinds of distortion"] if kinds else []
    among = f" of {' and '.join(known)}" if known else ""
    yield (
        f"{title}: {len(rows):,}{of} scored images{among} in {opened.images.folder.root}, "
        f"{opened.images.size_range(rows)}"
    )
    scores = table.scores[rows]
    what = scale.unit or "scores"
    way = "higher is better" if scale.higher_is_better else "lower is better: turned inside"
    yield f"{what} from {scores.min():g} to {scores.max():g}, mean {scores.mean():.4g} ({way})"
    yield from parts.notes(opened.units, rows)
    yield from table.notes
    different = len(np.unique(opened.images.originals[rows]))
    if different < len(rows):
        yield f"{different:,} of {len(rows):,} images differ; the others are copies with scores of their own: kept"
    yield from opened.images.where_kept()
