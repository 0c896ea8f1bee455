"""Queries and gallery."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rankhub_retrieval.features import Unit


@dataclass(frozen=True)
class Side:
    """Queries or gallery.

    Attributes:
        data: Name of the data set.
        features: [n, d] of unit length.
        ids: [n] int64; items of the gallery with a query's id are relevant to it: its class, or its image.
        images: [n] int64, position of each row's image in the data set.
    """

    data: str
    features: Unit
    ids: npt.NDArray[np.int64]
    images: npt.NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """A retrieval task: queries, the gallery that they search, and the relevant items.

    Attributes:
        queries: The queries that have something relevant in the gallery.
        gallery: What is searched.
        relevant: [n] int64, number of relevant items of each query, at least 1.
        own: [n] int64, the gallery row that is the query itself and is not ranked; None = no query is in the gallery.
    """

    queries: Side
    gallery: Side
    relevant: npt.NDArray[np.int64]
    own: npt.NDArray[np.int64] | None

    @property
    def ranked(self) -> int:
        """Number of items that each query ranks."""
        return len(self.gallery.ids) - (self.own is not None)


def make_task(queries: Side, gallery: Side) -> Task:
    """Leave out the queries to which nothing is relevant; if both sides are one object, each searches the others."""
    known, counts = np.unique(gallery.ids, return_counts=True)
    index = np.searchsorted(known, queries.ids).clip(max=len(known) - 1)
    relevant = np.where(known[index] == queries.ids, counts[index], 0) - (queries is gallery)
    rows = np.flatnonzero(relevant > 0)
    left = Side(queries.data, queries.features[rows], queries.ids[rows], queries.images[rows])
    return Task(left, gallery, relevant[rows], rows if queries is gallery else None)
