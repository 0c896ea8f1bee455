"""Ranked sets of distorted images."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from PIL import Image

from rankhub.catalog.catalog import Catalog, CatalogError
from rankhub.interfaces.batch import View
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.generator import ViewSpec
from rankhub_quality.distortion.kinds import KINDS
from rankhub_quality.distortion.sets import LIVE, TID2013
from rankhub_quality.distortions import Distortions
from rankhub_quality.ranked_sets import KindLevels, ranked_groups

DRAWS = Draws(3, "ranked", 5, 0)
CHEAP = (KindLevels("gaussian_blur", (1, 2, 4)), KindLevels("gaussian_noise", (0.01, 0.05, 0.2)))


def photo(height=48, width=64, seed=0):
    """Something smooth with detail on it, [3, H, W] uint8."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(40, 216, (6, 8, 3), np.uint8)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    fine = np.asarray(coarse).astype(float) + rng.normal(0, 12, (height, width, 1))
    return torch.from_numpy(np.clip(fine, 0, 255).astype(np.uint8).transpose(2, 0, 1).copy())


def made(step, image=None, index=7, draws=DRAWS):
    view = View(photo() if image is None else image, index, label=1.5, meta={"path": "a.png"})
    return step.apply([view], draws)


def same(a, b):
    """Whether two lists of views are equal in every respect but their maps."""
    return len(a) == len(b) and all(
        torch.equal(x.image, y.image) and (x.view, x.kind, x.level) == (y.view, y.kind, y.level)
        for x, y in zip(a, b, strict=True)
    )


@pytest.mark.parametrize(
    ("name", "kinds", "each", "levels"),
    [("live", 4, 6, "ordered"), ("tid2013", 19, 5, "ordered"), ("mlive", 2, 10, "grid")],
)
def test_the_papers_sets_have_the_planned_views(name, kinds, each, levels, monkeypatch):
    # What the kinds do to pixels is tested beside them; here every degree changes something.
    degrees = iter(range(1, 250))
    for kind in KINDS.values():
        monkeypatch.setattr(
            type(kind), "apply", property(lambda _: lambda image, _s, _g: image + np.uint8(next(degrees)))
        )
    step = Distortions(set=name)
    spec = step.plan(ViewSpec())
    assert (spec.views, spec.groups, spec.levels, spec.sizes) == (kinds * each, kinds, levels, ((kinds * each, None),))
    views = made(step, photo(8, 9))
    assert len(views) == spec.views
    assert [view.view for view in views] == list(range(spec.views))
    assert [view.kind for view in views] == np.repeat(np.arange(kinds), each).tolist()
    assert len(spec.kinds) == kinds
    assert all(view.index == 7 and view.label == 1.5 and view.meta == {"path": "a.png"} for view in views)


def test_every_degree_of_live_is_reached_on_a_photo_of_usual_size(caplog):
    views = made(Distortions(), photo(360, 480))
    assert len(views) == 24
    assert not caplog.records
    for first in range(0, 24, 6):
        assert [view.level for view in views[first : first + 6]] == pytest.approx([1, 0.8, 0.6, 0.4, 0.2, 0])
        assert torch.equal(views[first].image, photo(360, 480))
        assert len({view.image.numpy().tobytes() for view in views[first : first + 6]}) == 6


def test_each_view_is_its_kind_at_its_strength():
    image = photo()
    views = made(Distortions(set=(KindLevels("jpeg", (60, 20, 5)), KindLevels("gaussian_blur", (0.7, 3)))), image)
    pixels = image.permute(1, 2, 0).numpy()
    expected = [
        ("jpeg", 60, 2 / 3),
        ("jpeg", 20, 1 / 3),
        ("jpeg", 5, 0),
        ("gaussian_blur", 0.7, 0.5),
        ("gaussian_blur", 3, 0),
    ]
    distorted = [view for view in views if view.level != 1]
    for view, (kind, strength, level) in zip(distorted, expected, strict=True):
        wanted = KINDS[kind].apply(pixels, strength, np.random.default_rng())
        assert np.array_equal(view.image.permute(1, 2, 0).numpy(), wanted)
        assert view.level == pytest.approx(level)


def test_two_stages_are_applied_in_order_and_ranked_by_the_product_order():
    image = photo()
    views = made(Distortions(set="mlive"), image)
    levels = [view.level for view in views if view.kind == 0]
    assert levels[0] == (1, 1)
    assert levels[1:] == [pytest.approx((1 - i / 3, 1 - j / 3)) for i in (1, 2, 3) for j in (1, 2, 3)]
    blurred = KINDS["gaussian_blur"].apply(image.permute(1, 2, 0).numpy(), 2.5, np.random.default_rng())
    wanted = KINDS["jpeg"].apply(blurred, 7, np.random.default_rng())
    here = next(view for view in views if view.kind == 0 and view.level == pytest.approx((1 / 3, 0)))
    assert np.array_equal(here.image.permute(1, 2, 0).numpy(), wanted)


def test_views_follow_from_the_address_alone():
    step = Distortions(set=CHEAP)
    first = made(step)
    made(step, photo(seed=1), index=8)
    assert same(first, made(Distortions(set=CHEAP)))
    for other in (Draws(4, "ranked", 5), Draws(3, "other", 5), Draws(3, "ranked", 6), Draws(3, "ranked", 5, 1)):
        assert not same(first, made(step, draws=other))
    assert not same(first, made(step, index=8))


def test_noise_of_a_kind_does_not_depend_on_the_others():
    alone = made(Distortions(set=CHEAP[1:]))
    beside = [view for view in made(Distortions(set=CHEAP)) if view.kind == 1]
    assert all(torch.equal(a.image, b.image) for a, b in zip(alone, beside, strict=True))


def test_places_of_a_kind_are_shared_so_that_more_contain_the_fewer():
    image = photo(96, 128)
    _, few, many = made(Distortions(set=(KindLevels("colour_blocks", (1, 3)),)), image)
    changed = few.image != image
    assert torch.equal(few.image[changed], many.image[changed])
    assert ((many.image != image) & ~changed).any()


def test_stale_noise_follows_from_the_image_alone():
    step = Distortions(set=CHEAP, fresh=False)
    first = made(step)
    assert same(first, made(step, draws=Draws(9, "other", 1, 2), index=3))
    assert not same(first, made(step, photo(seed=1)))


def test_some_kinds_of_each_image_and_epoch():
    step = Distortions(set="tid2013", kinds_per_image=9)
    spec = step.plan(ViewSpec())
    assert (spec.views, spec.groups, len(spec.kinds)) == (45, 19, 19)
    few = Distortions(set=[*CHEAP, KindLevels("contrast_up", (1.2, 1.5, 2))], kinds_per_image=2)
    drawn = {tuple(dict.fromkeys(view.kind for view in made(few, draws=Draws(0, "s", epoch)))) for epoch in range(20)}
    assert drawn == {(0, 1), (0, 2), (1, 2)}
    everything = {(view.view, view.kind, view.level) for view in made(Distortions(set=few_set(few)))}
    views = made(few)
    assert len(views) == few.plan(ViewSpec()).views == 8
    assert {(view.view, view.kind, view.level) for view in views} < everything


def few_set(step):
    return [KindLevels(group.name, group.stages[0].strengths) for group in step.groups]


def test_without_the_pristine_image():
    step = Distortions(set=CHEAP, pristine=False)
    assert step.plan(ViewSpec()).views == 6
    assert [view.level for view in made(step)] == pytest.approx([2 / 3, 1 / 3, 0] * 2)
    numbers = {(view.kind, view.level): view.view for view in made(Distortions(set=CHEAP))}
    assert all(numbers[view.kind, view.level] == view.view for view in made(step))


def test_degrees_out_of_reach_are_left_out_and_said_once(caplog):
    step = Distortions(set=(KindLevels("jpeg2000", (20, 900, 1200)), KindLevels("gaussian_blur", (1, 2))))
    with caplog.at_level(logging.WARNING, "rankhub"):
        views = made(step, photo(32, 32))
        made(step, photo(32, 32, seed=1))
    own = [view.image.numpy().tobytes() for view in views if view.kind == 0]
    assert len(own) < 4
    assert len(set(own)) == len(own)
    assert [view.level for view in views if view.kind == 1] == [1, 0.5, 0]
    (record,) = caplog.records
    assert "jpeg2000" in record.getMessage()
    assert "of 3) changes no pixel of an image of 32 x 32" in record.getMessage()


def test_odd_sizes_and_grey_images_keep_their_shape():
    for size in ((1, 1), (1, 40), (33, 17)):
        for view in made(Distortions(set="mlive"), torch.full((3, *size), 90, dtype=torch.uint8)):
            assert view.image.shape == (3, *size)
            assert view.image.dtype == torch.uint8


def test_the_image_itself_stays_as_it_is():
    image = photo()
    before = image.clone()
    made(Distortions(set=CHEAP), image)
    assert torch.equal(image, before)


def test_it_takes_whole_originals_only():
    for views in (ViewSpec(views=2, sizes=((2, None),)), ViewSpec(sizes=((1, 96),))):
        with pytest.raises(Objection, match="takes whole originals; put it first"):
            Distortions().plan(views)


@pytest.mark.parametrize(
    ("own", "sentence"),
    [
        ([], "the set is empty"),
        ([{"kind": "jpg", "levels": [40]}], "no kind of distortion is called 'jpg'; did you mean 'jpeg'?"),
        (
            [{"kind": "jpeg", "levels": [5, 40]}],
            r"each smaller than the one before \(quality\); got \[5, 40\], write \[40, 5\]",
        ),
        ([{"kind": "gaussian_blur", "levels": [2, 2]}], r"each larger than the one before .*write \[2\]"),
        ([{"kind": "jpeg", "levels": [140]}], "jpeg has the level 140; expected quality from 0 to 100"),
        ([{"kind": "gaussian_noise", "levels": [-1]}], "expected variance, image in .* of at least 0"),
        ([{"kind": "jpeg", "levels": []}], "jpeg has no levels"),
        ([{"kind": "jpeg", "levels": [40]}, {"kind": "jpeg", "levels": [9]}], "jpeg stands in the set 2 times"),
    ],
)
def test_wrong_sets_get_a_sentence(own, sentence):
    with pytest.raises(Objection, match=sentence):
        Catalog.discover().build("generator", {"use": "distortions", "set": own})


def test_wrong_options_get_a_sentence():
    with pytest.raises(Objection, match="kinds_per_image is 5, the set has only 4 kinds"):
        Distortions(kinds_per_image=5)
    with pytest.raises(Objection, match="equally many levels"):
        Distortions(set=(CHEAP[0], KindLevels("jpeg", (40, 9))), kinds_per_image=1)
    with pytest.raises(Objection, match="fresh: true needs cache: false"):
        Distortions(cache=True, fresh=True)
    with pytest.raises(CatalogError, match="tid2013"):
        Catalog.discover().build("generator", {"use": "distortions", "set": "tid2012"})


def test_a_set_of_ones_own_from_a_recipe():
    spec = {"use": "distortions", "set": [{"kind": "jpeg", "levels": [43, 12]}], "pristine": False}
    step = Catalog.discover().build("generator", spec)
    assert step.plan(ViewSpec()) == ViewSpec(2, 1, "ordered", ((2, None),), ("jpeg",), fewer=True)


def test_sets_are_those_of_the_tables():
    assert [group.name for group in ranked_groups("live")] == [levels.kind for levels in LIVE]
    assert [group.stages[0].strengths for group in ranked_groups("tid2013")] == [levels.strengths for levels in TID2013]
    assert [group.name for group in ranked_groups("mlive")] == ["gaussian_blur+jpeg", "gaussian_blur+gaussian_noise"]
