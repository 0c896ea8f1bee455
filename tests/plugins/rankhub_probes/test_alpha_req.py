"""alpha-ReQ: spectra that are known, an independent fit, invariances, and features that are degenerate."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given as examples
from hypothesis import settings
from hypothesis import strategies as st

from rankhub.interfaces.errors import Objection
from rankhub_probes.alpha_req import AlphaReQ, covariance_values, power_law

CPU = torch.device("cpu")


def with_spectrum(eigenvalues, rows, seed=0):
    """[rows, K] features around (2, 2, ...) whose covariance has exactly these eigenvalues, in turned axes."""
    random = np.random.default_rng(seed)
    width = len(eigenvalues)
    left = random.normal(size=(rows, width))
    left = np.linalg.qr(left - left.mean(0))[0]
    right = np.linalg.qr(random.normal(size=(width, width)))[0]
    return left * np.sqrt(np.asarray(eigenvalues) * (rows - 1)) @ right + 2


@pytest.fixture
def alpha_req(given):
    def measure(values, **options):
        return AlphaReQ(data="photos", **options)(given().images("photos", values))

    return measure


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.5])
def test_a_power_law_is_found_exactly(alpha_req, alpha):
    values = with_spectrum(5 * np.arange(1, 41.0) ** -alpha, 200)
    found = alpha_req(values, last=40).metrics
    assert found["alpha"] == pytest.approx(alpha, abs=1e-9)
    assert found["distance"] == pytest.approx(abs(alpha - 1), abs=1e-9)
    assert found["r2"] == pytest.approx(1, abs=1e-6) or alpha == 0


def test_only_the_ranks_asked_for_are_fitted(alpha_req):
    spectrum = np.concatenate([np.full(10, 100.0), np.arange(11, 31.0) ** -1.5, np.full(20, 1e-4)])
    assert alpha_req(with_spectrum(spectrum, 100), last=30).metrics["alpha"] == pytest.approx(1.5, abs=1e-8)
    assert alpha_req(with_spectrum(spectrum, 100), first=1, last=50).metrics["alpha"] > 2


def test_equals_a_weighted_fit_of_numpy():
    eigenvalues = np.sort(np.random.default_rng(0).lognormal(size=60))[::-1].copy()
    ranks = np.arange(5, 51)
    slope, level = np.polyfit(np.log(ranks), np.log(eigenvalues[4:50]), 1, w=np.sqrt(1 / ranks))
    fit = power_law(torch.from_numpy(eigenvalues), 5, 50)
    assert fit.alpha == pytest.approx(-slope, rel=1e-10)
    y, weights = np.log(eigenvalues[4:50]), 1 / ranks
    left = (weights * (y - slope * np.log(ranks) - level) ** 2).sum()
    spread = (weights * (y - np.average(y, weights=weights)) ** 2).sum()
    assert fit.r2 == pytest.approx(1 - left / spread, rel=1e-10)


@pytest.mark.parametrize("shape", [(300, 20), (15, 40)])
def test_eigenvalues_are_those_of_the_covariance(shape):
    values = np.random.default_rng(2).normal(size=shape)
    expected = np.linalg.eigvalsh(np.cov(values.T))[::-1][: min(shape[0] - 1, shape[1])]
    np.testing.assert_allclose(covariance_values(torch.from_numpy(values), CPU), expected, rtol=1e-9)


@examples(st.integers(0, 1000), st.floats(1e-3, 1e3))
@settings(deadline=None, max_examples=25)
def test_rotation_shift_and_scale_do_not_matter(given, rotation, seed, scale):
    values = np.random.default_rng(seed).normal(size=(60, 25))
    changed = scale * (values @ rotation(25, seed) + 1)
    evaluator = AlphaReQ(data="photos")
    one, other = (evaluator(given().images("photos", v)).metrics for v in (values, changed))
    assert other == pytest.approx(one, rel=1e-7)


def test_fewer_images_than_dimensions(alpha_req):
    found = alpha_req(np.random.default_rng(0).normal(size=(30, 500)))
    assert 0 < found.metrics["alpha"] < 1
    assert "over the ranks 11 to 29" in found.notes[0]
    assert len(found.tables["spectrum"]) == 29


@pytest.mark.parametrize(("values", "count"), [(torch.full((50, 20), 0.3), 0), (torch.zeros(50, 20), 0)])
def test_equal_features(alpha_req, values, count):
    found = alpha_req(values)
    assert all(map(math.isnan, found.metrics.values()))
    assert f"{count} eigenvalues differ from 0, too few for a fit over the ranks 11 to 100" in found.notes[0]


def test_too_few_dimensions(alpha_req):
    found = alpha_req(np.random.default_rng(0).normal(size=(50, 12)))
    assert all(map(math.isnan, found.metrics.values()))
    assert "12 eigenvalues" in found.notes[0]


def test_eigenvalues_lost_in_rounding_are_left_out(alpha_req):
    values = np.repeat(np.random.default_rng(0).normal(size=(400, 20)), 5, axis=1).astype(np.float32)
    assert "over the ranks 11 to 20" in alpha_req(values).notes[0]


def test_features_that_are_not_finite(alpha_req):
    values = torch.rand(50, 20)
    values[1, 1] = float("nan")
    found = alpha_req(values)
    assert set(found.metrics) == {"distance", "alpha", "r2"}
    assert all(map(math.isnan, found.metrics.values()))
    assert "1 of 50 rows of features are not finite" in found.notes[0]


def test_ranks_must_hold_a_line():
    with pytest.raises(Objection, match="fewer than 3 ranks; set `last` higher"):
        AlphaReQ(data="photos", first=20, last=21)


def test_nearer_to_one_is_better():
    evaluator = AlphaReQ(data="photos")
    assert evaluator.headline() == ["distance"]
    assert evaluator.lower_is_better == {"distance"}
