"""A finished run's network: as a beginning for another run, and as what answers."""

from __future__ import annotations

import dataclasses
import shutil

import numpy as np
import pytest
import torch
import yaml
from helpers import fakes
from helpers.training import catalog, objective, parts_of, recipe, streams, train

from rankhub.engine import checkpoint, folder
from rankhub.engine.cost import RunPlanned
from rankhub.engine.parts import Resources, build
from rankhub.engine.trained import Run
from rankhub.interfaces.data import LabelSpec, OpenContext
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.files import as_csv, write_text
from rankhub_train import words


def finished(path, **changes):
    """A short run with all that its folder holds for others to use."""
    ours = recipe(**changes)
    parts = parts_of(ours)
    path.mkdir()
    train(parts, path)
    write_text(path / folder.RESOLVED, yaml.safe_dump(ours.model_dump(mode="json")))
    folder.write_labels(path, {name: dataset.label for name, dataset in parts.datasets.items()})
    return parts


def test_labels_come_back_as_they_were(tmp_path):
    labels = {
        "a": LabelSpec("class", classes=("x", "y")),
        "b": LabelSpec("score", higher_is_better=False, range=(0.0, 100.0), unit="DMOS", mean=-40.0, std=12.5),
        "c": LabelSpec(),
    }
    folder.write_labels(tmp_path, labels)
    assert folder.read_labels(tmp_path) == labels
    (tmp_path / folder.LABELS).write_text("[1]")
    with pytest.raises(UserError, match=r"labels\.json"):
        folder.read_labels(tmp_path)


def test_a_run_begins_with_the_parts_of_another_and_leaves_the_rest_fresh(tmp_path):
    old = finished(tmp_path / "old")
    parts = parts_of(
        recipe(seed=3, start_from={"run": str(tmp_path / "old"), "parts": ["backbone", "heads.main.rate"]})
    )
    fresh = parts_of(recipe(seed=3))
    before, after, new = (one.network.state_dict() for one in (old, parts, fresh))
    for name, value in after.items():
        taken = name.startswith(("backbone", "heads.main.rate"))
        assert torch.equal(value, before[name] if taken else new[name]), name
    assert not torch.equal(new["backbone.conv.weight"], before["backbone.conv.weight"])


@pytest.mark.parametrize(
    ("start", "sentence"),
    [
        ({"run": "nowhere"}, "is not there"),
        ({"run": "empty"}, "has no checkpoint yet"),
        ({"run": "old", "parts": ["backbone.deep"]}, "'backbone.deep' matches no weight of this recipe's network"),
        ({"run": "old", "average": True}, "keeps no average"),
        ({"run": "wide"}, "weights of 'backbone' in"),
    ],
)
def test_what_cannot_be_taken_over_is_a_sentence(tmp_path, start, sentence):
    finished(tmp_path / "old")
    finished(tmp_path / "wide", backbone={"use": "flat", "width": 5})
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=sentence):
        parts_of(recipe(start_from={**start, "run": str(tmp_path / start["run"])}))


def test_the_average_is_taken_over_where_it_is_asked_for(tmp_path):
    finished(tmp_path / "old", average={"decay": 0.5, "use_for": ["evaluate"]})
    run = str(tmp_path / "old")
    plain, averaged = (parts_of(recipe(start_from={"run": run, "average": which})) for which in (False, True))
    stored, _ = checkpoint.read_weights(tmp_path / "old", average=True)
    assert torch.equal(averaged.network.state_dict()["backbone.conv.weight"], stored["backbone.conv.weight"])
    assert not torch.equal(plain.network.state_dict()["backbone.conv.weight"], stored["backbone.conv.weight"])


def rated(path, **changes):
    fit = streams(labeled={"objectives": [objective("fit")]})
    return finished(path, streams=fit, phases=[{"name": "rate", "steps": 4, "streams": ["labeled"]}], **changes)


def opened(count=10):
    images = fakes.Patches(count=count)
    images.open(OpenContext(None, 0, lambda done, total, what: None))
    return images


def test_a_run_answers_on_the_scale_of_its_labels_without_its_data(tmp_path):
    parts = rated(tmp_path / "run")
    turned = LabelSpec("score", higher_is_better=False, unit="DMOS")
    folder.write_labels(tmp_path / "run", {"train": turned, "test": turned})
    run = Run(tmp_path / "run", catalog())
    assert run.labels == {"main.rating": turned}
    images = opened()
    found = run.predict(images)
    parts.network.eval()
    with torch.no_grad():
        stack = torch.stack([images[n].image for n in range(10)]).float() / 255
        expected = -parts.network([stack], ["main"])["main.rating"]
    said = list(run.answers(images))
    assert [answer.index for answer in said] == list(range(10))
    assert [run.number(answer, "main.rating") for answer in said] == [each.value for each in found]
    assert {each.path for each in found} == {""}  # these images have no names
    np.testing.assert_allclose([each.values["rating"] for each in found], expected.numpy(), rtol=1e-5)
    assert (found[0].unit, found[0].direction) == ({"rating": "DMOS"}, {"rating": "lower is better"})
    rows = [{"path": each.path, **each.values} for each in found]
    assert as_csv(rows).splitlines()[0] == "path,rating"
    assert found == run.predict(images)
    # A checkpoint of the run is as good as its folder, and an override may change what does not touch the weights.
    last = checkpoint.Checkpoints(tmp_path / "run" / "checkpoints", 1).last()
    assert Run(last, catalog(), ["device=cpu"]).predict(images) == found


def test_two_outputs_of_one_name_keep_their_heads_in_the_columns():
    class Three(Run):
        labels = dict.fromkeys(("a.score", "b.score", "b.count"), LabelSpec())

    assert list(Three.__new__(Three).columns.values()) == ["a.score", "b.score", "count"]


def test_what_is_no_run_is_a_sentence(tmp_path):
    with pytest.raises(UserError, match="is no run's folder"):
        Run(tmp_path, catalog())
    rated(tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    run = Run(tmp_path / "run", catalog())
    with pytest.raises(UserError, match="has no checkpoint yet"):
        run.predict(opened())


def test_images_that_a_step_cannot_take_are_named_before_training(monkeypatch):
    sizes = np.array([[8, 8]] * 3 + [[4, 9]] + [[8, 8]] * 20)
    monkeypatch.setattr(fakes.Patches, "sizes", lambda self: sizes[: len(self)])
    monkeypatch.setattr(
        fakes.Dimmer, "check_images", lambda self, sizes: ("are too small; enlarge them", (sizes < 5).any(1))
    )
    body = streams(views={"generator": [{"use": "dimmer"}], "objectives": [objective("pull")]})
    ranked = recipe(streams=body, phases=[{"name": "first", "epochs": 1, "streams": ["views"]}])
    with pytest.raises(
        UserError, match=r"'views': 1 of 24 images are too small; enlarge them; the first is number 3 with 9 x 4"
    ):
        parts_of(ranked)
    # A step behind one that gives views a size does not meet the images' own sizes.
    monkeypatch.setattr(fakes.Jitter, "plan", lambda self, views: dataclasses.replace(views, views=2, sizes=((2, 8),)))
    chain = parts_of(recipe()).feeds["first", "views"].chain
    assert [type(step) for step in dataclasses.replace(chain, steps=[*chain.steps, fakes.Dimmer()]).own_size] == [
        fakes.Jitter
    ]


def test_streams_that_share_batch_statistics_are_remarked():
    pair = streams(
        views={"generator": [{"use": "jitter"}], "objectives": [objective("pull")]},
        labeled={"objectives": [objective("fit")]},
    )
    both = {"streams": pair, "phases": [{"name": "both", "steps": 2, "streams": ["views", "labeled"]}]}
    normed = {"use": "flat", "norm": True}
    quiet = {"name": "both", "steps": 2, "streams": {"views": {"statistics": False}, "labeled": {}}}

    def lines(**changes):
        return words.lines(RunPlanned("r", parts_of(recipe(**changes))))

    assert "phase both leaves statistics" in lines(**both, backbone=normed)["streams"]
    assert "streams" not in lines(**both)
    assert "streams" not in lines(streams=pair, phases=[quiet], backbone=normed)
    pair["views"]["statistics"] = False
    assert "streams" not in lines(**both, backbone=normed)
    assert "streams" not in lines(backbone=normed)


def test_a_resumed_run_needs_neither_the_other_run_nor_the_data_it_does_not_use(tmp_path):
    finished(tmp_path / "old")
    started = recipe(start_from={"run": str(tmp_path / "old")})
    parts_of(started)
    shutil.rmtree(tmp_path / "old")
    with pytest.raises(UserError, match="is not there"):
        parts_of(started)
    spare = {**started.model_dump(mode="json")["data"], "spare": {"use": "patches", "count": 3}}
    resources = Resources(catalog(), lambda done, total, what: None)
    parts = build(recipe(data=spare, start_from={"run": "gone"}), resources, fresh=False)
    assert set(parts.datasets) == {"train", "test"}
