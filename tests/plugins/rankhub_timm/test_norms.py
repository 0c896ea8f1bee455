"""Frozen norms: statistics stay, scale and shift learn, and no view depends on another."""

import copy

import pytest
import timm
import torch
from helpers import fakes
from helpers.exactness import STEPS, Case, batch_wide, gradients, on_processes
from helpers.training import objective, parts_of, recipe, streams, train, weights
from timm.layers import BatchNormAct2d, EvoNorm2dB0, FrozenBatchNormAct2d, SyncBatchNormAct
from torch import nn

import rankhub_timm
from rankhub.catalog.catalog import Catalog
from rankhub.engine.cost import RunPlanned
from rankhub.engine.network import freeze, train_mode
from rankhub_timm.backbone import TimmBackbone
from rankhub_timm.stem import norms_of
from rankhub_train import words

# The smallest that timm has, of many families; two of them have no BatchNorm.
MODELS = ["test_resnet", "test_efficientnet", "test_efficientnet_gn", "test_byobnet", "test_mambaout", "test_vit3"]
MODELS += ["test_nfnet", "mobilenetv3_small_050", "ghostnet_050", "test_convnext", "repvit_m0_9"]
FROZEN = Catalog.of({"fakes": fakes, "rankhub_timm": rankhub_timm})


def views(count=3, seed=0):
    return torch.rand(count, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def statistics(module):
    return {name: value.clone() for name, value in module.named_buffers()}


def spread(backbone):
    """Statistics as after some training, so that their absence would be seen."""
    generator = torch.Generator().manual_seed(1)
    for layer in norms_of(backbone):
        layer.running_mean.copy_(torch.rand(layer.running_mean.shape, generator=generator) * 0.2)
        layer.running_var.copy_(0.5 + torch.rand(layer.running_var.shape, generator=generator))
    return backbone


@pytest.mark.parametrize("model", MODELS)
def test_any_network(model):
    torch.manual_seed(0)
    args = {"drop_rate": 0.0, **({"img_size": 64} if "vit3" in model else {})}
    backbone = spread(TimmBackbone(model=model, norms="frozen", args=args))
    layers = norms_of(backbone)
    kinds = {type(module).__name__ for module in backbone.modules()}
    assert bool(layers) == any("BatchNorm" in kind for kind in kinds)
    before = statistics(backbone)
    for _ in range(2):
        backbone.eval()
        backbone.train()
        assert backbone.training
        assert backbone.network.training
        assert not any(layer.training for layer in layers)
        together = backbone(views()).pooled
        alone = torch.cat([backbone(one[None]).pooled for one in views()])
        torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    together.square().sum().backward()
    learning = [layer.bias.grad for layer in layers if layer.affine]
    assert all(gradient is not None for gradient in learning)
    assert not learning or max(float(gradient.abs().max()) for gradient in learning) > 0
    for name, value in backbone.named_buffers():
        assert torch.equal(value, before[name]), name


def test_by_default_norms_train():
    backbone = TimmBackbone(model="test_resnet")
    before = statistics(backbone)
    backbone.train()(views())
    assert any(not torch.equal(value, before[name]) for name, value in backbone.named_buffers())


def test_norms_of_all_makes():
    made = [nn.BatchNorm2d(4), BatchNormAct2d(4), nn.SyncBatchNorm(4), SyncBatchNormAct(4), EvoNorm2dB0(4)]
    made += [nn.InstanceNorm2d(4, track_running_stats=True), FrozenBatchNormAct2d(4)]
    others = [nn.GroupNorm(2, 4), nn.LayerNorm(4), nn.InstanceNorm2d(4), nn.Conv2d(4, 4, 1)]
    assert norms_of(nn.Sequential(*made, *others)) == made


def test_synchronised_norms_of_a_network_that_was_changed_stay_frozen():
    backbone = TimmBackbone(model="test_efficientnet", norms="frozen")
    for convert in (timm.layers.convert_sync_batchnorm, nn.SyncBatchNorm.convert_sync_batchnorm):
        twin = copy.deepcopy(backbone)
        twin.network = convert(twin.network)
        kinds = {type(layer) for layer in norms_of(twin.train())}
        assert all(issubclass(kind, nn.SyncBatchNorm) for kind in kinds)
        assert not any(layer.training for layer in norms_of(twin))


def test_what_stands_in_a_norm_keeps_its_mode():
    backbone = TimmBackbone(model="test_efficientnet", norms="frozen")
    layer = next(one for one in norms_of(backbone) if isinstance(one, BatchNormAct2d))
    layer.drop = nn.Dropout(0.5)
    backbone.train()
    assert layer.drop.training
    assert not layer.training


def frozen(model="test_efficientnet", **changes):
    return parts_of(recipe(backbone={"use": "timm", "model": model, "norms": "frozen"}, **changes), FROZEN)


TWO = streams(
    a={"generator": [{"use": "jitter"}], "objectives": [objective("pull")]},
    b={"objectives": [objective("fit")]},
)


@pytest.mark.parametrize(("norms", "warned"), [("train", {"batch norm", "streams"}), ("frozen", set())])
def test_the_warnings_about_batch_statistics_know(norms, warned):
    phases = [{"name": "one", "steps": 2, "streams": {"a": {"accumulate": 2}, "b": {}}}]
    backbone = {"use": "timm", "model": "test_efficientnet", "norms": norms}
    parts = parts_of(recipe(backbone=backbone, streams=TWO, phases=phases), FROZEN)
    assert words.lines(RunPlanned("two", parts)).keys() & {"batch norm", "streams"} == warned


def test_accumulation_of_sums_is_exact(tmp_path):
    """The same weights after some steps in one batch and in micro-batches; BatchNorm in training does not give them."""

    def trained(name, accumulate, norms):
        phases = [{"name": "one", "steps": 4, "streams": {"a": {"accumulate": accumulate}}}]
        backbone = {"use": "timm", "model": "test_efficientnet", "norms": norms}
        ours = recipe(backbone=backbone, streams={"a": TWO["a"]}, phases=phases)
        (tmp_path / name).mkdir()
        parts = parts_of(ours, FROZEN)
        parts.network.double()
        spread(parts.network.backbone)
        return weights(train(parts, tmp_path / name))

    def apart(norms):
        one, other = (trained(f"{norms}{count}", count, norms) for count in (1, 3))
        return max(float((one[name].double() - other[name].double()).abs().max()) for name in one)

    assert apart("frozen") < 1e-6
    assert apart("train") > 1e-3


CASES = [Case(loss, micro, timm="test_efficientnet") for loss in batch_wide()[:4] for micro in (1, 2)]


@pytest.fixture(scope="module")
def on_two():
    return dict(zip(CASES, on_processes(2, CASES), strict=True))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_gradients_of_batch_wide_losses_are_those_of_one_process_and_one_batch(case, on_two):
    whole = gradients(Case(case.loss, timm=case.timm))
    assert all(bool(gradient.norm() > 1e-6) for gradient in whole[:STEPS])
    for ours, theirs in zip(whole, on_two[case], strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-8, atol=1e-8)


def test_training_leaves_the_statistics_of_weights_alone(tmp_path):
    parts = frozen(phases=[{"name": "one", "steps": 3, "streams": ["views"]}])
    before = statistics(spread(parts.network.backbone))
    learned = {name: value.clone() for name, value in parts.network.backbone.named_parameters()}
    train(parts, tmp_path)
    after = parts.network.backbone
    assert all(torch.equal(value, before[name]) for name, value in after.named_buffers())
    assert sum(not torch.equal(value, learned[name]) for name, value in after.named_parameters()) > 10


@pytest.mark.parametrize("norms", ["train", "frozen"])
def test_a_backbone_that_is_frozen_whole_leaves_no_graph(norms):
    """Nothing of it is kept for a backward pass, whatever its norms."""
    parts = parts_of(recipe(backbone={"use": "timm", "model": "test_efficientnet", "norms": norms}), FROZEN)
    freeze(parts.network, ["backbone.*"])
    train_mode(parts.network)
    kept = []

    def keep(value):
        kept.append(value)
        return value

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda value: value):
        outputs = parts.network([views()], ["main"])
    assert not outputs["backbone"].requires_grad
    assert outputs["main.arrow"].requires_grad
    assert kept
    assert all(value.ndim < 4 for value in kept)  # what the head's two layers keep
