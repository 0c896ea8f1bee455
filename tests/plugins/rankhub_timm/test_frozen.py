"""A network that does not learn: the same features alone and in company, remembered or not, and nothing that trains."""

from __future__ import annotations

import copy
import logging

import pytest
import torch
from helpers import fakes
from helpers.training import objective, parts_of, recipe, streams, train, weights
from torch import nn

import rankhub_timm
from rankhub.catalog.catalog import Catalog
from rankhub.engine.cost import RunPlanned
from rankhub.interfaces.errors import Objection
from rankhub_timm import frozen
from rankhub_timm.backbone import TimmBackbone
from rankhub_timm.memory import memory_at
from rankhub_train.words import lines

MODELS = ["test_resnet", "test_efficientnet", "test_efficientnet_gn", "test_byobnet", "test_mambaout", "test_vit3"]
MODELS += ["test_nfnet", "mobilenetv3_small_050", "test_convnext"]
KNOWN = Catalog.of({"fakes": fakes, "rankhub_timm": rankhub_timm})


@pytest.fixture(autouse=True)
def no_memory():
    """Each test begins with none."""
    memory_at.cache_clear()
    yield
    memory_at.cache_clear()


def views(count=4, seed=0, side=64):
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(seed))


def pair(model="test_efficientnet", **options):
    """A frozen network, and one that learns with its weights."""
    args = {"img_size": 64} if "vit3" in model else {}
    constant = TimmBackbone(model=model, args=args, frozen=True, **options)
    learns = TimmBackbone(model=model, args=args, **{k: v for k, v in options.items() if k != "cache"}).eval()
    learns.load_state_dict(constant.state_dict(), strict=True)
    return constant, learns


def counted(monkeypatch):
    """How many views pass the network from now on."""
    passed, true = [0], rankhub_timm.backbone.pass_through

    def counting(network, images, *rest):
        passed[0] += len(images)
        return true(network, images, *rest)

    monkeypatch.setattr("rankhub_timm.backbone.pass_through", counting)
    return passed


@pytest.mark.parametrize("model", MODELS)
def test_any_network_of_constants_gives_what_the_network_gives(model):
    constant, learns = pair(model)
    assert not list(constant.parameters())
    assert not constant.training
    assert not constant.train().network.training
    with torch.no_grad():
        alone = [learns(one[None], maps=True) for one in views()]
    found = constant(views(), maps=True)
    assert torch.equal(found.pooled, torch.cat([one.pooled for one in alone]))
    assert torch.equal(found.maps[0], torch.cat([one.maps[0] for one in alone]))
    assert not found.pooled.requires_grad


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("maps", [False, True])
def test_company_and_memory_change_no_bit(maps, channels_last, tmp_path, monkeypatch):
    constant, _ = pair(cache=str(tmp_path))
    form = torch.channels_last if channels_last else torch.contiguous_format
    constant.to(memory_format=form)

    def features(rows):
        found = constant(views(20)[rows].contiguous(memory_format=form), maps=maps)
        return (found.pooled, *(found.maps or ()))

    passed = counted(monkeypatch)
    whole = features(list(range(20)))
    assert passed[0] == 20
    for rows in ([3], [5, 3, 3], list(range(19, 0, -2))):
        for kept, again in zip(whole, features(rows), strict=True):
            assert torch.equal(again, kept[rows])
    assert passed[0] == 20
    memory_at.cache_clear()  # as another process: from the file
    assert all(map(torch.equal, features([7, 2]), [part[[7, 2]] for part in whole]))
    assert passed[0] == 20
    memory_at.cache_clear()
    (tmp_path / next(tmp_path.iterdir())).unlink()  # and without it
    assert all(map(torch.equal, features([7, 2]), [part[[7, 2]] for part in whole]))
    assert passed[0] == 22


def test_equal_views_of_a_batch_pass_once(monkeypatch):
    constant, _ = pair()
    passed = counted(monkeypatch)
    constant(views()[[0, 1, 0, 0]])
    assert passed[0] == 2


def test_what_features_depend_on_keeps_memories_apart(monkeypatch):
    constant, learns = pair()
    passed = counted(monkeypatch)
    constant(views())
    twin = copy.deepcopy(constant)
    assert torch.equal(twin(views()).pooled, constant(views()).pooled)
    assert passed[0] == 4
    before = constant(views()).pooled
    with torch.no_grad():
        twin.network.conv_stem.weight.mul_(1.5)  # written to in place, as by `start_from`
    assert not torch.equal(twin(views()).pooled, before)
    assert passed[0] == 8
    other, _ = pair(normalize="none")
    other.load_state_dict(constant.state_dict())
    assert not torch.equal(other(views()).pooled, before)
    with torch.autocast("cpu", torch.bfloat16):
        reduced = constant(views()).pooled
    assert reduced.dtype == torch.bfloat16
    assert torch.equal(reduced, pair_of_reduced(learns))
    threads = torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    passed[0] = 0
    constant(views())
    assert passed[0] == 4
    torch.set_num_threads(threads)
    assert torch.equal(constant(views()).pooled, before)
    constant.double()
    assert constant(views().double()).pooled.dtype == torch.float64


def pair_of_reduced(learns):
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        return torch.cat([learns(one[None]).pooled for one in views()])


def test_views_of_another_size_with_the_same_numbers_are_others():
    constant, _ = pair()
    flat = torch.zeros(2, 3, 32, 64)
    assert not torch.equal(constant(flat, maps=True).maps[0], constant(flat.mT.contiguous(), maps=True).maps[0].mT)
    assert constant(flat, maps=True).maps[0].shape[2:] == (1, 2)
    assert constant(flat.mT.contiguous(), maps=True).maps[0].shape[2:] == (2, 1)


class Pooled(nn.Module):
    """A backbone that gives a tensor."""

    def __init__(self, backbone):
        super().__init__()
        self.backbone = backbone

    def forward(self, images):
        return self.backbone(images).pooled


def test_gradients_by_pixels_and_graphs_of_the_network_pass_memory_by(monkeypatch):
    constant, _ = pair()
    passed = counted(monkeypatch)
    pixels = views().requires_grad_()
    constant(pixels).pooled.sum().backward()
    assert float(pixels.grad.abs().max()) > 0
    exported = torch.export.export(Pooled(constant), (views(),)).module()
    assert passed[0] > 4
    for seed in (0, 1):
        torch.testing.assert_close(exported(views(seed=seed)), constant(views(seed=seed)).pooled, rtol=1e-4, atol=1e-5)


def test_a_cache_is_of_a_network_that_does_not_learn():
    with pytest.raises(Objection, match="set frozen: true"):
        TimmBackbone(model="test_resnet", cache=True)


def test_random_weights_that_never_learn_are_said(caplog):
    caplog.set_level(logging.WARNING, "rankhub")
    TimmBackbone(model="test_resnet").initialize()
    assert not caplog.messages
    TimmBackbone(model="test_resnet", frozen=True).initialize()
    assert caplog.messages == [
        "backbone.frozen: weights are drawn at random and never learn, unless start_from brings others"
    ]


TWO = streams(
    a={"generator": [{"use": "jitter"}], "objectives": [objective("pull")], "draws": 2},
    b={"objectives": [objective("fit")], "statistics": False},
)


def trained(folder, **changes):
    backbone = {"use": "timm", "model": "test_efficientnet", "frozen": True, **changes.pop("backbone", {})}
    phases = [{"name": "one", "steps": 9, "streams": {"a": {"accumulate": 2}, "b": {}}}]
    parts = parts_of(recipe(backbone=backbone, streams=TWO, phases=phases, **changes), KNOWN)
    folder.mkdir()
    first = {name: value.clone() for name, value in parts.network.backbone.state_dict().items()}
    return parts, first, train(parts, folder)


def test_training_moves_the_heads_alone_and_memory_changes_nothing(tmp_path, monkeypatch):
    passed = counted(monkeypatch)
    parts, first, ended = trained(tmp_path / "one")
    once = passed[0]
    after = parts.network.backbone.state_dict()
    assert all(torch.equal(after[name], value) for name, value in first.items())
    moved = [name for name in weights(ended) if name.startswith("heads.")]
    assert moved
    images = len(parts.datasets["train"])
    assert once <= images * (2 * 2 + 1)  # two views in two draws of the one stream, the images of the other
    memory_at.cache_clear()
    monkeypatch.setattr("rankhub_timm.memory.MEMORY_BYTES", 0)
    forgetful = weights(trained(tmp_path / "two")[2])
    assert passed[0] - once > once
    assert all(torch.equal(forgetful[name], value) for name, value in weights(ended).items())


def test_averages_and_checkpoints_hold_the_constants(tmp_path):
    average = {"decay": 0.5, "use_for": ["teacher", "evaluate"]}
    for name, use in (("a", average), ("b", {**average, "use_for": ["evaluate"]})):
        parts, first, ended = trained(tmp_path / name, average=use)
        twin = ended.learner.average.network.backbone.state_dict()
        assert all(torch.equal(twin[key], value) for key, value in first.items())
    resumed = train(parts_of(parts.recipe, KNOWN), tmp_path / "b", resume=True)
    assert all(torch.equal(weights(resumed)[key], value) for key, value in weights(ended).items())
    assert "batch norm" not in lines(RunPlanned("b", parts))


def test_records_keep_every_type_bit_for_bit():
    for dtype in (torch.float32, torch.float64, torch.float16, torch.bfloat16):
        pooled, found = torch.randn(1, 7).to(dtype), torch.randn(1, 3, 2, 5).to(dtype)
        kept, shown = frozen._stacked([frozen._record(pooled, found)] * 2, pooled.device)
        assert torch.equal(kept, pooled.repeat(2, 1))
        assert torch.equal(shown, found.repeat(2, 1, 1, 1))
        assert frozen._stacked([frozen._record(pooled, None)], pooled.device)[1] is None


def test_the_default_folder_is_the_users(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    TimmBackbone(model="test_resnet", frozen=True, cache=True)(views(1))
    assert [file.suffix for file in (tmp_path / ".cache/rankhub/features").iterdir()] == [".sqlite"]
