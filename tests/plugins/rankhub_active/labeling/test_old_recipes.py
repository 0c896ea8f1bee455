"""Recipes of before streams stood at the top."""

from __future__ import annotations

import dataclasses

import pytest
import yaml

import rankhub
from rankhub_active.labeling import old_recipes
from rankhub_active.labeling.old_recipes import convert

OLD = """\
name: mine
data:
  labeled:
    use: gone/scored_csv
    root: /photos/é
    table: labels.csv
    higher_is_better: false
  pristine:
    use: rankhub_data/image_folder
    root: nowhere
backbone:
  use: timm
  model: test_resnet
  stem: small
heads:
  score:
    use: score
optimizer:
  use: gone/adamw
  lr: 1e-3
start_from: null
phases:
- name: ranking
  steps: 2
  streams:
    ranked:
      data: pristine
      batch_size: 4
      generator:
      - use: gone/distortions
        set: live
      - use: random_crops
        size: 24
      objectives:
      - head: score
        output: null
        loss:
          use: gone/margin_ranking
          margin: 0.5
        weight: 1.0
      accumulate: 1
      statistics: true
- name: multitask
  epochs: 1
  clock: labeled
  streams:
    labeled:
      data: labeled
      batch_size: 4
      generator:
      - {use: random_crops, size: 24}
      objectives:
      - head: score
        loss: {use: mse}
        weight: {use: gone/cosine, start: 1.0}
      - {head: score, loss: mse}
    ranked:
      data: pristine
      batch_size: 1
      generator:
      - use: gone/distortions
        set: live
      - use: random_crops
        size: 24
      objectives:
      - head: score
        output: null
        loss:
          use: gone/margin_ranking
          margin: 0.5
        weight: 0.1
      accumulate: 1
      statistics: true
  lr_scale:
    losses.multitask.labeled.1: 0.5
    backbone: 0.1
- name: small
  steps: 1
  clock: labeled
  streams:
    labeled:
      data: labeled
      batch_size: 4
      generator:
      - {use: random_crops, size: 16}
      objectives:
      - {head: score, loss: {use: mse}}
  schedule: {use: gone/cosine}
  freeze: [losses.small.labeled.0.*, losses.x]
predict:
  use: crops
  count: 2
  size: 24
evaluate:
- {use: quality, data: labeled}
- {use: quality, data: labeled}
acquire:
  use: gone/coreset
  embedding: backbone
keep_best: quality 2.srocc
evaluate_every_epochs: 1
"""


@pytest.fixture(scope="module")
def converted():
    return convert(OLD)


@pytest.fixture(scope="module")
def new(converted):
    return yaml.safe_load(converted.text)


def test_the_new_form_is_one_that_loads(converted):
    # Without the patterns that no parameter of these losses matches.
    loaded = rankhub.load_recipe(converted.text, ["phases.multitask.lr_scale={}", "phases.small.freeze=[]"])
    assert loaded.recipe.trained_streams == ["ranked", "labeled", "labeled_2"]
    assert loaded.resolved()["optimizer"]["lr"] == 1e-3


def test_streams_stand_at_the_top_once_for_all_phases_that_only_weigh_them_otherwise(new):
    assert list(new)[-7:] == [
        "streams",
        "phases",
        "predict",
        "evaluate",
        "acquire",
        "keep_best",
        "evaluate_every_epochs",
    ]
    assert list(new["streams"]) == ["ranked", "labeled", "labeled_2"]
    assert [phase["streams"] for phase in new["phases"]] == [
        {"ranked": {}},
        {"labeled": {}, "ranked": {"weight": 0.1, "batch_size": 1}},
        {"labeled_2": {}},
    ]
    assert [phase["name"] for phase in new["phases"]] == ["ranking", "multitask", "small"]
    assert [phase.get("clock") for phase in new["phases"]] == [None, "labeled", "labeled_2"]
    assert new["streams"]["labeled"]["generator"][0]["size"] == 24
    assert new["streams"]["labeled_2"]["generator"][0]["size"] == 16


def test_objectives_are_flat_and_their_losses_go_by_label(converted, new):
    first, second = new["streams"]["labeled"]["objectives"]
    assert (first["use"], first["head"], first["weight"]["start"]) == ("mse", "score", 1.0)
    assert second == {"use": "mse", "head": "score"}
    assert converted.losses == {
        "losses.ranking.ranked.0": "losses.ranked.margin_ranking",
        "losses.multitask.labeled.0": "losses.labeled.mse",
        "losses.multitask.labeled.1": "losses.labeled.mse_2",
        "losses.multitask.ranked.0": "losses.ranked.margin_ranking",
        "losses.small.labeled.0": "losses.labeled_2.mse",
    }
    assert new["phases"][1]["lr_scale"] == {"losses.labeled.mse_2": 0.5, "backbone": 0.1}
    assert new["phases"][2]["freeze"] == ["losses.labeled_2.mse.*", "losses.x"]
    assert new["keep_best"] == "quality_2.srocc"


def test_a_component_whose_owner_gives_it_no_more_gets_the_one_that_does(new):
    owners = {(one.kind, one.name): one.owner for one in rankhub.list_components()}
    schedules = [new["streams"]["labeled"]["objectives"][0]["weight"], new["phases"][2]["schedule"]]
    found = [
        ("dataset", "scored_csv", new["data"]["labeled"]),
        ("dataset", "image_folder", new["data"]["pristine"]),
        ("optimizer", "adamw", new["optimizer"]),
        ("generator", "distortions", new["streams"]["ranked"]["generator"][0]),
        ("loss", "margin_ranking", new["streams"]["ranked"]["objectives"][0]),
        *(("schedule", "cosine", one) for one in schedules),
        ("acquirer", "coreset", new["acquire"]),
    ]
    assert [spec["use"] for _, _, spec in found] == [f"{owners[kind, name]}/{name}" for kind, name, _ in found]
    assert new["backbone"]["use"] == "timm"  # a bare name stays one


def test_an_owner_that_nobody_or_several_could_be_stays(monkeypatch):
    twins = [one for one in rankhub.list_components() if one.name != "coreset"]
    twins += [dataclasses.replace(one, owner="twin") for one in twins if one.name == "adamw"]
    monkeypatch.setattr(rankhub, "list_components", lambda catalog: twins)
    found = yaml.safe_load(convert(OLD).text)
    assert (found["optimizer"]["use"], found["acquire"]["use"]) == ("gone/adamw", "gone/coreset")


def test_what_is_written_is_written_again(converted):
    for line in ("  lr: 1e-3", "  root: /photos/é", "start_from: null", "- {use"):
        assert (f"{line}\n" in converted.text) == (line != "- {use"), line
    quoted = convert(OLD.replace("name: mine", "name: '12'").replace("lr: 1e-3", "lr: 1_0"))
    assert "name: '12'\n" in quoted.text
    assert "lr: 1_0\n" in quoted.text


def test_a_name_that_is_taken_is_not_given_again():
    def phase(name, **sizes):
        streams = {
            stream: {"data": "d", "generator": [{"use": "g", "size": size}], "objectives": [{"loss": {"use": "l"}}]}
            for stream, size in sizes.items()
        }
        return {"name": name, "streams": streams}

    text = yaml.safe_dump(
        {"phases": [phase("a", s=1), phase("b", s=2, s_2=3), phase("c", s=3, s_2=3), phase("d", s=2)]}
    )
    found = yaml.safe_load(convert(text).text)
    sizes = {name: stream["generator"][0]["size"] for name, stream in found["streams"].items()}
    assert sizes == {"s": 1, "s_3": 2, "s_2": 3, "s_4": 3}
    assert [list(phase["streams"]) for phase in found["phases"]] == [["s"], ["s_3", "s_2"], ["s_4", "s_2"], ["s_3"]]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "loss",
        "phases: [loss]",
        "loss: [",
        "phases:\n- {name: a, streams: {b: {objectives: [{use: mse, head: loss}]}}}",
        "streams: {a: {data: loss}}\nphases:\n- {name: a, streams: {a: {}}}",
    ],
)
def test_what_has_another_form_is_left_alone(text):
    assert convert(text) is None


def test_a_converted_recipe_is_not_converted_again(converted):
    assert convert(converted.text) is None


def test_a_recipe_without_the_word_is_not_read_at_all(monkeypatch):
    monkeypatch.setattr(old_recipes.yaml, "compose", None)
    assert convert("phases: []") is None


def test_aliases_that_blow_a_recipe_up_or_have_no_end_are_left_to_the_loader():
    levels = ["loss: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    assert convert("\n".join(levels)) is None
    assert convert("loss: &a [*a]") is None
    assert convert(f"loss: {'[' * 3000}") is None
