"""Class numbers and names, scores and points as Python programs hold them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub_data.from_python import FromPython
from rankhub_data.meaning import in_classes_of
from rankhub_data.placed import extents
from rankhub_points import PointLabels

IMAGES = np.zeros((4, 20, 30, 3), np.uint8)


def opened(context, labels, images=IMAGES, **options):
    data = FromPython(**options)
    data.give((images, labels), labeled=True)
    data.open(context())
    return data


@pytest.mark.parametrize(
    "labels",
    [
        [2, 0, None, 1],
        np.array([2, 0, -1, 1]),
        np.array([2.0, 0.0, np.nan, 1.0]),
        torch.tensor([2, 0, -1, 1]),
        [np.int16(2), torch.tensor(0), None, np.array(1)],
    ],
)
def test_class_numbers(context, labels):
    data = opened(context, labels, kind="class")
    assert data.label == LabelSpec("class")
    assert data.labels().tolist() == [2, 0, -1, 1]
    assert [data[number].label for number in range(4)] == [2, 0, -1, 1]
    assert data.labels().dtype == np.int64
    assert data.points() is None


def test_class_names_are_numbered_in_their_order(context):
    data = opened(context, ["dog", "cat", None, np.str_("emu")])
    assert data.label == LabelSpec("class", classes=("cat", "dog", "emu"))
    assert data.labels().tolist() == [1, 0, -1, 2]
    other = opened(context, ["emu", "emu", "dog", "yak"])
    assert in_classes_of(other.label, data.label, other.labels()).tolist() == [2, 2, 1, -1]


@pytest.mark.parametrize("better", [True, False])
def test_scores_are_turned_and_measured(context, better):
    data = opened(context, [1, 4.0, None, 7], kind="score", higher_is_better=better, range=(0.0, 9.0), unit="MOS")
    sign = 1 if better else -1
    turned = [sign * 1.0, sign * 4.0, np.nan, sign * 7.0]
    np.testing.assert_array_equal(data.labels(), turned)
    np.testing.assert_array_equal([data[number].label for number in range(4)], turned)
    spread = np.std([1.0, 4.0, 7.0])
    assert data.label == LabelSpec("score", better, (0.0, 9.0), "MOS", mean=sign * 4.0, std=spread)
    assert data.label.turned(data.labels())[[0, 1, 3]].tolist() == [1, 4, 7]


@pytest.mark.parametrize(
    ("labels", "hint", "kind"),
    [
        ([0.5, 1, 2, 3], None, "score"),
        ([1, 2, 3, 4], None, "class"),
        ([1, 2, 3, 4], "score", "score"),
        ([1.0, 2.0, 3.0, 4.0], "class", "class"),
        ([True, False, True, True], None, "class"),
        (["a", "b", "a", "a"], "score", "class"),
        ([None, [], [(1, 2)], []], None, "points"),
    ],
)
def test_the_kind_is_that_of_the_first_label_that_is_there(labels, hint, kind):
    data = FromPython(kind=hint)
    data.give((IMAGES, labels), labeled=True)
    assert data.label.kind == kind


def test_points_are_measured_and_have_their_distances(context):
    labels = [
        [],
        np.array([[3, 4], [29.5, 19.5]]),
        torch.tensor([[1.0, 1], [5, 1], [5, 4], [1, 4], [9, 9]]),
        [(-0.5, 20.5)],
    ]
    data = opened(context, labels, unit="people")
    assert data.labels().tolist() == [0, 2, 5, 1]
    assert data.label == PointLabels(unit="people", mean=2.0, std=np.std([0, 2, 5, 1]), density=8 / (4 * 600))
    points = data.points()
    assert [len(each) for each in points] == [0, 2, 5, 1]
    np.testing.assert_array_equal(points[2][:, :2], labels[2].numpy())
    np.testing.assert_array_equal(points[2][:, 2], extents(labels[2].double().numpy()))
    np.testing.assert_allclose(points[3][0, :2], (0, 20 - 1e-3))  # half a pixel outside is meant to be on the edge
    assert all(data[number].label is points[number] for number in range(4))


def test_points_shrink_with_their_image(context, tmp_path):
    """Each axis by its own ratio, whatever the form of the image, turned images by their upright sides."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (40, 20)).save(tmp_path / "turned.jpg", exif=exif)
    Image.new("RGB", (20, 41)).save(tmp_path / "upright.png")
    images = [
        tmp_path / "turned.jpg",
        tmp_path / "upright.png",
        Image.new("RGB", (20, 40)),
        np.zeros((41, 20, 3), np.uint8),
    ]
    data = opened(context, [[(10, 30)]] * 4, images, resize=10)
    assert [data[number].image.shape for number in range(4)] == [(3, 20, 10)] * 4
    for number, height in enumerate((40, 41, 40, 41)):
        np.testing.assert_allclose(data.points()[number][0, :2], (5, 30 * 20 / height))
    assert data.label.density == 4 / (4 * 200)


@pytest.mark.parametrize(
    ("labels", "options", "sentence"),
    [
        ([1, 2, 3], {}, "there are 4 images and 3 labels; give as many"),
        (["a", 2, "b", "c"], {}, "labels[1] is 2, labels[0] 'a'; give names or numbers"),
        ([1, 2, 3, -2], {}, "labels[3] is -2; expected a class: a whole number from 0, or a name"),
        ([1, 2.5, 3, 0], {"kind": "class"}, "labels[1] is 2.5; expected a class"),
        ([None, 0.5, "x", 1.0], {}, "labels[2] is 'x'; expected a score: a finite number, or None where unknown"),
        ([0.5, np.inf, 1, 1], {}, "labels[1] is inf; expected a score"),
        (
            [0.5, 9.5, 1, 1],
            {"range": (0.0, 9.0)},
            "labels[1] is 9.5, outside the range of the scores, 0 to 9; scores stand on the scale of the data set",
        ),
        ([None] * 4, {}, "no label is there; leave the labels out"),
        (
            [{"box": 1}] * 4,
            {},
            "labels[0] is a dict; expected class numbers or names, scores, or arrays [n, 2] of points",
        ),
        (
            [[(1, 2)], [(1, 2, 3)], [], []],
            {},
            "labels[1] has the shape [1, 3]; expected points: an array [n, 2] of x, y",
        ),
        ([[], 3, [], []], {}, "labels[1] has the shape []; expected points"),
        ([[], "x", [], []], {}, "labels[1] is 'x'; expected points: an array [n, 2] of x and y"),
        ([[1, 2], [], [], []], {}, "labels[0] has the shape [2]; expected points"),
        (np.zeros((4, 10)), {}, "labels[0] has the shape [10]; expected points"),
        ([[], [], [], [(1, np.nan)]], {}, "labels[3] holds points that are not finite"),
        ([[], None, [], []], {}, "labels[1] is None; an image without points has an empty list"),
        (
            [[], [], [(1, 2), (31.5, 2)], []],
            {},
            "labels[2]: the point (31.5, 2) lies outside images[2] of 30 x 20 pixels",
        ),
        (
            [[], [[0.25, 0.5], [0.75, 1]], [], []],
            {},
            "labels[1], of images[1]: its points lie between 0 and 1, as shares of width and height do; write them in",
        ),
        (
            [[], [], [[3, 2], [4, 5]] * 2, []],
            {},
            "labels[2], of images[2]: each of its points is there more than once; keep one of each",
        ),
        ([[(5, 25)], [], [], []], {}, "of 30 x 20 pixels; write x, the column, before y, the row"),
        ("abcd", {}, "labels cannot be taken from a str; a pair is (images, labels), where labels are a list of"),
        ({"a": 1}, {}, "labels cannot be taken from a dict"),
        (5, {}, "labels cannot be taken from a int"),
    ],
)
def test_labels_that_cannot_be_taken(context, labels, options, sentence):
    with pytest.raises(UserError) as caught:
        opened(context, labels, **options)
    assert sentence in str(caught.value)


def test_a_range_runs_upwards():
    with pytest.raises(UserError, match=r"the lowest and then the highest score, not \[9.0, 0.0\]"):
        FromPython(range=(9.0, 0.0))
