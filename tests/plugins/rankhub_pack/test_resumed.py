"""A run from a table is killed in the middle of an epoch and goes on, on as many processes or others: as if never."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
import yaml
from helpers import fakes
from helpers.launched import forked
from helpers.packed import pack_folder, write_photos
from safetensors.torch import load_file

pytest.importorskip("lance")

WITNESS = '''
import json
import os
import signal
import zlib

import rankhub
from rankhub import Component
from rankhub.interfaces.generator import DeviceGenerator


class Witness(DeviceGenerator):
    """Writes down which views of which images pass, and kills its process where it is told to.

    Args:
        file: Where to.
    """

    def __init__(self, *, file: str):
        self.file, self.seen = file, set()

    def plan(self, views):
        return views

    def apply(self, batch, draws):
        target, stack = batch.target, batch.images[0].numpy()
        rows = [[*map(int, row), zlib.crc32(one.tobytes())] for *row, one in zip(target.index, target.view, stack)]
        line = json.dumps({"epoch": draws.epoch, "rows": rows})
        if len(set(target.index.tolist())) > 1 and line not in self.seen:
            self.seen.add(line)
            with open(f"{self.file}.{os.environ.get('RANK', '0')}", "a") as out:
                out.write(line + "\\n")
            if len(self.seen) == int(os.environ.get("WITNESS_KILL", "0")):
                os.kill(os.getpid(), signal.SIGKILL)
        return batch


@rankhub.hookimpl
def rankhub_components():
    return [Component("generator", "witness", "witness:Witness", "Writes down what passes.")]
'''
STEPS, EPOCH = 20, 4


@pytest.fixture
def place(tmp_path):
    """A folder with the plugin, a table of 24 images and a recipe of 20 steps that reads them in blocks."""
    plugin = tmp_path / "plugin"
    record = plugin / "witness-1.0.dist-info"
    record.mkdir(parents=True)
    (plugin / "witness.py").write_text(WITNESS)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: witness\nVersion: 1.0\n")
    (record / "entry_points.txt").write_text("[rankhub.plugins]\nwitness = witness\n")
    write_photos(tmp_path / "photos", 0, 48)
    pack_folder(tmp_path / "photos", tmp_path / "photos.lance")
    recipe = yaml.safe_load(fakes.RECIPE)
    recipe["data"]["train"] = {"use": "lance", "uri": str(tmp_path / "photos.lance"), "where": "label = 0"}
    views = recipe["streams"]["views"]
    views |= {"block": 8, "generator": [*views["generator"], {"use": "witness", "file": str(tmp_path / "seen")}]}
    recipe["phases"] = [{"name": "first", "steps": STEPS, "streams": ["views"]}]
    recipe["checkpoint"] = {"every_epochs": None, "every_steps": 3, "keep": 9}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    return tmp_path


def seen(place, count):
    """What passed in each step, the shares of all processes put together; and forget it."""
    found = []
    for rank in range(count):
        file = place / f"seen.{rank}"
        found.append([json.loads(line) for line in file.read_text().splitlines()])
        file.unlink()
    return [
        {"epoch": lines[0]["epoch"], "rows": [row for line in lines for row in line["rows"]]}
        for lines in zip(*found, strict=False)
    ]


def weights(run):
    return load_file(run / f"checkpoints/step_{STEPS:09d}/model.safetensors")


def test_killed_and_gone_on_with_one_two_and_one_process(place, monkeypatch):
    whole, cut, other = place / "whole", place / "cut", place / "other"
    code, said = forked(1, "run", "recipe.yaml", "--out", whole, cwd=place)
    assert code == 0, said
    steps = seen(place, 1)
    assert [step["epoch"] for step in steps] == [number // EPOCH for number in range(STEPS)]
    rows = sorted(row[0] for step in steps[:EPOCH] for row in step["rows"])
    assert rows == sorted([*range(24)] * 2)  # each image once an epoch, in two views

    monkeypatch.setenv("WITNESS_KILL", "8")  # after the checkpoint of step 6, before the end of the epoch
    code, _ = forked(1, "run", "recipe.yaml", "--out", cut, cwd=place)
    assert code != 0
    assert seen(place, 1) == steps[:8]
    pinned = yaml.safe_load((cut / "recipe.resolved.yaml").read_text())["data"]["train"]["version"]
    write_photos(place / "more", 100, 110)
    added = pack_folder(place / "more", place / "photos.lance", append=True)
    assert added.version > pinned
    shutil.copytree(cut, other)

    monkeypatch.delenv("WITNESS_KILL")
    code, said = forked(1, "run", "--resume", cut, cwd=place)
    assert code == 0, said
    assert seen(place, 1) == steps[6:]
    ours, theirs = weights(cut), weights(whole)
    assert all(torch.equal(value, theirs[name]) for name, value in ours.items())

    monkeypatch.setenv("WITNESS_KILL", "5")  # step 11; the checkpoint of step 9 is in the middle of the epoch too
    code, _ = forked(2, "run", "--resume", other, cwd=place)
    assert code != 0
    both = seen(place, 2)
    assert both == steps[6 : 6 + len(both)]
    assert len(both) >= 4
    monkeypatch.delenv("WITNESS_KILL")
    code, said = forked(1, "run", "--resume", other, cwd=place)
    assert code == 0, said
    assert seen(place, 1) == steps[9:]
    for name, value in weights(other).items():
        torch.testing.assert_close(value, theirs[name], rtol=1e-5, atol=1e-5)
