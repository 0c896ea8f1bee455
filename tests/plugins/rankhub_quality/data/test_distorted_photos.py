from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.metrics import structural_similarity

from rankhub.interfaces.data import OpenContext
from rankhub.interfaces.errors import Objection
from rankhub_data.skimage_photos import HELD_OUT, read_pieces
from rankhub_quality.data.distorted_photos import LEVELS, DistortedPhotos, strength_at
from rankhub_quality.distortion.kinds import KINDS
from rankhub_quality.distortion.sets import LIVE

SMALL = {"per_photo": 4, "longest": 128, "tiles": 2, "kinds": [LIVE[0].kind, LIVE[1].kind]}


def opened(tmp_path, **options) -> DistortedPhotos:
    dataset = DistortedPhotos(**{**SMALL, **options})
    assert dataset.missing() is None
    dataset.open(OpenContext(tmp_path, 1 << 30, lambda *call: None))
    return dataset


def by_path(dataset: DistortedPhotos) -> dict[str, tuple[bytes, float]]:
    return {
        dataset[i].meta["path"]: (dataset[i].image.numpy().tobytes(), dataset[i].label) for i in range(len(dataset))
    }


def test_labels_are_the_index_of_the_whole_piece(tmp_path):
    dataset = opened(tmp_path, part="held_out", kinds=None, per_photo=8)
    pieces = {piece.name: piece.pixels for piece in read_pieces(sorted(HELD_OUT), 2, 128)}
    for sample in (dataset[index] for index in range(len(dataset))):
        name = sample.meta["path"].rpartition("/")[0]
        image = sample.image.permute(1, 2, 0).numpy()
        direct = np.mean([
            structural_similarity(
                pieces[name][..., colour],
                image[..., colour],
                data_range=255,
                gaussian_weights=True,
                sigma=1.5,
                use_sample_covariance=False,
            )
            for colour in range(3)
        ])  # fmt: skip
        assert sample.label == pytest.approx(direct, abs=1e-9)
        assert sample.path.stem == sample.meta["reference"] == name.partition("/")[0]
    assert dataset.labels().tolist() == [dataset[index].label for index in range(len(dataset))]
    assert -1 <= dataset.labels().min() < dataset.labels().max() < 1
    assert dataset.label.mean == pytest.approx(dataset.labels().mean())
    assert dataset.label.std == pytest.approx(dataset.labels().std())
    assert (dataset.label.kind, dataset.label.higher_is_better, dataset.label.unit) == ("score", True, "SSIM")


def test_the_same_options_give_the_same_bytes_and_another_seed_others(tmp_path):
    first, again, other = (by_path(opened(tmp_path, part="held_out", seed=seed)) for seed in (3, 3, 4))
    assert first == again
    assert first.keys() == other.keys()
    assert not {image for image, _ in first.values()} & {image for image, _ in other.values()}


def test_parts_share_no_photo_and_part_and_labels_change_no_image(tmp_path):
    whole, train, held_out = (by_path(opened(tmp_path, part=part)) for part in ("all", "train", "held_out"))
    assert train | held_out == whole
    assert {path.partition("/")[0] for path in held_out} == HELD_OUT
    assert not {path.partition("/")[0] for path in train} & HELD_OUT
    few, more = (by_path(opened(tmp_path, part="train", labels=count)) for count in (5, 11))
    assert (len(few), len(more)) == (5, 11)
    assert few.items() <= more.items() <= train.items()


def test_another_seed_draws_other_labels(tmp_path):
    first, other = (set(opened(tmp_path, part="train", labels=8, seed=seed).facts("path")) for seed in (0, 1))
    assert first != other


def test_pieces_and_kinds_are_equally_frequent(tmp_path):
    dataset = opened(tmp_path, part="held_out", per_photo=8)
    pairs = Counter(
        (path.rpartition("/")[0], kind) for path, kind in zip(dataset.facts("path"), dataset.facts("kind"), strict=True)
    )
    assert len(pairs) == 2 * 4 * 2
    assert set(pairs.values()) == {1}
    assert Counter(dataset.facts("reference")) == dict.fromkeys(HELD_OUT, 8)
    assert dataset.facts("fold") is None


@pytest.mark.parametrize("kind", [levels.kind for levels in LIVE])
def test_the_index_falls_with_the_strength(tmp_path, kind):
    dataset = DistortedPhotos(part="held_out", kinds=[kind], per_photo=6)
    report = dataset.open(OpenContext(tmp_path, 1 << 30, lambda *call: None))
    rows = report.tables["images"]
    assert [row["ssim"] for row in rows] == dataset.labels().tolist()
    strengths = np.array([row["strength"] for row in rows]) * (1 if KINDS[kind].grows else -1)
    for photo in HELD_OUT:
        mine = np.array([row["reference"] == photo for row in rows])
        ranks = [np.argsort(np.argsort(values[mine])) for values in (strengths, dataset.labels())]
        assert np.corrcoef(*ranks)[0, 1] < -0.8


def test_jpeg2000_stays_within_its_reach(tmp_path):
    """On a small piece large ratios keep nothing; here every image still differs from the others."""
    dataset = DistortedPhotos(part="train", photos=["ihc"], kinds=["jpeg2000"], per_photo=6, longest=128)
    report = dataset.open(OpenContext(tmp_path, 1 << 30, lambda *call: None))
    assert max(row["strength"] for row in report.tables["images"]) <= 343
    assert len({dataset[index].image.numpy().tobytes() for index in range(6)}) == 6


def test_opening_tells_its_progress(tmp_path):
    calls: list[tuple[int, int, str]] = []
    DistortedPhotos(**SMALL, labels=3).open(OpenContext(tmp_path, 1 << 30, lambda *call: calls.append(call)))
    assert calls == [(done, 3, "distorting photos") for done in (1, 2, 3)]


STRENGTHS = st.just(0.0) | st.floats(1e-6, 100) | st.floats(-100, -1e-6)
LEVEL_LISTS = st.lists(STRENGTHS, min_size=1, max_size=6, unique=True).map(sorted)


@given(LEVEL_LISTS, st.floats(0, 1), st.floats(0, 1))
def test_strengths_run_through_the_levels_in_order(levels, first, second):
    reached = [strength_at(levels, number / max(1, len(levels) - 1)) for number in range(len(levels))]
    assert reached == pytest.approx(levels)
    low, high = sorted((first, second))
    slack = 1e-9 * max(map(abs, levels))
    assert levels[0] - slack <= strength_at(levels, low) <= strength_at(levels, high) + slack <= levels[-1] + 2 * slack


def test_strengths_of_one_sign_grow_by_factors():
    assert strength_at([1.0, 4.0], 0.5) == pytest.approx(2.0)
    assert strength_at([-15.0, -60.0], 0.5) == pytest.approx(-30.0)
    assert strength_at([4.0, 0.0], 0.25) == pytest.approx(3.0)


def test_every_kind_has_levels():
    assert set(LEVELS) <= set(KINDS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kinds": ["fog"]}, "no kind of distortion is called 'fog'; expected some of"),
        ({"kinds": []}, "at least one"),
        ({"labels": 100, "part": "held_out"}, "labels is 100, but 2 photos with per_photo 4 make only 8 images"),
    ],
)
def test_wrong_options_are_refused(options, said):
    with pytest.raises(Objection, match=said):
        DistortedPhotos(**{**SMALL, **options})
