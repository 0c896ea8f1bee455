"""A part of another data set: references stay together, both sides are the whole, labels are measured anew."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import scored_layouts
from helpers.studies import make_cells
from PIL import Image

import rankhub
from rankhub import UserError
from rankhub.interfaces.data import OpenContext


def opened(tmp_path, of, **options):
    data = rankhub.build("dataset", {"use": "rankhub_study/portion", "of": of, **options})
    data.open(OpenContext(tmp_path / "cache", 10**9, lambda done, total, what: None))
    return data


def test_both_sides_are_the_whole_and_references_stay_together(tmp_path):
    scored_layouts.scored_csv(tmp_path / "set")
    of = {"use": "scored_csv", "root": str(tmp_path / "set"), "higher_is_better": True, "reference": "reference"}
    for seed in range(3):
        train, out = (opened(tmp_path, of, part=part, share=0.3, seed=seed) for part in ("train", "held_out"))
        assert not set(train.facts("reference")) & set(out.facts("reference"))
        whole = rankhub.build("dataset", of)
        whole.open(OpenContext(tmp_path / "cache", 10**9, lambda done, total, what: None))
        assert sorted([*train.facts("path"), *out.facts("path")]) == sorted(whole.facts("path"))
        for side in (train, out):
            assert len(side) == len(side.labels()) == len(side.facts("path")) == len(side.sizes())
            assert side.label.mean == pytest.approx(np.mean(side.labels()))
            names = dict(zip(whole.facts("path"), whole.labels(), strict=True))
            assert [side[index].label for index in range(len(side))] == [names[path] for path in side.facts("path")]
            assert [side[index].index for index in range(len(side))] == list(range(len(side)))


def test_points_and_their_density_are_those_of_the_part(tmp_path):
    make_cells(tmp_path / "cells", 8)
    of = {"use": "dot_images", "root": str(tmp_path / "cells")}
    out = opened(tmp_path, of, part="held_out", share=0.25)
    assert len(out) == 2
    assert [len(points) for points in out.points()] == out.labels().tolist()
    assert out.label.density == pytest.approx(out.labels().sum() / (2 * 64 * 64))


def test_a_single_image_cannot_be_parted(tmp_path):
    make_cells(tmp_path / "cells", 1)
    with pytest.raises(UserError, match="a single image"):
        opened(tmp_path, {"use": "dot_images", "root": str(tmp_path / "cells")}, part="train")


def test_as_many_images_of_each_class_are_held_out(tmp_path):
    for number, (name, count) in enumerate({"cat": 5, "dog": 9, "owl": 3}.items()):
        (tmp_path / "set" / name).mkdir(parents=True)
        for index in range(count):
            Image.new("RGB", (8, 8), (20 * index, 50 * number, 90)).save(tmp_path / "set" / name / f"{index}.png")
    of = {"use": "image_folder", "root": str(tmp_path / "set"), "labels": "folder"}
    chosen = set()
    for seed in range(4):
        train, out = (opened(tmp_path, of, part=part, per_class=3, seed=seed) for part in ("train", "held_out"))
        assert np.bincount(out.labels()).tolist() == [3, 3, 3]
        assert np.bincount(train.labels()).tolist() == [2, 6]
        assert not set(train.facts("path")) & set(out.facts("path"))
        chosen.add(tuple(out.facts("path")))
    assert len(chosen) > 1, "another seed holds out others"
    with pytest.raises(UserError, match="asks for 4 images of each class, and 'owl' has 3"):
        opened(tmp_path, of, part="held_out", per_class=4)
    with pytest.raises(UserError, match="has no classes"):
        opened(tmp_path, {**of, "labels": "none"}, part="held_out", per_class=1)
