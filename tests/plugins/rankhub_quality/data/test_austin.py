"""The MATLAB files of LIVE Challenge and LIVE Multiply Distorted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from rankhub.interfaces.errors import UserError
from rankhub_quality.data.live_challenge import LiveChallenge
from rankhub_quality.data.mlive import Mlive


def column(texts):
    """A column of a cell array of strings."""
    array = np.empty((len(texts), 1), dtype=object)
    array[:, 0] = texts
    return array


@pytest.fixture
def challenge(draw, opened, monkeypatch):
    monkeypatch.setattr(LiveChallenge, "entries", 4)
    monkeypatch.setattr(LiveChallenge, "training", 1)
    root = draw("Images/3.bmp", "Images/4.JPG", "Images/5.bmp", "Images/trainingImages/t1.bmp")
    (root / "Data").mkdir()

    def make(names=("t1.bmp", "3.bmp", "4.JPG", "5.bmp"), mos=(80.0, 10.5, 20.0, 99.0)):
        savemat(root / "Data/AllImages_release.mat", {"AllImages_release": column(list(names))})
        savemat(root / "Data/AllMOS_release.mat", {"AllMOS_release": np.array(mos)[None]})
        return opened(LiveChallenge(root=str(root)))

    return make


def test_training_images_are_left_out(challenge):
    data, report = challenge()
    assert data.facts("path") == ["Images/3.bmp", "Images/4.JPG", "Images/5.bmp"]
    assert data.labels().tolist() == [10.5, 20.0, 99.0]
    assert data.facts("reference") is None
    assert "1 images that served to train the subjects left out" in report.notes
    assert "references" not in report.tables


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"mos": (80.0, 10.5, 20.0)}, "`AllMOS_release` has 3 where 4 entries are expected"),
        ({"names": ("3.bmp", "4.JPG", "5.bmp"), "mos": (1, 2, 3)}, "`AllImages_release` has 3, `AllMOS_release` has 3"),
        ({"names": ("3.bmp", "t1.bmp", "4.JPG", "5.bmp")}, "the first 1 names, and no others, are training images"),
        ({"mos": (80.0, 10.5, 20.0, 101.0)}, r"outside 0 to 100: 101 \(entry 4 of AllMOS_release\)"),
    ],
)
def test_altered_copies_of_live_challenge_are_refused(challenge, options, said):
    with pytest.raises(UserError, match=said):
        challenge(**options)


def test_the_sizes_of_the_releases(real_images):
    names = (real_images / "score_tables" / "clive_mos.csv").read_text().splitlines()[1:]
    assert len(names) == LiveChallenge.entries - LiveChallenge.training
    assert not any(name.startswith("t") for name in names)
    assert (Mlive.images * len(Mlive.parts_at), Mlive.references) == (450, 15)


@pytest.fixture
def mlive(draw, opened, monkeypatch):
    monkeypatch.setattr(Mlive, "images", 2)
    monkeypatch.setattr(Mlive, "references", 2)
    names = {"Part 1": ["baby_b1_j1.bmp", "ship_b1.bmp"], "Part 2": ["baby_b1_n1.bmp", "ship_n2.bmp"]}
    root = draw(*(f"{part}/{Mlive.parts_at[part]}/{name}" for part, of_part in names.items() for name in of_part))

    def make(second=(30.0, 0.5), listed=("ship.bmp", "Baby.bmp")):
        lists = {} if listed is None else {"refimgs": column(list(listed))}
        for part, dmos in (("Part 1", (70.0, 60.0)), ("Part 2", second)):
            savemat(root / part / "Imagelists.mat", {"distimgs": column(names[part]), **lists})
            savemat(root / part / "Scores.mat", {"DMOSscores": np.array(dmos)[None]})
        return opened(Mlive(root=str(root)))

    return make


def test_both_parts_of_mlive(mlive):
    data, _ = mlive()
    assert data.labels().tolist() == [-70, -60, -30, -0.5]
    assert data.facts("reference") == ["baby", "ship"] * 2
    assert data.facts("kind") == ["blurjpeg"] * 2 + ["blurnoise"] * 2
    assert data.facts("path")[3] == "Part 2/blurnoise/ship_n2.bmp"


def test_the_references_of_mlive_are_those_that_are_listed(mlive):
    assert len(mlive(listed=None)[0]) == 4
    with pytest.raises(
        UserError, match=r"Imagelists.mat: the names in `distimgs` and in `refimgs` .* references: shi;"
    ):
        mlive(listed=("baby.bmp", "ship.bmp", "shi.bmp"))


def test_another_number_of_references_of_mlive_is_refused(mlive, monkeypatch):
    monkeypatch.setattr(Mlive, "references", 3)
    with pytest.raises(UserError, match="the images have 2 references where 3 are expected"):
        mlive()


def test_an_altered_copy_of_mlive_is_refused(mlive):
    with pytest.raises(UserError, match="Part 2: `DMOSscores` has 3 where 2 images are expected"):
        mlive((1.0, 2.0, 3.0))
