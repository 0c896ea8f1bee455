"""Disagreement: the images on which several networks differ most."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import numpy as np

from rankhub import UserError
from rankhub.interfaces.generator import StreamSpec
from rankhub.interfaces.options import Ge, Lt, OutputName
from rankhub_active.acquire import Acquired, Acquirer, PoolSource, Rows
from rankhub_active.acquirers.centres import Floats
from rankhub_active.acquirers.choosing import by_chance, most_uncertain, number_problem, one_number, quoted


class EnsembleVariance(Acquirer):
    """Images on which several networks disagree most.

    The networks are the checkpoints that a run kept, or the last one with dropout at work. With f_1 .. f_M their
    predictions for an image, in the output's standardized unit, and μ their mean, the score is

        σ = sqrt(1/M Σ_m (f_m - μ)²)

    Equals go to the lower row. It costs M passes an image.

    Source: committees: Seung, Opper, Sompolinsky: Query by committee, COLT 1992; Lakshminarayanan, Pritzel, Blundell:
    Simple and scalable predictive uncertainty estimation using deep ensembles, NeurIPS 2017; dropout: Gal, Ghahramani:
    Dropout as a Bayesian approximation, ICML 2016. Checkpoints of one run are nearer to each other than networks
    trained apart.

    Args:
        members: ``checkpoints`` = those that the run kept (``checkpoint.keep``); ``dropout`` = passes with dropout.
        passes: With dropout: how many, M.
        output: The number on which they may disagree: ``HEAD.OUTPUT``; None = the score or count of the only head.
        relative: Divide σ by |μ|, where that is above one unit: for counts, whose error grows with the count.
        diversity: Weight of the distance to the nearest labeled or chosen image (by the largest such distance at the
            start) against the uncertainty's quantile, so that of images that look alike not all are chosen. A copy of a
            labeled or chosen image comes after all others. 0 = the uncertainty alone.
        embedding: The output between whose vectors diversity takes the distance, sqrt(2 - 2 cos).
        random_share: As for `ranking_uncertainty`.
    """

    def __init__(
        self,
        *,
        members: Literal["checkpoints", "dropout"] = "checkpoints",
        passes: Annotated[int, Ge(2)] = 10,
        output: OutputName | None = None,
        relative: bool = False,
        diversity: Annotated[float, Ge(0)] = 0.0,
        embedding: OutputName = "backbone",
        random_share: Annotated[float, Ge(0), Lt(1)] = 0.0,
    ) -> None:
        self.members, self.passes, self.output, self.relative = members, passes, output, relative
        self.diversity, self.embedding = diversity, embedding
        self.random_share = random_share

    def check(self, streams: Mapping[str, StreamSpec], numbers: Mapping[str, float]) -> Iterable[str]:
        """A sentence if it is not clear on which number the networks may disagree."""
        try:
            self._number(numbers)
        except UserError as error:
            yield str(error)

    def __call__(self, source: PoolSource, labeled: Rows, candidates: Rows, count: int) -> Acquired:
        """Predict with each network, and choose.

        Raises:
            UserError: The run kept a single checkpoint, the network has no dropout, a prediction is not finite, or
                :meth:`check` objects.
        """
        output = self._number(source.numbers)
        networks = self._networks(source)
        if not count:
            return Acquired(candidates[:0], np.full(len(candidates), np.nan))
        unit = source.numbers[output]
        answers = np.stack([one_number(network.outputs(output, candidates), output) / unit for network in networks])
        scores: Floats = answers.std(axis=0)
        if self.relative:
            scores = scores / np.maximum(np.abs(answers.mean(axis=0)), 1.0)
        drawn, left = by_chance(source, candidates, count, self.random_share)
        labeled, number, keys = np.union1d(labeled, drawn), count - len(drawn), (scores[left],)
        rows = most_uncertain(source, labeled, candidates[left], number, keys, self.diversity, self.embedding)
        notes = [f"{len(answers)} networks differ by {np.median(scores):.3g} at the median"]
        if not scores.any():
            notes = [f"all {len(answers)} networks give the same predictions, so nothing tells candidates apart"]
        return Acquired(np.concatenate([rows, drawn]), scores, notes)

    def _networks(self, source: PoolSource) -> list[PoolSource]:
        if self.members == "checkpoints":
            found = list(source.members())
            if len(found) < 2:
                raise UserError(
                    f"ensemble_variance compares checkpoints, and the run kept {len(found)}; train with "
                    "checkpoint.keep=5, or set `members: dropout`"
                )
            return found
        dropped = [source.dropped(number) for number in range(self.passes)]
        networks = [network for network in dropped if network is not None]
        if len(networks) < self.passes:
            raise UserError(
                "ensemble_variance with `members: dropout` needs a network with dropout, and this one has none; train "
                "with the option `dropout` of the head, where it has one, or with backbone.args.drop_path_rate=0.1, or "
                "set `members: checkpoints`"
            )
        return networks

    def _number(self, numbers: Mapping[str, float]) -> str:
        if self.output is not None:
            problem = number_problem(self.output, numbers)
            if problem is not None:
                raise UserError(f"ensemble_variance: {problem}")
            return self.output
        if len({name.partition(".")[0] for name in numbers}) == 1:
            return next(iter(numbers))
        if not numbers:
            raise UserError(
                "ensemble_variance: no output of this recipe is one number an image, such as a score or a count; "
                "coreset and random need none"
            )
        raise UserError(
            f"ensemble_variance: several outputs are one number an image: {quoted(numbers)}; choose one with `output`"
        )
