import logging

import pytest
import safetensors.torch
import timm
import torch
from huggingface_hub import constants
from torch import nn

from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.model import FeatureSpec
from rankhub_timm.backbone import TimmBackbone
from rankhub_timm.hub import hub


def images(side: int = 64, count: int = 2) -> torch.Tensor:
    return torch.rand(count, 3, side, side, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("options", "spec"),
    [
        ({"model": "test_resnet"}, FeatureSpec(96, 96, 32, 167)),
        ({"model": "test_resnet", "stem": "small"}, FeatureSpec(96, 96, 8, 45)),
        ({"model": "resnet10t"}, FeatureSpec(512, 512, 32, 199)),
        ({"model": "resnet10t", "stem": "small"}, FeatureSpec(512, 512, 8, 53)),
        ({"model": "resnet10t", "stem": "small_pooled"}, FeatureSpec(512, 512, 16, 101)),
        ({"model": "resnet18", "stem": "small_pooled"}, FeatureSpec(512, 512, 16, 217)),
        ({"model": "resnet18", "stem": "small"}, FeatureSpec(512, 512, 8, 109)),
        ({"model": "test_efficientnet"}, FeatureSpec(256, 256, 32)),
        ({"model": "test_vit"}, FeatureSpec(64, 64, 16)),
        (
            {"model": "swin_tiny_patch4_window7_224", "args": {"img_size": 64, "window_size": 2}},
            FeatureSpec(768, 768, 32),
        ),
        ({"model": "crossvit_tiny_240"}, FeatureSpec(288, 0, 0)),
    ],
)
def test_what_the_spec_says_comes_out(options, spec):
    backbone = TimmBackbone(**options).eval()
    assert backbone.spec == spec
    side = 240 if options["model"].startswith("crossvit") else 64
    with torch.no_grad():
        features = backbone(images(side), maps=True)
        assert backbone(images(side)).maps is None
    assert features.pooled.shape == (2, spec.width)
    if spec.map_channels:
        assert features.maps[0].shape == (2, spec.map_channels, side // spec.map_stride, side // spec.map_stride)
    else:
        assert features.maps is None


@pytest.mark.parametrize("model", ["test_resnet", "test_vit", "test_efficientnet"])
def test_features_are_timms(model):
    backbone = TimmBackbone(model=model).eval()
    cfg = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
    mean, std = (torch.tensor(cfg[name])[:, None, None] for name in ("mean", "std"))
    with torch.no_grad():
        expected = backbone.network((images() - mean) / std)  # without a classifier the output is the pooled features
        torch.testing.assert_close(backbone(images()).pooled, expected)


@pytest.mark.parametrize(("model", "stride"), [("test_vit", 16), ("test_resnet", 32)])
def test_cells_of_the_map_lie_where_the_image_is(model, stride):
    """A change in one corner of the image changes that corner of the map most."""
    torch.manual_seed(0)
    backbone = TimmBackbone(model=model).eval()
    plain = torch.full((1, 3, 160, 160), 0.5)
    for row, column in ((0, 0), (0, 1), (1, 0)):
        changed = plain.clone()
        corner = [slice(0, stride) if at == 0 else slice(160 - stride, 160) for at in (row, column)]
        changed[:, :, corner[0], corner[1]] = images(stride, 1)
        with torch.no_grad():
            moved = (backbone(changed, maps=True).maps[0] - backbone(plain, maps=True).maps[0]).square().sum(1)[0]
        at = divmod(int(moved.argmax()), moved.shape[1])
        last = len(moved) - 1
        assert at == (row * last, column * last)


def test_small_stem_changes_the_first_layers_only():
    backbone = TimmBackbone(model="resnet18", stem="small")
    conv = backbone.network.conv1
    assert (conv.kernel_size, conv.stride, conv.padding, conv.bias) == ((3, 3), (1, 1), (1, 1), None)
    assert backbone.network.layer2[0].conv1.stride == (2, 2)
    deep = TimmBackbone(model="resnet10t", stem="small").network.conv1
    assert [layer.stride for layer in deep if isinstance(layer, nn.Conv2d)] == [(1, 1)] * 3
    assert torch.isfinite(backbone.train()(images(32)).pooled).all()


def test_it_can_be_checked_on_the_meta_device_and_built_there_costs_no_memory():
    with torch.device("meta"):
        backbone = TimmBackbone(model="test_resnet", stem="small")
    assert {value.device.type for value in backbone.state_dict().values()} == {"meta"}
    assert backbone.spec == FeatureSpec(96, 96, 8, 45)
    assert backbone.training


def test_networks_on_the_meta_device_share_nothing_and_are_those_that_are_built():
    def described(backbone):
        return [(name, tuple(value.shape)) for name, value in backbone.state_dict().items()], str(backbone)

    for options in ({}, {"stem": "small"}, {"stride": 8}):
        with torch.device("meta"):
            first, second = (TimmBackbone(model="test_resnet", **options) for _ in range(2))
        wanted = described(TimmBackbone(model="test_resnet", **options))
        first.network.conv1 = torch.nn.Identity()
        with torch.device("meta"):
            third = TimmBackbone(model="test_resnet", **options)
        assert described(first) != wanted
        assert described(second) == described(third) == wanted


def test_normalization():
    plain = TimmBackbone(model="test_resnet", normalize="none").eval()
    own = TimmBackbone(model="test_resnet", normalize=((0.5, 0.4, 0.3), (0.2, 0.3, 0.4))).eval()
    own.load_state_dict(plain.state_dict())
    mean, std = torch.tensor([0.5, 0.4, 0.3])[:, None, None], torch.tensor([0.2, 0.3, 0.4])[:, None, None]
    with torch.no_grad():
        torch.testing.assert_close(own(images()).pooled, plain((images() - mean) / std).pooled)
    stated = TimmBackbone(model="test_resnet", normalize="model")
    assert (stated.mean.flatten().tolist(), stated.std.flatten().tolist()) == ([0.5] * 3, [0.5] * 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "resnt18"}, r"has no model 'resnt18'; nearest: .*resnet18"),
        ({"model": "qqqqqqqq"}, r"has no model 'qqqqqqqq'; see timm.list_models\(\)"),
        ({"model": "test_vit", "stem": "small"}, "test_vit is a VisionTransformer; use stem: standard"),
        ({"model": "test_resnet", "args": {"bogus": 1}}, "timm cannot make test_resnet with args .*bogus"),
        ({"model": "test_resnet", "args": {"num_classes": 3}}, "args.num_classes cannot be passed on; heads stand"),
        ({"model": "test_resnet", "args": {"output_stride:16": None}}, "args.output_stride:16 has no value; write"),
        ({"model": "test_resnet", "args": {"pretrained": True}}, "use the option `pretrained`"),
        ({"model": "resnet18", "pretrained": True, "weights": "x.pth"}, "not both"),
        ({"model": "resnet18", "pretrained": True, "stem": "small"}, "another first convolution than stem: small"),
        ({"model": "test_resnet", "normalize": ((0.5,) * 3, (1.0, 0.0, 1.0))}, "must be above 0"),
    ],
)
def test_what_cannot_be_is_objected_to(options, message):
    with pytest.raises(Objection, match=message):
        TimmBackbone(**options)


def test_views_of_another_size_than_a_vision_transformer_takes():
    backbone = TimmBackbone(model="vit_tiny_patch16_224", args={"depth": 1})
    with pytest.raises(
        UserError, match=r"takes images of 224 x 224 px, views are 32 x 32; set backbone.args.img_size=32"
    ):
        backbone(images(32))
    assert (
        TimmBackbone(model="vit_tiny_patch16_224", args={"depth": 1, "img_size": 32})(images(32)).pooled.shape[1] == 192
    )
    free = TimmBackbone(model="vit_tiny_patch16_224", args={"depth": 1, "dynamic_img_size": True})
    assert free(images(48), maps=True).maps[0].shape[2:] == (3, 3)


@pytest.mark.usefixtures("no_hub")
def test_weights_of_an_unreachable_hub_are_one_sentence_with_the_ways_out(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    before = logging.getLogger("huggingface_hub").level, constants.HF_HUB_OFFLINE
    with pytest.raises(UserError) as refused:
        TimmBackbone(model="convnext_atto", pretrained=True).initialize()
    said = str(refused.value)
    assert f"({constants.ENDPOINT} cannot be reached, and its cache here does not hold them)" in said
    for way in ("backbone.pretrained=false", "backbone.weights=FILE", "--overlay offline_backbone"):
        assert way in said
    assert "\n" not in said
    assert "".join(capfd.readouterr()) == ""
    assert before == (logging.getLogger("huggingface_hub").level, constants.HF_HUB_OFFLINE)


def test_the_hub_is_asked_once_and_in_silence(no_hub):
    constants_before = constants.HF_HUB_OFFLINE
    with hub() as said:
        assert said is not None
        assert constants.HF_HUB_OFFLINE
        assert not logging.getLogger("huggingface_hub.utils._http").isEnabledFor(logging.WARNING)
    no_hub.head = lambda url, timeout: None
    with hub() as said:
        assert said is None
        assert constants_before == constants.HF_HUB_OFFLINE


@pytest.mark.usefixtures("no_hub")
def test_pretrained_without_a_connection_is_one_sentence(monkeypatch):
    backbone = TimmBackbone(model="test_resnet", pretrained=True)
    make = timm.create_model

    def offline(*args, pretrained=False, **options):
        if pretrained:
            raise OSError("Network is unreachable\nmany more lines")
        return make(*args, **options)

    monkeypatch.setattr(timm, "create_model", offline)
    with pytest.raises(UserError, match=r"test_resnet could not be downloaded \(OSError: Network is unreachable\)"):
        backbone.initialize()


@pytest.mark.usefixtures("no_hub")
def test_pretrained_weights_are_taken(monkeypatch):
    backbone = TimmBackbone(model="test_resnet", pretrained=True)
    make = timm.create_model
    theirs = make("test_resnet", num_classes=0)
    monkeypatch.setattr(timm, "create_model", lambda *args, pretrained, **options: theirs)
    backbone.initialize()
    for name, value in backbone.network.state_dict().items():
        assert torch.equal(value, theirs.state_dict()[name])


class TestCut:
    @pytest.mark.parametrize(
        ("model", "stride", "channels"),
        [("vgg11", 16, 512), ("resnet10t", 8, 128), ("test_resnet", 16, 192), ("convnextv2_atto", 16, 160)],
    )
    def test_the_map_is_that_of_the_whole_network_at_that_layer(self, model, stride, channels):
        torch.manual_seed(0)
        whole = TimmBackbone(model=model).eval()
        torch.manual_seed(0)
        cut = TimmBackbone(model=model, stride=stride).eval()
        assert cut.spec.map_stride == stride
        assert cut.spec.map_channels == cut.spec.width == channels
        assert sum(p.numel() for p in cut.parameters()) < sum(p.numel() for p in whole.parameters())
        images = torch.rand(2, 3, 64, 96)
        features = cut(images, maps=True)
        layer = [info["reduction"] for info in whole.network.feature_info].index(stride)
        normalized = (images - whole.mean) / whole.std
        (wanted,) = whole.network.forward_intermediates(normalized, indices=[layer], intermediates_only=True)
        torch.testing.assert_close(features.maps[0], wanted)
        torch.testing.assert_close(features.pooled, wanted.mean(dim=(2, 3)))

    def test_a_file_of_the_whole_network_fits(self, tmp_path):
        torch.manual_seed(3)
        whole = TimmBackbone(model="test_resnet")
        safetensors.torch.save_file(whole.network.state_dict(), tmp_path / "w.safetensors")
        cut = TimmBackbone(model="test_resnet", stride=8, weights=str(tmp_path / "w.safetensors"))
        assert cut.starts_trained
        cut.initialize()
        torch.testing.assert_close(cut.network.layer1[0].conv1.weight, whole.network.layer1[0].conv1.weight)

    def test_a_stride_that_is_not_there(self):
        with pytest.raises(Objection, match=r"test_resnet has no layer of stride 64; it has 2, 4, 8, 16, 32"):
            TimmBackbone(model="test_resnet", stride=64)

    def test_how_far_a_cut_network_sees(self):
        assert TimmBackbone(model="vgg16", stride=16).spec.receptive_field == 196
        assert TimmBackbone(model="resnet18", stride=8).spec.receptive_field == 99
