"""Sets as they were released, on tiny files in the same layout."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import counting_layouts
from helpers.counting_layouts import heads, photo
from scipy.io import loadmat, savemat

import rankhub_counting
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.options import docs_of
from rankhub.interfaces.errors import Objection, UserError
from rankhub_counting.data.jhu import JhuCrowd
from rankhub_counting.data.nwpu import NwpuCrowd
from rankhub_counting.data.shanghaitech import ShanghaiTech
from rankhub_counting.data.ucf import FOLDS, UcfCc50, UcfQnrf

RELEASED = {"shanghaitech": {"subset": "A"}, "ucf_cc_50": {}, "ucf_qnrf": {}, "jhu_crowd": {}, "nwpu_crowd": {}}
OWN = ("points", "dot_images")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.of({"rankhub_counting": rankhub_counting})


@pytest.mark.parametrize("name", [*RELEASED, *OWN])
def test_every_option_is_described(catalog, name):
    entry = next(entry for entry in catalog.entries("dataset") if entry.component.name == name)
    described = docs_of(catalog.load(entry)).args
    assert set(catalog.options(entry).model_json_schema(by_alias=True)["properties"]) == set(described)


@pytest.mark.parametrize("name", RELEASED)
@pytest.mark.parametrize(("part", "kind"), [("all", "points"), ("unlabeled", None)])
def test_what_they_are_is_known_before_anything_is_read(catalog, tmp_path, name, part, kind):
    fold = {"fold": 0} if name == "ucf_cc_50" and part != "all" else {}
    data = catalog.build("dataset", {"use": name, "root": str(tmp_path), "part": part, **fold, **RELEASED[name]})
    assert (data.label.kind, len(data), data.labels(), data.points(), data.sizes()) == (kind, 0, None, None, None)
    said = data.missing()
    assert str(tmp_path) in said
    assert data.expected[0] in said
    assert "\n" not in said


def test_a_number_of_images_can_be_held_out_in_a_recipe(catalog):
    options = {"root": "cells", "part": "unlabeled", "held_out": 100, "labels": 8}
    data = catalog.build("dataset", {"use": "dot_images", **options})
    assert (data.split.held_out, data.labels_kept) == (100, 8)


@pytest.mark.parametrize("folder", ["part_A_final", "part_A"])
@pytest.mark.parametrize("truth", ["ground_truth", "ground-truth"])
def test_shanghaitech(root, opened, folder, truth):
    counting_layouts.shanghaitech(root, folder, truth, counts=(3, 7, 4))
    photo(root / folder / "train_data/images/street1.jpg", 9)
    nested = loadmat(root / folder / "train_data" / truth / "GT_IMG_1.mat")["image_info"]
    assert nested[0, 0]["location"][0, 0].shape == (3, 2)
    data, report = opened(ShanghaiTech, subset="A")
    assert data.labels().tolist() == [3, 7, 4, 3]
    assert data.facts("path")[1] == f"{folder}/train_data/images/IMG_2.jpg"
    assert data[1].label[:, :2] == pytest.approx(heads(2, 7) - 0.5)
    assert "images that are not part of the release are left out: 1 (street1.jpg)" in report.notes
    assert any("where the release has 300" in note for note in report.notes)
    assert opened(ShanghaiTech, subset="A", part="train")[0].labels().tolist() == [3, 7, 4]
    assert opened(ShanghaiTech, subset="A", part="held_out")[0].facts("path") == [
        f"{folder}/test_data/images/IMG_1.jpg"
    ]
    assert len(opened(ShanghaiTech, subset="A", part="unlabeled", labels=1)[0]) == 2
    assert "part_B_final/train_data/images" in ShanghaiTech(root=str(root), subset="B").missing()


def test_images_come_in_the_order_of_their_numbers(root, opened):
    counting_layouts.shanghaitech(root, counts=range(1, 12))
    assert opened(ShanghaiTech, subset="A", part="train")[0].labels().tolist() == list(range(1, 12))


TRAIN = "part_A_final/train_data"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda base: (base / "ground_truth/GT_IMG_1.mat").unlink(), "1 of the 2 images in .* have no annotation in"),
        (lambda base: (base / "images/IMG_1.jpg").unlink(), "1 of the 2 annotations in .* have no image in"),
        (lambda base: (base / "ground_truth/GT_IMG_1.mat").write_bytes(b""), "is no MATLAB file"),
        (
            lambda base: savemat(base / "ground_truth/GT_IMG_1.mat", {"image_info": np.ones((3, 2))}),
            "is no struct with `location`",
        ),
        (
            lambda base: savemat(
                base / "ground_truth/GT_IMG_1.mat", {"image_info": counting_layouts.image_info(np.empty((0, 2)))}
            ),
            "holds no point",
        ),
        (
            lambda base: savemat(base / "ground_truth/GT_IMG_1.mat", {"annPoints": np.ones(2)}),
            "no variable `image_info`",
        ),
        (lambda base: (base / "images/IMG_1.jpg").write_bytes(b"\xff\xd8\xff"), "cannot be read: .*IMG_1.jpg"),
    ],
)
def test_damage_is_one_sentence(root, opened, change, said):
    counting_layouts.shanghaitech(root)
    change(root / TRAIN)
    with pytest.raises(UserError, match=said) as caught:
        opened(ShanghaiTech, subset="A")
    assert "\n" not in str(caught.value)


def test_ucf_cc_50(root, opened):
    counting_layouts.ucf_cc_50(root)
    assert sorted(number for fold in FOLDS for number in fold) == list(range(1, 51))
    data, report = opened(UcfCc50)
    assert data.labels().tolist() == list(range(1, 51))
    assert tuple(data[0].image.shape) == (3, 40, 60)
    assert data[4].label[:, :2] == pytest.approx(heads(5, 5) - 0.5)
    assert [sorted(fold + 1) for fold in data.folds()] == [sorted(fold) for fold in FOLDS]
    assert report.tables["counts"][36]["fold"] == 0
    for fold, numbers in enumerate(FOLDS):
        held_out, _ = opened(UcfCc50, part="held_out", fold=fold)
        assert set(held_out.labels()) == set(numbers)
        train, _ = opened(UcfCc50, part="train", fold=fold)
        assert set(train.labels()) == set(range(1, 51)) - set(numbers)
        rest, _ = opened(UcfCc50, part="unlabeled", fold=fold, labels=10)
        assert len(rest) == 30
        assert not {f"{number}.jpg" for number in numbers} & set(rest.facts("path"))
    assert [len(fold) for fold in opened(UcfCc50, folds=7)[0].folds()] == [8, 7, 7, 7, 7, 7, 7]
    with pytest.raises(Objection, match="needs `fold`"):
        UcfCc50(root=str(root), part="train")
    with pytest.raises(Objection, match="not among 5 folds"):
        UcfCc50(root=str(root), part="train", fold=5)


def test_points_outside_released_photos_are_dropped_and_said(root, opened):
    counting_layouts.ucf_cc_50(root)
    savemat(root / "3_ann.mat", {"annPoints": np.array([[5.0, 5], [60.9, 40.2], [-90, 5]])})
    data, report = opened(UcfCc50)
    assert data.labels()[2] == 2
    assert data[2].label[1, :2] == pytest.approx([60 - 1e-3, 39.7])
    assert any("further outside and is left out: 3.jpg" in note for note in report.notes)
    with pytest.raises(UserError, match="one point lies more than a pixel outside"):
        opened(UcfCc50, outside="error")


def test_ucf_qnrf(root, opened):
    counting_layouts.ucf_qnrf(root)
    assert opened(UcfQnrf, part="train")[0].labels().tolist() == [5, 6, 7]
    assert opened(UcfQnrf, part="held_out")[0].facts("path") == ["Test/img_0001.jpg", "Test/img_0002.jpg"]
    shrunk, _ = opened(UcfQnrf, max_side=32)
    assert shrunk.labels().tolist() == [5, 6, 7, 5, 6]
    assert shrunk[0].label[:, :2] == pytest.approx((heads(1, 5) - 0.5) * [32 / 60, 21 / 40])


def test_jhu_crowd(root, opened):
    counting_layouts.jhu_crowd(root)
    assert opened(JhuCrowd)[0].labels().tolist() == [0, 1, 2, 0, 1, 0, 1]
    train, _ = opened(JhuCrowd, part="train")
    assert train.labels().tolist() == [0, 1, 2]
    assert train[0].label.shape == (0, 3)
    assert train[2].label[:, :2].tolist() == [[5, 7], [8, 8]]
    for held_out, folders in (("val", {"val"}), ("test", {"test"}), ("both", {"val", "test"})):
        data, _ = opened(JhuCrowd, part="held_out", held_out=held_out)
        assert {path.partition("/")[0] for path in data.facts("path")} == folders
    assert opened(JhuCrowd, part="unlabeled", labels=1)[0].labels() is None


@pytest.mark.parametrize("text", ["5 6 7 8 1", "5 6 7 8 1 x", "5,6,7,8,1,0", "nan 6 7 8 1 0"])
def test_a_wrong_row_of_jhu_crowd_is_one_sentence(root, opened, text):
    counting_layouts.jhu_crowd(root)
    (root / "train/gt/0002.txt").write_text(f"1 2 3 4 1 0\n\n{text}\n")
    said = "1 of 2 points is no finite number" if "nan" in text else r"no row of 6 numbers on line 3 \('5"
    with pytest.raises(UserError, match=said):
        opened(JhuCrowd, part="train")


@pytest.mark.parametrize("points", ["jsons", "mats"])
def test_nwpu_crowd(root, opened, points):
    counting_layouts.nwpu_crowd(root, points)
    train, report = opened(NwpuCrowd, part="train")
    assert train.labels().tolist() == [1, 0, 3]
    assert train[2].label[:, :2] == pytest.approx(heads(3, 3))
    assert "images on neither list, whose labels are withheld, are left out: 1" in report.notes
    assert opened(NwpuCrowd, part="held_out")[0].labels().tolist() == [4]
    assert len(opened(NwpuCrowd)[0]) == 4


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("train.txt", "0001\n0009\n", "1 of the 2 images that .*train.txt names are not in .*images: 0009"),
        ("train.txt", "0001\n0005\n", "1 of the 2 images that .*train.txt names are not in .*jsons: 0005"),
        ("train.txt", "0001\n0001\n", "names 0001 more than once"),
        ("train.txt", "0004\n", "has 0004 in train.txt and in val.txt"),
        ("val.txt", "", "names no image"),
        ("jsons/0001.json", "", "0001.json is no JSON"),
        ("jsons/0001.json", "{}", "has no `points`"),
        ("jsons/0001.json", '{"points": [1, 2]}', "in place of rows of x and y"),
    ],
)
def test_damage_of_nwpu_crowd_is_one_sentence(root, opened, path, text, said):
    counting_layouts.nwpu_crowd(root)
    (root / path).write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        opened(NwpuCrowd)
    assert "\n" not in str(caught.value)


def test_the_real_ucf_cc_50(real_images, opened):
    """Its own list of counts; two points lie far outside their photos."""
    folder = real_images / "ucf_cc_50"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    data, report = opened(UcfCc50, root=str(folder), max_side=256)
    lines = (folder / "counts.csv").read_text().split()[1:]
    counts = {name: int(count) for name, count in (line.split(",") for line in lines)}
    short = {
        path: counts[path] - count
        for path, count in zip(data.facts("path"), data.labels().tolist(), strict=True)
        if counts[path] != count
    }
    assert short == {"6.jpg": 1, "20.jpg": 1}
    assert [len(fold) for fold in data.folds()] == [10] * 5
    assert any(note.startswith("2 points lie further outside and are left out") for note in report.notes)
