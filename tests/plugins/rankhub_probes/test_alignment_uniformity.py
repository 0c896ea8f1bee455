"""Alignment and uniformity: a slow reference, their bounds and invariances, and features that are degenerate."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from rankhub.interfaces.errors import UserError
from rankhub_probes import alignment_uniformity as module
from rankhub_probes.alignment_uniformity import AlignmentUniformity


def slow(values, index, t=2.0):
    """Every pair by itself."""
    unit = [v / np.linalg.norm(v) if v.any() else v for v in np.asarray(values, dtype=np.float64)]
    same, other = [], []
    for (x, i), (y, j) in itertools.combinations(zip(unit, index, strict=True), 2):
        (same if i == j else other).append(((x - y) ** 2).sum())
    return {
        "alignment": np.mean(same),
        "uniformity": math.log(np.mean([math.exp(-t * distance) for distance in other])),
    }


@pytest.fixture
def measured(given):
    def measure(values, index, **options):
        evaluator = AlignmentUniformity(stream="stream", data="photos", **options)
        return evaluator(given().shown("photos", values, index))

    return measure


def shuffled(images, views, seed=0):
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(images) * 2, views))


@pytest.mark.parametrize(("images", "views", "width"), [(7, 2, 3), (5, 4, 1), (3, 5, 30)])
@pytest.mark.parametrize("t", [0.5, 2.0, 100.0])
def test_equals_the_slow_reference(measured, images, views, width, t):
    index = shuffled(images, views)
    values = np.random.default_rng(1).normal(size=(len(index), width)) + 0.5
    assert measured(values, index, t=t).metrics == pytest.approx(slow(values, index, t), rel=1e-9)


def test_unequal_numbers_of_views(measured):
    index = np.array([0, 0, 1, 1, 1, 1, 2, 2, 2])
    values = np.random.default_rng(1).normal(size=(9, 4))
    assert measured(values, index).metrics == pytest.approx(slow(values, index), rel=1e-9)


def test_blocks_do_not_matter(measured, monkeypatch):
    index = shuffled(9, 3)
    values = np.random.default_rng(1).normal(size=(27, 4))
    whole = measured(values, index).metrics
    monkeypatch.setattr(module, "_BLOCK_VALUES", 60)
    assert measured(values, index).metrics == pytest.approx(whole, rel=1e-12)


def test_known_places(measured):
    # Two images at opposite poles, their views together: perfectly aligned, and as far apart as can be.
    poles = np.array([[2.0, 0], [3, 0], [-1, 0], [-5, 0]])
    assert measured(poles, [0, 0, 1, 1]).metrics == pytest.approx({"alignment": 0, "uniformity": -8}, abs=1e-12)
    assert measured(poles, [0, 1, 0, 1]).metrics["alignment"] == pytest.approx(4)


@examples(st.integers(0, 1000))
@settings(deadline=None, max_examples=25)
def test_rotation_and_length_do_not_matter(given, rotation, seed):
    random = np.random.default_rng(seed)
    index = shuffled(6, 3, seed)
    values = random.normal(size=(18, 4))
    changed = (values @ rotation(4, seed)) * random.uniform(0.01, 50, (18, 1))
    evaluator = AlignmentUniformity(stream="stream", data="photos")
    one, other = (evaluator(given().shown("photos", v, index)).metrics for v in (values, changed))
    assert other == pytest.approx(one, rel=1e-9)
    assert 0 <= one["alignment"] <= 4
    assert -8 <= one["uniformity"] <= 0


def test_a_collapse_has_the_best_alignment_and_the_worst_uniformity(measured):
    found = measured(torch.full((12, 7), 0.3), np.repeat(np.arange(4), 3)).metrics
    assert found == pytest.approx({"alignment": 0, "uniformity": 0}, abs=1e-12)


def test_features_of_length_zero_are_counted(measured):
    values = np.random.default_rng(0).normal(size=(6, 3))
    values[2] = 0
    index = np.repeat(np.arange(3), 2)
    found = measured(values, index)
    assert found.metrics == pytest.approx(slow(values, index), rel=1e-9)
    assert "1 of 6 views have features of length 0" in found.notes[0]


def test_features_that_are_not_finite(measured):
    values = torch.rand(6, 3)
    values[0, 0] = float("inf")
    found = measured(values, np.repeat(np.arange(3), 2))
    assert all(map(math.isnan, found.metrics.values()))
    assert "1 of 6 rows of features are not finite" in found.notes[0]


def test_one_view_is_refused(measured):
    with pytest.raises(UserError, match="alignment_uniformity compares several views of an image"):
        measured(torch.rand(5, 3), np.arange(5))


def test_both_are_better_low():
    evaluator = AlignmentUniformity(stream="stream", data="photos")
    assert evaluator.headline()[0] == "uniformity"
    assert set(evaluator.headline()) == evaluator.lower_is_better
