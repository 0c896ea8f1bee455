"""A part of another data set, by which trials hold some of the training data out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt

import rankhub
from rankhub.interfaces.data import DataReport, Dataset, OpenContext, Sample
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.options import Ge, Gt, Lt
from rankhub_data.meaning import measured


class Portion(Dataset):
    """Some of the images of another data set: those held out of it, or the others.

    Images of one reference stay together where references are known. The draw is a function of the number of
    references or images and of the seed. What labels are like (mean, deviation, density) is measured on the part.

    Args:
        of: The data set, ``use`` and options.
        part: Which side.
        share: Of the references, or of the images, that are held out, rounded; at least one, and not all.
        per_class: Images of each class that are held out, in place of ``share``; references are not looked at.
        seed: Another seed draws others.
    """

    def __init__(
        self,
        *,
        of: dict[str, Any],
        part: Literal["train", "held_out"],
        share: Annotated[float, Gt(0), Lt(1)] = 0.2,
        per_class: Annotated[int, Ge(1)] | None = None,
        seed: Annotated[int, Ge(0)] = 0,
    ) -> None:
        self.part, self.share, self.per_class, self.seed = part, share, per_class, seed
        self.inner: Dataset = rankhub.build("dataset", of)
        self.label, self.forks = self.inner.label, self.inner.forks
        self.given = of
        self._rows: npt.NDArray[np.int64] = np.empty(0, np.int64)

    def missing(self) -> str | None:
        """What the other data set lacks."""
        return self.inner.missing()

    def open(self, context: OpenContext) -> DataReport:
        """Open the other data set and draw.

        Raises:
            UserError: It has a single reference, a single image, or too few images of a class.
        """
        report = self.inner.open(context)
        out = self._out_by_share() if self.per_class is None else self._out_by_class(self.per_class)
        kept = out == (self.part == "held_out")
        self._rows = np.flatnonzero(kept)
        labels = self.labels()
        self.label = self.inner.label
        if labels is not None and self.label.kind in ("score", "points"):
            self.label = measured(self.label, np.asarray(labels, dtype=np.float64))
            sizes = self.sizes()
            if self.label.kind == "points" and sizes is not None:
                self.label = replace(self.label, density=float(labels.sum() / sizes.prod(axis=1).sum()))
        return DataReport(notes=(*report.notes, f"{self.part}: {len(self._rows):,} of {len(out):,} images"))

    def _out_by_share(self) -> npt.NDArray[np.bool_]:
        """Which images are held out, by reference."""
        units = self.inner.facts("reference") or [str(index) for index in range(len(self.inner))]
        names = sorted(set(units))
        if len(names) < 2:
            raise UserError(
                "a data set of which a part is held out has a single image, or images of a single reference"
            )
        order = Draws(self.seed, "portion", 0).shuffled(len(names))
        count = min(len(names) - 1, max(1, int(self.share * len(names) + 0.5)))
        out = {names[index] for index in order[:count].tolist()}
        return np.asarray([unit in out for unit in units], dtype=np.bool_)

    def _out_by_class(self, count: int) -> npt.NDArray[np.bool_]:
        """Which images are held out, ``count`` of each class."""
        labels = self.inner.labels()
        if labels is None or self.inner.label.kind != "class":
            raise UserError("per_class asks for images of each class, and the data set has no classes")
        order = Draws(self.seed, "portion", 0).shuffled(len(labels))
        out = np.zeros(len(labels), np.bool_)
        for label in np.unique(labels[labels >= 0]):
            own = order[labels[order] == label]
            if len(own) < count:
                name = self.inner.label.classes[label]
                raise UserError(f"per_class asks for {count} images of each class, and {name!r} has {len(own)}")
            out[own[:count]] = True
        return out

    def pinned(self) -> dict[str, Any]:
        """What keeps the other data set to its images of now."""
        pinned = self.inner.pinned()
        return {"of": {**self.given, **pinned}} if pinned else {}

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Sample:
        """The image at ``index`` of the part."""
        return replace(self.inner[int(self._rows[index])], index=index)

    def labels(self) -> npt.NDArray[Any] | None:
        """Those of the part."""
        found = self.inner.labels()
        return None if found is None else found[self._rows]

    def points(self) -> Sequence[npt.NDArray[np.float64]] | None:
        """Those of the part."""
        found = self.inner.points()
        return None if found is None else [found[row] for row in self._rows.tolist()]

    def facts(self, name: str) -> Sequence[str] | None:
        """Those of the part."""
        found = self.inner.facts(name)
        return None if found is None else [found[row] for row in self._rows.tolist()]

    def sizes(self) -> npt.NDArray[np.int64] | None:
        """Those of the part."""
        found = self.inner.sizes()
        return None if found is None else found[self._rows]

    def digests(self) -> npt.NDArray[np.uint64] | None:
        """Those of the part."""
        found = self.inner.digests()
        return None if found is None else found[self._rows]
