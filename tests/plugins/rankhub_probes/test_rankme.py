"""RankMe: the specification's values, its invariances, and features that are degenerate."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from rankhub.interfaces.errors import UserError
from rankhub_probes.rankme import RankMe


def slow(values, eps=1e-7):
    """Equations 1 and 2, one term at a time."""
    sigma = np.linalg.svd(np.asarray(values, dtype=np.float64), compute_uv=False)
    shares = [s / sigma.sum() + eps for s in sigma]
    return math.exp(-sum(p * math.log(p) for p in shares))


@pytest.fixture
def rankme(given):
    def measure(values, **options):
        return RankMe(data="photos", **options)(given().images("photos", values))

    return measure


def test_golden_values(rankme, golden):
    assert rankme(golden).metrics["rankme"] == pytest.approx(3.403089019860, abs=1e-11)
    assert rankme(golden, normalize=True).metrics["rankme"] == pytest.approx(3.701052040343, abs=1e-11)
    unit = golden / np.linalg.norm(golden, axis=1, keepdims=True)
    assert rankme(unit).metrics["rankme"] == pytest.approx(3.701052040343, abs=1e-11)


@pytest.mark.parametrize("shape", [(50, 8), (8, 50), (1200, 3), (5, 1)])
def test_equals_the_slow_reference(rankme, shape):
    values = np.random.default_rng(1).normal(size=shape) ** 3
    assert rankme(values).metrics["rankme"] == pytest.approx(slow(values), rel=1e-10)
    assert rankme(values, eps=1e-5).metrics["rankme"] == pytest.approx(slow(values, 1e-5), rel=1e-10)


@examples(st.integers(0, 1000), st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=25)
def test_rotation_order_and_scale_do_not_matter(given, rotation, seed, scale):
    values = np.random.default_rng(seed).normal(size=(20, 6)) * np.arange(1, 7)
    changed = scale * (values @ rotation(6, seed))[np.random.default_rng(seed).permutation(20)]
    evaluator = RankMe(data="photos")
    one, other = (evaluator(given().images("photos", v)).metrics["rankme"] for v in (values, changed))
    assert other == pytest.approx(one, rel=1e-9)
    assert 1 <= one <= 6 * (1 + 1e-4)


def test_normalized_rows_may_each_have_their_own_scale(rankme, golden):
    lengths = np.linspace(0.1, 9, 12)[:, None]
    one, other = (rankme(v, normalize=True).metrics["rankme"] for v in (golden, golden * lengths))
    assert other == pytest.approx(one, rel=1e-12)


def test_is_not_centred(rankme, golden):
    assert rankme(golden + 5).metrics["rankme"] < rankme(golden).metrics["rankme"] - 1


def test_a_limit_takes_the_same_images_for_every_row(given):
    values = np.zeros((300, 300), np.float32)
    np.fill_diagonal(values, 1)
    evaluator = RankMe(data="photos", limit=40)
    found = evaluator(given().images("photos", values))
    assert found.metrics["rankme"] == pytest.approx(40, rel=1e-3)
    assert "40 images x 300 numbers of backbone" in found.notes[0]
    # Images far apart in the data set, not its first 40, which may be of one class.
    marked = np.ones((300, 2), np.float32)
    marked[:150, 0] = 0
    chosen = evaluator(given().images("photos", marked)).metrics
    assert chosen["rankme"] > 1.2
    assert evaluator(given().images("photos", marked)).metrics == chosen


def test_equal_features_have_rank_one_and_a_sentence(rankme):
    found = rankme(torch.full((30, 7), 0.3))
    assert found.metrics["rankme"] == pytest.approx(1, abs=1e-4)
    assert "collapsed" in found.notes[1]


def test_no_features_have_rank_zero(rankme):
    found = rankme(torch.zeros(30, 7), normalize=True)
    assert found.metrics["rankme"] == 0
    assert "collapsed" in found.notes[1]


def test_features_that_are_not_finite(rankme):
    values = torch.ones(30, 7)
    values[3, 2] = float("nan")
    values[9] = float("inf")
    found = rankme(values)
    assert math.isnan(found.metrics["rankme"])
    assert found.notes == [
        "rankme, network after training: 2 of 30 rows of features are not finite, so there is no result"
    ]


def test_a_score_is_one_column_and_a_map_is_refused(rankme):
    assert rankme(torch.rand(30)).metrics["rankme"] == pytest.approx(1, abs=1e-5)
    with pytest.raises(UserError, match=r"rankme takes one vector an image, and output 'backbone' gives \[1, 4, 4\]"):
        rankme(torch.rand(30, 1, 4, 4))
    with pytest.raises(UserError, match=r"output 'backbone' gives \[1, 4, 6\]"):
        rankme([torch.rand(1, 4, 6), torch.rand(1, 5, 6)])  # as the engine gives maps: images may differ in size


def test_headline_is_measured(rankme, golden):
    evaluator = RankMe(data="photos")
    assert set(evaluator.headline()) <= set(rankme(golden).metrics)
    assert not evaluator.needs_labels
