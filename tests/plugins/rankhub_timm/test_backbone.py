"""timm's networks behind the interface."""

import pytest
import timm
import torch
from safetensors.torch import save_file

from rankhub.interfaces.errors import Objection, UserError
from rankhub_timm.backbone import Timm


@pytest.mark.parametrize(
    ("name", "side", "args"),
    [
        ("test_resnet", 64, None),
        ("resnet10t", 64, None),
        ("test_efficientnet", 64, None),
        ("test_vit", 64, {"img_size": 64}),
        ("test_convnext", 64, None),
    ],
)
def test_the_spec_is_what_comes_out(name, side, args):
    backbone = Timm(model=name, args=args).eval()
    features = backbone(torch.rand(2, 3, side, side), maps=True)
    assert features.pooled.shape == (2, backbone.spec.width)
    cells = side // backbone.spec.map_stride
    assert features.maps[0].shape == (2, backbone.spec.map_channels, cells, cells)
    assert backbone(torch.rand(2, 3, side, side)).maps is None


def test_pooled_features_are_those_of_timm():
    backbone = Timm(model="test_resnet").eval()
    images = torch.rand(2, 3, 48, 48)
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = backbone.net((images - mean[:, None, None]) / deviation[:, None, None])
    torch.testing.assert_close(backbone(images).pooled, expected)


@pytest.mark.parametrize("name", ["test_resnet", "resnet10t", "resnet18"])
def test_the_small_stem_keeps_small_images_large(name):
    backbone = Timm(model=name, stem="small").eval()
    assert backbone.spec.map_stride == 8
    assert backbone(torch.rand(1, 3, 32, 32), maps=True).maps[0].shape[-1] == 4
    assert Timm(model=name).spec.map_stride == 32


def test_a_network_without_such_a_stem_objects():
    with pytest.raises(Objection, match="residual networks only"):
        Timm(model="test_vit", stem="small")


def test_unknown_names_and_arguments():
    with pytest.raises(Objection, match="did you mean resnet18"):
        Timm(model="resnet_18")
    with pytest.raises(Objection, match="args"):
        Timm(model="test_resnet", args={"depht": 3})
    with pytest.raises(Objection, match="not both"):
        Timm(model="test_resnet", pretrained=True, weights="x")


def test_it_can_be_built_without_memory():
    with torch.device("meta"):
        backbone = Timm(model="test_resnet", stem="small")
    assert next(backbone.parameters()).is_meta
    assert backbone.spec.width == 96


@pytest.mark.parametrize("prefix", ["", "module.", "backbone.net.", "module.backbone."])
@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_weights_from_a_file(tmp_path, prefix, ending):
    donor = timm.create_model("test_resnet", num_classes=7)
    state = {f"{prefix}{name}": value for name, value in donor.state_dict().items()}
    path = tmp_path / f"w{ending}"
    save_file(state, path) if ending == ".safetensors" else torch.save({"state_dict": state}, path)
    backbone = Timm(model="test_resnet", weights=str(path))
    before = backbone.net.conv1[0].weight.clone()
    backbone.initialise()
    assert not torch.equal(before, backbone.net.conv1[0].weight)
    assert torch.equal(backbone.net.conv1[0].weight, donor.conv1[0].weight)


def test_weights_that_do_not_fit_are_one_sentence(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(timm.create_model("resnet10t").state_dict(), path)
    with pytest.raises(UserError, match="does not fit the network"):
        Timm(model="test_resnet", weights=str(path)).initialise()
    path.write_bytes(b"no")
    with pytest.raises(UserError, match="cannot be read"):
        Timm(model="test_resnet", weights=str(path)).initialise()
    with pytest.raises(UserError, match="there is no file"):
        Timm(model="test_resnet", weights=str(tmp_path / "none.pth")).initialise()


def test_a_hub_that_cannot_be_reached_is_one_sentence(monkeypatch):
    backbone = Timm(model="test_resnet", pretrained=True)

    def unreachable(*args, **kwargs):
        raise OSError("no network\nmore")

    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(UserError, match=r"no network\); download them elsewhere"):
        backbone.initialise()


def test_a_transformer_of_another_size_is_one_sentence():
    with pytest.raises(UserError, match="does not take images of 48 x 48"):
        Timm(model="vit_tiny_patch16_224")(torch.rand(1, 3, 48, 48))


def test_normalisation():
    images = torch.rand(1, 3, 32, 32)
    plain, model = (Timm(model="test_resnet", normalize=how) for how in ("none", "model"))
    model.net.load_state_dict(plain.net.state_dict())
    torch.testing.assert_close(plain.eval()((images - 0.5) / 0.5).pooled, model.eval()(images).pooled)
