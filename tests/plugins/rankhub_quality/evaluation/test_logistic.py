"""The curve does not depend on the unit or the zero of scores and predictions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub_quality.evaluation.logistic import fit
from rankhub_quality.evaluation.measure import measure

UNITS = st.sampled_from([1e-150, 1e-9, 1e-5, 3e-5, 1e-3, 0.7, 100.0, 1e6, 1e150])


def drawn(seed=0, n=60):
    draw = np.random.default_rng(seed)
    x = draw.uniform(-3, 3, n)
    return x, 1 / (1 + np.exp(-5 * (x - 0.7))) + 0.05 * draw.standard_normal(n)


@settings(max_examples=25, deadline=None)
@given(unit=UNITS, sign=st.sampled_from([1, -1]), zero=st.sampled_from([0.0, 3.0, -1000.0]), seed=st.integers(0, 3))
def test_scores_in_another_unit_are_fitted_alike(unit, sign, zero, seed):
    x, y = drawn(seed)
    other = sign * unit * (y + zero)
    np.testing.assert_allclose(fit(x, other)(x) / (sign * unit) - zero, fit(x, y)(x), atol=1e-5)


@settings(max_examples=25, deadline=None)
@given(unit=UNITS, zero=st.sampled_from([0.0, 3.0, -1000.0]), seed=st.integers(0, 3))
def test_predictions_in_another_unit_are_fitted_alike(unit, zero, seed):
    x, y = drawn(seed)
    other = unit * (x + zero)
    np.testing.assert_allclose(fit(other, y)(other), fit(x, y)(x), atol=1e-5)


@pytest.mark.parametrize("factor", [1, 1e-3, 1e-4, 3e-5, 1e-6, 1e-12, 1e9])
def test_correlations_after_the_fit_are_those_of_any_unit(factor):
    x, y = drawn()
    expected, found = measure(x, y), measure(x, factor * y)
    assert found["plcc_fitted"] == pytest.approx(expected["plcc_fitted"], abs=1e-6)
    assert found["rmse_fitted"] == pytest.approx(factor * expected["rmse_fitted"], rel=1e-5)
    assert expected["plcc_fitted"] == pytest.approx(0.994, abs=1e-3)
    for name in ("srocc", "plcc", "krocc"):
        assert found[name] == pytest.approx(expected[name], abs=1e-12)


def test_equal_scores_and_equal_predictions():
    x, y = drawn()
    assert np.allclose(fit(np.full(60, 2.0), y)(x), y.mean())
    assert np.allclose(fit(x, np.full(60, 1e-7))(x), 1e-7, atol=1e-20)
