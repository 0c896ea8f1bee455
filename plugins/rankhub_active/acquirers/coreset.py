"""k-centre: images that cover the pool."""

from __future__ import annotations

import numpy as np

from rankhub.interfaces.options import OutputName
from rankhub_active.acquire import Acquired, Acquirer, PoolSource, Rows
from rankhub_active.acquirers.centres import Coverage, Metric, greedy
from rankhub_active.acquirers.choosing import embeddings


class Coreset(Acquirer):
    """Images such that none of the pool is far from a labeled one: the greedy solution of the k-centre problem.

    With L the labeled and chosen images, the next one is the candidate u of the largest min over l in L of d(u, l). The
    largest distance that is left is at most twice the least possible (for the best choice of as many). Of equal
    distances (those that differ by less than about a millionth of the vectors' length may be) the lower row is chosen.
    It asks for no labels and no order, so it serves any network with an embedding.

    The score is the distance to the nearest labeled image before anything is chosen. Without labeled images the first
    is the one nearest to the mean of all; the scores of the others are then their distances to it, its own NaN.

    Source: Sener, Savarese: Active learning for convolutional neural networks: a core-set approach, ICLR 2018 (arXiv
    1708.00489), algorithm 1; the bound: Gonzalez: Clustering to minimize the maximum intercluster distance, 1985.

    Args:
        embedding: The output between whose vectors distances are taken: ``backbone`` (the pooled features) or
            ``HEAD.OUTPUT``.
        metric: ``cosine`` = between vectors of length 1, sqrt(2 - 2 cos); ``euclidean`` = between them as they are.
    """

    def __init__(self, *, embedding: OutputName = "backbone", metric: Metric = "cosine") -> None:
        self.embedding = embedding
        self.metric: Metric = metric

    def __call__(self, source: PoolSource, labeled: Rows, candidates: Rows, count: int) -> Acquired:
        """Embed, and choose.

        Raises:
            UserError: The output is a map, or a value is not finite.
        """
        if not count:
            return Acquired(candidates[:0], np.full(len(candidates), np.nan))
        images, centres = (embeddings(source, self.embedding, rows) for rows in (candidates, labeled))
        coverage = Coverage(images, centres, self.metric, source.device)
        scores, first, notes = coverage.nearest.copy(), None, []
        if not len(labeled):
            first = -coverage.to_mean()
            start = int(np.argmax(first))
            scores = coverage.to(start)
            scores[start] = np.nan
            notes.append(
                "no image is labeled yet: the first is the one nearest to the mean of all, and scores are distances "
                "to it"
            )
        if np.nanmax(scores, initial=0.0) <= coverage.least:
            notes.append(f"{self.embedding} is the same for all images (collapsed), so nothing tells candidates apart")
        indices = greedy(np.zeros(len(candidates)), coverage, 1.0, count, first)
        before = f", before {scores.max():.3g}" if len(labeled) else ""
        notes.append(
            f"with these labeled no candidate is further than {coverage.nearest.max():.3g} from a labeled image{before}"
        )
        return Acquired(candidates[indices], scores, notes)
