"""Data handed over in Python: training and going on."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from helpers import fakes
from helpers.python_data import LABELS, SHORT, STACK, Made, installed, labeled, photos

import rankhub
from rankhub.engine.data_overrides import without_evaluators
from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub_console.speech import talking


@pytest.fixture(autouse=True)
def catalog(monkeypatch):
    return installed(monkeypatch)


@pytest.fixture
def files(tmp_path):
    return photos(tmp_path / "photos")


def unlabeled(**changes):
    return rankhub.load_recipe(fakes.RECIPE, {**SHORT, **changes})


def weights(run):
    return run.network.state_dict()


def equal(one, other):
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_training_is_the_same_whatever_the_form(tmp_path, files):
    forms = {
        "files": files,
        "array": STACK,
        "float": STACK / 255,
        "torch": Made(),
        "names": [str(path) for path in files],
    }
    runs = [
        rankhub.train(unlabeled(), tmp_path / name, {"train": form}, progress=False) for name, form in forms.items()
    ]
    folder = rankhub.train(unlabeled(), tmp_path / "folder", {"train": tmp_path / "photos"}, progress=False)
    for run in [*runs[1:], folder]:
        assert equal(run, runs[0])
        assert run.metrics == runs[0].metrics
        assert run.metrics
    made_up = rankhub.train(unlabeled(), tmp_path / "made_up", progress=False)
    assert not equal(made_up, runs[0])


def test_labels_of_every_kind_reach_the_loss(tmp_path):
    classes = rankhub.train(labeled(), tmp_path / "classes", {"train": (STACK, LABELS)}, progress=False)
    for name, given in {
        "beside": Made(labels=LABELS),
        "tensor": (STACK, torch.tensor(LABELS)),
        "names": (STACK, ["even" if label == 0 else "odd" for label in LABELS]),
        "items": list(zip(STACK, LABELS, strict=True)),
    }.items():
        assert equal(rankhub.train(labeled(), tmp_path / name, {"train": given}, progress=False), classes), name
    others = rankhub.train(labeled(), tmp_path / "others", {"train": (STACK, [*LABELS[1:], 0])}, progress=False)
    assert not equal(others, classes)
    given = {"train": (STACK, np.array(LABELS) + 0.5)}
    with pytest.raises(rankhub.UserError, match=r"data.train: labels\[0\] is 0.5; expected a class"):
        rankhub.train(labeled(), tmp_path / "scores", given, progress=False)
    meant = labeled(**{"data.train": {"use": "from_python", "kind": "score"}})
    scores = rankhub.train(meant, tmp_path / "scores", given, progress=False)
    stored = scores.assembly.labels["train"]
    assert (stored.kind, stored.mean, stored.std) == ("score", 1.0, 0.5)
    assert classes.assembly.labels["train"].kind == "class"


def test_a_recipe_that_needs_labels_says_so(tmp_path):
    with pytest.raises(rankhub.UserError, match="fit needs labels, the data have none"):
        rankhub.train(labeled(), tmp_path / "run", {"train": STACK}, progress=False)
    assert not (tmp_path / "run").exists()


class Own(Dataset):
    """A data set of the user's own."""

    def __init__(self):
        self.label = LabelSpec("class")
        self.opened = 0

    def open(self, context):
        self.opened += 1
        return fakes.DataReport()

    def __len__(self):
        return len(STACK)

    def __getitem__(self, index):
        return fakes.Sample(torch.from_numpy(STACK[index].copy()).permute(2, 0, 1), index, LABELS[index])

    def labels(self):
        return np.array(LABELS)


def test_a_data_set_of_ones_own(tmp_path):
    own = Own()
    run = rankhub.train(labeled(), tmp_path / "own", {"train": own}, progress=False)
    assert own.opened == 1
    assert equal(run, rankhub.train(labeled(), tmp_path / "pair", {"train": (STACK, LABELS)}, progress=False))
    rankhub.resume(tmp_path / "own", {"train": Own()}, progress=False)


def test_what_was_given_stands_in_the_recipe_of_the_run(tmp_path, files):
    recipe = labeled(
        **{"data.train": {"use": "image_folder", "root": "nowhere", "labels": "folder", "resize": 8, "seed": 3}}
    )
    run = rankhub.train(recipe, tmp_path / "run", {"train": (files, LABELS)}, progress=False)
    written = run.recipe.resolved()["data"]["train"]
    assert {**written, "given": ""} == {
        "use": "rankhub_data/from_python",
        "kind": "class",
        "higher_is_better": True,
        "range": None,
        "unit": "",
        "resize": 8,
        "max_side": None,
        "given": "",
    }
    assert written["given"].startswith("24 images, ")
    assert "data.train: given in Python" in (tmp_path / "run" / "lock.json").read_text()
    assert (tmp_path / "run" / "recipe.yaml").read_text() == recipe.text


def test_the_meaning_of_scores_is_that_of_the_data_in_whose_place_they_stand(tmp_path):
    meant = {"use": "from_python", "kind": "score", "higher_is_better": False, "range": [0, 9], "unit": "DMOS"}
    recipe = labeled(**{"data.train": meant})
    run = rankhub.train(recipe, tmp_path / "run", {"train": (STACK, [label + 4 for label in LABELS])}, progress=False)
    label = run.assembly.labels["train"]
    assert (label.kind, label.higher_is_better, label.range, label.unit) == ("score", False, (0.0, 9.0), "DMOS")
    assert (label.mean, label.std) == (-4.5, 0.5)
    prediction = run.predict(STACK[0])
    assert (prediction.unit, prediction.direction) == ({"rating": "DMOS"}, {"rating": "lower is better"})
    with pytest.raises(
        rankhub.UserError, match=r"data.train: labels\[1\] is 9.5, outside the range of the scores, 0 to 9"
    ):
        rankhub.train(recipe, tmp_path / "other", {"train": (STACK, [0, 9.5, *LABELS[2:]])}, progress=False)


def test_mistakes_are_said_before_anything_is_written(tmp_path):
    out = tmp_path / "run"
    for data, sentence in (
        ({"trian": STACK}, "the recipe fake has no data set 'trian'; did you mean 'train'?"),
        ({"train": STACK * 2.0}, r"data.train: images\[0\] holds floats from"),
        ({"train": "nowhere"}, "data.train: nowhere is not there"),
        ({"train": ("a.png", "b.png")}, "data.train: a.png is not there"),
        (
            {"train": STACK[:3]},
            "stream 'views' takes 6 images a step, its data have only 3; add images, or set str",
        ),
    ):
        with pytest.raises(rankhub.UserError, match=sentence):
            rankhub.train(unlabeled(), out, data, progress=False)
    assert not out.exists()


def test_evaluators_without_their_data_are_left_out_with_a_note(tmp_path, caplog):
    absent = {"data.test": {"use": "image_folder", "root": str(tmp_path / "nowhere")}}
    changes = {"evaluate_every_epochs": 1, "keep_best": "spread.spread"}
    recipe = unlabeled(**absent, **changes)
    with pytest.raises(rankhub.UserError, match=r"data.test: there is no folder .*nowhere"):
        rankhub.train(recipe, tmp_path / "no", progress=False)
    with caplog.at_level(logging.WARNING, "rankhub"):
        run = rankhub.train(recipe, tmp_path / "run", {"train": STACK}, progress=False)
    said = [text for text in caplog.messages if "left out" in text]
    assert len(said) == 1
    assert said[0].startswith("spread is left out: its data are not there (there is no folder ")
    assert run.metrics == {}
    assert run.recipe.recipe.keep_best is None
    both = rankhub.train(recipe, tmp_path / "both", {"train": STACK, "test": STACK[:5]}, progress=False)
    assert list(both.metrics) == ["spread.spread"]
    with pytest.raises(rankhub.UserError, match=r"data.train: .* or hand it over: data=\{'train': ...\}"):
        rankhub.train(
            unlabeled(**{"data.train": absent["data.test"]}), tmp_path / "other", {"test": STACK}, progress=False
        )


def test_the_best_weights_are_chosen_by_an_evaluator_that_stays():
    recipe = {
        "evaluate": [
            {"use": "a/spread", "data": "gone"},
            {"use": "a/spread", "data": "here"},
            {"use": "a/other", "k": 1},
        ],
        "keep_best": "spread_2.spread",
    }
    kept, best, left_out = without_evaluators(recipe, ["gone"])
    assert kept == recipe["evaluate"][1:]
    assert best == "spread.spread"
    assert left_out == [("spread", "gone")]
    assert without_evaluators({**recipe, "keep_best": "spread.spread"}, ["gone"])[1] is None


@pytest.mark.parametrize("form", ["files", "array", "torch"])
def test_an_interrupted_run_goes_on_with_the_same_data(tmp_path, files, form, capsys):
    given = {"files": files, "array": STACK, "torch": Made()}[form]
    whole = rankhub.train(unlabeled(), tmp_path / "whole", {"train": given}, progress=False)
    stopping = unlabeled(
        callbacks=[{"use": "stopper", "after": 3}], **{"checkpoint.every_steps": 1, "log.every_steps": 1}
    )
    run = rankhub.train(stopping, tmp_path / "run", {"train": given}, progress=talking())
    assert run.stopped
    assert f"Go on with: rankhub.resume('{tmp_path / 'run'}', data={{...}})" in capsys.readouterr().out
    without_stop = (tmp_path / "run" / "recipe.resolved.yaml").read_text().replace("after: 3", "after: 99")
    (tmp_path / "run" / "recipe.resolved.yaml").write_text(without_stop)
    with pytest.raises(rankhub.UserError, match=r"data.train: its images were handed over in Python"):
        rankhub.resume(tmp_path / "run", progress=False)
    again = rankhub.resume(tmp_path / "run", {"train": given}, progress=False)
    assert not again.stopped
    assert equal(again, whole)


def test_going_on_with_other_data_is_refused(tmp_path, files):
    run = rankhub.train(labeled(), tmp_path / "run", {"train": (files, LABELS)}, progress=False)
    for data, sentence in (
        ({"trian": files}, "no data set 'trian'; did you mean 'train'?"),
        ({"train": (files[:20], LABELS[:20])}, "for data.train had 24 images and has 20;"),
        ({"train": (files[::-1], LABELS)}, "for data.train has images of other names or sizes, or in another order;"),
        ({"train": (files, LABELS[::-1])}, "for data.train has other labels;"),
        ({"train": files}, "for data.train has other labels;"),
        ({"test": STACK[:10]}, "data.test was not handed over like this when the run began; leave it out"),
        ({"train": str(files[0].parent)}, "data.train was not handed over like this when the run began"),
    ):
        with pytest.raises(rankhub.UserError, match=sentence):
            rankhub.resume(run.path, data, progress=False)
    rankhub.resume(run.path, {"train": ([str(path) for path in files], np.array(LABELS))}, progress=False)


@pytest.mark.parametrize("form", ["list", "array", "tensor", "torch"])
def test_going_on_with_other_pixels_or_labels_is_refused_in_every_form(tmp_path, form):
    def given(images, labels):
        if form == "torch":
            return Made(images, labels)
        if form == "list":
            return list(zip(images, labels, strict=True))
        return (images if form == "array" else torch.from_numpy(images).permute(0, 3, 1, 2)), labels

    run = rankhub.train(labeled(), tmp_path / "run", {"train": given(STACK, LABELS)}, progress=False)
    brighter, swapped = STACK // 2 + 100, [LABELS[1], LABELS[0], *LABELS[2:]]
    for other, sentence in (
        (given(brighter, LABELS), "data.train has other images of the same names"),
        (given(STACK, swapped), "data.train has other labels"),
    ):
        with pytest.raises(rankhub.ChangedError, match=f"for {sentence};.* allow_changes=True"):
            rankhub.resume(run.path, {"train": other}, progress=False)
    rankhub.resume(run.path, {"train": given(brighter, LABELS)}, progress=False, allow_changes=True)
    rankhub.resume(run.path, {"train": given(brighter, LABELS)}, progress=False)
    with pytest.raises(rankhub.ChangedError, match="other images"):
        rankhub.resume(run.path, {"train": given(STACK, LABELS)}, progress=False)


def test_items_that_are_not_the_same_twice_are_known_by_number_and_labels_alone(tmp_path):
    draw = np.random.default_rng(0)

    class Drawn(Made):
        def __getitem__(self, number):
            image, label = super().__getitem__(number)
            return (image // 2 + int(draw.integers(100))).byte(), label

    run = rankhub.train(labeled(), tmp_path / "run", {"train": Drawn(labels=LABELS)}, progress=False)
    rankhub.resume(run.path, {"train": Drawn(labels=LABELS)}, progress=False)
    with pytest.raises(rankhub.ChangedError, match=r"data\.train has other labels"):
        rankhub.resume(run.path, {"train": Drawn(labels=LABELS[::-1])}, progress=False)


def test_a_folder_need_not_be_given_again(tmp_path, files):
    run = rankhub.train(unlabeled(), tmp_path / "run", {"train": str(tmp_path / "photos")}, progress=False)
    assert run.recipe.resolved()["data"]["train"]["root"] == str(tmp_path / "photos")
    assert equal(rankhub.resume(run.path, progress=False), run)
    assert equal(rankhub.resume(run.path, {"train": tmp_path / "photos"}, progress=False), run)


def test_what_training_would_cost_is_told_of_the_data_that_are_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = rankhub.estimate(unlabeled(), {"train": STACK[:13]}, progress=False)
    assert len(plan.parts.datasets["train"]) == 13
    assert plan.seconds > 0
    assert not list(tmp_path.iterdir())
