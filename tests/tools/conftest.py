from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / "tools"
if str(TOOLS) not in sys.path:  # the tools' own packages, as when a tool is started
    sys.path.append(str(TOOLS))

PLAN = """
forwards: 1024
trial_forwards: 256
speed_forwards: 128
trials: 3
speed_rounds: 1
evaluate_every: 4
choose: knn accuracy
metrics: {knn accuracy: kNN, rankme rankme: RankMe}
percent: [knn accuracy]
compared: [knn accuracy]
reference: two
generator: {use: random_views, size: 8}
overrides: {"data.photos.root": "{root}/train", optimizer: {use: adamw, lr: 0.1}}
trial: {"data.photos.part": train, evaluate: [held out]}
final: {evaluate: [test]}
methods:
  many:
    title: Many views
    recipe: many_recipe
    images: 16
    views: 4
    seeds: [0, 1]
    search:
      loss: {path: streams.views.objectives.0, choices: [{use: a, tau: 0.1}, {use: b}]}
      lr: {path: optimizer.lr, choices: [0.1, 0.2]}
  two:
    title: Two views
    recipe: two_recipe
    images: 32
    views: 2
    seeds: [0, 1]
    search:
      lr: {path: optimizer.lr, choices: [0.1, 0.2, 0.4]}
  late:
    title: Late
    recipe: late_recipe
    images: 16
    views: 2
    crops: [{views: 2, size: 4, scale: [0.1, 0.3]}]
    seeds: [0]
    tier: 1
    search:
      lr: {path: optimizer.lr, choices: [0.1, 0.2, 0.4]}
"""


@pytest.fixture
def plan_file(tmp_path) -> Path:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN)
    return path


@pytest.fixture
def comparison(plan_file, tmp_path):
    from comparison.jobs import Comparison
    from comparison.plan import load_plan

    return Comparison(load_plan(plan_file, tmp_path / "data"), tmp_path, tmp_path / "out", 1)


@pytest.fixture
def load_tool():
    """Loads a tool's module by name."""

    def load(name: str):
        spec = importlib.util.spec_from_file_location(name, TOOLS / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load
