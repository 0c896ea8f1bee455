"""The measures of retrieval over a task."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rankhub_ranking.sums import exact_mean
from rankhub_retrieval.ranking import full_rankings
from rankhub_retrieval.sides import Task
from rankhub_retrieval.ties import chance_average_precision


def measure(task: Task, ks: Sequence[int], device: torch.device) -> dict[str, float]:
    """The mAP over the whole ranking, mAP and recall at each depth, and the mAP of a random ranking.

    All are the same bit for bit whatever the order of queries and gallery, the blocks and the number of threads.

    Args:
        task: At least one query.
        ks: Depths, at least 1 each.
        device: Where products and sorting run.
    """
    names = ["mAP", *(f"mAP@{k}" for k in ks), *(f"recall@{k}" for k in ks)]
    values = torch.empty(len(names), len(task.queries.ids), dtype=torch.float64)
    sides = task.queries.features, task.queries.ids, task.gallery.features, task.gallery.ids
    for rows, rankings in full_rankings(*sides, device, task.own):
        precisions = [rankings.average_precision(k) for k in (None, *ks)]
        values[:, rows] = torch.stack(precisions + [rankings.recall(k) for k in ks]).cpu()
    chance = chance_average_precision(torch.from_numpy(task.relevant), task.ranked)
    means = exact_mean(values, 1).tolist()
    return dict(zip(names, means, strict=True)) | {"mAP_chance": float(exact_mean(chance))}
