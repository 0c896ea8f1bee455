"""A packed data set is the data set that was packed: images, labels, points, names, facts."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import fakes
from helpers.packed import pack_folder, write_photos

import rankhub
from rankhub import Talk
from rankhub.interfaces.data import OpenContext
from rankhub.interfaces.errors import UserError
from rankhub_data.from_python import FromPython
from rankhub_guards.contracts import check_dataset
from rankhub_lance import Store
from rankhub_pack.packing import Packing
from rankhub_pack.sources import DatasetSource

pytest.importorskip("lance")


def assert_same(ours, theirs):
    """Two data sets say and serve the same."""
    assert len(ours) == len(theirs)
    assert (ours.label.kind, ours.label.classes, ours.label.range, ours.label.unit, ours.label.higher_is_better) == (
        (theirs.label.kind, theirs.label.classes, theirs.label.range, theirs.label.unit, theirs.label.higher_is_better)
    )
    measured = [(one.label.mean, one.label.std, one.label.density) for one in (ours, theirs)]
    assert measured[0] == pytest.approx(measured[1])
    np.testing.assert_array_equal(ours.sizes(), theirs.sizes())
    for given in ("labels", "points"):
        mine, other = getattr(ours, given)(), getattr(theirs, given)()
        assert (mine is None) == (other is None)
        for one, two in zip(mine if mine is not None else (), other if other is not None else (), strict=True):
            np.testing.assert_array_equal(one, two)
    for index in range(len(ours)):
        mine, other = ours[index], theirs[index]
        assert torch.equal(mine.image, other.image)
        missing = {None: -1 if ours.label.kind == "class" else np.nan}
        np.testing.assert_equal(*(missing.get(one, one) if one is None else one for one in (mine.label, other.label)))
    rows = [3, 0, 3, 1]
    for one, two in zip(ours.batch(rows), theirs.batch(rows), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("cache", ["never", "always"])
def test_a_packed_folder_is_the_folder(photos, packed, opened, cache):
    ours = opened(use="lance", uri=str(packed), labels="class", cache=cache, block=7)
    theirs = opened(use="image_folder", root=str(photos), labels="folder")
    assert_same(ours, theirs)
    assert list(ours.facts("path")) == list(theirs.facts("path"))
    assert ours.digests().tolist() == theirs.digests().tolist()  # rows hold the files as they are
    assert ours.facts("reference") is None
    assert ours.folds() is None
    check_dataset(ours)


@pytest.mark.parametrize("part", ["class", "score", "points"])
def test_a_data_set_comes_back_with_its_labels(tmp_path, opened, part):
    images = [
        torch.from_numpy(np.random.default_rng(n).integers(0, 256, (3, 9, 8 + n % 2), np.uint8)) for n in range(8)
    ]
    labels = {
        "class": ["b", "a", None, "b", "a", "b", "a", "a"],
        "score": [1.0, 5.0, None, 2.5, 3.0, 4.0, 1.5, 2.0],
        "points": [np.random.default_rng(n).uniform(0, 8, (n, 2)) for n in range(8)],
    }[part]
    options = {"higher_is_better": False, "range": (1.0, 5.0), "unit": "DMOS"} if part == "score" else {}
    given, _ = FromPython.take((images, labels), options, lambda spec: rankhub.build("dataset", spec), labeled=True)
    context = OpenContext(tmp_path / "cache", 10**9, lambda done, total, what: None)
    source = DatasetSource(given, "given", resize=None, context=context, talk=Talk())
    for processes, table in ((1, "one.lance"), (3, "three.lance")):
        Packing(source, Store.of(tmp_path / table), "", "", processes, 3).run(Talk())
        ours = opened(use="lance", uri=str(tmp_path / table), labels=part)
        assert_same(ours, given)
        check_dataset(ours)


class Described(fakes.Patches):
    """Patches with facts and folds that overlap."""

    def __getitem__(self, index):
        return replace(super().__getitem__(index), meta={"reference": f"r{index // 2}", "fold": index, "share": 0.5})

    def facts(self, name):
        return [f"r{index // 2}" for index in range(len(self))] if name == "reference" else None

    def folds(self):
        return [np.array([0, 3]), np.array([3])]


def test_facts_and_folds_come_back(tmp_path, opened):
    theirs, context = Described(count=6), OpenContext(tmp_path, 10**9, lambda done, total, what: None)
    Packing(DatasetSource(theirs, "made", resize=None, context=context, talk=Talk()), Store.of(tmp_path / "t")).run(
        Talk()
    )
    ours = opened(use="lance", uri=str(tmp_path / "t"), labels="class")
    assert (list(ours.facts("reference")), ours.facts("kind")) == (theirs.facts("reference"), None)
    assert [ours[row].meta for row in range(6)] == [theirs[row].meta for row in range(6)]
    assert [fold.tolist() for fold in ours.folds()] == [[0, 3], [3]]
    assert ours.facts("path")[5] == "000000005"


def test_a_label_or_a_split_is_a_condition(photos, tmp_path, packed, opened):
    write_photos(tmp_path / "more", 24, 34)
    pack_folder(tmp_path / "more", packed, split="test", append=True)
    every = opened(use="lance", uri=str(packed), labels="class")
    dogs = opened(use="lance", uri=str(packed), labels="class", where="split = 'test' and label = 1")
    chosen = [number for number, path in enumerate(every.facts("path")) if int(path[4:7]) >= 24 and "dog" in path]
    assert list(dogs.facts("path")) == [every.facts("path")[number] for number in chosen]
    assert dogs.label.classes == ("cat", "dog")
    for index, number in enumerate(chosen):
        assert torch.equal(dogs[index].image, every[number].image)
    with pytest.raises(UserError, match=r"no row of the table .* is left: there is none where split = 'val'"):
        opened(use="lance", uri=str(packed), where="split = 'val'")


def test_pixels_and_files_that_are_shrunk_are_those_of_the_folder(photos, packed, tmp_path, opened):
    pack_folder(photos, tmp_path / "small.lance", resize=9)
    theirs = opened(use="image_folder", root=str(photos), labels="folder", resize=9)
    assert_same(opened(use="lance", uri=str(tmp_path / "small.lance"), labels="class"), theirs)
    assert_same(opened(use="lance", uri=str(packed), labels="class", resize=9), theirs)
    same = opened(use="lance", uri=str(tmp_path / "small.lance"), where="width = 9")
    assert same.batch([0, 1, 2]).shape == (3, 3, 9, 9)


def test_a_foreign_table_with_images_and_names_of_classes_serves(photos, tmp_path, opened):
    import lance
    import pyarrow as pa

    files = sorted(photos.rglob("*.jpg"))
    table = pa.table({"jpeg": [file.read_bytes() for file in files], "species": [file.parent.name for file in files]})
    lance.write_dataset(table, str(tmp_path / "theirs.lance"))
    ours = opened(use="lance", uri=str(tmp_path / "theirs.lance"), image="jpeg", label="species", labels="class")
    theirs = opened(use="image_folder", root=str(photos), labels="folder")
    assert ours.label.classes == theirs.label.classes
    assert ours.labels().tolist() == theirs.labels().tolist()
    assert (ours.sizes(), ours.digests(), ours.facts("path")) == (None, None, None)
    for index in (0, 5, 23):
        assert torch.equal(ours[index].image, theirs[index].image)
        assert ours[index].label == theirs[index].label
    assert len(pickle.loads(pickle.dumps(ours)).batch([1, 2])) == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": "score"}, "are of kind class, not score; set `labels`"),
        ({"labels": "points"}, "has no column 'points', it has id, image"),
        ({"image": "jpeg"}, "has no column 'jpeg', it has id, image"),
        ({"where": "splt = 'a'"}, "No field named splt"),
        ({"version": 99}, "there is no version 99 of the table"),
    ],
)
def test_what_does_not_fit_is_one_sentence(packed, opened, options, said):
    with pytest.raises(UserError, match=said):
        opened(use="lance", uri=str(packed), **options)


def test_a_row_that_holds_no_image_is_named(packed, opened):
    import lance

    lance.dataset(str(packed)).update({"image": "X'00'"}, where="id = 'cat/004.jpg'")
    ours = opened(use="lance", uri=str(packed))
    with pytest.raises(UserError, match=r"row 23 of the table .* holds no image that can be read"):
        ours.batch(list(range(24)))


def test_what_is_missing_is_said_with_the_command_that_makes_it(tmp_path):
    said = rankhub.build("dataset", {"use": "lance", "uri": str(tmp_path / "no.lance")}).missing()
    assert said == f"there is no table {tmp_path}/no.lance; make it: rankhub pack FOLDER --to {tmp_path}/no.lance"
