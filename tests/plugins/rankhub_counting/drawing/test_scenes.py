"""Drawn scenes as a data set."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from rankhub.interfaces.data import LabelSpec, OpenContext
from rankhub.interfaces.errors import Objection
from rankhub_counting.drawing import scenes
from rankhub_counting.drawing.layout import SceneObject
from rankhub_counting.drawing.scenes import DrawnScenes
from rankhub_data.skimage_photos import HELD_OUT, PHOTOS
from rankhub_points import PointLabels


def opened(tmp_path, memory=1 << 30, **options):
    data = DrawnScenes(**{"images": 6, "size": (96, 128), "most": 60, **options})
    assert data.missing() is None
    data.report = data.open(OpenContext(tmp_path, memory, lambda done, total, what: None))
    return data


def names(data):
    return list(data.facts("path"))


def test_what_is_served(tmp_path):
    data = opened(tmp_path)
    assert len(data) == 6
    assert data.sizes().tolist() == [[96, 128]] * 6
    for index in range(6):
        sample = data[index]
        assert (sample.image.shape, sample.image.dtype, sample.index) == ((3, 96, 128), torch.uint8, index)
        assert sample.label is data.points()[index]
        assert sample.label.dtype == np.float64
        x, y, extent = sample.label.T
        assert ((x >= 0) & (x < 128) & (y >= 0) & (y < 96)).all()
        distances = np.sort(np.hypot(x[:, None] - x, y[:, None] - y), axis=1)[:, 1:4]
        assert extent == pytest.approx(distances.mean(axis=1))
        assert (np.diff(y) <= 0).all()
    counts = data.labels()
    assert counts.tolist() == [len(points) for points in data.points()]
    assert data.label == PointLabels(
        unit="discs",
        mean=pytest.approx(counts.mean()),
        std=pytest.approx(counts.std()),
        density=pytest.approx(counts.sum() / (6 * 96 * 128)),
    )
    assert data[-1].index == 5
    with pytest.raises(IndexError):
        data[6]
    assert "discs a scene" in data.report.notes[0]
    assert [row["count"] for row in data.report.tables["images"]] == counts.tolist()


def test_a_scene_follows_from_seed_side_and_number_alone(tmp_path):
    few, many, other, out = (
        opened(tmp_path, **options)
        for options in ({"images": 2}, {"images": 4}, {"images": 2, "seed": 1}, {"images": 2, "part": "held_out"})
    )
    for index in range(2):
        assert torch.equal(few[index].image, many[index].image)
        assert np.array_equal(few[index].label, many[index].label)
        for another in (other, out):
            assert not torch.equal(few[index].image, another[index].image)
            assert not np.array_equal(few[index].label, another[index].label)
    assert not torch.equal(few[0].image, few[1].image)


def test_scenes_that_memory_does_not_hold_are_drawn_again(tmp_path):
    kept, drawn = opened(tmp_path, images=3), opened(tmp_path, memory=3 * 96 * 128 * 3 - 1, images=3)
    for index in (2, 0, 2):
        assert torch.equal(kept[index].image, drawn[index].image)
        assert np.array_equal(kept[index].label, drawn[index].label)
    first = kept[0].image
    first[:] = 0
    assert kept[0].image.any()


def test_few_labels_and_the_rest_without(tmp_path):
    every, few, fewer = (opened(tmp_path, labels=labels) for labels in (None, 4, 1))
    assert [names(data) for data in (every, few, fewer)] == [[f"train/{n}" for n in range(k)] for k in (6, 4, 1)]
    rest = opened(tmp_path, labels=4, part="unlabeled")
    assert names(rest) == ["train/4", "train/5"]
    assert torch.equal(rest[0].image, every[4].image)
    assert (rest.label, rest.labels(), rest.points(), rest[0].label) == (LabelSpec(), None, None, None)
    assert "count" not in rest.report.tables["images"][0]
    assert rest.report.notes[0].endswith("served without points")
    assert names(opened(tmp_path, part="unlabeled")) == names(every)
    out = opened(tmp_path, labels=1, part="held_out")
    assert names(out) == [f"held_out/{n}" for n in range(6)]
    assert DrawnScenes(part="unlabeled").label == LabelSpec()
    assert DrawnScenes().label == PointLabels(unit="discs")


def test_no_backdrop_of_one_side_is_on_the_other(tmp_path):
    train, out = (
        set(opened(tmp_path, part=p, images=30, size=64, most=20).facts("kind")) for p in ("train", "held_out")
    )
    assert "noise" in train & out
    assert out - {"noise"} == HELD_OUT
    assert len(train) > 4
    assert train - {"noise"} <= set(PHOTOS) - HELD_OUT
    assert set(opened(tmp_path, backdrops="noise").facts("kind")) == {"noise"}
    photos = opened(tmp_path, backdrops="photos")
    assert "noise" not in photos.facts("kind")
    assert [photos[n].meta["kind"] for n in range(6)] == photos.facts("kind")
    assert photos.facts("reference") is None


def test_counts_differ_by_a_factor_of_ten_and_the_far_half_is_denser(tmp_path):
    data = opened(tmp_path, images=50, size=(192, 256), most=200)
    counts = np.sort(data.labels())
    assert counts.max() > 10 * counts.min()
    assert counts.min() >= 8
    assert counts.max() <= 200
    # Evenly spread over factors: the middle is about the geometric mean of 12 and 200, 49.
    assert 35 < np.median(counts) < 65
    y = np.concatenate([points[:, 1] for points in data.points()])
    assert 2 < (y < 96).sum() / (y >= 96).sum() < 5
    flat = opened(tmp_path, images=30, perspective=0.0, radius=4.0)
    y = np.concatenate([points[:, 1] for points in flat.points()])
    assert 0.7 < (y < 48).sum() / (y >= 48).sum() < 1.4


def test_an_empty_scene(tmp_path):
    data = opened(tmp_path, fewest=0, most=1, images=12)
    assert set(data.labels()) == {0.0, 1.0}
    for index in range(12):
        assert data[index].label.shape == (data.labels()[index], 3)
        assert np.isnan(data[index].label[:, 2]).all()


def test_discs_stand_where_their_points_say(tmp_path, monkeypatch):
    """A scene with one disc differs from the scene without it in the disc, and nowhere else."""
    disc = SceneObject("disc", 40.3, 51.6, 9.0, 0.0, (1.0, 0.1, 0.9), 0.1, (0.2, 0.3))
    bar = replace(disc, shape="bar", x=90.0)
    monkeypatch.setattr(scenes, "lay_out", lambda style, rng: [])
    empty = opened(tmp_path)
    monkeypatch.setattr(scenes, "lay_out", lambda style, rng: [disc])
    one = opened(tmp_path)
    monkeypatch.setattr(scenes, "lay_out", lambda style, rng: [bar, disc])
    both = opened(tmp_path)
    assert (empty.labels().tolist(), one.labels().tolist(), both.labels().tolist()) == ([0] * 6, [1] * 6, [1] * 6)
    y, x = np.mgrid[0:96, 0:128] + 0.5
    distance = np.hypot(x - 40.3, y - 51.6)
    for index in range(6):
        assert one[index].label[0, :2].tolist() == both[index].label[0, :2].tolist() == [40.3, 51.6]
        differs = (one[index].image != empty[index].image).any(dim=0).numpy()
        assert not differs[distance > 9.5].any()
        assert differs[distance < 8].mean() > 0.97


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"fewest": 20, "most": 10}, "most is 10, less than fewest, which is 20"),
        ({"labels": 65}, "labels is 65, but there are only 64 `images`"),
        ({"labels": 64, "part": "unlabeled"}, "all 64 images keep their labels, none is left unlabeled"),
        ({"radius": 3.0}, "the furthest discs would have a radius of 0.9 pixels, less than 1"),
    ],
)
def test_options_that_cannot_be(options, sentence):
    with pytest.raises(Objection, match=sentence):
        DrawnScenes(**options)
    DrawnScenes(labels=64)
    DrawnScenes(labels=500, part="held_out")
