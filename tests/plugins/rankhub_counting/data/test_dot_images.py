"""Images with an image of dots beside each."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import counting_layouts
from helpers.counting_layouts import HEIGHT, WIDTH, photo
from PIL import Image

from rankhub.interfaces.errors import Objection, UserError
from rankhub_counting.data.dot_images import DotImages


def draw(path, *points, size=(WIDTH, HEIGHT), value=255):
    """White pixels at these columns and rows."""
    pixels = np.zeros((size[1], size[0]), dtype=np.uint8)
    for x, y in points:
        pixels[y, x] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def test_a_pixel_s_centre_is_the_point(root, opened):
    counting_layouts.dot_images(root)
    data, report = opened(DotImages, unit="cells")
    assert data.facts("path") == [f"{number:03}cell.png" for number in range(1, 7)]
    assert data.labels().tolist() == [1, 2, 3, 4, 5, 6]
    assert data[1].label[:, :2].tolist() == [[4.5, 5.5], [12.5, 5.5]]
    assert data.label.unit == "cells"
    assert report.notes == [
        f"your set: 6 images with 21 cells in {root}, 60 x 40 pixels",
        "cells in an image: from 1 to 6, mean 3.5",
    ]


def test_a_larger_dot_s_centre_of_mass_is_the_point(root, opened):
    counting_layouts.dot_images(root, side=3)
    data, report = opened(DotImages)
    assert data.labels().tolist() == [1, 2, 3, 4, 5, 6]
    assert data[1].label[:, :2].tolist() == [[5.5, 6.5], [13.5, 6.5]]
    assert report.notes[2] == (
        "each group of bright pixels is one dot, its centre the point: 189 bright pixels in 21 groups that touch"
    )


def test_single_pixels_that_touch_are_two_dots(root, opened):
    counting_layouts.dot_images(root, images=2)
    draw(root / "002dots.png", (10, 10), (11, 11), (30, 10), (30, 30))
    found = {dot: opened(DotImages, dot=dot) for dot in ("auto", "pixel", "blob")}
    assert [data.labels().tolist() for data, _ in found.values()] == [[1, 4], [1, 4], [1, 3]]
    assert found["blob"][0][1].label[0, :2].tolist() == [11, 11]
    said = "each bright pixel is one dot, also where dots touch: 5 bright pixels in 4 groups that touch (`dot: blob` "
    assert said + "would take groups)" in found["auto"][1].notes


def test_folders_thresholds_and_images_without_dots(root, opened):
    for number in (1, 2, 3):
        photo(root / f"a/{number}.png", number)
    draw(root / "dots/1.png", (1, 1), (9, 9), value=100)
    draw(root / "dots/2.png")
    options = {"images": "a/*.png", "dots": "dots/*.PNG"}
    data, report = opened(DotImages, **options, threshold=99)
    assert data.labels().tolist() == [2, 0]
    assert (
        "images without dots: 1 (a/3.png); they have no label, and only `part: unlabeled` serves them" in report.notes
    )
    assert opened(DotImages, **options, threshold=100)[0].labels().tolist() == [0, 0]
    rest, _ = opened(DotImages, **options, part="unlabeled", held_out=1)
    assert "a/3.png" in rest.facts("path")
    assert len(rest) == 2


def test_a_wide_pattern_does_not_take_dots_for_images(root, opened):
    counting_layouts.dot_images(root)
    data, _ = opened(DotImages, images="*cell.png", dots="*dots.png")
    for number in range(1, 7):
        (root / f"{number:03}cell.png").rename(root / f"{number:03}.png")
    wide, _ = opened(DotImages, images="*.png", dots="*dots.png")
    assert wide.labels().tolist() == data.labels().tolist()


def test_patterns_with_several_stars_match_each_of_them(root, opened):
    """The layout ``X_000.png`` with ``X_dots_000.png``, where X and what stands for 000 may hold ``_`` too."""
    names = ["beans_000", "beans_001", "wild_rice_000", "wild_rice_001_b"]
    dots = ["beans_dots_000", "beans_dots_001", "wild_rice_DOTS_000", "wild_rice_dots_001_b"]
    for number, (name, of) in enumerate(zip(names, dots, strict=True), start=1):
        photo(root / f"{name}.png", number)
        draw(root / f"{of}.png", *((2 * at, 1) for at in range(number)))
    photo(root / "beans_002.png", 9)
    data, report = opened(DotImages, images="*_*.png", dots="*_dots_*.png")
    assert dict(zip(data.facts("path"), data.labels().tolist(), strict=True)) == {
        f"{name}.png": number for number, name in enumerate(names, start=1)
    }
    assert any(note.startswith("images without dots: 1 (beans_002.png)") for note in report.notes)


def test_stars_stand_for_folders_too(root, opened):
    for folder, number in (("a", 1), ("a/b", 2)):
        photo(root / f"{folder}/images/{number}.png", number)
        draw(root / f"{folder}/dots/{number}.png", *((2 * at, 1) for at in range(number)))
    data, _ = opened(DotImages, images="*/images/*.png", dots="*/dots/*.png")
    assert dict(zip(data.facts("path"), data.labels().tolist(), strict=True)) == {
        "a/images/1.png": 1,
        "a/b/images/2.png": 2,
    }


def test_composed_and_decomposed_names_are_one(root, opened):
    photo(root / "k\u00e4fer_1.png", 1)
    draw(root / "ka\u0308fer_dots_1.png", (1, 1), (9, 9))
    data, _ = opened(DotImages, images="*_*.png", dots="*_dots_*.png")
    assert data.labels().tolist() == [2]


@pytest.mark.parametrize(
    ("images", "dots", "said"),
    [
        # The stars of `*=*` stand for a and b=1, or for a=b and 1, and there is an image for each: no guess.
        (["a-b=1", "a=b-1"], ["a=b=1"], "a=b=1.png in .* may be the dots of photos/a-b=1.png, photos/a=b-1.png"),
        (["a-1-2"], ["a=1-2", "a-1=2"], "has dots/a-1=2.png and dots/a=1-2.png, both .* of photos/a-1-2.png; keep one"),
        (["a-1"], ["a=1", "b=1"], "1 of the 2 images of dots .* have no image of the name .*: dots/b=1.png"),
    ],
)
def test_what_several_stars_leave_open_is_refused(root, opened, images, dots, said):
    for name in images:
        photo(root / "photos" / f"{name}.png", 1)
    for name in dots:
        draw(root / "dots" / f"{name}.png", (1, 1))
    with pytest.raises(UserError, match=said):
        opened(DotImages, images="photos/*-*.png", dots="dots/*=*.png")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda root: photo(root / "002dots.png", 3), "is no image of dots: .* of its pixels are above 127"),
        (
            lambda root: draw(root / "002dots.png", (1, 1), size=(30, 20)),
            "30 x 20 pixels, its image 002cell.png 60 x 40",
        ),
        (lambda root: (root / "002dots.png").write_bytes(b"no"), "002dots.png cannot be read"),
        (lambda root: (root / "002cell.png").unlink(), "1 of the 6 images of dots .* have no image of the name"),
    ],
)
def test_what_is_wrong_is_one_sentence(root, opened, change, said):
    counting_layouts.dot_images(root)
    change(root)
    with pytest.raises(UserError, match=said) as caught:
        opened(DotImages)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("name", "pattern"), [("images", "*.bmp"), ("dots", "*x.png")])
def test_patterns_that_fit_nothing_are_said(root, opened, name, pattern):
    counting_layouts.dot_images(root)
    with pytest.raises(UserError, match=f"is called .*; set `{name}`"):
        opened(DotImages, **{name: pattern})


@pytest.mark.parametrize(
    "options",
    [
        {"images": "cell.png"},
        {"dots": "*/*.png"},
        {"images": "*a", "dots": "*a"},
        {"images": "**.png", "dots": "*_*.png"},
    ],
)
def test_patterns_that_match_nothing_to_nothing_are_refused(options):
    with pytest.raises(Objection):
        DotImages(root="nowhere", **options)


def test_the_vgg_cells(real_images, opened):
    """200 images with 74 to 317 cells, 176 on average (Lempitsky and Zisserman, 2010); dots are single pixels."""
    folder = real_images / "vgg_cells"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    data, _ = opened(DotImages, root=str(folder))
    counts = data.labels()
    assert (len(data), counts.min(), counts.max(), round(counts.mean(), 2)) == (200, 74, 317, 175.96)
    parts = [
        opened(DotImages, root=str(folder), part=part, held_out=100, labels=8)[0]
        for part in ("train", "held_out", "unlabeled")
    ]
    assert [len(part) for part in parts] == [8, 100, 92]
    assert len(set().union(*(part.facts("path") for part in parts))) == 200
