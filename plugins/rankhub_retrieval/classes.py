"""Class labels of a table of outputs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable


def without_classes(owner: str, names: Iterable[str], data: Mapping[str, LabelSpec]) -> Iterable[str]:
    """A sentence for each of the named data sets that has no class labels."""
    for name in dict.fromkeys(names):
        if name in data and data[name].kind != "class":
            have = f"{data[name].kind} labels" if data[name].kind else "no labels"
            yield f"{owner} compares classes, but data set {name!r} has {have}; name one with class labels"


def labelled_rows(table: OutputTable, data: str) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.int64], list[str]]:
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
