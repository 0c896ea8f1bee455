"""Images and points of one's own."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers import counting_layouts
from helpers.counting_layouts import heads, photo

from rankhub.interfaces.errors import Objection, UserError
from rankhub_counting.data.points import PointsFile


@pytest.fixture
def load(root, opened):
    """Opens a set whose points are these lines, or this text."""

    def make(*lines, header="path,x,y", name="points.csv", content=None, **options):
        if lines or content is not None:
            (root / name).write_text("\n".join([header, *lines]) if content is None else content)
        return opened(PointsFile, **options)

    return make


@pytest.fixture(autouse=True)
def _ten_images(root):
    counting_layouts.points(root)


def test_what_it_serves(load, root):
    data, report = load(unit="seeds")
    assert len(data) == 10
    assert data.labels().dtype == np.float64
    assert data.labels().tolist() == list(range(10))
    assert data.facts("path") == [f"{number}.png" for number in range(10)]
    assert data.facts("kind") is None
    assert data.folds() is None
    assert data.sizes().tolist() == [[40, 60]] * 10
    sample = data[-1]
    assert (sample.index, sample.path, dict(sample.meta)) == (9, root / "9.png", {})
    assert tuple(sample.image.shape) == (3, 40, 60)
    assert np.array_equal(sample.label[:, :2], heads(9, 9))
    for number, points in enumerate(data.points()):
        assert points.shape == (number, 3)
        assert np.isnan(points[:, 2]).all() == (number < 4)
        assert points is data[number].label
    spec = data.label
    assert (spec.kind, spec.unit, spec.mean, spec.std) == ("points", "seeds", 4.5, np.arange(10).std())
    assert spec.density == 45 / (10 * 60 * 40)
    assert report.notes == [
        f"your set: 10 images with 45 seeds in {root}, 60 x 40 pixels",
        "seeds in an image: from 0 to 9, mean 4.5",
        "images that points.csv does not name: 2 (more/0.png, more/1.png); they have no label, and only "
        "`part: unlabeled` serves them",
    ]
    assert report.tables["counts"][3] == {"path": "3.png", "count": 3, "labeled": True}


def test_json_says_the_same_as_csv(load):
    content = {f"{number}.png": heads(number, number).tolist() for number in range(10)}
    table, _ = load()
    object_, _ = load(content=json.dumps(content), name="points.json", annotations="points.json")
    assert object_.facts("path") == table.facts("path")
    for one, other in zip(table.points(), object_.points(), strict=True):
        assert np.array_equal(one, other, equal_nan=True)


def test_other_columns_and_delimiters_and_places(load, root, tmp_path):
    (tmp_path / "marks.csv").write_text("row;column;image\n7;5;1.png\n8;6;1.png\n")
    data, _ = load(annotations=str(tmp_path / "marks.csv"), path="image", x="column", y="row")
    assert data[0].label[:, :2].tolist() == [[5, 7], [6, 8]]


def test_pixels_counted_from_1_have_their_centres_at_whole_numbers(load):
    data, _ = load("1.png,1,1", "1.png,60,40", "1.png,0.5,0.6", origin=1)
    assert data[0].label[:, :2] == pytest.approx(np.array([[0.5, 0.5], [59.5, 39.5], [0, 0.1]]))
    data, _ = load("1.png,1,1", "1.png,0,39.5", origin=0)
    assert data[0].label[:, :2].tolist() == [[1, 1], [0, 39.5]]


def test_two_objects_at_one_place_count_two(load):
    data, report = load(*["1.png,5,5"] * 5, "1.png,9,5", "2.png,9,5")
    assert data.labels().tolist() == [6, 1]
    assert data[0].label[:, :2].tolist() == [[5, 5]] * 5 + [[9, 5]]
    assert "points at the very place of another of their image: 4 (in 1.png); each is counted" in report.notes


def test_other_spellings_of_a_path_are_one_image(load, root):
    (root / "more/0.png").rename(root / "more/k\u00e4fer.png")
    lines = ["./1.png,1,2", "1.png,3,4", f"{root}/1.png,5,6", "more\\ka\u0308fer.png,7,8", "more/k\u00e4fer.png,9,10"]
    data, report = load(*lines)
    assert (data.facts("path"), data.labels().tolist()) == (["1.png", "more/k\u00e4fer.png"], [3, 2])
    assert data[1].label[:, :2].tolist() == [[7, 8], [9, 10]]
    assert not any("k\u00e4fer" in note and "does not name" in note for note in report.notes)


SHARES = r"of width and height do; write them in pixels"


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["1.png,0.2,0.7", "1.png,1,0", "3.png,0.9,0.95"], rf"points.csv, line 2: 1.png: .* {SHARES} \(so .* 3.png\)$"),
        (["3.png,0.5,0.5"], rf"points.csv, line 2: 3.png: .* {SHARES}$"),
        (["1.png,20,30", "2.png,.2,.3", "2.png,.4,.5"], rf"points.csv, line 3: 2.png: .* {SHARES}$"),
        (["1.png,1,2", "1.png,3,4"] * 2, "points.csv, line 2: 1.png: each of its points is there more than once"),
        (["1.png,1,2", "2.png,3,4", "./2.png,3.0,4"], "line 3: 2.png: each of its points is there more than once"),
    ],
)
def test_points_that_cannot_be_meant_are_refused(load, lines, said):
    with pytest.raises(UserError, match=said) as caught:
        load(*lines)
    assert "\n" not in str(caught.value)
    content: dict[str, list] = {}
    for line in lines:
        path, x, y = line.removeprefix("./").split(",")
        content.setdefault(path, []).append([float(x), float(y)])
    with pytest.raises(UserError, match=r"points.json, entry \d: "):
        load(content=json.dumps(content), name="points.json", annotations="points.json")


@pytest.mark.parametrize("lines", [["1.png,0.5,0.5", "2.png,9,9"], ["1.png,0,0", "1.png,1,1"], ["1.png,0.5,1.5"]])
def test_points_near_the_corner_may_be_meant(load, lines):
    data, _ = load(*lines)
    assert data.labels().sum() == len(lines)


@pytest.mark.parametrize("max_side", [33, 45, 60, 61])
def test_points_move_with_shrunk_images(load, max_side):
    whole, _ = load()
    data, report = load(max_side=max_side)
    width, height = min(max_side, 60), round(min(max_side, 60) * 40 / 60)
    assert data.sizes().tolist() == [[height, width]] * 10
    assert tuple(data[3].image.shape) == (3, height, width)
    assert data.labels().tolist() == whole.labels().tolist()
    for before, after in zip(whole.points(), data.points(), strict=True):
        assert after[:, :2] == pytest.approx(before[:, :2] * [width / 60, height / 40])
    assert ("10 images shrunk by `max_side`, points moved along" in report.notes) == (max_side < 60)
    assert data.label.density == pytest.approx(45 / (10 * width * height))


def test_sides_share_no_image_and_are_drawn_from_names(load):
    for seed in range(3):
        paths = {}
        for part in ("train", "held_out", "unlabeled"):
            data, report = load(part=part, held_out=4, seed=seed)
            paths[part] = set(data.facts("path"))
            assert f"part {part}: 4 of 10 held out, seed {seed}" in report.notes
        assert len(paths["held_out"]) == 4
        assert not paths["train"] & paths["held_out"]
        assert len(paths["train"] | paths["held_out"]) == 10
        assert paths["unlabeled"] == paths["train"] | {"more/0.png", "more/1.png"}
        assert set(load(part="held_out", held_out=0.2, seed=seed)[0].facts("path")) < paths["held_out"]


def test_few_labels_are_part_of_more_and_the_rest_is_unlabeled(load):
    options = {"held_out": 2, "seed": 3}
    whole = set(load(part="train", **options)[0].facts("path"))
    before: set[str] = set()
    for labels in range(1, 9):
        train, report = load(part="train", labels=labels, **options)
        kept = set(train.facts("path"))
        assert len(kept) == labels
        assert before < kept <= whole
        before = kept
        rows = report.tables["counts"]
        assert {row["path"] for row in rows} == whole
        assert {row["path"] for row in rows if row["labeled"]} == kept
        assert all((row["count"] == "") != row["labeled"] for row in rows)
        rest, report = load(part="unlabeled", labels=labels, **options)
        assert set(rest.facts("path")) == (whole - kept) | {"more/0.png", "more/1.png"}
        held_out, _ = load(part="held_out", labels=labels, **options)
        assert len(held_out) == 2
    assert any(
        load(part="train", labels=3, **options)[0].facts("path")
        != load(part="train", labels=3, held_out=2, seed=seed)[0].facts("path")
        for seed in range(3)
    )


def test_what_is_unlabeled_has_no_label(load):
    kind = PointsFile(root="nowhere", part="unlabeled").label.kind
    assert kind is None
    data, report = load(part="unlabeled", labels=3)
    assert data.label.kind is None
    assert (data.labels(), data.points(), data[0].label) == (None, None, None)
    assert not any("objects" in note for note in report.notes)
    assert {row["count"] for row in report.tables["counts"]} == {""}


def test_copies_are_on_one_side_also_without_a_label(load, root):
    for number in range(10):
        photo(root / f"{number}.png", seed=number // 2)
        photo(root / f"more/{number}.png", seed=number // 2)
    for seed in range(4):
        out = {path[0] for path in load(part="held_out", held_out=2, seed=seed)[0].facts("path")}
        assert len(out) == 4
        assert {str(int(one) ^ 1) for one in out} == out
        rest = load(part="unlabeled", held_out=2, seed=seed)[0].facts("path")
        assert not out & {path.removeprefix("more/")[0] for path in rest}


def test_folds(load):
    everything, report = load(folds=3)
    assert "part all: 3 folds, seed 0" in report.notes
    paths, folds = everything.facts("path"), everything.folds()
    assert sorted(np.concatenate(folds).tolist()) == list(range(10))
    for number, fold in enumerate(folds):
        assert {everything[row].meta["fold"] for row in fold.tolist()} == {number}
        held_out, _ = load(folds=3, fold=number, part="held_out")
        assert held_out.facts("path") == [paths[row] for row in fold]
        assert held_out.folds() is None
        train, _ = load(folds=3, fold=number, part="train")
        assert not set(train.facts("path")) & set(held_out.facts("path"))
        assert len(train) + len(held_out) == 10


def test_parts_share_what_was_decoded(load):
    parts = [load(part=part, held_out=3)[0] for part in ("train", "held_out")]
    train, held_out = ({path: data[row].image for row, path in enumerate(data.facts("path"))} for data in parts)
    storages = {image.untyped_storage().data_ptr() for image in (*train.values(), *held_out.values())}
    assert len(storages) == 1


def test_points_outside_stop_or_are_dropped(load):
    lines = ["1.png,5,5", "1.png,99,5", "2.png,-3,5", "2.png,60.5,5", "3.png,7,8"]
    with pytest.raises(UserError, match="2 points lie more than a pixel outside the image: ") as caught:
        load(*lines)
    assert "1.png (60 x 40 pixels) has x 99, y 5, 2.png (60 x 40 pixels) has x -3, y 5; mend them" in str(caught.value)
    data, report = load(*lines, outside="drop")
    assert data.labels().tolist() == [1, 1, 1]
    assert "one point lies at most a pixel outside the image, moved to its border" in report.notes
    assert any(note.startswith("2 points lie further outside and are left out: 1.png") for note in report.notes)


def test_exchanged_columns_are_said(load):
    lines = ["1.png,20,50", "1.png,30,55", "1.png,5,5", "2.png,7,7"]
    with pytest.raises(UserError, match="in one image they fit with x and y exchanged: write x, the column, before y"):
        load(*lines)
    _, report = load(*lines, outside="drop")
    assert any(note.startswith("warning: in one image points outside would be inside") for note in report.notes)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["1.png,a,2", "1.png,3,4"], r"points.csv: `x` is no number on line 2 \('a'\);"),
        (['1.png,"1,5",2'], "decimals take a point"),
        (["1.png,1,nan"], "`y` is no finite number on line 2;"),
        (["1.png,inf,1"], "`x` is no finite number on line 2;"),
        (["1.png,1,"], "only one of `x` and `y` is given on line 2;"),
        ([",1,2"], "`path` is empty on line 2;"),
        ([""], "points.csv names no image"),
        (["1.png,1,2", "gone.png,1,2"], "1 of the 2 images that points.csv names are not in .*: gone.png;"),
        (["1.png,1,2,3"], "the header has 3 fields, but line 2 has 4"),
        (["1.png,1,2", "1.PNG,3,4"], "names one image more than once: 1.png"),
    ],
)
def test_a_wrong_table_is_one_sentence(load, lines, said):
    with pytest.raises(UserError, match=said) as caught:
        load(*lines)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "points.json is no JSON"),
        ("[]", "is no object of the form"),
        ("{}", "names no image"),
        ('{"1.png": [[1, 2, 3]]}', "the list of 1.png in .*points.json holds 1 x 3 numbers"),
        ('{"1.png": [[1, null]]}', "no finite number"),
        ('{"1.png": {"x": 1}}', "holds no rows of two numbers"),
        ('{"1.png": [[1, "b"]]}', "holds no rows of two numbers"),
        ('{"1.png": [["1_0", "3"]]}', "holds no rows of two numbers"),
        ('{"1.png": [[true, false]]}', "holds no rows of two numbers"),
        ('{"1.png": [[1' + "0" * 400 + ", 2]]}", "holds no rows of two numbers"),
        ('{"1.png": [], "1.png": [[1, 2]]}', "names 1.png more than once"),
    ],
)
def test_wrong_json_is_one_sentence(load, content, said):
    with pytest.raises(UserError, match=said) as caught:
        load(content=content, name="points.json", annotations="points.json")
    assert "\n" not in str(caught.value)


def test_what_is_not_there_is_said(root, tmp_path):
    assert str(tmp_path / "gone") in PointsFile(root=str(tmp_path / "gone")).missing()
    (root / "points.csv").unlink()
    assert str(root / "points.csv") in PointsFile(root=str(root)).missing()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"labels": 4}, "`labels` chooses among the images to train on"),
        ({"held_out": 2.5}, "`held_out` is a share below 1 or a whole number of images, not 2.5"),
        ({"folds": 3, "part": "train"}, "`part: train` of 3 folds needs `fold`"),
        ({"fold": 1, "part": "train"}, "set `folds`"),
        ({"folds": 2, "fold": 2, "part": "train"}, "not among 2 folds"),
        ({"folds": 2, "fold": 1}, "`part: all` takes all"),
    ],
)
def test_options_that_contradict_each_other_are_refused_before_anything_is_read(options, said):
    with pytest.raises(Objection, match=said):
        PointsFile(root="nowhere", **options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"part": "train", "held_out": 10}, "`held_out: 10` takes 10 of 10 annotated images"),
        ({"part": "train", "held_out": 0.01}, "`held_out: 0.01` takes 0 of 10 annotated images"),
        ({"part": "train", "labels": 9}, "`labels: 9` of 8 annotated images to train on"),
        ({"folds": 11}, "`folds: 11` cannot be made of 10 annotated images"),
    ],
)
def test_more_than_there_is_cannot_be_taken(load, options, said):
    with pytest.raises(UserError, match=said):
        load(**options)
