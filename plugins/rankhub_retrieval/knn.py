"""k nearest neighbours: how often a vote among the nearest labeled images gives an image its class."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.options import DataName, Ge, Gt, OutputName
from rankhub_data.meaning import in_classes_of
from rankhub_ranking.similarity import RESOLUTION, inner_products, rounded
from rankhub_ranking.sums import exact_mean
from rankhub_retrieval.features import Unit, collapsed, labeled_rows, unit_features, without_classes
from rankhub_retrieval.ranking import block_of

LEAST = 1e-5
"""The fewest votes of a neighbour: one that counted 0 would leave its class without a vote."""

_GRAIN = 30
"""Bits of a vote's fraction. Votes are whole numbers of grains, so that their sums are exact and equal ones equal."""


def vote(products: Tensor, labels: Tensor, classes: int, k: int, temperature: float | None) -> Tensor:
    """How many votes each class has among the k nearest items.

    An item nearer than the k-th has its whole vote; those that are as near as the k-th share, evenly, the votes that
    are left. That is the mean over all orders of the equals.

    [m, classes] int64, to be compared within a row only. ``products`` [m, n] are
    :func:`~rankhub_ranking.similarity.inner_products`, -inf where an item takes no part; they are rounded here: only
    those that may be among the nearest, which saves most of the time. An item s below the nearest one has exp(-s /
    temperature) votes; None = one each.
    """
    count, items = products.shape
    best, last = rounded(products.topk(k, dim=1).values[:, [0, -1]]).unbind(1)
    query, item = (products > last[:, None] - RESOLUTION).nonzero().unbind(1)
    found = rounded(products[query, item])
    near = found >= last[query]
    query, item, found = query[near], item[near], found[near]
    above = found > last[query]
    nearer = query[above].bincount(minlength=count)
    left, sharing = k - nearer, query.bincount(minlength=count) - nearer
    bits = min(_GRAIN, 62 - (k * items).bit_length())
    votes = torch.full_like(item, 2**bits)
    if temperature is not None:
        falls = (best[query] - found) / temperature
        votes = falls.neg_().exp_().clamp_(min=LEAST).mul_(2.0**bits).round_().long()
    # In shares of one vote over the number of equals, so that nothing has to be divided.
    votes *= torch.where(above, sharing[query], left[query])
    sums = votes.new_zeros(count * classes).index_add_(0, query * classes + labels[item], votes)
    return sums.view(count, classes)


def credit(votes: Tensor, labels: Tensor, top: int = 1) -> Tensor:
    """[m] probability that a label stands among the first ``top`` by votes, if chance orders equal ones.

    0 where the label got no vote, or is -1: none of the classes.
    """
    own = votes.gather(1, labels.clamp(min=0)[:, None])
    before, equal = (votes > own).sum(1), (votes == own).sum(1)
    share = ((top - before).double() / equal).clamp(0, 1)
    return share.where((labels >= 0) & (own[:, 0] > 0), 0.0)


_MOST = 4096
"""Images whose votes, one number a class, are held at a time."""


class KNearest(Evaluator):
    """Classify each test image by a vote of its k nearest images of a labeled bank, by cosine similarity.

    Nothing is trained, so it measures the representation itself. The search is exact. Images without a label are left
    out of the bank and of the test. Classes are matched by name.

    Similarities are compared on a grid of about 1e-6 (:mod:`rankhub_ranking.similarity`). Equals count with the mean
    over their orders: images of the bank that are as near as the k-th share the votes that are left for them, and
    classes with equal votes share the rank. So neither the order of the files nor the names of the classes change a
    figure, and a collapsed network gets chance.

    The metric ``accuracy`` is the share of test images whose class gets most votes; ``accuracy_top5`` (with more than 5
    classes) the share whose class is among the five with most votes, at least one. The table ``per_class`` splits the
    accuracy by class.

    Source of the weighted vote: Wu, Xiong, Yu, Lin: Unsupervised feature learning via non-parametric instance
    discrimination, CVPR 2018 (there with k = 200).

    Args:
        train: Data set with class labels that forms the bank.
        test: Data set with class labels that is classified; if it is the bank, each image by the others.
        k: Neighbours that vote.
        output: What is compared: ``backbone`` (the pooled features) or ``HEAD.OUTPUT``.
        weights: ``softmax``: a neighbour of cosine s has exp(s / temperature) votes; ``uniform``: one each.
        temperature: Of the softmax weights.
    """

    def __init__(
        self,
        *,
        train: DataName,
        test: DataName,
        k: Annotated[int, Ge(1)] = 20,
        output: OutputName = "backbone",
        weights: Literal["softmax", "uniform"] = "softmax",
        temperature: Annotated[float, Gt(0)] = 0.07,
    ) -> None:
        self.train, self.test, self.k, self.output = train, test, k, output
        self.weights, self.temperature = weights, temperature

    def check(self, data: Mapping[str, LabelSpec]) -> Iterable[str]:
        """Sentences where the bank or the test has no classes."""
        return without_classes("knn", (self.train, self.test), data)

    def headline(self) -> Sequence[str]:
        """Accuracy."""
        return ("accuracy",)

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        """Search, vote, compare.

        Raises:
            UserError: The bank or the test holds no labeled image, or a feature is not finite.
        """
        itself = self.train == self.test
        bank, bank_labels, notes = self._labelled(source, self.train)
        test, test_labels, test_notes = (bank, bank_labels, []) if itself else self._labelled(source, self.test)
        notes += test_notes
        k = min(self.k, len(bank) - itself)
        if k < 1:
            raise UserError(f"data set {self.train!r} holds a single labeled image, which leaves it no neighbour")
        if k < self.k:
            notes.append(f"k is {k}, not {self.k}: the bank {self.train!r} holds no more images")
        own, known = (source.dataset(data).label for data in (self.test, self.train))
        right = in_classes_of(own, known, test_labels)
        strange = int((~np.isin(right, bank_labels)).sum())
        if strange:
            notes.append(
                f"{strange} of {len(test)} images of {self.test!r} are of classes without an image in {self.train!r}; "
                "they count as wrong"
            )
        classes = int(max(bank_labels.max(), right.max())) + 1
        items, item_labels = _on(source.device, bank).double(), _on(source.device, bank_labels)
        temperature = self.temperature if self.weights == "softmax" else None
        first, five = torch.empty(2, len(test), dtype=torch.float64)
        nearest = torch.empty(len(test), dtype=torch.int64)
        step = min(_MOST, block_of(len(bank), source.device))
        for start in range(0, len(test), step):
            rows = slice(start, start + step)
            products = inner_products(_on(source.device, test[rows]), items)
            nearest[rows] = products.argmax(1)
            if itself:
                products.diagonal(start).fill_(-torch.inf)
            votes = vote(products, item_labels, classes, k, temperature)
            wanted = _on(source.device, right[rows])
            first[rows], five[rows] = credit(votes, wanted), credit(votes, wanted, 5)
        flat = collapsed(bank, self.train)
        if flat:
            notes.append(flat)
        elif not itself:
            notes += self._twins(test, bank, nearest.numpy())
        metrics = {"accuracy": float(exact_mean(first))}
        if classes > 5:
            metrics["accuracy_top5"] = float(exact_mean(five))
        table = _per_class(first, test_labels, own.classes)
        return EvaluationResult(metrics, {"per_class": table}, notes=notes)

    def _labelled(self, source: EvaluationSource, data: str) -> tuple[Unit, npt.NDArray[np.int64], list[str]]:
        table = source.outputs(data, self.output)
        rows, labels, notes = labeled_rows(table, data)
        return unit_features(table, data)[rows], labels, notes

    def _twins(self, test: Unit, bank: Unit, rows: npt.NDArray[np.int64]) -> list[str]:
        """A note if test images have a neighbour with the same features: copies make the accuracy too good."""
        spread = np.linalg.norm(bank - bank.mean(axis=0), axis=1).mean()
        same = int((np.linalg.norm(test - bank[rows], axis=1) < 1e-4 * spread).sum())
        if not same:
            return []
        return [
            f"{same} of {len(test)} images of {self.test!r} have the same features as an image of {self.train!r}: "
            "copies, which make the accuracy too good"
        ]


def _on(device: torch.device, values: npt.NDArray[Any]) -> Tensor:
    return torch.from_numpy(values).to(device)


def _per_class(
    right: Tensor, labels: npt.NDArray[np.int64], names: Sequence[str]
) -> list[dict[str, str | int | float]]:
    rows: list[dict[str, str | int | float]] = []
    for label in np.unique(labels).tolist():
        own = right[torch.from_numpy(labels == label)]
        name = names[label] if label < len(names) else str(label)
        rows.append({"class": name, "images": len(own), "accuracy": float(exact_mean(own))})
    return rows
