"""What to tell of a set of scored images that was opened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import DataReport, LabelSpec
from rankhub_data.opened import Opened
from rankhub_quality.data.table import ScoredRow
from rankhub_tables.split import Split, Units


def report(title: str, opened: Opened[ScoredRow], split: Split, share: float, scale: LabelSpec) -> DataReport:
    """Sentences and tables.

    The table ``scores`` has a row for each image that is served, its score on the data set's own scale; the table
    ``references`` says for each reference how many images are served of how many, and its fold.

    Args:
        title: The data set's name.
        opened: What was opened.
        split: The part that is served.
        share: Of the images to train on that keep their label.
        scale: What the scores are.
    """
    units = opened.sides.units
    assert units is not None
    scores = [
        {"path": path, "score": opened.rows[row].score, **opened.known(row, ("reference", "kind"))}
        for path, row in zip(opened.paths, opened.served.tolist(), strict=True)
    ]
    tables: dict[str, Sequence[Mapping[str, Any]]] = {"scores": scores}
    if units.what == "references":
        tables["references"] = _references(opened)
    said = [_range(np.array([line["score"] for line in scores]), scale), *_part(opened, units, split, share)]
    what = f"{title}: {_images(opened, units)}"
    return opened.report(what, said, "copies with scores of their own", tables)


def _references(opened: Opened[ScoredRow]) -> list[dict[str, Any]]:
    images, served = (Counter(row.reference for row in rows) for rows in (opened.rows, opened.served_rows))
    first = {row.reference: number for number, row in reversed(list(enumerate(opened.rows)))}
    return [
        {"reference": name, "images": images[name], "served": served[name], **opened.known(first[name])}
        for name in sorted(images)
    ]


def _images(opened: Opened[ScoredRow], units: Units) -> str:
    wanted = [row for row in opened.rows if row.wanted]
    of = "" if len(opened.served) == len(wanted) else f" of {len(wanted):,}"
    known = [f"{len(set(units.names)):,} references"] if units.what == "references" else []
    kinds = {row.kind for row in wanted if row.kind}
    known += [f"{len(kinds)} kinds of distortion"] if kinds else []
    among = f" of {' and '.join(known)}" if known else ""
    return f"{len(opened.served):,}{of} scored images{among}"


def _range(scores: npt.NDArray[np.float64], scale: LabelSpec) -> str:
    way = "higher is better" if scale.higher_is_better else "lower is better: turned inside"
    what = scale.unit or "scores"
    return f"{what} from {scores.min():g} to {scores.max():g}, mean {scores.mean():.4g} ({way})"


def _part(opened: Opened[ScoredRow], units: Units, split: Split, share: float) -> Iterator[str]:
    """How the images that are served came about."""
    count = len(units.drawn)
    if split.part != "all":
        served = len({units.names[row] for row in opened.served.tolist()})
        how = f"fold {split.fold} of {split.folds}" if split.folds else f"{split.held_out:g} held out"
        yield f"part {split.part}: {served:,} of {count:,} {units.what} ({how}, seed {split.seed})"
    elif split.folds is not None:
        yield f"{split.folds} folds of {count:,} {units.what} (seed {split.seed})"
    if share < 1 and split.part != "held_out":
        yield f"{len(opened.served):,} images keep their label: share {share:g}, evenly over the kinds"
