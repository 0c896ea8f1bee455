"""Measures of retrieval on plain tensors: mean average precision and recall, exact, with ties that are defined.

Items of equal similarity count as the mean over all orders of them (McSherry and Najork, ECIR 2008), so that a
collapsed network gets chance and the order of files decides nothing. Cosines that agree on a grid of 2^-20 are equal.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from rankhub_ranking.embeddings import unit_rows
from rankhub_ranking.standalone import ids, output_of
from rankhub_retrieval.ranking import measure
from rankhub_retrieval.sides import Side, make_task


@torch.no_grad()
def retrieval(
    queries: Tensor,
    query_labels: Tensor,
    gallery: Tensor | None = None,
    gallery_labels: Tensor | None = None,
    ks: Sequence[int] = (1, 5, 10),
) -> dict[str, float]:
    """How well each query finds the gallery's rows of its own label, by cosine.

    Args:
        queries: [n, d] embeddings of any length.
        query_labels: [n] integers.
        gallery: [g, d]; None = the queries, each of which then searches all others.
        gallery_labels: [g] integers; None with ``gallery`` alone.
        ks: Depths.

    Returns:
        "mAP" over the whole ranking, "mAP@k" (divided by min(k, relevant)) and "recall@k" (the probability that one
        relevant row is among the first k) for each depth, and "mAP_chance", the mAP of a random order; means over the
        queries that have something relevant. The same bit for bit whatever the order of rows and the number of threads.

    Raises:
        ValueError: Shapes or types are others, a value is not finite, or no query has anything relevant.
    """
    asked = _side("queries", queries, query_labels)
    if (gallery is None) != (gallery_labels is None):
        raise ValueError("gallery and gallery_labels come together, or both are left out")
    searched = asked if gallery is None or gallery_labels is None else _side("gallery", gallery, gallery_labels)
    if asked.features.shape[1] != searched.features.shape[1]:
        raise ValueError(f"queries have {asked.features.shape[1]} columns, the gallery {searched.features.shape[1]}")
    if any(k < 1 for k in ks):
        raise ValueError(f"depths are at least 1, got {min(ks)}")
    task = make_task(asked, searched)
    if not len(task.queries.ids):
        raise ValueError("no query shares its label with a row of the gallery")
    return measure(task, ks, queries.device)


def _side(name: str, embeddings: Tensor, labels: Tensor) -> Side:
    output_of(embeddings)
    known = ids(labels, embeddings, f"labels of the {name}").cpu().numpy()
    if not bool(embeddings.isfinite().all()):
        raise ValueError(f"a value of the {name} is not finite")
    features = np.ascontiguousarray(unit_rows(embeddings.detach().float()).cpu().numpy())
    return Side(name, features, known, np.arange(len(known)))
