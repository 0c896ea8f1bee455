"""Ranking uncertainty: the images whose ranked views the network orders worst."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import numpy as np

from rankhub import UserError
from rankhub.interfaces.generator import StreamSpec
from rankhub.interfaces.options import Ge, Lt, OutputName, StreamName
from rankhub.interfaces.order import RankTarget
from rankhub_active.acquire import Acquired, Acquirer, PoolSource, Rows
from rankhub_active.acquirers.centres import Floats
from rankhub_active.acquirers.choosing import by_chance, most_uncertain, number_problem, one_number, quoted, turns
from rankhub_ranking.pairs import ordered_pairs

Normalize = Literal["none", "mean", "spread"]

ROUNDING = 1e-6
"""Two predictions that differ by less, as a share of the larger one, differ by the rounding of float32 only."""


class OrderErrors:
    """Sums over the comparable pairs of each of n images, and over its views.

    With f the predictions, a pair (a, b), a ranking above b, has the signed margin f_a - f_b and is wrong unless
    f_a > f_b. Equal predictions are wrong, and their margin is 0; predictions that differ by the rounding of float32
    only are equal. An image's sums depend on its own views alone.

    Args:
        rows: [n] of the pool, ascending.

    Attributes:
        pairs: [n].
        wrong: [n] pairs not in order.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.pairs, self.wrong, self._margins, self._squares, self._sizes, self._views = np.zeros((6, len(rows)))

    def add(self, predicted: Floats, target: RankTarget) -> None:
        """Count the pairs of some views, predicted as [N] finite; ``index`` of the target is the row of the pool."""
        image = np.searchsorted(self._rows, target.index.numpy())
        if not np.array_equal(self._rows[np.minimum(image, len(self._rows) - 1)], target.index.numpy()):
            raise ValueError("views of an image that was not asked for")
        np.add.at(self._views, image, 1.0)
        np.add.at(self._sizes, image, np.abs(predicted))
        for above, below in ordered_pairs(target.group, target.level):
            upper, lower = predicted[above.numpy()], predicted[below.numpy()]
            margin = upper - lower
            margin[np.abs(margin) <= ROUNDING * np.maximum(np.abs(upper), np.abs(lower))] = 0.0
            owner = image[above.numpy()]
            np.add.at(self.pairs, owner, 1.0)
            np.add.at(self.wrong, owner, margin <= 0)
            np.add.at(self._margins, owner, margin)
            np.add.at(self._squares, owner, margin**2)

    def share(self) -> Floats:
        """[n] wrong pairs by all; NaN without pairs."""
        return self._by_pairs(self.wrong)

    def margin(self, normalize: Normalize, unit: float) -> Floats:
        """[n] the mean signed margin; NaN without pairs.

        Args:
            normalize: ``none``: in units of ``unit``; ``mean``: by the mean absolute prediction over the image's views;
                ``spread``: by the root of the mean squared margin, so in [-1, 1]. What is divided by 0 is 0.
            unit: One standardized unit.
        """
        mean = self._by_pairs(self._margins)
        if normalize == "none":
            return mean / unit
        if normalize == "mean":
            by = self._sizes / np.maximum(self._views, 1.0)
        else:
            by = np.sqrt(self._by_pairs(self._squares))
        found: Floats = mean / np.where(by == 0, 1.0, by)
        return found

    def _by_pairs(self, sums: Floats) -> Floats:
        found: Floats = np.where(self.pairs > 0, sums / np.maximum(self.pairs, 1.0), np.nan)
        return found


class RankingUncertainty(Acquirer):
    """Images whose ranked views the network orders worst.

    The order of an image's views is known without a label: a crop inside a crop holds no more, a stronger distortion is
    worse. Where the network gets it wrong, it does not understand the image. The recipe's own generator draws the views
    of each candidate anew ``draws`` times, and with P all comparable pairs (a, b) of one draw, a ranking above b, over
    all draws and kinds of change, and f the network's number

        share   s = |{(a, b) in P: f_a <= f_b}| / |P|
        margin  m = mean over P of f_a - f_b

    The candidates of largest s are chosen; among equals (many, once the network orders well) those of the least m, then
    the lower row. The score is s; with ``by: margin`` -m. Candidates without a comparable pair come last, without a
    score. It costs ``draws`` x views passes of the network an image.

    Source: Liu, van de Weijer, Bagdanov: Exploiting unlabeled data in CNNs by self-supervised learning to rank, TPAMI
    2019 (arXiv 1902.06285), for the idea; the share over 10 random sets follows a public re-implementation, the
    margin that breaks ties and its normalization are choices made here.

    Args:
        stream: The stream whose generator makes the views; None = the only one whose generator ranks its views.
        output: The network's number, higher for views of higher level: ``HEAD.OUTPUT``; None = the first number that
            the stream trains.
        draws: Sets of views of each image; more make the share finer and the choice less a matter of chance.
        by: ``share`` = the share of wrong pairs, then the margin; ``margin`` = the margin alone.
        normalize: By what an image's mean margin is divided. ``spread``: the root of its mean squared margin, which
            gives a number in [-1, 1] whatever the scale of the output, for scores and counts alike, and 1 where all
            pairs are the same distance apart; ``mean``: the mean absolute prediction over its views, so a share of the
            count, for counts, and not for scores with a zero in the middle; ``none``: the output's standardized unit,
            for scores; of counts it would take the images with the fewest objects for the least certain.
        strata: Cut the candidates into so many parts of equal size by the number that is predicted for the whole image,
            and take the most uncertain of each part in turn, so that what is labeled stays spread over that number.
            Strongly distorted images can hardly be ordered by anyone, and the plain choice (1) takes little else.
        diversity: Weight of the distance to the nearest labeled or chosen image (by the largest such distance at the
            start) against the uncertainty's quantile, so that of images that look alike not all are chosen. A copy of a
            labeled or chosen image comes after all others. 0 = the uncertainty alone.
        embedding: The output between whose vectors diversity takes the distance, sqrt(2 - 2 cos).
        random_share: Of a round, how much is drawn at random among all candidates, rounded, a half down (2 of 5 at .5);
            the rest is chosen from those that are left. So what is labeled is in part a fair sample of the pool, from
            which a scale is learned.
    """

    def __init__(
        self,
        *,
        stream: StreamName | None = None,
        output: OutputName | None = None,
        draws: Annotated[int, Ge(1)] = 10,
        by: Literal["share", "margin"] = "share",
        normalize: Normalize = "spread",
        strata: Annotated[int, Ge(1)] = 1,
        diversity: Annotated[float, Ge(0)] = 0.0,
        embedding: OutputName = "backbone",
        random_share: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        self.stream, self.output, self.draws, self.by = stream, output, draws, by
        self.normalize: Normalize = normalize
        self.strata = strata
        self.diversity, self.embedding = diversity, embedding
        self.random_share = random_share

    def check(self, streams: Mapping[str, StreamSpec], numbers: Mapping[str, float]) -> Iterable[str]:
        """A sentence if it is not clear which stream ranks its views and which number ought to follow."""
        try:
            self._asked(streams, numbers)
        except UserError as error:
            yield str(error)

    def __call__(self, source: PoolSource, labeled: Rows, candidates: Rows, count: int) -> Acquired:
        """View, predict, count, and choose.

        Raises:
            UserError: No candidate has a comparable pair, a prediction is not finite, or :meth:`check` objects.
        """
        stream, output = self._asked(source.streams, source.numbers)
        if not count:
            return Acquired(candidates[:0], np.full(len(candidates), np.nan))
        errors = OrderErrors(candidates)
        for table in source.views(stream, output, candidates, self.draws):
            if table.target is None:
                raise TypeError("PoolSource.views must give a target")
            errors.add(one_number(table, output), table.target)
        if not errors.pairs.any():
            raise UserError(
                f"ranking_uncertainty: no two views that stream {stream!r} makes of an image are comparable; let its "
                "generator make more levels, or name another `stream`"
            )
        share, margin = errors.share(), errors.margin(self.normalize, source.numbers[output])
        keys, scores = ((share, -margin), share) if self.by == "share" else ((-margin,), -margin)
        drawn, left = by_chance(source, candidates, count, self.random_share)
        others, of_them = candidates[left], tuple(key[left] for key in keys)
        if self.strata > 1:
            predicted = one_number(source.outputs(output, others), output)
            of_them = (turns(predicted, of_them, self.strata), *of_them)
        labeled, number = np.union1d(labeled, drawn), count - len(drawn)
        rows = most_uncertain(source, labeled, others, number, of_them, self.diversity, self.embedding)
        notes = [f"{len(drawn)} of {count} were drawn at random"] if len(drawn) else []
        return Acquired(np.concatenate([rows, drawn]), scores, [*self._notes(errors), *notes])

    def _notes(self, errors: OrderErrors) -> list[str]:
        n, pairs, wrong = len(errors.pairs), errors.pairs, errors.wrong
        notes = [f"{wrong.sum():,.0f} of {pairs.sum():,.0f} pairs of views are in the wrong order"]
        right = int(((wrong == 0) & (pairs > 0)).sum())
        if right and self.by == "share":
            notes.append(f"{right:,} of {n:,} images have every pair in order; among them the margin decides")
        alone = int((pairs == 0).sum())
        if alone:
            notes.append(f"{alone:,} of {n:,} images have no comparable views; they come last")
        return notes

    def _asked(self, streams: Mapping[str, StreamSpec], numbers: Mapping[str, float]) -> tuple[str, str]:
        """The stream and the output, by the options or found."""
        stream = self._ranked_stream(streams)
        if self.output is not None:
            output = self.output
            problem = number_problem(output, numbers)
            if problem is not None:
                raise UserError(f"ranking_uncertainty: {problem}")
            return stream, output
        trained = [output for output in streams[stream].outputs if output in numbers]
        if not trained:
            known = f"; name one of {quoted(numbers)} with `output`" if numbers else ""
            raise UserError(
                "ranking_uncertainty asks whether a number follows the order of views, and stream "
                f"{stream!r} trains no output that is one number{known}"
            )
        return stream, trained[0]

    def _ranked_stream(self, streams: Mapping[str, StreamSpec]) -> str:
        ranked = [name for name, stream in streams.items() if _comparable(stream)]
        if self.stream is not None:
            if self.stream in ranked:
                return self.stream
            known = f"those that do: {quoted(ranked)}" if ranked else "no stream of this recipe does"
            raise UserError(f"ranking_uncertainty: stream {self.stream!r} does not rank its views; {known}")
        if not ranked:
            raise UserError(
                "ranking_uncertainty: this recipe has no stream whose generator ranks its views, such as `distortions` "
                "or `nested_crops`, so there is no order that the network could get wrong; coreset and random need none"
            )
        if len(ranked) > 1:
            raise UserError(
                f"ranking_uncertainty: several streams rank their views: {quoted(ranked)}; choose one with `stream`"
            )
        return ranked[0]


def _comparable(stream: StreamSpec) -> bool:
    """Whether views are ranked, and some group has two of them."""
    return stream.views.levels != "equal" and stream.views.views > stream.views.groups
