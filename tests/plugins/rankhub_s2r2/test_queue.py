"""A queue of earlier embeddings, and numbers that change over a phase."""

from __future__ import annotations

import pytest
import torch
from helpers import fakes
from helpers.ranking import EMBEDDING, make_target
from helpers.slow_ranking import total
from helpers.training import equal, objective, parts_of, recipe, streams, train, weights

import rankhub_s2r2
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.spec import ComponentSpec
from rankhub.interfaces.loss import LossContext

CATALOG = Catalog.of({"rankhub_s2r2": rankhub_s2r2, "fakes": fakes})
NAMES = [entry.component.name for entry in CATALOG.entries("loss") if entry.owner == "rankhub_s2r2"]
GROUP = torch.tensor([7, 2, 7, 5, 2, 7, -1])
LEVEL = torch.tensor([1.0, 0.5, 0.25, 1.0, 0.75, 0.5, 1.0])
losses = pytest.mark.parametrize("name", NAMES)
tempered = pytest.mark.parametrize(
    ("name", "number"), [*((name, "tau") for name in ("smooth_ap", "pnp", "graded_ap", "sup_ap")), ("ramp_ap", "width")]
)


def make(name, **options):
    return CATALOG.build("loss", ComponentSpec(use=name, **options), EMBEDDING).double()


def apply(loss, z, group=GROUP, level=LEVEL, **context):
    return loss({"embedding": z}, make_target(group, level), LossContext(**context))


def batch(seed, dim=5):
    """Rows of lengths other than 1."""
    generator = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(len(GROUP), dim, generator=generator, dtype=torch.float64)).requires_grad_()


def step(loss, z, **context):
    """The result, and the gradient at the rows; then the step's end."""
    result = apply(loss, z, **context)
    (grad,) = torch.autograd.grad(result.total, z)
    loss.after_step()
    return result, grad


def joined(z, earlier):
    """The batch with the rows of earlier ones behind it, each in a group of its own; and which rows are its own."""
    group = torch.cat([GROUP, 1000 + torch.arange(len(earlier))])
    level = torch.cat([LEVEL, torch.ones(len(earlier))])
    return torch.cat([z, earlier]), group, level, torch.arange(len(group)) < len(z)


@losses
def test_with_a_queue_it_is_the_plain_loss_on_all_rows_with_the_batch_as_queries(name):
    loss, plain, length = make(name, queue=10), make(name), 10
    sent = torch.zeros(0, 5, dtype=torch.float64)
    for number in range(4):  # 0, 7 and twice 10 earlier rows
        z = batch(number)
        result, grad = step(loss, z, log=True)
        rows, group, level, own = joined(z, sent[-length:])
        expected = apply(plain, rows, group, level, queries=own).total
        torch.testing.assert_close(result.total, expected)
        torch.testing.assert_close(grad, torch.autograd.grad(expected, z)[0])
        alone = apply(plain, z, log=True)
        assert result.parts == alone.parts
        assert (number == 0) == torch.equal(result.total, alone.total)
        sent = torch.cat([sent, z.detach()])


@pytest.mark.parametrize("name", ["smooth_ap", "ramp_ap", "pnp", "fast_ap"])
def test_with_a_queue_it_is_the_definition(name):
    loss, first, second = make(name, queue=20), batch(0), batch(1)
    step(loss, first)
    result, grad = step(loss, second)
    rows, group, *_ = joined(second, first.detach())
    everything, _ = total(name, rows, group)
    # Rows of the queue have no partner, so that they are no queries of the slow one either.
    torch.testing.assert_close(result.total, everything)
    torch.testing.assert_close(grad, torch.autograd.grad(everything, second)[0], rtol=1e-6, atol=1e-9)


@losses
def test_parts_of_the_queries_sum_to_the_whole(name):
    loss, first, second = make(name, queue=5), batch(0), batch(1)
    step(loss, first)
    here = torch.tensor([True, True, False, False, True, False, False])
    whole = apply(loss, second).total
    parts = sum(apply(loss, second, queries=part).total for part in (here, ~here))
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(*(torch.autograd.grad(value, second)[0] for value in (parts, whole)))


def test_a_collapsed_network_pays_1_less_v_over_n_of_batch_and_queue():
    loss, group, z = make("smooth_ap", queue=9), torch.arange(8) // 4, torch.ones(8, 5, dtype=torch.float64)
    z.requires_grad_()
    for earlier in (0, 8, 9):
        result = loss({"embedding": z}, make_target(group), LossContext(log=True))
        assert result.total.item() / 8 == pytest.approx(1 - 4 / (8 + earlier))
        assert result.parts["mAP"] == 4 / 8
        loss.after_step()


def test_without_a_queue_it_has_no_state():
    assert not make("smooth_ap").state_dict()
    assert set(make("smooth_ap", queue=3).state_dict()) == {"queue.rows", "queue.pushed"}


@tempered
@pytest.mark.parametrize(("progress", "at"), [(0.0, 0.3), (0.5, 0.175), (1.0, 0.05)])
def test_a_temperature_goes_from_its_start_to_its_end(name, number, progress, at):
    z = batch(3)
    result = apply(make(name, **{number: 0.3, f"{number}_end": 0.05}), z, progress=progress, log=True)
    constant = apply(make(name, **{number: at}), z, progress=progress, log=True)
    torch.testing.assert_close(result.total, constant.total, rtol=1e-12 if progress == 0.5 else 0, atol=0)
    assert result.parts == constant.parts
    assert ("pairs_with_gradient" in result.parts) == (name != "sup_ap")


@tempered
def test_without_an_end_progress_is_nothing(name, number):
    totals = [apply(make(name, **{number: 0.2}), batch(3), progress=progress).total for progress in (0.0, 0.6)]
    assert torch.equal(*totals)


def test_a_run_that_is_stopped_and_resumed_ends_with_the_same_bits(tmp_path):
    views = {"generator": [{"use": "jitter", "views": 2}], "objectives": [objective("smooth_ap", queue=6, tau_end=0.2)]}
    ours = recipe(
        heads={"main": {"use": "arrow"}},
        streams=streams(views=views),
        phases=[{"name": "first", "steps": 7, "streams": ["views"]}],
        evaluate=[],
        checkpoint={"every_steps": 3, "keep": 9},
    )
    runs = {}
    for folder, stops in (("whole", [None]), ("cut", [2, 5, None])):
        (tmp_path / folder).mkdir()
        for stop in stops:
            runs[folder] = train(parts_of(ours, CATALOG), tmp_path / folder, resume=True, stop_after=stop)
    found = weights(runs["whole"])
    assert equal(found, weights(runs["cut"]))
    (pushed,) = (value for name, value in found.items() if name.endswith("queue.pushed"))
    assert pushed > 6
