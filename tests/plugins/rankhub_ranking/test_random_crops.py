"""Random crops of views in their own pixels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.batch import IDENTITY, View
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub_quality.distortions import Distortions
from rankhub_quality.ranked_sets import KindLevels
from rankhub_ranking.random_crops import RandomCrops

DRAWS = Draws(3, "ranked", 5, 1)


def image(height, width, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (3, height, width), np.uint8))


def whole_map(view):
    """The crop's place as (left, top, whether flipped), read off its map."""
    x, _, left = view.map[0]
    return (-left if x > 0 else left - view.image.shape[2], -view.map[1, 2], bool(x < 0))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_crop_is_the_region_that_its_map_says(data):
    height, width = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))
    size, count = data.draw(st.integers(1, min(height, width))), data.draw(st.integers(1, 3))
    flip, epoch = data.draw(st.sampled_from([0.0, 0.5, 1.0])), data.draw(st.integers(0, 1000))
    source = image(height, width)
    crops = RandomCrops(size=size, count=count, flip=flip).apply([View(source, 4, view=2)], Draws(0, "s", epoch))
    assert [crop.view for crop in crops] == [2 * count + n for n in range(count)]
    for crop in crops:
        left, top, flipped = whole_map(crop)
        assert left == int(left)
        assert top == int(top)
        assert flip == 0.5 or flipped == bool(flip)
        region = source[:, int(top) : int(top) + size, int(left) : int(left) + size]
        assert torch.equal(crop.image, region.flip(2) if flipped else region)
        # Each pixel's centre lands on the centre of the pixel that has its value.
        rows, columns = np.mgrid[0:size, 0:size] + 0.5
        back = np.linalg.inv(np.vstack([crop.map, [0, 0, 1]]))
        x, y = (back[:2, :2] @ np.stack([columns.ravel(), rows.ravel()]) + back[:2, 2:]).astype(int)
        assert np.array_equal(crop.image.numpy().reshape(3, -1), source.numpy()[:, y, x])


def test_every_offset_is_drawn_equally_often_the_last_one_too():
    views = [View(image(7, 9), index) for index in range(4000)]
    corners = [whole_map(crop)[:2] for crop in RandomCrops(size=5).apply(views, DRAWS)]
    found, counts = np.unique(corners, axis=0, return_counts=True)
    assert found.tolist() == [[left, top] for left in range(5) for top in range(3)]
    expected = 4000 / 15
    assert ((counts - expected) ** 2 / expected).sum() < 36.1  # 99.9 % of chi square with 14 degrees of freedom


def test_a_view_as_large_as_the_crop_stays_whole():
    source = image(6, 6)
    (crop,) = RandomCrops(size=6).apply([View(source, 0)], DRAWS)
    assert torch.equal(crop.image, source)
    assert crop.image.data_ptr() != source.data_ptr()


def test_crops_follow_from_the_address_and_not_from_the_other_views():
    views = [View(image(20, 30, seed=index), index, view) for index in range(3) for view in range(4)]
    step = RandomCrops(size=8, count=2, flip=0.5)
    together = step.apply(views, DRAWS)
    alone = [crop for view in views for crop in step.apply([view], DRAWS)]
    for a, b in zip(together, alone, strict=True):
        assert torch.equal(a.image, b.image)
        assert np.array_equal(a.map, b.map)
    assert len({whole_map(crop) for crop in together}) > 15  # unaligned, also within one image
    for other in (Draws(4, "ranked", 5, 1), Draws(3, "ranked", 6, 1), Draws(3, "ranked", 5, 2)):
        assert [whole_map(a) for a in step.apply(views, other)] != [whole_map(a) for a in together]


def test_views_keep_what_they_are():
    view = View(image(9, 9), 5, 3, 2, (0.5, 1.0), IDENTITY, label=2.5, meta={"path": "a"})
    for crop in RandomCrops(size=4, count=2).apply([view], DRAWS):
        assert (crop.index, crop.kind, crop.level, crop.label, crop.meta) == (5, 2, (0.5, 1.0), 2.5, {"path": "a"})


def test_the_map_goes_on_from_the_one_before():
    before = np.array([[2.0, 0.0, 3.0], [0.0, 0.5, -1.0]])
    view = View(image(20, 20), 0, map=before)
    (crop,) = RandomCrops(size=6, flip=1.0).apply([view], DRAWS)
    (plain,) = RandomCrops(size=6, flip=1.0).apply([replace(view, map=IDENTITY)], DRAWS)
    point = np.array([4.0, 7.0, 1.0])
    middle = np.array([*(before @ point), 1.0])
    assert np.allclose(crop.map @ point, plain.map @ middle)


def test_small_views_are_enlarged_where_that_is_asked_for():
    source = image(5, 8)
    step = RandomCrops(size=15, small="enlarge", count=40)
    crops = step.apply([View(source, 0), View(image(20, 15), 1)], DRAWS)
    assert {tuple(crop.image.shape) for crop in crops} == {(3, 15, 15)}
    lefts = {whole_map(crop)[0] for crop in crops[:40]}
    assert min(lefts) >= 0
    assert max(lefts) <= 24 - 15
    assert len(lefts) > 5
    first = crops[0]
    assert first.map[0, 0] == pytest.approx(24 / 8)
    assert first.map[1, 1] == pytest.approx(15 / 5)
    # The middle of a source pixel has about the source's value: bilinear, centres aligned.
    ramp = torch.arange(0, 240, 30, dtype=torch.uint8).expand(3, 5, 8).contiguous()
    (crop,) = RandomCrops(size=15, small="enlarge").apply([View(ramp, 0)], DRAWS)
    for x in range(15):
        source_x = (x + 0.5 - crop.map[0, 2]) / 3 - 0.5
        if 0 <= source_x <= 7:
            assert float(crop.image[0, 7, x]) == pytest.approx(30 * source_x, abs=1)
    assert (crops[40].map[:, :2] == np.eye(2)).all()


def test_views_below_the_crop_get_a_sentence():
    step = RandomCrops(size=10)
    with pytest.raises(
        UserError, match=r"the image b.png has 9 x 12 pixels, less than the crop of 10; set a smaller `size`"
    ):
        step.apply([View(image(12, 9), 0, meta={"path": "b.png"})], DRAWS)
    with pytest.raises(UserError, match="the image number 4 has"):
        step.apply([View(image(12, 9), 4)], DRAWS)
    sizes = np.array([[10, 10], [9, 30], [40, 3]])
    sentence, which = step.check_images(sizes)
    assert sentence.startswith("are smaller than the crop of 10 pixels; set a smaller `size`")
    assert which.tolist() == [False, True, True]
    assert step.check_images(sizes[:1]) is None
    assert RandomCrops(size=10, small="enlarge").check_images(sizes) is None


def test_the_plan():
    spec = ViewSpec(20, 2, "grid", ((20, None),), ("a", "b"))
    assert RandomCrops(size=10, count=3).plan(spec) == ViewSpec(60, 2, "grid", ((60, 10),), ("a", "b"))
    with pytest.raises(Objection, match="the views that come in have 8 pixels, the crop 10"):
        RandomCrops(size=10).plan(ViewSpec(sizes=((1, 8),)))
    RandomCrops(size=10, small="enlarge").plan(ViewSpec(sizes=((1, 8),)))


def test_after_distortions_each_view_has_its_own_place(tmp_path):
    chosen = (KindLevels("gaussian_blur", (1, 2)), KindLevels("jpeg", (40, 9)))
    step = RandomCrops(size=8)
    for cache in (False, str(tmp_path), str(tmp_path)):
        views = Distortions(set=chosen, cache=cache).apply([View(image(40, 50), 2)], DRAWS)
        crops = step.apply(views, DRAWS)
        assert len({whole_map(crop) for crop in crops}) == 6
        for view, crop in zip(views, crops, strict=True):
            left, top, _ = map(int, whole_map(crop))
            assert torch.equal(crop.image, view.image[:, top : top + 8, left : left + 8])
            assert crop.image.is_contiguous()


def test_fixed_crops_follow_from_pixels_number_and_epoch_alone():
    sources = [image(40, 50, seed) for seed in range(6)]
    step = RandomCrops(size=8, count=2, flip=0.5, fixed=True)
    found = [step.apply([View(source, 3, view=1)], DRAWS) for source in sources]
    places = [[whole_map(crop) for crop in crops] for crops in found]
    assert len({place for pair in places for place in pair}) > 9  # of images of one size and number too
    for other in (Draws(4, "acquire/ranked", 5, 2), Draws(3, "labeled", 5)):
        for source, crops in zip(sources, found, strict=True):
            again = step.apply([View(source.clone(), 9, view=1)], other)
            assert [whole_map(crop) for crop in again] == [whole_map(crop) for crop in crops]
            assert all(torch.equal(a.image, b.image) for a, b in zip(again, crops, strict=True))
    differing = (
        step.apply([View(sources[0], 3, view=2)], DRAWS),
        step.apply([View(sources[0], 3, view=1)], Draws(3, "ranked", 6, 1)),
    )
    assert all([whole_map(crop) for crop in crops] != places[0] for crops in differing)
