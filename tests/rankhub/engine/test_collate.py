"""Views become a batch; points move with them."""

import numpy as np
import torch

from rankhub.engine.feed import collate
from rankhub.interfaces.batch import View
from rankhub.interfaces.data import LabelSpec
from rankhub_points import PointLabels

POINTS = PointLabels()


def view(index, size, label=None, kind=0, level=1.0, move=None):
    image = torch.full((3, *size), index, dtype=torch.uint8)
    return View(image, index, 0, kind, level, np.eye(3)[:2] if move is None else move, label)


def test_unequal_sizes_are_padded_at_the_right_and_bottom():
    batch = collate([view(5, (2, 3)), view(6, (4, 1))], 1, LabelSpec())
    assert batch.images[0].shape == (2, 3, 4, 3)
    assert batch.sizes.tolist() == [[2, 3], [4, 1]]
    assert batch.images[0][0, 0].tolist() == [[5, 5, 5], [5, 5, 5], [0, 0, 0], [0, 0, 0]]


def test_a_group_is_an_image_and_a_kind_of_change():
    batch = collate([view(2, (1, 1), kind=k, level=(0.5, k)) for k in range(3)], 4, LabelSpec())
    assert batch.target.group.tolist() == [8, 9, 10]
    assert batch.target.level.shape == (3, 2)


def test_missing_labels():
    classes = collate([view(0, (1, 1), 3), view(1, (1, 1))], 1, LabelSpec("class"))
    assert classes.target.label.tolist() == [3, -1]
    scores = collate([view(0, (1, 1), 3.5), view(1, (1, 1))], 1, LabelSpec("score"))
    assert scores.target.label[0] == 3.5
    assert torch.isnan(scores.target.label[1])


def test_points_move_with_their_view_and_those_outside_are_known():
    half = np.array([[0.5, 0, -1], [0, 0.5, 0]])
    points = np.array([[2.0, 0.0], [6.0, 2.0], [1.9, 0.0], [10.0, 0.0]])
    batch = collate([view(0, (2, 4), points, move=half), view(1, (2, 4), np.zeros((0, 2)))], 1, POINTS)
    label = batch.target.label
    assert [part.tolist() for part in label] == [[[0.0, 0.0], [2.0, 1.0]], []]
    assert label.numbers().tolist() == [2, 0]
    np.testing.assert_allclose(label.values[2:], [[-0.05, 0.0], [4.0, 0.0]])
    assert label.sizes.tolist() == [[2, 4], [2, 4]]
    assert label.scales.tolist() == [0.5, 1.0]
