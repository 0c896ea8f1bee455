import re

import pytest
import safetensors.torch
import timm
import torch

from rankhub.interfaces.errors import UserError
from rankhub_timm.backbone import TimmBackbone


def trained() -> dict[str, torch.Tensor]:
    """Weights of a test_resnet with a classifier, as someone else would have stored them."""
    torch.manual_seed(5)
    network = timm.create_model("test_resnet", num_classes=7)
    network(torch.rand(2, 3, 32, 32))  # so that the batch statistics are not those of a new network
    return network.state_dict()


def load(path, **options) -> dict[str, torch.Tensor]:
    backbone = TimmBackbone(model="test_resnet", weights=str(path), **options)
    backbone.initialize()
    return backbone.network.state_dict()


def prefixed(prefix: str, weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {prefix + name: value for name, value in weights.items()}


LAYOUTS = {
    "plain": lambda w: w,
    "without classifier": lambda w: {name: value for name, value in w.items() if not name.startswith("fc.")},
    "data parallel": lambda w: prefixed("module.", w),
    "a run of rankhub": lambda w: prefixed("backbone.network.", w) | {"heads.embedding.mlp.0.weight": torch.ones(2)},
    "wrapped twice": lambda w: prefixed("module.backbone.", w),
    "a script's checkpoint": lambda w: {"epoch": 3, "state_dict": prefixed("module.", w), "optimizer": {"lr": 0.1}},
    "with an average": lambda w: {"state_dict": {n: v * 0 for n, v in w.items()}, "state_dict_ema": w},
    "no counters": lambda w: {name: value for name, value in w.items() if "num_batches" not in name},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_torch_files_of_any_layout(layout, tmp_path):
    weights = trained()
    torch.save(LAYOUTS[layout](weights), tmp_path / "weights.pth")
    for name, value in load(tmp_path / "weights.pth").items():
        if not name.endswith("num_batches_tracked"):
            assert torch.equal(value, weights[name]), name


@pytest.mark.parametrize("layout", ["plain", "a run of rankhub"])
def test_safetensors_files(layout, tmp_path):
    weights = trained()
    safetensors.torch.save_file(LAYOUTS[layout](weights), tmp_path / "weights.safetensors")
    for name, value in load(tmp_path / "weights.safetensors").items():
        assert torch.equal(value, weights[name]), name


def test_nothing_is_read_before_it_is_asked_for(tmp_path):
    with torch.device("meta"):
        backbone = TimmBackbone(model="test_resnet", weights=str(tmp_path / "absent.pth"))
    assert backbone.spec.width == 96


class Danger:
    def __reduce__(self):
        return (print, ("code in a weights file was run",))


def cases():
    weights = trained()
    unknown = {**weights, "extra.weight": torch.ones(1)}
    missing = {name: value for name, value in weights.items() if not name.startswith("layer4")}
    reshaped = {**weights, "conv1.0.weight": torch.ones(16, 3, 7, 7)}
    return {
        "absent": (None, r"there is no file /.*weights.pth; give the path of a local file"),
        "unknown": (
            unknown,
            r"does not fit the model: 1 not in the model \(extra.weight\); check model, stem and args",
        ),
        "missing": (missing, r"\d+ missing \(layer4.0.conv1.weight, ...\)"),
        "reshaped": (reshaped, r"1 of another shape \(conv1.0.weight \[16, 3, 7, 7\], here \[16, 3, 3, 3\]\)"),
        "another model": ({"a.weight": torch.ones(2)}, r"missing .*; 1 not in the model \(a.weight\)"),
        "no tensors": ({"epoch": 3}, "holds no tensors by name"),
        "a list": ([1, 2], "holds no tensors by name"),
        "code": (Danger(), "cannot be read as .pth .*it is damaged, or holds more than tensors, numbers and text"),
    }


@pytest.mark.parametrize("case", cases())
def test_files_that_do_not_fit_are_one_sentence(case, tmp_path, capsys):
    stored, message = cases()[case]
    if stored is not None:
        torch.save(stored, tmp_path / "weights.pth")
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path / "weights.pth")
    assert "\n" not in str(caught.value)
    assert not re.search("weights_only|trust", str(caught.value)), "advice to read it all the same"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not weights at all", b"PK\x03\x04broken"])
def test_broken_files_are_one_sentence(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="cannot be read as") as caught:
        load(tmp_path / name)
    assert "\n" not in str(caught.value)
