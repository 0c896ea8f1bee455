"""Retrieval: how far up images of a query's class, or views of its image, stand in the ranking of a gallery."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.options import DataName, Ge, OutputName, StreamName
from rankhub_data.meaning import in_classes_of
from rankhub_retrieval.features import collapsed, labeled_rows, unit_features, without_classes
from rankhub_retrieval.ranking import measure
from rankhub_retrieval.sheet import neighbour_sheet
from rankhub_retrieval.sides import Side, Task, make_task


class Retrieval(Evaluator):
    """Rank a gallery for each query by cosine similarity, and see where the relevant images stand.

    - ``mAP``: mean over the queries of the average precision over the whole ranking, exact, by blocked matrix products.
    - ``mAP@k``: the same over the first k only, divided by min(k, number of relevant images).
    - ``recall@k``: share of the queries with a relevant image among the first k, as in metric learning.
    - ``mAP_chance``: the mAP of a random ranking.

    Similarities are compared on a grid of about 1e-6 (:mod:`rankhub_ranking.similarity`), and equals count with the
    mean over all their orders (McSherry and Najork, ECIR 2008): a collapsed network gets chance, and the order of the
    files changes no figure. A query never finds itself. Queries to which nothing is relevant are left out and counted
    in a note. The picture ``neighbours`` shows a few queries with their 8 nearest images, relevant ones framed green;
    there equals stand in the order of the files.

    Args:
        by: ``label``: images of the query's class are relevant; ``instance``: the other views of its image are.
        queries: By label: data set of the queries.
        gallery: By label: data set that is searched; None = that of the queries.
        stream: By instance: the stream whose generator makes the views.
        data: By instance: data set whose images are viewed.
        limit: By instance: the most images that are viewed.
        output: What is compared: ``backbone`` (the pooled features) or ``HEAD.OUTPUT``.
        ks: The depths k.
    """

    def __init__(
        self,
        *,
        by: Literal["label", "instance"] = "label",
        queries: DataName | None = None,
        gallery: DataName | None = None,
        stream: StreamName | None = None,
        data: DataName | None = None,
        limit: Annotated[int, Ge(2)] = 1000,
        output: OutputName = "backbone",
        ks: Sequence[Annotated[int, Ge(1)]] = (1, 5, 10),
    ) -> None:
        self.by, self.queries, self.gallery = by, queries, gallery
        self.stream, self.data, self.limit = stream, data, limit
        self.output, self.ks = output, tuple(sorted(set(ks)))
        self.needs_labels = by == "label"

    def check(self, data: Mapping[str, LabelSpec]) -> Iterable[str]:
        """Sentences where options do not go together, or classes are missing."""
        needed, foreign = (
            (("queries",), ("stream", "data")) if self.by == "label" else (("stream", "data"), ("queries", "gallery"))
        )
        for name in needed:
            if getattr(self, name) is None:
                yield f"retrieval with `by: {self.by}` needs `{name}:`"
        for name in foreign:
            if getattr(self, name) is not None:
                yield f"`{name}` plays no part with `by: {self.by}`; take it out or change `by`"
        if not self.ks:
            yield "`ks` is empty; give at least one depth"
        if self.by == "label":
            yield from without_classes("retrieval by label", [n for n in (self.queries, self.gallery) if n], data)

    def headline(self) -> Sequence[str]:
        """mAP, and the recalls."""
        return ("mAP", *(f"recall@{k}" for k in self.ks))

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        """Rank, measure, draw.

        Raises:
            UserError: Nothing is relevant to any query, or the features are not finite.
        """
        queries, gallery, notes = self._by_label(source) if self.by == "label" else self._by_instance(source)
        task = make_task(queries, gallery)
        left_out = len(queries.ids) - len(task.queries.ids)
        if left_out == len(queries.ids):
            raise UserError(self._nothing_relevant())
        if left_out:
            notes.append(
                f"{left_out} of {len(queries.ids)} queries are left out: nothing in the gallery is relevant to them"
            )
        flat = collapsed(gallery.features, gallery.data)
        if flat:
            notes.append(flat)
        metrics = measure(task, self.ks, source.device)
        pictures = {"neighbours": self._sheet(source, task)} if source.pictures else {}
        return EvaluationResult(metrics, pictures=pictures, notes=notes)

    def _by_label(self, source: EvaluationSource) -> tuple[Side, Side, list[str]]:
        assert self.queries is not None
        sides, notes = [], []
        for data in dict.fromkeys((self.queries, self.gallery or self.queries)):
            table = source.outputs(data, self.output)
            rows, labels, said = labeled_rows(table, data)
            own, asked = source.dataset(data).label, source.dataset(self.queries).label
            ids = in_classes_of(own, asked, labels)
            ids = np.where(ids < 0, len(asked.classes) + labels, ids)  # classes that no query is of, each by itself
            sides.append(Side(data, unit_features(table, data)[rows], ids, rows.astype(np.int64)))
            notes += said
        return sides[0], sides[-1], notes

    def _by_instance(self, source: EvaluationSource) -> tuple[Side, Side, list[str]]:
        assert self.stream is not None
        assert self.data is not None
        table = source.views(self.stream, self.data, self.output, self.limit)
        assert table.target is not None
        images = table.target.index.cpu().numpy()
        side = Side(self.data, unit_features(table, self.data), images, images)
        return side, side, []

    def _sheet(self, source: EvaluationSource, task: Task) -> npt.NDArray[np.uint8]:
        asked, searched = source.dataset(task.queries.data), source.dataset(task.gallery.data)
        names = asked.label.classes

        def name_of(label: int) -> str:
            return names[label] if label < len(names) else f"class {label}"

        return neighbour_sheet(
            task,
            lambda index: asked[index].image,
            lambda index: searched[index].image,
            name_of if self.by == "label" else None,
        )

    def _nothing_relevant(self) -> str:
        if self.by == "instance":
            return (
                f"retrieval by instance finds the other views of an image, but the generator of stream {self.stream!r} "
                "makes one view of each; set its `views: 2` or more"
            )
        return (
            f"no image of {self.queries!r} has another image of its class in {self.gallery or self.queries!r}; "
            "retrieval by label needs at least two images in some class"
        )
