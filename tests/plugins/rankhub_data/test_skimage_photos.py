from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from skimage import data

from rankhub.interfaces.data import OpenContext
from rankhub.interfaces.errors import Objection
from rankhub_data import skimage_photos as photos
from rankhub_data.skimage_photos import HELD_OUT, PHOTOS, SkimagePhotos, photo_path, read_pieces


def opened(tmp_path, **options) -> SkimagePhotos:
    dataset = SkimagePhotos(**options)
    assert dataset.missing() is None
    dataset.open(OpenContext(tmp_path, 1 << 30, lambda *call: None))
    return dataset


def test_parts_share_no_photo_and_are_fixed_by_name(tmp_path):
    parts = {part: set(opened(tmp_path, part=part).facts("reference")) for part in ("train", "held_out", "all")}
    assert parts["held_out"] == HELD_OUT == {"chelsea", "coffee"}
    assert parts["train"] | parts["held_out"] == parts["all"] == set(PHOTOS)
    assert not parts["train"] & parts["held_out"]
    assert {"motorcycle_left", "motorcycle_right"} <= parts["train"], "the stereo pair stays together"


def test_these_are_all_colour_photos_of_the_wheel():
    folder = photo_path("astronaut").parent
    colour = {path.stem for path in folder.iterdir() if path.suffix in (".png", ".jpg") and _mode(path) != "L"}
    drawings = {"chessboard_RGB", "color", "horse", "logo", "phantom"}
    assert colour - drawings == set(PHOTOS)


def _mode(path) -> str:
    with Image.open(path) as image:
        return image.mode


def test_an_uncut_photo_is_that_of_scikit_image(tmp_path):
    dataset = opened(tmp_path, longest=1024)
    names = dataset.facts("reference")
    for name in ("astronaut", "chelsea", "rocket"):
        sample = dataset[names.index(name)]
        assert (sample.image.permute(1, 2, 0).numpy() == getattr(data, name)()).all()
        assert (sample.meta["reference"], sample.path.stem, sample.label) == (name, name, None)
    assert dataset.label.kind is None


def test_large_photos_are_reduced_and_small_ones_left(tmp_path):
    sizes = dict(zip(PHOTOS, opened(tmp_path).sizes().tolist(), strict=True))
    assert sizes["retina"] == [256, 256]
    assert sizes["motorcycle_left"] == [173, 256]
    assert sizes["chelsea"] == [170, 256]
    assert opened(tmp_path, longest=512).sizes().tolist()[1] == [300, 451]


@pytest.mark.parametrize("tiles", [1, 2, 3])
def test_pieces_cover_their_photo_without_overlap(tiles):
    (whole,) = read_pieces(["chelsea"], 1, 512)
    pieces = read_pieces(["chelsea"], tiles, 512)
    rows = [np.concatenate([p.pixels for p in pieces[r * tiles : (r + 1) * tiles]], axis=1) for r in range(tiles)]
    assert (np.concatenate(rows) == whole.pixels).all()
    assert [piece.name for piece in pieces] == [f"chelsea/{number}" for number in range(tiles**2)]


def test_samples_say_which_piece_they_are(tmp_path):
    dataset = opened(tmp_path, part="held_out", tiles=2)
    assert len(dataset) == len(dataset.sizes()) == 8
    sample = dataset[-1]
    assert (sample.index, sample.meta) == (7, {"reference": "coffee", "path": "coffee/3"})
    assert tuple(sample.image.shape[1:]) == tuple(dataset.sizes()[7])
    assert dataset.facts("path")[7] == "coffee/3"
    assert dataset.facts("kind") is None
    with pytest.raises(IndexError):
        dataset[8]


def test_some_photos_of_a_part(tmp_path):
    assert opened(tmp_path, part="train", photos=["retina", "astronaut"]).facts("reference") == [
        "astronaut",
        "retina",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"part": "train", "photos": ["chelsea"]}, "photo chelsea is not in part train, which has astronaut, hubble"),
        ({"photos": ["coffee", "coffee"]}, "each photo once"),
        ({"photos": []}, "at least one of astronaut"),
        ({"tiles": 8, "longest": 256}, "smaller than 64"),
    ],
)
def test_wrong_options_are_refused(options, said):
    with pytest.raises(Objection, match=said):
        SkimagePhotos(**options)


def test_a_photo_that_is_not_there_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(photos, "photo_path", lambda photo: tmp_path / f"{photo}.png")
    said = SkimagePhotos(part="held_out").missing()
    assert "chelsea.png, coffee.png not found in" in said
    assert "pip install" in said
