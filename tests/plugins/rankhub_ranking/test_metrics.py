"""Correlations against their definitions, and the fitted logistic."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub_quality.evaluation.logistic import Curve, fit
from rankhub_quality.evaluation.measure import METRICS, by_group, measure, repeated, subsets
from rankhub_ranking.metrics import krocc, plcc, rmse, srocc

NUMBERS = st.integers(-6, 6).map(float) | st.floats(-100, 100)
POINTS = st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=20).map(lambda rows: np.array(rows).T)


def slow_plcc(x, y) -> float:
    mx, my = sum(x) / len(x), sum(y) / len(y)
    covariance = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return covariance / math.sqrt(sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y))


def slow_ranks(x) -> list[float]:
    return [1 + sum(other < own for other in x) + (sum(other == own for other in x) - 1) / 2 for own in x]


def slow_krocc(x, y) -> float:
    same = opposite = ties_x = ties_y = 0
    for i in range(len(x)):
        for j in range(i):
            way = np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])
            same, opposite = same + (way > 0), opposite + (way < 0)
            ties_x, ties_y = ties_x + (x[i] == x[j]), ties_y + (y[i] == y[j])
    pairs = len(x) * (len(x) - 1) / 2
    return (same - opposite) / math.sqrt((pairs - ties_x) * (pairs - ties_y))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(POINTS)
def test_correlations_equal_their_definitions_or_are_undefined(points):
    x, y = points
    assert rmse(x, y) == pytest.approx(math.sqrt(sum((a - b) ** 2 for a, b in zip(x, y, strict=True)) / len(x)))
    if len(set(x)) == 1 or len(set(y)) == 1:
        assert all(math.isnan(metric(x, y)) for metric in (srocc, plcc, krocc))
        return
    assert srocc(x, y) == pytest.approx(slow_plcc(slow_ranks(x), slow_ranks(y)), abs=1e-9)
    assert krocc(x, y) == pytest.approx(slow_krocc(x, y), abs=1e-9)
    if min(np.ptp(x), np.ptp(y)) > 1e-3:  # below, the reference loses its digits
        assert plcc(x, y) == pytest.approx(slow_plcc(x, y), abs=1e-6)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(-20, 20), st.integers(-20, 20)), min_size=3, max_size=30))
def test_rank_correlations_see_only_the_order(rows):
    x, y = np.array(rows, dtype=np.float64).T
    for metric in (srocc, krocc):
        plain = metric(x, y)
        assert metric(np.exp(x / 5) - 7, y) == pytest.approx(plain, nan_ok=True)
        assert metric(x, y**3 + y) == pytest.approx(plain, nan_ok=True)
        assert metric(-x, y) == pytest.approx(-plain, nan_ok=True)
        assert metric(-x, -y) == pytest.approx(plain, nan_ok=True)


def test_what_cannot_be_correlated_is_nan():
    none, two = np.zeros(0), np.array([1.0, 2.0])
    assert all(math.isnan(value) for value in measure(none, none).values())
    found = measure(two, two + 3)
    assert [name for name, value in found.items() if not math.isnan(value)] == ["rmse", "rmse_fitted"]
    assert found["rmse"] == pytest.approx(3)
    flat = measure(np.full(9, 4.0), np.arange(9.0))
    assert flat["rmse_fitted"] == pytest.approx(np.arange(9.0).std())
    assert math.isnan(flat["plcc_fitted"])
    tiny = np.array([1.0, 2.0, 4.0]) * 1e-200
    assert plcc(tiny, tiny * 3) == pytest.approx(1)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.integers(0, 2**31), st.integers(3, 40), st.sampled_from(["line", "noise", "step", "few", "wrong"]))
def test_the_curve_never_fits_worse_than_a_straight_line(seed, count, shape):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=count) * 10.0 ** rng.integers(-3, 4) + rng.normal()
    y = {
        "line": lambda: 2 * x + 1,
        "noise": lambda: rng.normal(size=count),
        "step": lambda: (x > np.median(x)) * 50.0,
        "few": lambda: rng.integers(0, 3, count).astype(float),
        "wrong": lambda: -np.tanh(x) + 0.1 * rng.normal(size=count),
    }[shape]()
    if shape == "few":
        x = np.round(x / np.ptp(x) * 3)
    found = measure(x, y)
    assert set(found) == set(METRICS)
    slope, offset = np.polyfit(x, y, 1) if np.ptp(x) > 0 else (0.0, y.mean())
    assert found["rmse_fitted"] <= rmse(slope * x + offset, y) * (1 + 1e-9) + 1e-9 * np.abs(y).max()
    if not math.isnan(found["plcc"]):
        assert found["plcc_fitted"] >= abs(found["plcc"]) - 1e-9


@pytest.mark.parametrize(
    "parameters",
    [
        (3.0, 4.0, 0.3, 0.2, -1.0),
        (-30.0, 2.5, -0.4, 0.0, 50.0),
        (80.0, 1.0, 1.0, -3.0, 7.0),
        (5.0, 15.0, -1.0, 1.0, 0.0),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
def test_a_known_logistic_is_recovered(parameters, scale):
    b1, b2, b3, b4, b5 = parameters
    true = Curve((b1, b2 / scale, 100 * scale + b3 * scale, b4 / scale, b5))
    x = (100 + np.random.default_rng(0).normal(size=200)) * scale
    curve = fit(x, true(x))
    seen = np.linspace(x.min(), x.max(), 50)
    np.testing.assert_allclose(curve(seen), true(seen), atol=1e-5 * np.ptp(true(seen)))
    assert not curve.straight
    noisy = true(x) + 0.1 * true(x).std() * np.random.default_rng(1).normal(size=200)
    assert rmse(fit(x, noisy)(x), noisy) <= rmse(true(x), noisy)


def test_the_curve_is_the_formula_of_sheikh_and_others():
    x = np.linspace(-2, 3, 7)
    b1, b2, b3, b4, b5 = 2.0, 1.5, 0.5, 0.3, -1.0
    expected = [b1 * (1 / 2 - 1 / (1 + math.exp(b2 * (v - b3)))) + b4 * v + b5 for v in x]
    np.testing.assert_allclose(Curve((b1, b2, b3, b4, b5))(x), expected, atol=1e-12)
    assert np.isfinite(Curve((2.0, 1e6, 0.0, 0.0, 0.0))(np.array([-1e9, 1e9]))).all()


def test_curves_that_turn_are_told_from_those_that_do_not():
    x = np.linspace(-3, 3, 50)
    assert not Curve((2.0, 3.0, 0.0, 0.1, 0.0)).turns(x)
    assert not Curve((-2.0, 3.0, 0.0, -0.1, 0.0)).turns(x)
    assert not Curve((2.0, 8.0, 0.0, -1e-9, 0.0)).turns(x)  # level but for rounding
    assert Curve((2.0, 3.0, 0.0, -0.1, 0.0)).turns(x)
    assert not Curve((2.0, 3.0, 0.0, -0.1, 0.0)).turns(np.array([-3.0, 3.0]))  # no prediction where it turns
    assert not Curve((0.0, 1.0, 0.0, 0.0, 4.0)).turns(x)


def test_turning_both_sides_changes_no_figure():
    rng = np.random.default_rng(0)
    x = rng.normal(size=60)
    y = np.tanh(2 * x) + 0.2 * rng.normal(size=60)
    assert measure(-x, -y) == pytest.approx(measure(x, y), rel=1e-6)


def test_too_few_different_predictions_get_a_straight_line():
    x = np.array([0.0, 1, 2, 3, 4] * 3)
    curve = fit(x, x**2)
    assert curve.straight
    slope, offset = np.polyfit(x, x**2, 1)
    np.testing.assert_allclose(curve(x), slope * x + offset)


def test_groups_take_the_curve_of_all_images():
    rng = np.random.default_rng(0)
    x = rng.normal(size=40)
    y = np.tanh(x) + 0.1 * rng.normal(size=40)
    names = ["b", "a", "", "c"] * 10
    curve = fit(x, y)
    lines = by_group(x, y, names, curve, "kind")
    assert [line["kind"] for line in lines] == ["a", "b", "c"]
    assert [line["images"] for line in lines] == [10, 10, 10]
    assert lines[0]["rmse_fitted"] == pytest.approx(rmse(curve(x[1::4]), y[1::4]))
    assert lines[1]["srocc"] == pytest.approx(srocc(x[::4], y[::4]))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.lists(st.sampled_from(["", "a", "b", "c", "d"]), min_size=1, max_size=30),
    st.floats(0.05, 0.95),
    st.integers(0, 9),
)
def test_subsets_hold_a_share_of_the_references_with_all_their_images(units, share, seed):
    names = set(units) - {""}
    count = len(names) + units.count("")
    parts = list(subsets(units, 5, share, seed))
    assert len(parts) == 5
    for rows in parts:
        inside = {units[row] for row in rows} - {""}
        for name in inside:
            assert {row for row, unit in enumerate(units) if unit == name} <= set(rows.tolist())
        drawn = len(inside) + sum(units[row] == "" for row in rows)
        assert drawn == max(1, round(share * count))
    again = list(subsets(units, 5, share, seed))
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_subsets_differ_and_are_summed_up():
    rng = np.random.default_rng(0)
    x = rng.normal(size=50)
    y = x + rng.normal(size=50)
    parts = list(subsets([""] * 50, 9, 0.5, 0))
    assert len({tuple(rows) for rows in parts}) == 9
    lines, summary = repeated(x, y, parts)
    each = [srocc(x[rows], y[rows]) for rows in parts]
    assert [line["srocc"] for line in lines] == pytest.approx(each)
    assert summary["srocc_mean"] == pytest.approx(np.mean(each))
    assert summary["srocc_median"] == pytest.approx(np.median(each))
    assert summary["srocc_std"] == pytest.approx(np.std(each, ddof=1))
    _, single = repeated(x, y, parts[:1])
    assert single["srocc_std"] == 0
    _, undefined = repeated(x, y, [np.array([0]), np.array([1])])
    assert math.isnan(undefined["srocc_mean"])
    assert undefined["rmse_mean"] == pytest.approx(np.abs(x - y)[:2].mean())
