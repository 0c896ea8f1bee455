"""A third party's plugin, built as a wheel, installed into an environment of its own, and used in a recipe."""

from __future__ import annotations

import json
import site
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from helpers.commands import call_outside

PYPROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[project]
name = "acme-ranking"
version = "2.3"

[project.entry-points."rankhub.plugins"]
acme = "acme_ranking"

[tool.setuptools]
packages = ["acme_ranking"]
"""

PLUGIN = """
import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components():
    return [Component("loss", "pull_apart", "acme_ranking.losses:PullApart", "Own views together, others apart.")]
"""

LOSSES = '''
from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import torch
from torch import Tensor

from rankhub.interfaces.loss import Loss, LossContext, LossResult, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Gt
from rankhub.interfaces.order import RankTarget


class PullApart(Loss):
    """Mean distance to views of the own image, minus that to all others.

    Args:
        strength: Factor.
    """

    scope = "batch"

    def __init__(self, outputs: Mapping[str, OutputSpec], /, *, strength: Annotated[float, Gt(0)] = 1.0) -> None:
        super().__init__()
        self.name, self.strength = single_output(outputs, "embedding", "pull_apart"), strength

    def count(self, target: RankTarget) -> Tensor:
        return torch.tensor(float(len(target)))

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        z = torch.nn.functional.normalize(outputs[self.name].float(), dim=1)
        same = (target.group[:, None] == target.group[None, :]).float()
        return LossResult(self.strength * ((1 - 2 * same) * (z @ z.T)).sum() / len(z))
'''

RECIPE = """
name: third_party
data:
  photos: {use: placed_digits, part: train}
backbone: {use: timm, model: test_resnet, stem: small}
heads:
  embedding: {use: projection, dim: 8}
optimizer: {use: adamw, lr: 1.0e-3}
phases:
- name: pretrain
  steps: 2
  streams:
    views:
      data: photos
      batch_size: 8
      generator:
      - {use: random_views, views: 2, size: 32}
      objectives:
      - {head: embedding, loss: {use: pull_apart, strength: 2}}
predict: {use: center, size: 32}
"""


def run(*command):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """The plugin's wheel, built without a network."""
    source = tmp_path_factory.mktemp("acme")
    (source / "acme_ranking").mkdir()
    (source / "pyproject.toml").write_text(PYPROJECT)
    (source / "acme_ranking" / "__init__.py").write_text(PLUGIN)
    (source / "acme_ranking" / "losses.py").write_text(LOSSES)
    out = source / "dist"
    run(
        sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-q", "-w", out, source
    )
    (built,) = out.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory) -> Path:
    """The interpreter of an environment that holds the plugin and sees everything installed here."""
    place = tmp_path_factory.mktemp("environment") / "venv"
    venv.create(place, with_pip=False, symlinks=True)
    interpreter = place / "bin" / "python"
    scheme = {"base": str(place), "platbase": str(place)}
    packages = Path(sysconfig.get_path("purelib", "venv", scheme))
    # addsitedir also follows the .pth files there, by which an editable install is found.
    seen = [path for path in site.getsitepackages() if Path(path).is_dir()]
    lines = "".join(f"import site; site.addsitedir({path!r})\n" for path in seen)
    (packages / "see_the_outer_environment.pth").write_text(lines)
    run(sys.executable, "-m", "pip", "--python", interpreter, "install", "-q", "--no-index", "--no-deps", wheel)
    return interpreter


@pytest.fixture(scope="module")
def rankhub(python):
    def call(*arguments, cwd):
        return call_outside(*arguments, cwd=cwd, python=str(python))

    return call


def test_it_is_listed_with_its_own_version_and_only_there(rankhub, tmp_path):
    found = json.loads(rankhub("plugins", "list", "--json", cwd=tmp_path).out)
    assert found["broken"] == []
    (mine,) = [plugin for plugin in found["plugins"] if plugin["owner"] == "acme"]
    assert (mine["distribution"], mine["version"]) == ("acme-ranking", "2.3")
    outside = json.loads(call_outside("plugins", "list", "--json", cwd=tmp_path).out)
    assert "acme" not in [plugin["owner"] for plugin in outside["plugins"]]


def test_a_recipe_runs_with_its_loss(rankhub, tmp_path):
    (tmp_path / "mine.yaml").write_text(RECIPE)
    called = rankhub("run", "mine.yaml", "--out", tmp_path / "run", cwd=tmp_path)
    assert called.code == 0, called.err
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [1, 2]
    lock = json.loads((tmp_path / "run" / "lock.json").read_text())
    assert lock["plugins"]["acme"] == "2.3"


def test_it_has_a_page_like_the_official_components(rankhub, tmp_path):
    called = rankhub("describe", "loss", "pull_apart", cwd=tmp_path)
    assert called.code == 0, called.err
    flat = " ".join(called.out.split())
    assert flat.startswith("loss pull_apart (plugin acme 2.3)")
    assert "strength a number above 0 1.0 Factor." in flat
