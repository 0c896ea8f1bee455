"""Which layers normalize by a batch, and which of them are measured before training."""

from __future__ import annotations

import pytest
import torch
from helpers import fakes
from helpers.training import objective, parts_of, recipe, streams
from torch import nn

from rankhub.engine.cost import RunPlanned
from rankhub_train import words
from rankhub_train.norms import batch_statistics, has_batch_statistics
from rankhub_train.references import untrained

NORMED = {"use": "flat", "norm": True}


class Kept(fakes.Flat):
    """Keeps its normalization layer in evaluation."""

    def __init__(self) -> None:
        super().__init__(norm=True)

    def train(self, mode: bool = True) -> Kept:
        super().train(mode)
        self.norm.eval()
        return self


def parts_with(backbone=None, **changes):
    ours = recipe(backbone=NORMED, **changes)
    parts = parts_of(ours)
    if backbone is not None:
        parts.network.backbone = backbone
    return parts


def before_training(parts):
    return untrained(parts).network.backbone.norm


class Other(nn.Module):
    """Another make of batch normalization, such as EvoNorm-B."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("running_var", torch.ones(2))


@pytest.mark.parametrize(
    ("module", "training", "in_evaluation"),
    [
        (nn.BatchNorm2d(2), True, False),
        (nn.SyncBatchNorm(2), True, False),
        (nn.BatchNorm2d(2, track_running_stats=False), True, True),
        (Other(), True, False),
        (nn.InstanceNorm2d(2, track_running_stats=True), False, False),
        (nn.GroupNorm(1, 2), False, False),
        (nn.Conv2d(2, 2, 1), False, False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_layers_that_normalise_by_the_batch(module, training, in_evaluation):
    network = nn.Sequential(nn.Identity(), module)
    assert list(batch_statistics(network.train())) == [module] * training
    assert list(batch_statistics(network.eval())) == [module] * in_evaluation


def test_a_network_has_none_where_its_norms_are_kept_or_frozen():
    network = parts_with().network
    assert has_batch_statistics(network)
    assert has_batch_statistics(network, ["backbone.conv.*", "heads.*"])
    assert not has_batch_statistics(network, ["backbone.*"])
    assert has_batch_statistics(network.eval())  # it is about training, whatever the mode
    assert not has_batch_statistics(parts_with(Kept()).network)


@pytest.mark.parametrize(
    ("backbone", "freeze", "warned"),
    [(None, [], True), (None, ["backbone.*"], False), (Kept(), [], False)],
    ids=["trains", "frozen", "kept"],
)
def test_warnings_are_about_phases_with_batch_statistics(backbone, freeze, warned):
    two = streams(a={"generator": [{"use": "jitter"}], "objectives": [objective("pull")]})
    two |= streams(b={"objectives": [objective("fit")]})
    phases = [{"name": "p", "steps": 1, "streams": {"a": {"accumulate": 3}, "b": {}}, "freeze": freeze}]
    found = words.lines(RunPlanned("name", parts_with(backbone, streams=two, phases=phases)))
    assert found.keys() & {"batch norm", "streams"} == ({"batch norm", "streams"} if warned else set())


def test_fresh_statistics_are_measured():
    parts = parts_with()
    images = torch.stack([parts.datasets["train"][index].image for index in range(24)]).float() / 255
    cells = parts.network.backbone.conv(images)
    torch.testing.assert_close(before_training(parts).running_mean, cells.mean((0, 2, 3)))
    assert not before_training(parts).training
    assert torch.equal(parts.network.backbone.norm.running_mean, torch.zeros(8))


def test_statistics_of_weights_without_a_counter_are_kept():
    """Weights of another maker may count no batches, and still have seen a million images."""
    parts = parts_with()
    parts.network.backbone.norm.running_mean.fill_(0.25)
    assert int(parts.network.backbone.norm.num_batches_tracked) == 0
    assert torch.equal(before_training(parts).running_mean, torch.full((8,), 0.25))


def test_norms_that_are_kept_in_evaluation_are_not_measured():
    norm = before_training(parts_with(Kept()))
    assert torch.equal(norm.running_mean, torch.zeros(8))
    assert not norm.training
