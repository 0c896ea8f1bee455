"""Losses of maps against points in a run: trained, predicted tile by tile, judged."""

from __future__ import annotations

import json

import pytest
import torch
import yaml
from helpers.commands import call
from helpers.counted import COUNTED

import rankhub

MAP = {"output": "map"}


def recipe(objectives, activation):
    made = yaml.safe_load(COUNTED)
    made["data"]["test"] = {"like": "annotated", "part": "held_out", "images": 2}
    made["heads"] = {"density": {"use": "density", "activation": activation}}
    made["streams"]["labeled"]["objectives"] = [{"head": "density", **one} for one in objectives]
    made["streams"]["labeled"]["accumulate"] = 2
    tiles, counting = {"use": "tiles", "size": 64}, {"use": "counting", "data": "test", "pictures": 1}
    return made | {"steps": 2, "strict": True, "predict": tiles, "evaluate": [counting]}


def test_a_run_learns_by_all_of_them_and_is_judged(tmp_path, capsys):
    file, out = tmp_path / "recipe.yaml", tmp_path / "out"
    l1 = {"use": "l1", "output": "count", "weight": 0.1}
    others = [{"use": "density_mse", **MAP}, {"use": "bayesian_points", **MAP}]
    file.write_text(yaml.safe_dump(recipe([{"use": "zip_nll"}, l1, *others], "zero_inflated")))
    done = call(capsys, "run", file, "--out", out)
    assert done.code == 0, done.err
    judged = json.loads((out / "evaluation/after_training/metrics.json").read_text())["counting"]
    assert judged["metrics"]["game1"] >= judged["metrics"]["mae"] >= 0
    assert not [note for note in judged["notes"] if "is not the sum of its map" in note]  # of the expected number
    assert (out / "evaluation/after_training/counting_overlay_worst.png").exists()
    answers = rankhub.load_run(out).forward()(torch.rand(1, 3, 64, 64))
    assert (answers["density.map"] > 0).all()
    assert (answers["density.suppressed"] > 0).all()


@pytest.mark.parametrize(
    ("loss", "activation", "remedy"),
    [
        ("zip_nll", "softplus", "take the head density with activation: zero_inflated"),
        ("density_mse", "zero_inflated", "name one with `output:`"),
        ("bayesian_points", "zero_inflated", "name one with `output:`"),
    ],
)
def test_a_head_with_other_maps_is_said_before_training(loss, activation, remedy, tmp_path, capsys):
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe([{"use": loss}], activation)))
    done = call(capsys, "validate", file)
    assert done.code == 2
    assert remedy in done.err
