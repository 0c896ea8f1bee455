"""The definitions of the losses, one query, one positive and one item at a time, for comparison."""

from __future__ import annotations

import math

import torch
from torch import Tensor

PNP = {
    "O": lambda r, alpha, b: r,
    "Ds": lambda r, alpha, b: torch.log(1 + r),
    "Dq": lambda r, alpha, b: 1 - (1 + r) ** -alpha,
    "Iu": lambda r, alpha, b: (1 + r) * torch.log(1 + r),
    "Ib": lambda r, alpha, b: (b * r - torch.log(1 + b * r)) / b**2,
}


def sigmoid(tau):
    return lambda x: torch.sigmoid(x / tau)


def ramp(width):
    return lambda x: (x / (2 * width) + 0.5).clamp(0, 1)


def sup(tau, rho, delta, start, offset):
    def step(x: Tensor) -> Tensor:
        if x <= 0:
            return torch.sigmoid(x / tau)
        return start + torch.sigmoid(x / tau) if x <= delta else rho * (x - delta) + offset

    return step


def hard(x: Tensor) -> Tensor:
    return (x.detach() >= 0).to(x.dtype)


def precision(s, own, others, step, among):
    """AP of one query from its similarities ``s``: own and others are lists of items."""
    terms = []
    for i in own:
        counted = 1 + sum(among(s[j] - s[i]) for j in own if j != i)
        terms.append(counted / (counted + sum(step(s[j] - s[i]) for j in others)))
    return sum(terms) / len(terms)


def histogram(s, items, nodes):
    """Mass at each node, with triangular kernels that saturate at both ends."""
    width = (nodes[0] - nodes[-1]) / (len(nodes) - 1)
    inside = s[items].clamp(nodes[-1], nodes[0])
    return (1 - (inside[:, None] - nodes).abs() / width).clamp(min=0).sum(0)


def binned(s, own, others, count, low, high):
    nodes = high + (low - high) * torch.arange(count, dtype=s.dtype) / (count - 1)
    found, everything = histogram(s, own, nodes), histogram(s, own + others, nodes)
    total = s.sum() * 0
    for k in range(count):
        seen = everything[: k + 1].sum()
        if seen > 0:
            total = total + found[k] * found[: k + 1].sum() / seen
    return total / len(own)


def graded(s, own, others, level, tau):
    step, gained = sigmoid(tau), 0
    for i in own:
        h_rank = level[i] + sum(min(level[i], level[j]) * step(s[j] - s[i]) for j in own if j != i)
        gained = gained + h_rank / (1 + sum(step(s[j] - s[i]) for j in own + others if j != i))
    return gained / sum(level[i] for i in own)


def term(name, options, s, own, others, level):
    """The loss of one query."""
    if name == "smooth_ap":
        step = sigmoid(options.get("tau", 0.05))
        return 1 - precision(s, own, others, step, step)
    if name == "ramp_ap":
        step = ramp(options.get("width", 0.1))
        return 1 - precision(s, own, others, step, step)
    if name == "sup_ap":
        constants = [options.get(k, v) for k, v in SUP.items()]
        loss = 1 - precision(s, own, others, sup(*constants), hard)
        near = sum((0.9 - s[i]).clamp(min=0) for i in own) / len(own)
        far = sum((s[j] - 0.6).clamp(min=0) for j in others) / max(1, len(others))
        return loss + options.get("calibration", 1) * (near + far)
    if name == "pnp":
        f, step = PNP[options.get("variant", "Dq")], sigmoid(options.get("tau", 0.01))
        before = [sum((step(s[j] - s[i]) for j in others), s.sum() * 0) for i in own]
        return sum(f(r, options.get("alpha", 1), options.get("b", 2)) for r in before) / len(own)
    if name == "fast_ap":
        return 1 - binned(s, own, others, options.get("bins", 10) + 1, -1, 1)
    if name == "histogram_ap":
        return 1 - binned(s, own, others, options.get("bins", 20), options.get("low", -1), options.get("high", 1))
    assert name == "graded_ap"
    return 1 - graded(s, own, others, level, options.get("tau", 0.05))


SUP = {"tau": 0.01, "rho": 100.0, "delta": 0.05, "start": 0.5, "offset": 1.44}


def queries(group, include_self=False):
    """(query, its positives, its other items) for every row that shares its group."""
    for q in range(len(group)):
        items = [j for j in range(len(group)) if j != q or include_self]
        own = [j for j in items if group[j] == group[q]]
        if any(j != q for j in own):
            yield q, own, [j for j in items if group[j] != group[q]]


def total(name, z, group, level=None, **options):
    """Sum over the queries, and their number."""
    z = z / z.norm(dim=1, keepdim=True)
    s, result, count = z @ z.T, z.sum() * 0, 0
    for q, own, others in queries(group, options.get("include_self", False)):
        if level is not None and not any(level[j] > 0 for j in own if j != q):
            continue
        result = result + term(name, options, s[q], own, others, [1.0] * len(z) if level is None else level.tolist())
        count += 1
    return result, count


def blackbox(z, group, strength=4.0, margin=0.02, include_self=False):
    """Sum over the queries of 1 - AP with sorted ranks, and its gradient at the similarities [N, N]. No equals."""
    z = z / z.norm(dim=1, keepdim=True)
    s, loss = z @ z.T, z.new_zeros(())
    grad = torch.zeros_like(s)
    for q, own, others in queries(group, include_self):
        score = {i: s[q, i].item() - margin / 2 for i in own} | {j: s[q, j].item() + margin / 2 for j in others}
        rank, rank_own = ranked(score), ranked({i: score[i] for i in own})
        loss += 1 - math.fsum(rank_own[i] / rank[i] for i in own) / len(own)
        moved = ranked(score | {i: score[i] + strength * rank_own[i] / rank[i] ** 2 / len(own) for i in own})
        for j in score:
            grad[q, j] = -(rank[j] - moved[j]) / strength
    return loss, grad


def ranked(score):
    """Item -> its rank, 1 for the highest score."""
    return {item: rank for rank, item in enumerate(sorted(score, key=score.get, reverse=True), 1)}
