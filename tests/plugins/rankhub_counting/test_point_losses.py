"""Losses of maps against points in a run: trained, predicted tile by tile, judged."""

from __future__ import annotations

import json

import pytest
import torch
import yaml
from helpers.commands import call
from helpers.counted import COUNTED

import rankhub

TILED = {"use": "tiles", "size": 64, "halo": 256}
WHOLE = {"use": "whole"}


def recipe(objectives, activation, predict):
    made = yaml.safe_load(COUNTED)
    made["data"]["test"] = {"like": "annotated", "part": "held_out", "images": 2}
    made["heads"] = {"density": {"use": "density", "activation": activation}}
    made["streams"]["labeled"]["objectives"] = [{"head": "density", **one} for one in objectives]
    made["streams"]["labeled"]["accumulate"] = 2
    counting = {"use": "counting", "data": "test", "pictures": 1}
    return made | {"steps": 3, "strict": True, "predict": predict, "evaluate": [counting]}


@pytest.mark.parametrize(
    ("objectives", "activation"),
    [
        ([{"use": "zip_nll"}, {"use": "l1", "output": "count", "weight": 0.1}], "zero_inflated"),
        ([{"use": "bayesian_points"}], "softplus"),
        ([{"use": "density_mse", "output": "map"}, {"use": "bayesian_points", "output": "map"}], "zero_inflated"),
    ],
)
def test_runs_learn_and_are_judged(objectives, activation, tmp_path, capsys):
    judged = []
    for name, predict in (("whole", WHOLE), ("tiles", TILED)):
        file, out = tmp_path / f"{name}.yaml", tmp_path / name
        file.write_text(yaml.safe_dump(recipe(objectives, activation, predict)))
        done = call(capsys, "run", file, "--out", out)
        assert done.code == 0, done.err
        found = json.loads((out / "evaluation/after_training/metrics.json").read_text())["counting"]["metrics"]
        judged.append(found)
        assert (out / "evaluation/after_training/counting_overlay_worst.png").exists()
    assert judged[0] == pytest.approx(judged[1], rel=1e-4)
    forward = rankhub.load_run(tmp_path / "whole").forward()
    answers = forward(torch.rand(1, 3, 64, 64))
    assert (answers["density.map"] > 0).all()


def test_a_loss_that_lacks_the_second_map_is_said_before_training(tmp_path, capsys):
    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump(recipe([{"use": "zip_nll"}], "softplus", WHOLE)))
    done = call(capsys, "validate", file)
    assert done.code == 2
    assert "take the head density with activation: zero_inflated" in done.err
    file.write_text(yaml.safe_dump(recipe([{"use": "density_mse"}], "zero_inflated", WHOLE)))
    done = call(capsys, "validate", file)
    assert done.code == 2
    assert "name one with `output:`" in done.err
