"""Views with points in and around them, as the losses of maps of density are handed them."""

import numpy as np
import torch

from rankhub.interfaces.order import RankTarget
from rankhub_points import Points

SIDE = 100
"""Pixels of the images that the views are cut from."""


def target_of(label, n):
    """Views of n images, one each."""
    ids = torch.arange(n)
    return RankTarget(ids, torch.zeros(n, dtype=torch.int64), ids, torch.zeros(n), label)


def crop_map(left, top, width, height, size, flip):
    """[1, 2, 3] from an image into a square view of a box of it, perhaps flipped."""
    x, y = size / width, size / height
    row = [-x, 0, size + left * x] if flip else [x, 0, -left * x]
    return torch.tensor([[row, [0, y, -top * y]]], dtype=torch.float64)


def views_of(seed, numbers=(9, 0, 30), size=48, flip=None):
    """A crop of each of some images of so many points, most of which lie outside; the last image has one twice."""
    rng = np.random.default_rng(seed)
    values = [rng.random((number, 2)) * SIDE for number in numbers]
    middle = np.full((1, 2), SIDE / 2 + 1.3)
    values[-1] = np.concatenate([values[-1], middle, middle])
    points = Points.of(values, torch.full((len(values), 2), SIDE))
    maps = []
    for _ in numbers:
        side = int(rng.integers(30, 80))
        left, top = rng.integers(max(0, 60 - side), 1 + min(100 - side, 40), 2)
        flipped = bool(rng.integers(2)) if flip is None else flip
        maps.append(crop_map(left, top, side, side, size, flipped))
    return points.moved(torch.cat(maps), torch.full((len(values), 2), size))
