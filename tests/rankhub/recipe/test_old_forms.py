"""Recipes of before streams stood at the top: one sentence each, which shows the new form."""

from __future__ import annotations

import pytest
import yaml
from helpers import fakes
from helpers.recipes import TWO, load_text, problems_of

from rankhub.catalog.catalog import Catalog
from rankhub.recipe.load import load_recipe
from rankhub.recipe.report import RecipeErrors

CATALOG = Catalog.of({"fakes": fakes})
OLD = """\
name: old
data:
  train: {use: patches}
backbone: {use: flat}
heads:
  main: {use: arrow}
optimizer: {use: descent}
phases:
- name: first
  epochs: 3
  clock: nobody
  streams:
    views:
      data: train
      batch_size: 6
      generator: [{use: jitter}]
      objectives:
      - {head: main, loss: {use: pull, strength: 2}, weight: 0.5}
predict: {use: as_it_is}
"""


def problems(*overrides, text=TWO, **options):
    return problems_of(text, overrides, CATALOG, file="f", **options)


def test_streams_inside_a_phase():
    assert problems(text=OLD) == [
        "f:13  phases.0.streams.views: streams stand at the top now: write `streams: {views: {data: ..., "
        "batch_size: ..., generator: ..., objectives: [{use: LOSS, head: HEAD, ...}]}}` there, and "
        "`streams: [views]` in the phase"
    ]


def test_each_stream_is_said_once():
    text = OLD.replace(
        "predict:", "- {name: second, steps: 2, streams: {more: {data: train, batch_size: 2}}}\npredict:"
    )
    assert [problem.partition("  ")[0] for problem in problems(text=text)] == ["f:13", "f:19"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "{head: main, loss: {use: pull, strength: 2}, weight: 0.5}",
            "{use: pull, strength: 2, head: main, weight: 0.5}",
        ),
        ("{head: main, loss: {use: pull}}", "{use: pull, head: main}"),
        ("{head: main, loss: pull}", "{use: pull, head: main}"),
        ("{head: main, output: arrow, loss: {use: pull}}", "{use: pull, head: main, output: arrow}"),
    ],
)
def test_a_loss_inside_an_objective_shows_what_to_write_instead(old, new):
    text = TWO.replace("{use: pull, head: main}", old)
    (said,) = problems(text=text)
    assert said == (
        "f:14  streams.ranked.objectives.0.loss: an objective is its loss, with `head` and `weight` beside the "
        f"loss's own options: {new}"
    )
    assert yaml.safe_load(new)
    load_text(TWO.replace("{use: pull, head: main}", new), [], CATALOG)


@pytest.mark.parametrize(
    ("change", "new"),
    [
        ("phases.0.streams.ranked.generator.0.levels=3", "streams.ranked.generator.0.levels"),
        ("phases.ranking.streams.ranked.data=scored", "streams.ranked.data"),
        ("phases.0.streams.ranked.objectives.0.weight=3", "streams.ranked.objectives.0.weight"),
        ("phases.0.streams.ranked.objectives.0.loss.strength=3", "streams.ranked.objectives.0.strength"),
        ("phases.*.streams.*.objectives.*.loss.strength=3", "streams.*.objectives.*.strength"),
        ("streams.ranked.objectives.0.loss.strength=3", "streams.ranked.objectives.0.strength"),
        ("streams.ranked.objectives.0.loss={use: pull}", "streams.ranked.objectives.0"),
    ],
)
def test_an_old_path_shows_the_new_one(change, new):
    assert problems(change) == [
        f"override {change!r}  streams stand at the top, and an objective is its loss: write {new}"
    ]


def test_what_is_still_said_in_a_phase_is_no_old_path():
    load_text(TWO, ["phases.1.streams.ranked.batch_size=3", "phases.1.streams.ranked.weight=3"], CATALOG)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "phases.0.streams.ranked={data: photos, batch_size: 3}",
            "phases.0.streams.ranked: streams stand at the top now",
        ),
        (
            "phases=[{name: a, steps: 1, streams: {ranked: {objectives: []}}}]",
            "phases.0.streams.ranked: streams stand at the top now: write `streams: {ranked: {objectives: [{use: LOSS,",
        ),
        (
            "streams.ranked.objectives=[{head: main, loss: {use: pull}}]",
            "streams.ranked.objectives.0.loss: an objective is its loss",
        ),
    ],
)
def test_an_old_value_in_a_change_is_one_sentence_too(change, said):
    (found,) = problems(change)
    assert found.startswith(f"override {change!r}  {said}")


def test_an_overlay_of_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "o.yaml").write_text("seed: 3\nphases.*.streams.*.generator.0.levels: 3\n")
    assert problems(overlays=["o.yaml"]) == [
        "o.yaml:2  streams stand at the top, and an objective is its loss: write streams.*.generator.0.levels"
    ]


def test_what_is_extended_is_of_before(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base.yaml").write_text(OLD)
    (tmp_path / "mine.yaml").write_text("extends: base.yaml\nseed: 3\n")
    with pytest.raises(RecipeErrors) as caught:
        load_recipe("mine.yaml", [], CATALOG)
    (problem,) = caught.value.problems
    assert str(problem).startswith("base.yaml:13  phases.0.streams.views: streams stand at the top now")


def test_an_option_of_a_loss_may_still_be_called_loss():
    """Only an objective without `use` is of the old form."""
    (said,) = problems("streams.ranked.objectives=[{use: pull, head: main, loss: x}]")
    assert "unknown option 'loss'" in said


@pytest.mark.parametrize("junk", ["3", "[]", "null", "{}", "[3]", "[{streams: 3}]", "[{streams: [3]}]", "{a: {b: 3}}"])
def test_junk_is_no_old_form(junk):
    assert not any("streams stand at the top" in problem for problem in problems(f"phases={junk}"))
