"""The benchmark's losses: what is compared computes the same; and what is read from the figures."""

from __future__ import annotations

import pytest
import torch
from loss_benchmark import floor
from loss_benchmark.losses import FORMS, OURS, RIVALS, ours, rival, smooth_forms, unfit
from loss_benchmark.measuring import Found, LossCase, crossing_lines, overtakes

SAME = {"smooth_ap": {"include_self": True}, "pnp": {"include_self": True}}


def case(loss, rows, views, **changes):
    return LossCase(loss, rows, views, 8, 1, 1, 1.0, **changes)


@pytest.mark.parametrize("name", OURS)
def test_every_loss_runs_as_the_engine_calls_it(name):
    assert unfit(name, 1)
    assert bool(unfit(name, 4)) == (name == "barlow_twins")
    z = torch.randn(8, 16, requires_grad=True, generator=torch.Generator().manual_seed(0))
    loss = ours(name, 8, 2, 16)(z)
    loss.backward()
    assert loss.isfinite()
    assert z.grad.norm() > 0


@pytest.mark.parametrize("name", RIVALS)
def test_the_other_library_computes_the_same(name):
    pytest.importorskip("pytorch_metric_learning")
    views = 2 if name == "vicreg" else 4
    rows = 16  # its SmoothAPLoss takes the number of groups for their size, so they are equal here
    z = torch.randn(rows, 16, generator=torch.Generator().manual_seed(0))
    value = ours(name, rows, views, 16, **SAME.get(name, {}))(z)
    torch.testing.assert_close(value, rival(name, rows, views)(z), rtol=1e-4, atol=1e-5)


def test_vicreg_of_the_other_library_takes_pairs_only():
    pytest.importorskip("pytorch_metric_learning")
    assert rival("vicreg", 8, 4) is None


@pytest.mark.parametrize(
    ("mine", "theirs", "first"),
    [
        ({1: 2.0, 2: 2.0, 4: 2.0}, {1: 1.0, 2: 3.0, 4: 4.0}, 2),
        ({1: 0.5, 2: 4.0, 4: 2.0}, {1: 1.0, 2: 3.0, 4: 4.0}, 4),
        ({1: 0.5, 2: 0.5}, {1: 1.0, 2: 3.0}, 1),
        ({1: 0.5, 2: 3.0}, {1: 1.0, 2: 3.0}, None),
        ({1: 0.5, 8: 9.0}, {1: 1.0, 4: 3.0}, 1),
        ({}, {1: 1.0}, None),
    ],
)
def test_overtakes_from_the_first_size_from_which_on_it_is_always_faster(mine, theirs, first):
    assert overtakes(mine, theirs) == first


def test_crossings_are_told_for_each_size_of_group():
    results = {
        case("fast", 256, 4): Found(3.0, 1.0),
        case("slow", 256, 4): Found(1.0, 1.0),
        case("slow", 256, 4, rival=True): Found(9.0, 1.0),
        case("fast", 256, 8): Found(3.0, 1.0),
        case("slow", 256, 8): Found(2.0, 1.0),
        case("fast", 1024, 8): Found(4.0, 1.0),
        case("slow", 1024, 8): Found(8.0, 1.0),
        case("slow", 2048, 8): Found(),
        case("slow", 2048, 16): Found(8.0, 1.0),
    }
    assert crossing_lines(results, "fast", "slow") == [
        "fast is faster than slow in groups of 4: nowhere up to N = 256 (0.33 times as fast at 256)",
        "fast is faster than slow in groups of 8: from N = 1,024 on (2.00 times as fast at 1,024)",
    ]


def test_the_forms_of_smooth_ap_beside_its_floor_have_one_value():
    z = torch.randn(12, 16, generator=torch.Generator().manual_seed(0))
    values = [loss(z) for loss in smooth_forms(12, 4, 16).values()]
    assert len(values) == len(FORMS)
    for value in values[1:]:
        torch.testing.assert_close(value, values[0])


def test_the_floor_takes_all_its_sigmoids_and_both_products(monkeypatch):
    taken, products_of, sigmoid, mm = [], [], torch.sigmoid, torch.mm
    run_sigmoids, run_products = floor.sigmoids(1_000_003), floor.products(700, 5)
    monkeypatch.setattr(torch, "sigmoid", lambda x, out: (taken.append(x.numel()), sigmoid(x, out=out))[1])
    monkeypatch.setattr(
        torch, "mm", lambda a, b, out: (products_of.append((*a.shape, b.shape[1])), mm(a, b, out=out))[1]
    )
    run_sigmoids()
    run_products()
    assert sum(taken) == 1_000_003
    inner = sum(rows for rows, length, columns in products_of if (length, columns) == (5, 700))
    outer = sum(rows for rows, length, columns in products_of if (length, columns) == (700, 5))
    assert (inner, outer) == (700, 700)
