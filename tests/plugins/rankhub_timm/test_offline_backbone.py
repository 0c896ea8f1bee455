"""The overlays with installed weights fit every recipe of quality and of counting: each kind takes two steps."""

from __future__ import annotations

import functools
import json

import pytest
import torch
from helpers.tiny_recipes import COUNTED, FEW, SCORED, SMALL, bare, make_data, small_photos

import rankhub
from rankhub.catalog.catalog import Catalog
from rankhub_timm.lite import in_timms_names
from rankhub_timm.weights import read_weights

OVERLAY = "offline_backbone"


@functools.cache
def catalog():
    return Catalog.discover()


@functools.cache
def recipe(name, *overlays):
    return rankhub.load_recipe(name, overlays=overlays, catalog=catalog()).recipe


def kind(spec):
    return bare(spec.use)


FAMILIES = ("quality_", "rankiqa_", "counting_", "shanghaitech_", "ucf_")
NAMES = [info.name for info in rankhub.list_recipes(catalog=catalog())]
RECIPES = [name for name in NAMES if name.startswith(FAMILIES)]


def test_these_are_all_recipes_of_scores_and_counts():
    heads = {name: {kind(head) for head in recipe(name).heads.values()} for name in NAMES}
    assert [name for name in NAMES if heads[name] & {"score", "density"}] == RECIPES
    assert {name.partition("_")[0] + "_" for name in RECIPES} == set(FAMILIES)


@pytest.mark.parametrize("name", RECIPES)
def test_it_changes_the_network_alone(name):
    ours, theirs = recipe(name, OVERLAY), recipe(name)
    backbone = ours.backbone.options
    assert (backbone["model"], backbone["weights"]) == ("tf_efficientnet_lite0", "installed")
    assert (backbone["normalize"], backbone["norms"], backbone["pretrained"]) == ("model", "frozen", False)
    assert backbone["stride"] == theirs.backbone.options["stride"]  # and so the cells of the map
    changed = {"backbone", "optimizer", "channels_last", "name"}
    assert ours.model_dump(exclude=changed) == theirs.model_dump(exclude=changed)
    counts = any(kind(head) == "density" for head in ours.heads.values())
    assert backbone["stride"] in ({8, 16} if counts else {None})


@pytest.mark.parametrize("name", RECIPES)
def test_a_frozen_one_changes_what_cannot_learn_and_how_often_views_are_drawn(name):
    ours, theirs = recipe(name, "frozen_backbone"), recipe(name, OVERLAY)
    backbone = ours.backbone.options
    assert (backbone["frozen"], backbone["cache"]) == (True, True)
    assert {**backbone, "frozen": False, "cache": False} == theirs.backbone.options
    streams = {key: stream.model_copy(update={"draws": None}) for key, stream in ours.streams.items()}
    assert {stream.draws for stream in ours.streams.values()} == {4}
    assert streams == theirs.streams
    phases = [phase.model_copy(update={"lr_scale": {}}) for phase in theirs.phases]
    assert ours.phases == phases
    changed = {"backbone", "streams", "phases", "optimizer", "name"}
    assert ours.model_dump(exclude=changed) == theirs.model_dump(exclude=changed)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Tiny data in the layouts that the recipes read."""
    root = tmp_path_factory.mktemp("data")
    make_data(root)
    return root


def shrunk(name, data):
    """Overrides that make a recipe small: two steps a phase, few images, small crops."""
    given = recipe(name)
    roots = {"image_folder": data / "photos"} | {one: data / one for one in (*SCORED, *COUNTED, "shanghaitech")}
    changes: dict[str, object] = {"loader.workers": 0, "device": "cpu"}
    if kind(given.predict) == "crops":
        changes |= {"predict.size": 32, "predict.count": 2}
    for at, spec in given.data.items():
        if kind(spec) in roots:
            changes[f"data.{at}.root"] = str(roots[kind(spec)])
        changes |= {f"data.{at}.{option}": value for option, value in SMALL.get(kind(spec), {}).items()}
    for at, spec in enumerate(given.evaluate):
        changes |= {f"evaluate.{at}.grid": [1.0]} if "grid" in spec.options else {}
    for at, stream in given.streams.items():
        most = 2 if kind(given.data[stream.data]) in FEW else 4
        changes[f"streams.{at}.batch_size"] = min(most, stream.batch_size)
        for position, step in enumerate(stream.generator):
            here = f"streams.{at}.generator.{position}"
            changes |= {f"{here}.{option}": value for option, value in SMALL.get(kind(step), {}).items()}
    return changes | {f"phases.{number}.steps": 2 for number in range(len(given.phases))}


def two_steps(name, overlay, data, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(data))  # where caches go
    with small_photos():
        loaded = rankhub.load_recipe(name, shrunk(name, data), overlays=[overlay], catalog=catalog(), need_data=True)
        return rankhub.train(loaded, tmp_path / "run")


@pytest.mark.parametrize("name", ["quality_finetune", "ucf_cc_50"])
def test_a_frozen_one_takes_two_steps(name, lite0, data, tmp_path, monkeypatch):
    run = two_steps(name, "frozen_backbone", data, tmp_path, monkeypatch)
    stored = in_timms_names(read_weights(lite0.path(), lite0.sha256))
    trained = run.network.backbone.network.state_dict()
    assert all(torch.equal(value, stored[key]) for key, value in trained.items() if not key.endswith("tracked"))
    assert list((data / ".cache/rankhub/features").glob("*.sqlite"))
    photos = sorted((data / "photos").rglob("*.jpg"))[:2]
    again = rankhub.load_run(run.path)
    assert [one.values for one in again.predict(photos)] == [one.values for one in run.predict(photos)]


def shape(name):
    """What of a recipe may not fit a network: outputs, views, phases, cells, and what is judged."""
    given = recipe(name)
    views = {tuple(kind(step) for step in stream.generator) for stream in given.streams.values()}
    heads, judged = ({kind(spec) for spec in part} for part in (given.heads.values(), given.evaluate))
    return frozenset(heads), frozenset(views), len(given.phases), given.backbone.options["stride"], frozenset(judged)


ONE_OF_EACH = list({shape(name): name for name in RECIPES}.values())


@pytest.mark.parametrize("name", ONE_OF_EACH)
def test_it_takes_two_steps(name, lite0, data, tmp_path, monkeypatch):
    run = two_steps(name, OVERLAY, data, tmp_path, monkeypatch)
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "step" in line][:2] == [1, 2]
    assert run.metrics
    stored = in_timms_names(read_weights(lite0.path(), lite0.sha256))
    trained = run.network.backbone.network.state_dict()
    assert torch.equal(trained["bn1.running_mean"], stored["bn1.running_mean"])
    moved = (trained["conv_stem.weight"] - stored["conv_stem.weight"]).abs()
    assert 0 < float(moved.max()) < 0.01
