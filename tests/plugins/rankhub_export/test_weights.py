"""Weights for timm and as safetensors, and what cannot be exported."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import timm
import torch
from helpers.commands import call
from safetensors import safe_open

import rankhub
from rankhub import UserError
from rankhub_export import export
from rankhub_export.weights import load_network

CENTER = "{use: center, size: 48, resize: 52}"


def test_timm_alone_loads_a_backbone(scored, photos, tmp_path):
    run = scored(CENTER)
    done = export(run, "timm", tmp_path / "out", images=photos)
    # by its name and the file alone
    network = timm.create_model("test_resnet", checkpoint_path=str(tmp_path / "out" / "model.safetensors")).eval()

    trained = rankhub.load_run(run)
    (views,) = trained.preprocess(str(photos / "coffee.png"))
    mean, std = (torch.tensor(done.proof[name])[:, None, None] for name in ("mean", "std"))
    with torch.no_grad():
        features = network.forward_head(network.forward_features((views - mean) / std), pre_logits=True)
    np.testing.assert_allclose(features, trained.embed(str(photos / "coffee.png")), atol=1e-5)
    assert done.proof["zeros"] == ["fc.weight", "fc.bias"]
    card = (tmp_path / "out" / "MODEL_CARD.md").read_text()
    assert 'timm.create_model("test_resnet", checkpoint_path="model.safetensors")' in card


def test_safetensors_hold_the_whole_network_and_what_it_is(scored, photos, tmp_path, capsys):
    run = scored(CENTER)
    done = call(capsys, "export", run, "--to", "safetensors", "--out", tmp_path / "out", "--images", photos)
    assert done.code == 0, done.err
    own = rankhub.load_run(run).network.state_dict()
    with safe_open(tmp_path / "out" / "model.safetensors", "pt") as file:
        assert set(file.keys()) == set(own)
        assert all(torch.equal(file.get_tensor(name), own[name]) for name in own)
        notes = file.metadata()
    assert "test_resnet" in notes["recipe"]
    label = json.loads(notes["labels"])["score.score"]
    assert (label["unit"], label["higher_is_better"], label["mean"]) == ("DMOS", False, -30.0)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--to", "timm"], "has stem: small"),
        (["--to", "tree"], "no target 'tree'"),
        ([], "name the target with --to"),
        (["--to", "onnx", "--input", "int"], "--input is uint8 or float"),
        (["--to", "timm", "--images", "{tmp}/none"], "none"),
    ],
)
def test_what_cannot_be_exported_gets_a_sentence(scored, photos, tmp_path, capsys, arguments, said):
    command = [argument.format(tmp=tmp_path) for argument in arguments]
    command += [] if "--images" in command else ["--images", photos]
    done = call(capsys, "export", scored(CENTER, "small"), "--out", tmp_path / "out", *command)
    assert done.code == 2
    assert said in done.err
    assert done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_cut_backbone_is_refused_by_timm(counted, photos, tmp_path, capsys):
    done = call(capsys, "export", counted, "--to", "timm", "--out", tmp_path / "out", "--images", photos)
    assert done.code == 2
    assert "is cut off at an earlier stride" in done.err


def test_an_export_is_not_replaced_unless_asked_for_and_other_files_never(scored, photos, tmp_path, capsys):
    command = ["export", scored(CENTER), "--to", "timm", "--out", tmp_path / "out", "--images", photos]
    assert call(capsys, *command).code == 0
    assert "--force replaces it" in call(capsys, *command).err
    assert call(capsys, *command, "--force").code == 0
    (tmp_path / "out" / "mine.txt").write_text("mine")
    assert "holds other things than an export" in call(capsys, *command, "--force").err
    assert (tmp_path / "out" / "mine.txt").read_text() == "mine"


def test_photographs_come_along(scored, tmp_path):
    assert len(export(scored(CENTER), "timm", tmp_path / "out").proof["images"]) == 9


class Bomb:
    """Runs code where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (exec, (f"open({str(self.path)!r}, 'w')",))


def lying(header, body=b"\0" * 64):
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def test_a_hostile_file_of_weights_is_a_sentence_and_no_code_is_run(scored, tmp_path):
    tensor = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    contents = [
        pickle.dumps(Bomb(tmp_path / "ran")),
        b"",
        (2**60).to_bytes(8, "little") + b"{}",
        lying({"a": {**tensor, "data_offsets": [0, 2**40]}}),
        lying({"a": {**tensor, "shape": [2**62, 4]}}),
        lying({"a": {**tensor, "dtype": "OBJECT"}}),
        lying({"a": tensor}, b""),
        lying([1]),
        lying({"a": tensor}, b"\0" * 16),  # sound, and of another network
    ]
    with rankhub.load_run(scored(CENTER)) as run:
        for content in contents:
            (tmp_path / "x.safetensors").write_bytes(content)
            with pytest.raises(UserError, match=r"x\.safetensors does not fit the network: ") as caught:
                load_network(tmp_path / "x.safetensors", run)
            assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_force_replaces_an_export_alone(scored, tmp_path, capsys):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "proof.json").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name, said in (("mine", "holds other things than an export"), ("link", "is a file, or a link")):
        done = call(capsys, "export", scored(CENTER), "--to", "safetensors", "--out", tmp_path / name, "--force")
        assert (done.code, done.err.count("\n")) == (2, 1)
        assert said in done.err
    assert (tmp_path / "mine" / "proof.json").is_dir()
