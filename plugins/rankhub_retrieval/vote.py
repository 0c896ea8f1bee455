"""The vote of the nearest labeled images, in which equals share what nothing but their place could tell apart."""

from __future__ import annotations

import torch
from torch import Tensor

from rankhub_ranking.similarity import RESOLUTION, rounded

LEAST = 1e-5
"""The fewest votes of a neighbour: one that counted 0 would leave its class without a vote."""

_GRAIN = 30
"""Binary places of a vote. Votes are whole numbers of grains, so that their sums are exact and equal ones equal."""


def vote(products: Tensor, labels: Tensor, classes: int, k: int, temperature: float | None) -> Tensor:
    """How many votes each class has among the k nearest items.

    An item nearer than the k-th has its whole vote; those that are as near as the k-th share, evenly, the votes that
    are left. That is the mean over all orders of the equals.

    Args:
        products: [m, n] from :func:`~rankhub_ranking.similarity.inner_products`, -inf where an item takes no part.
            They are rounded here: only those that may be among the nearest, which saves most of the time.
        labels: [n] classes of the items, from 0.
        classes: Number of classes.
        k: At least 1; each row has as many items.
        temperature: An item s below the nearest one has exp(-s / temperature) votes; None = one each.

    Returns:
        [m, classes] int64, to be compared within a row only.
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
    places = min(_GRAIN, 62 - (k * items).bit_length())
    votes = torch.full_like(item, 2**places)
    if temperature is not None:
        falls = (best[query] - found) / temperature
        votes = falls.neg_().exp_().clamp_(min=LEAST).mul_(2.0**places).round_().long()
    # In shares of one vote over the number of equals, so that nothing has to be divided.
    votes *= torch.where(above, sharing[query], left[query])
    sums = votes.new_zeros(count * classes).index_add_(0, query * classes + labels[item], votes)
    return sums.view(count, classes)


def credit(votes: Tensor, labels: Tensor, places: int = 1) -> Tensor:
    """The probability that a label stands among the first ``places`` by votes, if chance orders equal ones.

    Args:
        votes: [m, classes] from :func:`vote`.
        labels: [m] the right classes; -1 = none of them.
        places: At least 1.

    Returns:
        [m] float64; 0 where the label got no vote.
    """
    own = votes.gather(1, labels.clamp(min=0)[:, None])
    before, equal = (votes > own).sum(1), (votes == own).sum(1)
    share = ((places - before).double() / equal).clamp(0, 1)
    return share.where((labels >= 0) & (own[:, 0] > 0), 0.0)
