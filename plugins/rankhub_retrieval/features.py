"""Features and class labels of a table of outputs, as evaluators compare them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable
from rankhub_ranking.embeddings import unit_rows

Unit = npt.NDArray[np.float32]
"""[n, d] rows of unit length (or zero), C-contiguous."""


def unit_features(table: OutputTable, data: str) -> Unit:
    """One row an image, flattened and divided by its length.

    Raises:
        UserError: The output is a map, there are no rows, or a value is not finite.
    """
    if not isinstance(table.values, Tensor):
        raise UserError("images are compared by one vector each, and the output is a map; name another, or `backbone`")
    values = table.values.flatten(1).float()
    if not len(values):
        raise UserError(f"data set {data!r} holds no images to evaluate on")
    broken = int((~values.isfinite()).any(dim=1).sum())
    if broken:
        raise UserError(
            f"{broken} of {len(values)} features of data set {data!r} are not finite; the network's weights have "
            "diverged: lower the learning rate and train again"
        )
    return np.ascontiguousarray(unit_rows(values).numpy())


def collapsed(features: Unit, data: str) -> str | None:
    """A sentence if all features point the same way, so that nothing can be told apart."""
    if len(features) > 1 and np.linalg.norm(features - features[:1], axis=1).max() < 1e-3:
        return (
            f"the features of all {len(features)} images of {data!r} are the same: the network has collapsed, and the "
            "figures are chance"
        )
    return None


def without_classes(owner: str, names: Iterable[str], data: Mapping[str, LabelSpec]) -> Iterable[str]:
    """A sentence for each of the named data sets that has no class labels."""
    for name in dict.fromkeys(names):
        if name in data and data[name].kind != "class":
            have = f"{data[name].kind} labels" if data[name].kind else "no labels"
            yield f"{owner} compares classes, but data set {name!r} has {have}; name one with class labels"


def labeled_rows(table: OutputTable, data: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64], list[str]]:
    """The rows that have a class, those rows' classes, and a note if some have none (label -1).

    Raises:
        UserError: No row has a class.
    """
    labels = np.asarray(table.labels) if table.labels is not None else np.full(len(table.values), -1)
    rows = np.flatnonzero(labels >= 0)
    if not len(rows):
        raise UserError(f"no image of data set {data!r} has a class label; name a labeled data set")
    missing = len(labels) - len(rows)
    notes = [f"{missing} of {len(labels)} images of {data!r} have no label and are left out"] if missing else []
    return rows, labels[rows].astype(np.int64), notes
