"""Whether predictions put held-out ranked views in the right order, overall, by kind and by levels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
import torch

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.options import DataName, Ge, OutputName, StreamName
from rankhub.interfaces.order import RankTarget
from rankhub_ranking.labeled import one_number, without_rounding
from rankhub_ranking.pairs import ordered_pairs

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Level = tuple[float, ...]


@dataclass(slots=True)
class Tally:
    """Pairs and those in the right order; equal predictions count half.

    Attributes:
        pairs: All.
        right: In the right order.
    """

    pairs: int = 0
    right: float = 0.0

    @property
    def accuracy(self) -> float:
        """Share in the right order; NaN without pairs."""
        return self.right / self.pairs if self.pairs else float("nan")

    def add(self, right: Floats) -> None:
        """Count pairs: 1 each where right, 0.5 where equal, else 0."""
        self.pairs += len(right)
        self.right += float(right.sum())


@dataclass(slots=True)
class Order:
    """The pairs of one kind of change.

    Attributes:
        all: Every comparable pair.
        neighbours: Pairs of levels of a group that are next to each other: one step apart in a single column.
        by_level: The neighbours by the upper and the lower level.
        by_distance: All by how many steps of their group's levels they are apart, summed over columns.
    """

    all: Tally = field(default_factory=Tally)
    neighbours: Tally = field(default_factory=Tally)
    by_level: dict[tuple[Level, Level], Tally] = field(default_factory=dict)
    by_distance: dict[int, Tally] = field(default_factory=dict)


def orders(predicted: Floats, target: RankTarget) -> dict[int, Order]:
    """The comparable pairs of each kind that has any, sorted by kind (0 where the target knows none)."""
    kind = np.zeros(len(target), dtype=np.int64) if target.kind is None else target.kind.numpy()
    levels, inverse = torch.unique(target.level.reshape(len(target), -1), dim=0, return_inverse=True)
    names = [tuple(row) for row in levels.tolist()]
    steps = _steps(target)
    found: dict[int, Order] = {}
    for above, below in ordered_pairs(target.group, target.level):
        upper, lower = above.numpy(), below.numpy()
        ahead = predicted[upper] - predicted[lower]
        right = (ahead > 0) + 0.5 * (ahead == 0)
        apart = (steps[upper] - steps[lower]).sum(axis=1)
        next_to = apart == 1
        for number in np.unique(kind[upper]).tolist():
            own = kind[upper] == number
            order = found.setdefault(number, Order())
            order.all.add(right[own])
            for distance in np.unique(apart[own]).tolist():
                order.by_distance.setdefault(distance, Tally()).add(right[own & (apart == distance)])
            near = own & next_to
            order.neighbours.add(right[near])
            ends = np.stack([inverse.numpy()[upper[near]], inverse.numpy()[lower[near]]], axis=1)
            each, which = np.unique(ends, axis=0, return_inverse=True)
            pairs = np.bincount(which.reshape(-1), minlength=len(each))
            sums = np.bincount(which.reshape(-1), weights=right[near], minlength=len(each))
            for (first, second), count, total in zip(each.tolist(), pairs.tolist(), sums.tolist(), strict=True):
                tally = order.by_level.setdefault((names[first], names[second]), Tally())
                tally.pairs, tally.right = tally.pairs + count, tally.right + total
    return dict(sorted(found.items()))


def _steps(target: RankTarget) -> Ints:
    """[N, K] of each view and column: how many different levels of its group are below its own."""
    group, level = target.group.numpy(), target.level.reshape(len(target), -1).numpy()
    steps = np.empty(level.shape, dtype=np.int64)
    for column in range(level.shape[1]):
        order = np.lexsort((level[:, column], group))
        groups, values = group[order], level[order, column]
        begins = np.diff(groups, prepend=groups[:1] - 1) != 0
        rises = begins | (np.diff(values, prepend=values[:1]) != 0)
        rank = np.cumsum(rises)
        steps[order, column] = rank - rank[begins][np.cumsum(begins) - 1]
    return steps


MOST_LEVELS = 64
"""Lines of a kind in the tables of levels; if there are more, levels are numbers without steps."""


class RankingAccuracy(Evaluator):
    """Share of the comparable pairs of views that a predicted number puts in the right order.

    Views are made by the generator of a stream, at an address of their own, so that training never saw them; with
    ``data`` held out, neither their images. Two views are comparable if they are of one image and kind of change and
    one ranks above the other. Equal predictions count half: chance, and a collapsed network, get 0.5.

    The metric ``accuracy`` is the share over all pairs; ``accuracy_neighbours`` that over pairs whose levels are next
    to each other, the hardest ones.

    Levels may be of any kind of change: degrees of a distortion, or nested crops, ranked by a count (``output:
    density.count``). A crop may hold as many points as one inside it; since equal predictions count half, even a
    network that counts without error then stays below 1.

    Tables: ``per_kind``; ``per_distance``, by how many levels the two views are apart, which ought to rise;
    ``per_level``, one line a pair of neighbouring levels of a kind.

    Args:
        stream: The stream whose generator makes the views.
        data: Data set whose images are viewed; one that training does not see.
        output: The predicted number, higher for views of higher level: ``HEAD.OUTPUT``.
        limit: The most images that are viewed.
    """

    needs_labels = False
    needs_heads = True

    def __init__(
        self,
        *,
        stream: StreamName,
        data: DataName,
        output: OutputName = "score.score",
        limit: Annotated[int, Ge(1)] = 200,
    ) -> None:
        self.stream, self.data, self.output, self.limit = stream, data, output, limit

    def headline(self) -> Sequence[str]:
        """Accuracy over all pairs."""
        return ("accuracy",)

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        """Predict the views, and count.

        Raises:
            UserError: The stream's views are not ranked, or the output is more than one number a view.
        """
        views = source.view_spec(self.stream)
        if views.levels == "equal":
            raise UserError(
                f"ranking_accuracy compares views of different level, but all views of stream {self.stream!r} are of "
                "equal level; name a stream whose generator ranks its views"
            )
        table = source.views(self.stream, self.data, self.output, self.limit)
        assert table.target is not None
        predicted = one_number(table.values, self.output)
        bad = int((~np.isfinite(predicted)).sum())
        if bad:
            notes = [f"{bad} of {len(predicted)} predictions for views of {self.data!r} are not finite: no result"]
            return EvaluationResult(dict.fromkeys(("accuracy", "accuracy_neighbours"), float("nan")), notes=notes)
        predicted = without_rounding(predicted)
        found = orders(predicted, table.target)
        every = _total([order.all for order in found.values()])
        metrics = {
            "accuracy": every.accuracy,
            "accuracy_neighbours": _total([order.neighbours for order in found.values()]).accuracy,
        }
        notes = []
        if not every.pairs:
            notes.append(
                f"no two views of {self.data!r} by stream {self.stream!r} are comparable, so there is no result"
            )
        elif predicted.min() == predicted.max():
            notes.append(f"all views of {self.data!r} get the same prediction (collapsed)")
        named = {dict(enumerate(views.kinds)).get(number, str(number)): order for number, order in found.items()}
        tables = {
            "per_kind": _per_kind(named),
            "per_distance": _per_distance(named),
            "per_level": _per_level(named),
        }
        return EvaluationResult(metrics, {name: rows for name, rows in tables.items() if rows}, notes=notes)


def _total(tallies: Sequence[Tally]) -> Tally:
    return Tally(sum(tally.pairs for tally in tallies), sum(tally.right for tally in tallies))


def _per_kind(found: Mapping[str, Order]) -> list[dict[str, Any]]:
    return [
        {
            "kind": kind,
            "pairs": order.all.pairs,
            "accuracy": order.all.accuracy,
            "accuracy_neighbours": order.neighbours.accuracy,
        }
        for kind, order in found.items()
    ]


def _per_distance(found: Mapping[str, Order]) -> list[dict[str, Any]]:
    """From neighbours to the levels furthest apart."""
    return [
        {"kind": kind, "levels_apart": distance, "pairs": tally.pairs, "accuracy": tally.accuracy}
        for kind, order in found.items()
        if len(order.by_distance) <= MOST_LEVELS
        for distance, tally in sorted(order.by_distance.items())
    ]


def _per_level(found: Mapping[str, Order]) -> list[dict[str, Any]]:
    """From the highest level to the lowest."""
    return [
        {"kind": kind, "upper": _text(upper), "lower": _text(lower), "pairs": tally.pairs, "accuracy": tally.accuracy}
        for kind, order in found.items()
        if len(order.by_level) <= MOST_LEVELS
        for (upper, lower), tally in sorted(order.by_level.items(), reverse=True)
    ]


def _text(level: Level) -> str:
    return " ".join(f"{number:.4g}" for number in level)
