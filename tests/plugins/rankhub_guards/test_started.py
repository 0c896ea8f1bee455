"""A run goes on only with the recipe and the data that it began with, or says what has changed."""

from __future__ import annotations

import csv
import io
import json
import shutil

import numpy as np
import pytest
import torch
from helpers import fakes
from helpers.training import catalog
from safetensors.torch import load_file

import rankhub
from rankhub import Talk
from rankhub.catalog.catalog import Catalog
from rankhub.engine import run as engine
from rankhub.interfaces.errors import ChangedError, UserError


@pytest.fixture(autouse=True)
def discovered(monkeypatch):
    found = catalog()
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: found))


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """A run that was stopped after step 5, to be copied; another checkpoint would come at its end."""
    path = tmp_path_factory.mktemp("half") / "run"
    stopper = [{"use": "stopper", "after": 5}]
    surroundings = engine.Host(catalog(), Talk())
    changes = {"callbacks": stopper, "evaluate_every_epochs": 1, "keep_best": "spread"}
    engine.start(rankhub.load_recipe(fakes.RECIPE, changes, catalog=catalog()), surroundings, path)
    return path


@pytest.fixture
def stopped(half, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(half, path)
    resolved = path / "recipe.resolved.yaml"
    resolved.write_text(resolved.read_text().replace("after: 5", "after: 99"))
    return path


def resume(path, allow_changes=False):
    """What is said."""
    out = io.StringIO()
    talk = Talk(out)
    run = rankhub.resume(path, progress=talk, allow_changes=allow_changes)
    assert not run.stopped
    return out.getvalue()


def edit(path, before, after, name="recipe.resolved.yaml"):
    text = (path / name).read_text()
    assert before in text
    (path / name).write_text(text.replace(before, after, 1))


def columns(path):
    with (path / "results.csv").open() as file:
        return {row[""]: float(row["spread spread"]) for row in csv.DictReader(file)}


def other_class(self, index):
    """The first image has another class."""
    sample = PATCH(self, index)
    return fakes.replace(sample, label=1) if index == 0 and sample.label == 0 else sample


PATCH = fakes.Patches.__getitem__


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("lr: 0.05", "lr: 0.5", "optimizer.lr of the recipe was changed from 0.05 to 0.5"),
        ("seed: 0", "seed: 1", "seed of the recipe was changed from 0 to 1"),
        ("epochs: 3", "epochs: 4", "phases.first.epochs of the recipe was changed from 3 to 4"),
        ("batch_size: 6", "batch_size: 8", "streams.views.batch_size of the recipe was changed from 6 to 8"),
        ("views: 2", "views: 3", "streams.views.generator.jitter.views of the recipe was changed from 2 to 3"),
        ("count: 10", "count: 9", "data.test.count of the recipe was changed from 10 to 9"),
        ("keep_best: spread", "keep_best: null", "keep_best of the recipe was changed from 'spread' to None"),
        ("start: 1.0", "start: 0.9", "schedule.start of the recipe was changed from 1.0 to 0.9"),
    ],
)
def test_an_edited_recipe_is_refused_with_the_key_that_differs(stopped, before, after, said):
    edit(stopped, before, after)
    with pytest.raises(ChangedError) as error:
        resume(stopped)
    assert str(error.value) == (
        f"{stopped} cannot go on as it began, for {said}; put that back, or go on all the same with --allow-changes "
        "(in Python allow_changes=True)"
    )
    edit(stopped, after, before)
    resume(stopped)


def test_entries_that_change_no_result_may_be_edited(stopped):
    edit(stopped, "keep: 3", "keep: 1")
    edit(stopped, "every_steps: 3", "every_steps: 2")
    edit(stopped, "name: fake", "name: other")
    edit(stopped, "workers: 0", "workers: 0\n  # a comment")
    assert "goes on though" not in resume(stopped)


def test_the_recipe_as_it_was_given_counts_for_nothing_and_an_edit_of_it_is_said(stopped):
    edit(stopped, "lr: 0.05", "lr: 0.5", "recipe.yaml")
    with pytest.raises(ChangedError, match=r"recipe\.yaml was edited, which counts in recipe\.resolved\.yaml only"):
        resume(stopped)
    (stopped / "recipe.yaml").unlink()
    resume(stopped)


def test_several_changes_stand_in_one_sentence(stopped):
    for before, after in [
        ("lr: 0.05", "lr: 0.5"),
        ("seed: 0", "seed: 1"),
        ("dim: 4", "dim: 5"),
        ("count: 10", "count: 9"),
    ]:
        edit(stopped, before, after)
    with pytest.raises(ChangedError, match=r"for .*; .*; .* and 1 more; put that back"):
        resume(stopped)


def changed(monkeypatch, what):
    """The world in which a resumed run finds itself."""
    if what == "images":
        monkeypatch.setattr(fakes.Patches, "__len__", lambda self: self.count + 1)
        monkeypatch.setattr(fakes.Patches, "labels", lambda self: np.arange(self.count + 1) % 2)
    elif what == "labels":
        monkeypatch.setattr(fakes.Patches, "labels", lambda self: np.arange(self.count) // 2 % 2)
    elif what == "pixels":
        monkeypatch.setattr(
            fakes.Patches,
            "__getitem__",
            lambda self, row: fakes.replace(PATCH(self, row), image=PATCH(self, row + 1).image),
        )
    elif what == "sizes":
        monkeypatch.setattr(fakes.Patches, "sizes", lambda self: np.full((self.count, 2), 8))
    elif what == "names":
        monkeypatch.setattr(fakes.Patches, "facts", lambda self, name: ["x"] * self.count if name == "path" else None)
    elif what == "folds":
        monkeypatch.setattr(fakes.Patches, "folds", lambda self: [np.arange(3)])
    elif what == "references":
        monkeypatch.setattr(fakes.Patches, "facts", lambda s, name: ["r"] * s.count if name == "reference" else None)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("images", r"data\.train had 24 images and has 25; data\.test had 10 images and has 11"),
        ("labels", r"data\.train has other labels; data\.test has other labels"),
        ("pixels", r"data\.train has other images of the same names; data\.test has other images of the same names"),
        ("sizes", r"data\.train has images of other names or sizes, or in another order; data\.test has images"),
        ("names", r"data\.train has images of other names or sizes, or in another order; data\.test has images"),
        ("folds", r"data\.train has other labels; data\.test has other labels"),
        ("references", r"data\.train has other labels; data\.test has other labels"),
    ],
)
def test_changed_data_are_refused_or_noted_in_folder_and_table(stopped, monkeypatch, what, said):
    with monkeypatch.context() as patched:
        changed(patched, what)
        with pytest.raises(ChangedError, match=f"for {said}"):
            resume(stopped)
        told = resume(stopped, allow_changes=True)
        assert "note: goes on though data.train ha" in told
        assert "note: after training *: went on after step 5 though data.train ha" in told
        (noted,) = json.loads((stopped / "start.json").read_text())["history"]
        assert noted["step"] == 5
        assert "; ".join(noted["changes"]).startswith("data.train ha")
        assert list(columns(stopped)) == ["raw pixels", "before training", "after training *"]
        fresh = rankhub.train(fakes.RECIPE, stopped.parent / "fresh", progress=False)
        for row in ("raw pixels", "before training"):  # computed anew, and not those of other data
            assert columns(stopped)[row] == columns(fresh.path)[row]
        assert not (stopped / "evaluation" / "step_4").exists()
        assert (stopped / "before_step_5_evaluation" / "step_4" / "metrics.json").is_file()
        assert (stopped / "checkpoints" / "before_step_5_best_step_000000004").is_dir()
        again = resume(stopped)  # what was allowed once is what it goes on with
        assert "goes on though" not in again
        assert "after training *: went on after step 5" in again
    with pytest.raises(ChangedError, match=r"data\.train ha"):
        resume(stopped)


def test_allowing_changes_where_there_are_none_changes_nothing(stopped, tmp_path):
    shutil.copytree(stopped, tmp_path / "other")
    resume(stopped)
    assert " *" not in resume(tmp_path / "other", allow_changes=True)
    model = "checkpoints/step_000000012/model.safetensors"
    ours, theirs = load_file(stopped / model), load_file(tmp_path / "other" / model)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert columns(stopped) == columns(tmp_path / "other")


def test_a_run_under_another_order_of_images_is_refused(stopped):
    edit(stopped, '"order": 2', '"order": 1', "start.json")
    with pytest.raises(ChangedError, match="for it was begun by a version that drew images in another order; "):
        resume(stopped)
    assert "note: goes on though it was begun by a version that" in resume(stopped, allow_changes=True)
    assert '"order": 2' in (stopped / "start.json").read_text()


def test_a_run_of_an_earlier_version_is_refused_or_noted_and_is_known_from_then_on(stopped, monkeypatch, caplog):
    (stopped / "start.json").unlink()
    with pytest.raises(ChangedError, match="images in another order"):
        resume(stopped)
    resume(stopped, allow_changes=True)
    assert "the run was begun by an earlier version, which did not keep what its data were" in caplog.messages
    changed(monkeypatch, "labels")
    with pytest.raises(ChangedError, match="other labels"):
        resume(stopped)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"recipe": 1}', "\0\0", '{"recipe": {}, "files": 1, "data": {}}']
)
def test_a_damaged_record_is_one_sentence(stopped, text):
    (stopped / "start.json").write_text(text)
    for use in (resume, rankhub.load_run):
        with pytest.raises(UserError, match=r"start\.json cannot be read .*copy the run's folder anew"):
            use(stopped)


def test_an_edited_scale_of_labels_is_refused_by_all_that_read_it(stopped):
    edit(stopped, '"std": 1.0', '"std": 7.0', "labels.json")
    with pytest.raises(UserError, match=r"labels\.json is not as it was written; put it back"):
        rankhub.load_run(stopped)
    with pytest.raises(ChangedError, match=r"for labels\.json was edited"):
        resume(stopped)
    (stopped / "labels.json").unlink()
    for use in (rankhub.load_run, resume):
        with pytest.raises(UserError, match=r"labels\.json"):
            use(stopped)
