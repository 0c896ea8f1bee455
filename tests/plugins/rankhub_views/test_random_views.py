import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as V

from rankhub.interfaces.batch import IDENTITY, Batch
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.order import RankTarget
from rankhub_points import Points
from rankhub_views import render
from rankhub_views.random_views import RandomViews, ViewSet

DRAWS = Draws(3, "views", 5, 1)
COLOURS = (V.adjust_brightness, V.adjust_contrast, V.adjust_saturation, V.adjust_hue)


def make_batch(sizes, seed=0, index=None, view=None, label=None, dtype=torch.uint8) -> Batch:
    """Images of noise, padded with white so that any look beyond an image shows."""
    generator = torch.Generator().manual_seed(seed)
    high, wide = (max(side) for side in zip(*sizes, strict=True))
    stack = torch.full((len(sizes), 3, high, wide), 255, dtype=torch.uint8)
    index = torch.arange(len(sizes)) + 40 if index is None else index
    for row, (height, width) in enumerate(sizes):
        generator.manual_seed(int(index[row]))
        stack[row, :, :height, :width] = torch.randint(
            0, 256, (3, height, width), dtype=torch.uint8, generator=generator
        )
    view = torch.zeros_like(index) if view is None else view
    maps = torch.from_numpy(IDENTITY).repeat(len(sizes), 1, 1)
    target = RankTarget(index, view, index * 7, torch.ones(len(sizes)), label)
    images = stack if dtype == torch.uint8 else stack / 255
    return Batch((images,), torch.tensor(sizes), maps, target)


SIZES = [(40, 40), (33, 21), (40, 57), (2, 3), (1, 1)]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_every_view_equals_torchvisions_pipeline_on_the_same_parameters(interpolation):
    step = RandomViews(views=8, size=20, interpolation=interpolation, invert=0.3)
    batch = make_batch(SIZES)
    views = step.apply(batch, DRAWS).images[0]
    source = np.repeat(np.arange(5), 8)
    drawn = DRAWS.at(source + 40, np.tile(np.arange(8), 5))
    chosen = step.law.draw(drawn, batch.sizes.numpy()[source], (0.08, 1.0))
    for row, image in enumerate(source):
        box = [
            int(part[row]) for part in (chosen.boxes.top, chosen.boxes.left, chosen.boxes.height, chosen.boxes.width)
        ]
        mode = V.InterpolationMode(interpolation)
        view = V.resized_crop(batch.images[0][image] / 255, *box, [20, 20], interpolation=mode, antialias=True)
        view = view.clamp(0, 1)
        view = V.horizontal_flip(view) if chosen.boxes.flip[row] else view
        view = V.invert(view) if chosen.invert[row] else view
        if chosen.jitter[row]:
            for number in chosen.order[row]:
                view = COLOURS[number](view, float(chosen.factors[row, number]))
        view = V.rgb_to_grayscale(view, num_output_channels=3) if chosen.grey[row] else view
        view = V.gaussian_blur(view, [3, 3], [float(chosen.sigma[row])] * 2) if chosen.blur[row] else view
        assert (views[row] - view).abs().max() < 2 / 255 / 10
    assert 0 < chosen.invert.mean() < 1
    assert 0 < chosen.jitter.mean() < 1
    assert 0 < chosen.grey.mean() < 1
    assert 0 < chosen.blur.mean() < 1


def test_factors_lie_in_their_ranges_and_options_of_zero_do_nothing():
    step = RandomViews(size=8, jitter=(0.4, 1.5, 0, 0.1), jitter_p=1, blur_sigma=(0.5, 0.7))
    chosen = step.law.draw(DRAWS.at(np.arange(3000), 0), np.tile([9, 9], (3000, 1)), (0.08, 1.0))
    np.testing.assert_allclose(chosen.factors.min(0), [0.6, 0, 1, -0.1], atol=0.01)
    np.testing.assert_allclose(chosen.factors.max(0), [1.4, 2.5, 1, 0.1], atol=0.01)
    assert chosen.order.shape == (3000, 3)
    assert set(chosen.order.flatten()) == {0, 1, 3}
    assert 0.5 <= chosen.sigma.min() <= chosen.sigma.max() < 0.7
    assert chosen.jitter.all()
    plain = RandomViews(views=1, size=40, scale=(1, 1), ratio=(1, 1), flip=0, jitter_p=0, grey=0, blur=0)
    batch = make_batch([(40, 40)])
    torch.testing.assert_close(plain.apply(batch, DRAWS).images[0], batch.images[0] / 255)


def by_address(batch: Batch) -> dict[tuple[int, int], torch.Tensor]:
    pairs = zip(batch.target.index.tolist(), batch.target.view.tolist(), strict=True)
    return dict(zip(pairs, (view for stack in batch.images for view in stack), strict=True))


@pytest.mark.parametrize("rotation", [0, 40])
def test_the_same_views_in_any_batch_and_order(monkeypatch, rotation):
    step = RandomViews(views=3, size=16, rotation=rotation, crops=[{"views": 2, "size": 8, "scale": (0.05, 0.2)}])
    whole = by_address(step.apply(make_batch(SIZES), DRAWS))
    assert len(whole) == 25
    turned = torch.tensor([44, 42, 40, 43, 41])
    parts = [make_batch([SIZES[row - 40] for row in rows], index=rows) for rows in (turned, turned[:1], turned[1:4])]
    for part in parts:
        for address, view in by_address(step.apply(part, DRAWS)).items():
            torch.testing.assert_close(view, whole[address], rtol=0, atol=1e-6)
    for memory in (1, 30_000, 200_000):
        monkeypatch.setitem(render.WORKING_SET, "cpu", memory)
        for address, view in by_address(step.apply(make_batch(SIZES), DRAWS)).items():
            torch.testing.assert_close(view, whole[address], rtol=0, atol=1e-6)


def test_views_differ_between_images_views_epochs_and_steps():
    step = RandomViews(views=2, size=12)
    batch = make_batch([(30, 30)] * 2)
    batch.images[0][1] = batch.images[0][0]
    stacks = [step.apply(batch, draws).images[0] for draws in (DRAWS, Draws(3, "views", 6, 1), Draws(3, "views", 5, 2))]
    views = torch.cat(stacks).flatten(1)
    assert (torch.cdist(views, views) + torch.eye(len(views)) > 0.1).all()


def test_rows_are_image_major_and_carry_what_they_came_with():
    label = torch.tensor([5.0, 6.0])
    batch = make_batch([(9, 9), (9, 9)], label=label)
    made = RandomViews(views=3, size=8, crops=[ViewSet(2, 4, (0.1, 0.3))]).apply(batch, DRAWS)
    assert [tuple(stack.shape) for stack in made.images] == [(6, 3, 8, 8), (4, 3, 4, 4)]
    assert made.target.index.tolist() == [40, 40, 40, 41, 41, 41, 40, 40, 41, 41]
    assert made.target.view.tolist() == [0, 1, 2, 0, 1, 2, 3, 4, 3, 4]
    assert made.target.group.tolist() == [280, 280, 280, 287, 287, 287, 280, 280, 287, 287]
    assert isinstance(made.target.label, torch.Tensor)
    assert made.target.label.tolist() == [5, 5, 5, 6, 6, 6, 5, 5, 6, 6]
    assert made.sizes.tolist() == [[8, 8]] * 6 + [[4, 4]] * 4
    assert made.images[0].dtype == torch.float32


def test_several_incoming_views_of_an_image_keep_their_levels_and_get_numbers_of_their_own():
    index = torch.tensor([7, 7, 9])
    batch = make_batch([(9, 9)] * 3, index=index, view=torch.tensor([0, 1, 0]))
    target = RankTarget(index, batch.target.view, index * 2, torch.tensor([[1.0, 0.5], [0.2, 0.1], [0.9, 0.9]]))
    made = RandomViews(views=2, size=4).apply(Batch(batch.images, batch.sizes, batch.maps, target), DRAWS)
    assert made.target.view.tolist() == [0, 1, 2, 3, 0, 1]
    assert made.target.level.shape == (6, 2)
    assert made.target.level[:, 0].tolist() == pytest.approx([1, 1, 0.2, 0.2, 0.9, 0.9])
    assert len(by_address(made)) == 6


def test_several_incoming_stacks_and_floats():
    whole = make_batch([(12, 12)] * 4, dtype=torch.float32)
    split = Batch((whole.images[0][:1], whole.images[0][1:]), whole.sizes, whole.maps, whole.target)
    step = RandomViews(views=2, size=6)
    torch.testing.assert_close(step.apply(split, DRAWS).images[0], step.apply(whole, DRAWS).images[0])
    torch.testing.assert_close(
        step.apply(make_batch([(12, 12)] * 4), DRAWS).images[0], step.apply(whole, DRAWS).images[0]
    )


def test_rotation_has_draws_of_its_own():
    """Whatever else is drawn stays as it is without it; angles are uniform, either way."""
    sizes, drawn = np.tile([30, 40], (3000, 1)), DRAWS.at(np.arange(3000), 0)
    upright, turned = (RandomViews(size=8, rotation=most).law.draw(drawn, sizes, (0.08, 1.0)) for most in (0, 20))
    for name in ("jitter", "factors", "order", "grey", "blur", "sigma"):
        np.testing.assert_array_equal(getattr(turned, name), getattr(upright, name))
    for name in ("top", "left", "height", "width", "flip"):
        np.testing.assert_array_equal(getattr(turned.boxes, name), getattr(upright.boxes, name))
    assert upright.boxes.turn is None
    assert turned.boxes.turn is not None
    degrees = np.rad2deg(turned.boxes.turn.angle)
    np.testing.assert_allclose([degrees.min(), degrees.mean(), degrees.max()], [-20, 0, 20], atol=0.5)
    assert abs(degrees.std() - 20 / np.sqrt(3)) < 0.3
    for boxes in (turned.boxes.flip, turned.boxes.width, turned.boxes.left):
        assert abs(np.corrcoef(boxes, degrees)[0, 1]) < 0.06


def test_negatives_have_draws_of_their_own_and_are_as_many_as_stated():
    step, plain = (RandomViews(views=4, size=20, jitter_p=0, grey=0, blur=0, invert=share) for share in (0.5, 0))
    batch = make_batch(SIZES)
    views, same = (one.apply(batch, DRAWS).images[0] for one in (step, plain))
    source = np.repeat(np.arange(5), 4)
    drawn = DRAWS.at(source + 40, np.tile(np.arange(4), 5))
    inverted = step.law.draw(drawn, batch.sizes.numpy()[source], (0.08, 1.0)).invert
    assert 0 < inverted.sum() < 20
    torch.testing.assert_close(views, torch.where(torch.from_numpy(inverted)[:, None, None, None], 1 - same, same))
    many = step.law.draw(DRAWS.at(np.arange(3000), 0), np.tile([9, 9], (3000, 1)), (0.08, 1.0))
    assert abs(many.invert.mean() - 0.5) < 0.03


@pytest.mark.parametrize("option", ["rotation", "invert"])
def test_what_is_0_changes_no_bit(option):
    batch = make_batch(SIZES)
    plain, zero = (RandomViews(views=4, size=20, **more).apply(batch, DRAWS) for more in ({}, {option: 0.0}))
    assert torch.equal(plain.images[0], zero.images[0])
    assert torch.equal(plain.maps, zero.maps)


@pytest.mark.parametrize("rotation", [0, 60])
def test_points_move_with_the_pixels(rotation):
    """A bright dot at each point is found where the moved point says, and nowhere if the point is left out."""
    rng = np.random.default_rng(0)
    image_sizes = [(60, 80), (50, 50), (44, 90)]
    batch = make_batch(image_sizes)
    stack = torch.zeros_like(batch.images[0])
    values = np.stack([[rng.uniform(6, width - 6), rng.uniform(6, height - 6)] for height, width in image_sizes])
    for row, (x, y) in enumerate(values):
        columns, lines = np.arange(stack.shape[3]) + 0.5, np.arange(stack.shape[2]) + 0.5
        dot = np.exp(-((columns[None] - x) ** 2 + (lines[:, None] - y) ** 2) / 8)
        stack[row] = torch.from_numpy(dot * 255).to(torch.uint8)
    label = Points.of(list(values[:, None]), batch.sizes)
    first = torch.tensor([[[1.0, 0, 5], [0, 1, -3]]], dtype=torch.float64).repeat(3, 1, 1)
    target = RankTarget(batch.target.index, batch.target.view, batch.target.group, batch.target.level, label)
    step = RandomViews(views=40, size=48, rotation=rotation, jitter_p=0, grey=0, blur=0)
    made = step.apply(Batch((stack,), batch.sizes, first, target), DRAWS)
    assert isinstance(made.target.label, Points)
    found = 0
    for row, points in enumerate(made.target.label):
        x, y = made.maps[row].numpy() @ [*(values[row // 40] - [5, -3]), 1]
        if not len(points):
            assert min(x, y) < 0 or max(x, y) >= 48
            continue
        np.testing.assert_allclose(points[0], [x, y], atol=1e-6)
        view = made.images[0][row, 0].numpy()
        if min(x, y) > 4 and max(x, y) < 44 and view.max() > 0.3:
            weight = np.where(view > 0.1 * view.max(), view, 0)
            at = np.arange(48) + 0.5
            centre = [(weight.sum(0) * at).sum() / weight.sum(), (weight.sum(1) * at).sum() / weight.sum()]
            np.testing.assert_allclose(centre, [x, y], atol=0.5)
            found += 1
    assert found > 30


def test_no_graph_and_full_precision_inside_autocast():
    batch, step = make_batch([(30, 30)] * 2, dtype=torch.float32), RandomViews(views=4, size=16)
    batch.images[0].requires_grad_()
    plain = step.apply(batch, DRAWS).images[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = step.apply(batch, DRAWS).images[0]
    assert inside.dtype == torch.float32
    assert not inside.requires_grad
    torch.testing.assert_close(inside, plain, rtol=0, atol=1e-6)


def test_plan_multiplies_views_and_adds_a_stack_a_size():
    step = RandomViews(views=2, size=32, crops=[ViewSet(6, 16, (0.05, 0.2))])
    spec = step.plan(ViewSpec(views=5, groups=2, levels="ordered", sizes=((5, None),)))
    assert spec == ViewSpec(40, 2, "ordered", ((10, 32), (30, 16)))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"scale": (0.9, 0.2)}, "scale is"),
        ({"ratio": (2.0, 1.0)}, "ratio is"),
        ({"blur_sigma": (2.0, 0.1)}, "blur_sigma is"),
        ({"blur_kernel": 4}, "take 3 or 5"),
        ({"crops": [{"views": 1, "size": 8, "scale": (0.5, 0.1)}]}, "scale of crops 1"),
    ],
)
def test_impossible_options_are_objected_to(options, words):
    with pytest.raises(Objection, match=words):
        RandomViews(size=16, **options)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("rotation", [0, 30])
def test_the_same_views_on_cuda(rotation):
    step = RandomViews(views=4, size=24, rotation=rotation, crops=[ViewSet(2, 12, (0.05, 0.3))])
    batch = make_batch(SIZES)
    here, there = step.apply(batch, DRAWS), step.apply(batch.to(torch.device("cuda")), DRAWS)
    for mine, theirs in zip(here.images, there.images, strict=True):
        torch.testing.assert_close(mine, theirs.cpu(), rtol=0, atol=1e-4)
