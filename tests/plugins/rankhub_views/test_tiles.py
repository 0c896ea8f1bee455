"""Tiles laid side by side are the map of the whole image, where it is known how far a network sees."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import timm
import torch
from torch import nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.model import FeatureSpec, OutputSpec
from rankhub_counting.density import Density
from rankhub_timm.backbone import TimmBackbone
from rankhub_timm.maps import receptive_field
from rankhub_views.center import Center
from rankhub_views.crops import Crops
from rankhub_views.tiles import Tiles, needed_halo
from rankhub_views.whole import Whole


class Counting:
    """A backbone and a density head, as a forward."""

    def __init__(self, backbone, **options):
        torch.manual_seed(1)
        self.backbone = backbone.eval()
        for module in backbone.modules():  # other statistics than 0 and 1, so that nothing is trivial
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
        self.head = Density(backbone.spec, LabelSpec("points", std=10.0, density=0.001), **options).eval()
        self.head.convolutions[-1].weight.data.mul_(10)
        self.features = backbone.spec
        self.outputs = {f"density.{name}": spec for name, spec in self.head.outputs.items()}
        self.sides = []

    @torch.no_grad()
    def __call__(self, images):
        self.sides.append(max(images.shape[-2:]))
        features = self.backbone(images, maps=True)
        out = {f"density.{name}": value for name, value in self.head(features).items()}
        return {"backbone": features.pooled, **out}


def photo(height, width, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (3, height, width), dtype=np.uint8))


def backbone(model):
    torch.manual_seed(0)
    return TimmBackbone(model=model, pretrained=False)


@pytest.mark.parametrize(("model", "options"), [("resnet10t", {}), ("test_resnet", {"hidden": 4, "upsample": 2})])
def test_tiles_are_the_whole(model, options):
    forward = Counting(backbone(model), **options)
    image = photo(420, 500)
    (count,), (density,) = (Whole()([image], forward)[f"density.{name}"] for name in ("count", "map"))
    forward.sides.clear()
    tiled = Tiles(size=128)([image], forward)
    assert len(forward.sides) == 16
    assert tiled["density.map"][0].shape == density.shape
    torch.testing.assert_close(tiled["density.map"][0], density, rtol=1e-3, atol=1e-4 * float(density.abs().mean()))
    assert abs(float(tiled["density.count"][0] - count)) < 1e-4 * abs(float(count))
    torch.testing.assert_close(tiled["density.pooled"][0], tiled["density.map"][0].mean())
    assert not list(Tiles(size=128).remarks(forward.outputs, forward.features))
    # A halo that is too narrow gives another answer, and says so.
    narrow = Tiles(size=128, halo=0)
    assert abs(float(narrow([image], forward)["density.count"][0] - count)) > 1e-4 * abs(float(count))
    (remark,) = narrow.remarks(forward.outputs, forward.features)
    assert "approximate for images larger than a tile: this network sees" in remark


@pytest.mark.parametrize("sides", [(131, 97), (97, 131), (128, 97), (33, 200), (300, 299), (20, 20), (417, 130)])
def test_tiles_are_the_whole_where_a_side_is_no_multiple_of_the_stride(sides):
    """The image is resized then, and both ways to predict must see it alike, not rounded to 8 bits in one."""
    forward = Counting(backbone("test_resnet"))
    image = photo(*sides)
    whole, tiled = Whole()([image], forward), Tiles(size=128)([image], forward)
    density = whole["density.map"][0]
    assert tiled["density.map"][0].shape == density.shape
    torch.testing.assert_close(tiled["density.map"][0], density, rtol=1e-4, atol=1e-5 * float(density.abs().mean()))
    torch.testing.assert_close(tiled["density.count"], whole["density.count"], rtol=1e-6, atol=0)
    reduced = Whole(max_side=90)([image], forward), Tiles(size=128, max_side=90)([image], forward)
    torch.testing.assert_close(reduced[1]["density.count"], reduced[0]["density.count"], rtol=1e-6, atol=0)


def test_the_map_covers_images_of_any_size():
    forward = Counting(backbone("resnet10t"))
    for height, width in ((300, 413), (31, 500), (20, 20)):
        cells = max(1, round(height / 32)), max(1, round(width / 32))
        for predict in (Whole(), Tiles(size=128)):
            answers = predict([photo(height, width)], forward)
            assert tuple(answers["density.map"][0].shape) == (1, *cells)
            torch.testing.assert_close(answers["density.count"][0], answers["density.map"][0].sum())
    several = Whole(batch=2)([photo(64, 64), photo(64, 96), photo(64, 64)], forward)
    assert [tuple(one.shape) for one in several["density.map"]] == [(1, 2, 2), (1, 2, 3), (1, 2, 2)]
    assert several["density.count"].shape == (3,)
    assert several["backbone"].shape[0] == 3


def test_large_images_are_reduced_if_asked_for():
    forward = Counting(backbone("resnet10t"))
    Tiles(size=512, max_side=256)([photo(300, 600)], forward)
    assert forward.sides == [256]


def test_other_backbones_are_approximate():
    forward = Counting(TimmBackbone(model="test_resnet", args={"norm_layer": "groupnorm1"}))
    (remark,) = Tiles().remarks(forward.outputs, forward.features)
    assert remark.startswith("predict: tiles is approximate for images larger than a tile: how far this backbone sees")
    assert "128 pixels are shown" in remark
    assert Tiles(halo=40).halo_for(forward.outputs, forward.features) == 64


@pytest.mark.parametrize(
    ("model", "field"),
    [("vgg16", 212), ("resnet18", 435), ("resnet34", 899), ("convnextv2_atto", 0), ("vit_tiny_patch16_224", 0)],
)
def test_published_receptive_fields(model, field):
    assert receptive_field(timm.create_model(model, num_classes=0)) == field


@pytest.mark.parametrize("model", ["resnet10t", "test_resnet"])
def test_a_cell_sees_as_far_as_is_said_and_no_further(model):
    """With positive weights nothing cancels: a pixel that is changed moves every cell that sees it."""
    network = timm.create_model(model, num_classes=0).eval().double()
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)  # the last one of a block starts at 0
        if isinstance(module, nn.MaxPool2d):
            module.forward = lambda x, pool=module: nn.functional.avg_pool2d(
                x, pool.kernel_size, pool.stride, pool.padding
            )
    field, side = receptive_field(network), 320
    image = torch.zeros(1, 3, side, side, dtype=torch.float64, requires_grad=True)
    cells = network.forward_features(image + 1)
    middle = cells.shape[-1] // 2
    cells[0, :, middle, middle].sum().backward()
    seen = image.grad[0].abs().sum(0).nonzero()
    reach = seen.max(0).values - seen.min(0).values + 1
    assert reach.tolist() == [field, field]


def test_counts_of_a_part_are_refused():
    outputs = {
        "density.map": OutputSpec("map"),
        "density.count": OutputSpec("count"),
        "score.score": OutputSpec("score"),
    }
    features = FeatureSpec(8, 8, 32)
    for predict in (Crops(size=32), Center(size=32)):
        (sentence,) = predict.check(outputs, features)
        assert "density.count counts all of it; use predict: whole or tiles" in sentence
    (sentence,) = Tiles().check(outputs, features)
    assert "score.score is of kind score, which has no map" in sentence
    assert not list(Whole().check(outputs, features))


def test_maps_that_do_not_fit_are_refused():
    class Odd:
        features = FeatureSpec(1, 1, 32, 32)
        outputs: ClassVar = {"density.map": OutputSpec("map"), "density.count": OutputSpec("count")}

        def __call__(self, images):
            n, _, height, width = images.shape
            return {
                "backbone": images.new_zeros(n, 1),
                "density.map": images.new_zeros(n, 1, height // 32 - 1, width // 32),
            }

    assert needed_halo(Odd.outputs, Odd.features) == 48
    with pytest.raises(UserError, match="tiles do not fit together; use predict: whole"):
        Tiles(size=64)([photo(256, 256)], Odd())
