"""LiDAR: a slow reference, cases with a known answer, invariances, and features that are degenerate."""

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from rankhub.interfaces.errors import UserError
from rankhub_probes.features import Views
from rankhub_probes.lidar import LiDAR, discriminant_values

CPU = torch.device("cpu")


def slow(values, index, delta=1e-4, eps=1e-8):
    """Equations 1 to 4 as they are written, with roots and inverses of matrices."""
    samples = sorted(set(index.tolist()))
    groups = [values[index == sample] for sample in samples]
    means = [group.mean(0) for group in groups]
    grand = np.mean(means, axis=0)
    between = sum(np.outer(mean - grand, mean - grand) for mean in means) / (len(means) - 1)
    within = sum(np.outer(x - mean, x - mean) for group, mean in zip(groups, means, strict=True) for x in group)
    within = within / (len(values) - len(means)) + delta * np.eye(values.shape[1])
    root = np.linalg.inv(scipy.linalg.sqrtm(within).real)
    eigenvalues = np.linalg.eigvalsh(root @ between @ root)[::-1]
    shares = eigenvalues[: min(values.shape[1], len(means) - 1)] / eigenvalues.sum() + eps
    return math.exp(-sum(p * math.log(p) for p in shares))


def sampled(images, views, width, seed=0):
    """Views around their images, in shuffled order, under ids with gaps."""
    random = np.random.default_rng(seed)
    index = random.permutation(np.repeat(np.arange(images) * 3 + 1, views))
    centres = random.normal(size=(images * 3 + 1, width)) * np.linspace(2, 0.2, width)
    return centres[index] + 0.5 * random.normal(size=(len(index), width)), index


@pytest.fixture
def lidar(given):
    def measure(values, index, **options):
        return LiDAR(stream="stream", data="photos", **options)(given().shown("photos", values, index))

    return measure


@pytest.mark.parametrize(("images", "views", "width"), [(30, 4, 6), (12, 2, 5), (5, 3, 9), (40, 10, 1), (6, 2, 20)])
def test_equals_the_slow_reference(lidar, images, views, width):
    values, index = sampled(images, views, width)
    for delta in (1e-4, 0.1):
        expected = slow(values, index, delta)
        assert lidar(values, index, delta=delta).metrics["lidar"] == pytest.approx(expected, rel=1e-7)


def test_unequal_numbers_of_views(lidar):
    values, index = sampled(20, 4, 5)
    kept = np.flatnonzero((index % 2 == 0) | (np.arange(80) % 5 > 0))
    counts = np.unique(index[kept], return_counts=True)[1]
    assert len(set(counts)) > 1
    assert counts.min() >= 2
    values, index = values[kept], index[kept]
    assert lidar(values, index).metrics["lidar"] == pytest.approx(slow(values, index), rel=1e-7)


def test_images_spread_evenly_over_r_directions_have_rank_r(lidar):
    for rank in (1, 3, 6):
        corners = np.concatenate([np.eye(8)[:rank], -np.eye(8)[:rank]])
        noise = np.concatenate([np.eye(8), -np.eye(8)]) * 0.1
        values = np.concatenate([corner + noise for corner in corners])
        found = lidar(values, np.repeat(np.arange(2 * rank), len(noise))).metrics["lidar"]
        assert found == pytest.approx(rank, rel=1e-5)


def test_directions_that_augmentation_shakes_do_not_count(lidar):
    corners = np.concatenate([np.eye(2), -np.eye(2)])
    for shaken, rank in ((0.1, 2), (100, 1)):
        noise = np.concatenate([np.eye(2), -np.eye(2)]) * [0.1, shaken]
        values = np.concatenate([corner + noise for corner in corners])
        assert lidar(values, np.repeat(np.arange(4), 4)).metrics["lidar"] == pytest.approx(rank, rel=1e-4)


@examples(st.integers(0, 1000), st.floats(0.01, 100))
@settings(deadline=None, max_examples=25)
def test_rotation_shift_and_order_do_not_matter_and_delta_scales_with_the_square(given, rotation, seed, scale):
    values, index = sampled(12, 3, 5, seed)
    order = np.random.default_rng(seed).permutation(len(index))
    changed = (scale * (values @ rotation(5, seed)) + 3.0)[order]
    one = LiDAR(stream="stream", data="photos")(given().shown("photos", values, index))
    other = LiDAR(stream="stream", data="photos", delta=1e-4 * scale**2)(given().shown("photos", changed, index[order]))
    assert other.metrics["lidar"] == pytest.approx(one.metrics["lidar"], rel=1e-6)
    assert 1 <= one.metrics["lidar"] <= 5 * (1 + 1e-5)


def test_at_most_images_less_one(lidar):
    values, index = sampled(4, 30, 10)
    assert lidar(values, index).metrics["lidar"] <= 3 * (1 + 1e-6)
    assert len(discriminant_values(Views.of(torch.from_numpy(values), torch.from_numpy(index)), 1e-4, CPU)) == 3


def test_few_views_are_pointed_out(lidar):
    few, enough = lidar(*sampled(6, 2, 20)), lidar(*sampled(30, 4, 6))
    assert few.notes[1].startswith("lidar: 6 differences between views are fewer than the 20 dimensions")
    (note,) = enough.notes
    assert note.startswith(
        "lidar: 30 images, 4 views of each, 6 numbers of backbone; compare it only within one method"
    )


def test_delta_lost_in_rounding(lidar):
    values, index = sampled(6, 2, 20)
    found = lidar(values * 1e12, index).metrics["lidar"]
    assert 1 <= found <= 5 * (1 + 1e-6)


@pytest.mark.parametrize("value", [0.0, 0.3])
def test_equal_features_have_lidar_zero_and_a_sentence(lidar, value):
    found = lidar(torch.full((12, 7), value), np.repeat(np.arange(4), 3))
    assert found.metrics["lidar"] == 0
    assert "collapsed" in found.notes[-1]


def test_rounding_of_equal_features_is_no_information(lidar):
    noise = torch.from_numpy(np.random.default_rng(0).integers(-1, 2, (120, 7))) * 2.0**-24
    assert lidar(torch.full((120, 7), 0.75) + noise, np.repeat(np.arange(40), 3)).metrics["lidar"] == 0


def test_features_that_are_not_finite(lidar):
    values, index = sampled(6, 2, 3)
    values[4, 1] = np.nan
    found = lidar(values, index)
    assert math.isnan(found.metrics["lidar"])
    assert "1 of 12 rows of features are not finite" in found.notes[0]


def test_what_it_cannot_measure_gives_a_sentence(lidar):
    with pytest.raises(UserError, match="the generator of stream 'stream' makes one"):
        lidar(torch.rand(5, 3), np.arange(5))
    with pytest.raises(UserError, match="at least two images, data set 'photos' has one"):
        lidar(torch.rand(5, 3), np.zeros(5, np.int64))


def test_limit_reaches_the_source(given):
    source = given().shown("photos", *sampled(6, 2, 3))
    evaluator = LiDAR(stream="stream", data="photos", limit=77)
    assert set(evaluator.headline()) <= set(evaluator(source).metrics)
    assert source.limits == [77]
