"""The measures of retrieval over a task."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from rankhub_retrieval.ranking import full_rankings, sorted_keys
from rankhub_retrieval.search import nearest
from rankhub_retrieval.sides import Task
from rankhub_retrieval.ties import Rankings, chance_average_precision, ranking_keys


def measure(task: Task, ks: Sequence[int], device: torch.device) -> dict[str, float]:
    """The mAP over the whole ranking, mAP and recall at each depth, and the mAP of a random ranking.

    What happens within the first k is read off faiss's neighbours. Where equals run beyond them, so that faiss's choice
    among them would tell, it is read off the whole ranking.

    Args:
        task: At least one query.
        ks: Depths, at least 1 each.
        device: Where products, search and sorting run.
    """
    count = len(task.queries.ids)
    heads, complete = _heads(task, max(ks), device)
    first = {k: torch.stack([heads.average_precision(k), heads.recall(k)]) for k in ks}
    whole = torch.empty(count, dtype=torch.float64)
    sides = task.queries.features, task.queries.ids, task.gallery.features, task.gallery.ids
    for rows, rankings in full_rankings(*sides, device, task.own):
        whole[rows] = rankings.average_precision().cpu()
        cut = ~complete[rows]
        if cut.any():
            for k, values in first.items():
                exact = torch.stack([rankings.average_precision(k), rankings.recall(k)]).cpu()
                values[:, rows] = torch.where(cut, exact, values[:, rows])
    metrics = {"mAP": float(whole.mean())}
    metrics |= {f"mAP@{k}": float(values[0].mean()) for k, values in first.items()}
    metrics |= {f"recall@{k}": float(values[1].mean()) for k, values in first.items()}
    chance = chance_average_precision(torch.from_numpy(task.relevant), task.ranked)
    return metrics | {"mAP_chance": float(chance.mean())}


def _heads(task: Task, k: int, device: torch.device) -> tuple[Rankings, torch.Tensor]:
    """The first items of each ranking, and [n] bool: whether all equals of the k-th are among them."""
    depth = min(task.ranked, 2 * k + 16)
    similarity, rows = nearest(task.queries.features, task.gallery.features, depth, device, task.own)
    relevant = task.gallery.ids[rows] == task.queries.ids[:, None]
    keys = sorted_keys(ranking_keys(torch.from_numpy(similarity), torch.from_numpy(relevant)))
    cell = keys >> 1
    complete = cell[:, -1] != cell[:, min(k, depth) - 1]
    if depth == task.ranked:
        complete = torch.ones_like(complete)
    return Rankings(keys, torch.from_numpy(task.relevant)), complete
