"""How a scene is painted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub_counting.drawing.layout import DISTRACTORS, SceneObject, Style, lay_out
from rankhub_counting.drawing.paint import VISIBLE, noise_backdrop, noise_field, outside, paint, photo_backdrop

DISC = SceneObject("disc", 20.3, 14.8, 6.0, 0.4, (0.9, 0.5, 0.2), 0.3, (0.1, 0.9))


def rng(seed=0):
    return np.random.default_rng(seed)


def painted(*figures, backdrop=None):
    return paint(np.zeros((3, 32, 48), np.float32) if backdrop is None else backdrop, figures, rng())


def covers(figure, height=32, width=48):
    x, y = np.arange(width, dtype=np.float32) + 0.5 - figure.x, np.arange(height, dtype=np.float32) + 0.5 - figure.y
    return (0.5 - outside(figure, x, y[:, None])).clip(0, 1)


@settings(max_examples=40, deadline=None)
@given(st.floats(10, 38), st.floats(10, 22), st.floats(2, 9))
def test_a_disc_covers_its_area_around_its_centre(x, y, radius):
    cover = covers(replace(DISC, x=x, y=y, radius=radius)).astype(float)
    assert cover.sum() == pytest.approx(np.pi * radius**2, rel=0.06)
    rows, columns = np.mgrid[0:32, 0:48] + 0.5
    assert (cover * columns).sum() / cover.sum() == pytest.approx(x, abs=0.05)
    assert (cover * rows).sum() / cover.sum() == pytest.approx(y, abs=0.05)


@pytest.mark.parametrize("shape", DISTRACTORS)
@pytest.mark.parametrize("angle", [0.0, 0.7, 3.0])
def test_other_shapes_lie_in_their_circle_and_are_no_discs(shape, angle):
    figure = replace(DISC, shape=shape, angle=angle, radius=9.0, x=24.0, y=16.0)
    cover, circle = covers(figure), covers(replace(figure, shape="disc", radius=9.8))
    assert (cover <= circle + 1e-6).all()
    area = {"bar": 4 * 0.92 * 0.38, "triangle": 0.75 * np.sqrt(3), "cross": 4 * (2 * 0.95 * 0.3 - 0.3**2)}[shape]
    assert cover.sum() == pytest.approx(area * 81, rel=0.05)
    assert cover[16, 24] == 1


def test_near_things_hide_far_ones_and_what_is_nearly_hidden_is_left_out():
    near = replace(DISC, texture=0.0)
    red, pixels = (1.0, 0.0, 0.0), np.zeros((3, 32, 48), np.float32)
    for shift in np.linspace(0, 14, 29):
        far = replace(near, x=near.x + shift, y=near.y - 0.01, colour=red)
        (image, kept), (alone, _) = painted(near, far, backdrop=pixels), painted(near, backdrop=pixels)
        share = (covers(far) * (1 - covers(near))).sum() / covers(far).sum()
        assert kept == ([near, far] if share >= VISIBLE else [near])
        if share < VISIBLE:
            assert np.array_equal(image, alone)
        inner = covers(near) == 1
        assert np.array_equal(image[:, inner], alone[:, inner])
    assert share == 1


def test_a_thing_that_is_left_out_hides_nothing():
    near = DISC
    hidden = replace(DISC, y=DISC.y - 0.1)
    far = replace(DISC, x=DISC.x + 7.0, y=DISC.y - 0.2)
    assert painted(near, hidden, far)[1] == [near, far]
    assert np.array_equal(painted(near, hidden, far)[0], painted(near, far)[0])


@pytest.mark.parametrize(("x", "y"), [(0.0, 0.0), (47.999, 31.999), (0.0, 31.999), (np.nextafter(48, 0), 15.0)])
def test_things_at_the_edge_are_painted(x, y):
    image, kept = painted(replace(DISC, x=x, y=y, radius=1.0, colour=(1.0, 1.0, 1.0)))
    assert len(kept) == 1
    assert image[:, int(y), int(x)].max() > 60


def test_things_larger_than_the_pattern_and_the_scene():
    _, kept = painted(replace(DISC, radius=90.0))
    assert len(kept) == 1
    _, kept = paint(np.zeros((3, 300, 300), np.float32), [replace(DISC, x=150.0, y=150.0, radius=140.0)], rng())
    assert len(kept) == 1


def test_a_layout_keeps_to_its_style():
    style = Style(192, 256, 12, 200, 9.0, 0.7, 20)
    scenes = [lay_out(style, rng(seed)) for seed in range(150)]
    for figures in scenes:
        assert all(0 <= f.x < 256 and 0 <= f.y < 192 for f in figures)
        assert [f.y for f in figures] == sorted((f.y for f in figures), reverse=True)
        scale = np.array([f.radius / style.scale(f.y) for f in figures]) / 9.0
        assert (scale > 0.8 * 0.88 - 1e-9).all()
        assert (scale < 1.25 * 1.12 + 1e-9).all()
        assert np.ptp(scale) / scale.mean() < 0.25
        assert all(0 <= part <= 1 for f in figures for part in f.colour)
    discs = np.array([sum(f.shape == "disc" for f in figures) for figures in scenes])
    others = np.array([len(figures) for figures in scenes]) - discs
    assert (discs.min() >= 12, discs.max() <= 200, discs.max() > 10 * discs.min()) == (True, True, True)
    assert set(others) == set(range(21))
    assert abs(np.corrcoef(discs, others)[0, 1]) < 0.25
    shares, _ = np.histogram(np.log(discs + 1), 4, (np.log(13), np.log(201)))
    assert shares.min() > 22
    assert {f.shape for figures in scenes for f in figures} == {"disc", *DISTRACTORS}


def test_each_row_has_as_many_per_area_of_a_disc():
    """Where density goes with the inverse square of size, the share above the middle follows from an integral."""
    style = Style(192, 256, 150, 200, 9.0, 0.7, 0)
    y = np.array([f.y for seed in range(150) for f in lay_out(style, rng(seed))])
    t = np.linspace(0, 1, 20001)
    weight = 1 / (0.3 + 0.7 * t) ** 2
    assert (y < 96).mean() == pytest.approx(weight[t < 0.5].sum() / weight.sum(), abs=0.06)


@pytest.mark.parametrize("growth", [1.0, 1.7])
def test_noise_is_standard_and_rough_or_smooth(growth):
    field = noise_field(90, 130, 3.0, growth, rng())
    assert field.shape == (90, 130)
    assert field.mean() == pytest.approx(0, abs=1e-4)
    assert field.std() == pytest.approx(1, abs=1e-4)
    steps = {g: np.abs(np.diff(noise_field(90, 130, 3.0, g, rng()), axis=1)).mean() for g in (1.0, 1.7)}
    assert steps[1.0] > 1.5 * steps[1.7]
    assert noise_field(5, 7, 9.0, 1.0, rng()).shape == (5, 7)


def test_backdrops_are_in_range_and_of_the_photo():
    canvas = noise_backdrop(40, 60, rng())
    assert (canvas.shape, canvas.dtype) == ((3, 40, 60), np.float32)
    assert (canvas.min() >= 0, canvas.max() <= 1) == (True, True)
    y, x = np.mgrid[0:100, 0:80]
    photo = np.stack([x, y, 0 * x], axis=2).astype(np.uint8)
    seen = []
    for seed in range(20):
        part = photo_backdrop(photo, 40, 60, rng(seed))
        assert (part.shape, part.dtype) == ((3, 40, 60), np.float32)
        slope = np.diff(part[0, 20]).mean()
        assert np.diff(part[1, :, 30]).mean() == pytest.approx(abs(slope), rel=0.1)  # proportions are kept
        seen.append(slope > 0)
    assert 4 < sum(seen) < 16
