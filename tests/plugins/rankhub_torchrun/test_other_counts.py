"""A run goes on with another number of processes: the same rows and views at every step, and the weights of one."""

from __future__ import annotations

import json
from collections import defaultdict

import numpy as np
import pytest
import torch
import yaml
from helpers.launched import forked, steps_of
from PIL import Image
from safetensors.torch import load_file

STEPS, EVERY = 20, 5
"""Five epochs of four steps; checkpoints stand in the middle of an epoch."""

PLUGIN = r'''
import hashlib
import json
import os

from helpers import fakes

import rankhub
from rankhub import Component
from rankhub.interfaces.generator import DeviceGenerator

SEEN = []


class Witness(DeviceGenerator):
    """Remembers the views of the batch: epoch, row, view, digest."""

    def plan(self, views):
        return views

    def apply(self, batch, draws):
        ids = zip(batch.target.index.tolist(), batch.target.view.tolist(), batch.images[0].numpy(), strict=True)
        SEEN[:] = [[draws.epoch, row, view, hashlib.sha1(pixels.tobytes()).hexdigest()] for row, view, pixels in ids]
        return batch


class Told(fakes.Pull):
    """Writes down what it is shown in each step, and fails at one."""

    def forward(self, outputs, target, context):
        step = round(context.progress * int(os.environ["STEPS"])) + 1
        with open(os.environ["TOLD"], "a") as file:
            file.write(json.dumps([step, int(os.environ.get("WORLD_SIZE", "1")), SEEN]) + "\n")
        if step == int(os.environ["FAILS_AT"]):
            raise rankhub.UserError("it is cut here")
        return super().forward(outputs, target, context)


@rankhub.hookimpl
def rankhub_components():
    named = (("generator", "witness", Witness), ("loss", "told", Told))
    return [Component(kind, name, f"witnessing:{cls.__name__}", cls.__doc__) for kind, name, cls in named]
'''


def write(folder):
    """A recipe on a folder of photos, and the plugin of which it has its parts."""
    (folder / "photos").mkdir()
    for number in range(24):
        pixels = np.random.default_rng(number).integers(0, 256, (24, 28, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"photos/{number:02d}.png")
    record = folder / "plugin/witnessing-1.0.dist-info"
    record.mkdir(parents=True)
    (folder / "plugin/witnessing.py").write_text(PLUGIN)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: witnessing\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[rankhub.plugins]\nwitnessing = witnessing\n")
    recipe = {
        "name": "counts",
        "data": {"photos": {"use": "image_folder", "root": "photos"}},
        "backbone": {"use": "flat", "width": 8},
        "heads": {"main": {"use": "arrow"}},
        "optimizer": {"use": "descent", "lr": 0.05},
        "streams": {
            "views": {
                "data": "photos",
                "batch_size": 6,
                "generator": [{"use": "random_views", "views": 2, "size": 16}, {"use": "witness"}],
                "objectives": [{"use": "told", "head": "main"}],
            }
        },
        "phases": [{"name": "first", "steps": STEPS, "streams": ["views"]}],
        "predict": {"use": "as_it_is"},
        "evaluate": [],
        "checkpoint": {"every_epochs": None, "every_steps": EVERY, "keep": 9},
        "loader": {"cache": str(folder / "cache")},
        "threads": 1,
    }
    (folder / "counts.yaml").write_text(yaml.safe_dump(recipe))


def told(file):
    """Step -> the views of its whole batch, each time it was done on so many processes, in any order."""
    found = defaultdict(lambda: defaultdict(set))
    for line in file.read_text().splitlines():
        step, count, seen = json.loads(line)
        found[step][count].update(map(tuple, seen))
    return found


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A run on one process, and one on 1, 2 and 1 after it was cut twice in the middle of an epoch."""
    folder = tmp_path_factory.mktemp("counts")
    write(folder)

    def run(out, count, fails_at=0):
        variables = {"STEPS": str(STEPS), "FAILS_AT": str(fails_at), "TOLD": str(folder / f"{out}.told")}
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            code, said = forked(count, "run", "counts.yaml", "--out", out, "--resume", "auto", cwd=folder)
        assert ("it is cut here" in said) == bool(fails_at) == bool(code), said
        return said

    run("whole", 1)
    run("cut", 1, fails_at=8)
    assert "goes on after step 5" in run("cut", 2, fails_at=14)
    assert "goes on after step 10" in run("cut", 1)
    return folder


def test_each_step_has_the_same_rows_and_views(runs):
    whole, cut = told(runs / "whole.told"), told(runs / "cut.told")
    assert sorted(whole) == sorted(cut) == list(range(1, STEPS + 1))
    for step in range(1, STEPS + 1):
        assert len(whole[step][1]) == 6 * 2
        for count, views in cut[step].items():
            assert views == whole[step][1], (step, count)
    assert [step for step in cut if 2 in cut[step]] == list(range(6, 15))
    epochs = {epoch for step in whole.values() for epoch, _, _, _ in step[1]}
    assert epochs == set(range(5))


def test_each_step_stands_once_and_the_weights_are_those_of_one_process(runs):
    assert steps_of(runs / "cut") == list(range(1, STEPS + 1))
    last = f"checkpoints/step_{STEPS:09d}/model.safetensors"
    weights, others = load_file(runs / "whole" / last), load_file(runs / "cut" / last)
    first = load_file(runs / "whole" / f"checkpoints/step_{EVERY:09d}/model.safetensors")
    assert any(not torch.allclose(value, first[name], atol=1e-3) for name, value in weights.items())
    for name, value in weights.items():
        torch.testing.assert_close(others[name], value, rtol=1e-5, atol=1e-5)
    losses = [[line["loss"] for line in _lines(runs / name)] for name in ("whole", "cut")]
    assert losses[1] == pytest.approx(losses[0], abs=1e-5)


def _lines(run):
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
