"""What a stranger's recipe or run folder makes of the backbone: it never reaches timm's own readers of files."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
import timm
import torch
import yaml

import rankhub
from rankhub.interfaces.errors import Objection, UserError
from rankhub_timm import backbone as module
from rankhub_timm.backbone import TimmBackbone


class Code:
    """Unpickled, it leaves a file behind."""

    def __init__(self, proof):
        self.proof = proof

    def __reduce__(self):
        return (open, (str(self.proof), "w"))


@pytest.fixture
def planted(tmp_path):
    """A file of weights with code in it, and the file that the code would leave."""
    torch.save({"state_dict": Code(tmp_path / "code_ran")}, tmp_path / "weights.pth")
    return tmp_path / "weights.pth", tmp_path / "code_ran"


@pytest.fixture
def small_run(tmp_path):
    """The folder of a run of one step."""
    photos = np.random.default_rng(0).integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    changes = {"backbone.model": "test_resnet", "streams.views.batch_size": 4, "steps": 1, "threads": 1}
    recipe = rankhub.load_recipe("s2r2_folder", changes)
    data = {"photos": photos, "held_out": photos[:4]}
    return rankhub.train(recipe, data=data, out=tmp_path / "run", progress=False).path


def arguments(file):
    """Each way to timm's readers: argument, value."""
    return {
        "checkpoint_path": str(file),
        "pretrained_cfg": {"file": str(file)},
        "pretrained_cfg_overlay": {"file": str(file), "custom_load": True},
        "cache_dir": str(file.parent),
        "pretrained_strict": False,
        "pretrained_filter_fn": "print",
        "pretrained_model_args": {"a": 1},
        "default_cfg": {"file": str(file)},
        "model_name": "resnet18",
        "feature_cfg": {"feature_cls": "hook"},
        "features_only": True,
        "pruned": True,
        "model_cls": "print",
        "model_cfg": {},
        "kwargs": {"checkpoint_path": str(file)},
    }


@pytest.mark.parametrize("name", arguments(module.Path()))
def test_an_argument_that_loads_is_refused_before_timm_sees_it(name, planted, monkeypatch):
    file, proof = planted
    monkeypatch.setattr(timm, "create_model", lambda *args, **options: pytest.fail("it reached timm"))
    with pytest.raises(Objection, match=rf"args\.{name} cannot be passed on; "):
        TimmBackbone(model="test_resnet", args={name: arguments(file)[name]})
    assert not proof.exists()


def test_arguments_of_the_network_are_passed_on():
    slow = {"drop_path_rate": 0.2, "scriptable": False}
    assert TimmBackbone(model="test_resnet", args=slow).network.drop_rate == 0
    assert TimmBackbone(model="vit_tiny_patch16_224", args={"depth": 2, "img_size": 32}).network.blocks[1] is not None


@pytest.mark.parametrize("source", ["hf-hub:", "hf_hub:", "local-dir:", "HF-HUB:", "timm:", "file://"])
@pytest.mark.parametrize("name", ["{folder}", "{folder}/test_resnet", "test_resnet", "timm/resnet18.a1_in1k"])
def test_a_name_that_stands_for_a_place_is_no_model(source, name, planted):
    file, proof = planted
    (file.parent / "config.json").write_text(json.dumps({"architecture": "test_resnet", "pretrained_cfg": {}}))
    file.rename(file.with_name("pytorch_model.bin"))
    for pretrained in (False, True):
        with pytest.raises(Objection, match=r"no model|timm cannot make"):
            TimmBackbone(model=source + name.format(folder=file.parent), pretrained=pretrained)
    assert not proof.exists()


def test_a_run_folder_with_such_an_argument_is_refused_in_a_sentence(small_run, planted, tmp_path):
    file, proof = planted
    recipe_file = small_run / "recipe.resolved.yaml"
    recipe = yaml.safe_load(recipe_file.read_text())
    recipe["backbone"]["args"] = {"checkpoint_path": str(file)}
    recipe_file.write_text(yaml.safe_dump(recipe, sort_keys=False))
    for act in (lambda: rankhub.load_run(small_run), lambda: rankhub.resume(small_run)):
        with pytest.raises(UserError, match=r"backbone.*args\.checkpoint_path cannot be passed on") as caught:
            act()
        assert not re.search("weights_only|trust", str(caught.value))
    assert not proof.exists()


def test_advice_of_timm_to_read_weights_all_the_same_is_not_passed_on(monkeypatch, planted, no_hub):
    file, proof = planted
    backbone = TimmBackbone(model="test_resnet", pretrained=True)
    overlay, make = {"file": str(file), "hf_hub_id": None, "url": ""}, timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda *args, **kw: make(*args, pretrained_cfg_overlay=overlay, **kw))
    with pytest.raises(UserError, match="they hold more than tensors, which could run code") as caught:
        backbone.initialize()
    assert not re.search("weights_only|trust", str(caught.value))
    assert not proof.exists()
