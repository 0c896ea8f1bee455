"""Paints the things of a scene with smooth edges, the near ones over the far ones, on noise or a part of a photo."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from rankhub_counting.drawing.layout import SceneObject, Shape

Canvas = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


def noise_field(height: int, width: int, finest: float, growth: float, rng: np.random.Generator) -> Canvas:
    """[height, width] smooth noise of mean 0 and standard deviation 1, a sum of octaves.

    ``finest`` is the wavelength in pixels of the finest octave, each further one is twice as long and ``growth`` times
    as strong: 1 is rough, 2 is as smooth as clouds.
    """
    octaves = max(1, round(float(np.log2(max(height, width) / finest))))
    rows, columns = (max(2, round(side / (finest * 2 ** (octaves - 1)))) for side in (height, width))
    field = rng.standard_normal((rows, columns), dtype=np.float32)
    # From the coarsest on, each time on a grid twice as fine: little is done at full size.
    for _ in range(octaves - 1):
        rows, columns = 2 * rows, 2 * columns
        field = np.float32(growth) * _brought(field, rows, columns)
        field += rng.standard_normal((rows, columns), dtype=np.float32)
    field = _brought(field, height, width)
    return np.asarray((field - field.mean()) / max(float(field.std()), 1e-6), dtype=np.float32)


def noise_backdrop(height: int, width: int, rng: np.random.Generator) -> Canvas:
    """[3, height, width] noise in [0, 1], rough or smooth, of one colour with a weak second one."""
    base, swing = rng.uniform(0.2, 0.75, 3).astype(np.float32), rng.uniform(-0.06, 0.06, 3).astype(np.float32)
    finest, growth = float(rng.uniform(2, 6)), float(rng.uniform(0.9, 1.7))
    light = np.float32(rng.uniform(0.08, 0.2)) * noise_field(height, width, finest, growth, rng)
    hue = noise_field(height, width, max(height, width) / 4, 1.0, rng)
    canvas = swing[:, None, None] * hue
    canvas += light
    canvas += (base.mean() + 0.5 * (base - base.mean()))[:, None, None]
    return np.asarray(canvas.clip(0, 1, out=canvas), dtype=np.float32)


def photo_backdrop(photo: Pixels, height: int, width: int, rng: np.random.Generator) -> Canvas:
    """[3, height, width] a random part of a photo [H, W, 3] in [0, 1], in the scene's shape, perhaps mirrored."""
    rows, columns = photo.shape[:2]
    zoom = min(columns / width, rows / height) * float(rng.uniform(0.5, 1.0))
    wide, high = min(width * zoom, columns), min(height * zoom, rows)
    left, top = float(rng.uniform(0, columns - wide)), float(rng.uniform(0, rows - high))
    box = (left, top, left + wide, top + high)
    whole = np.asarray(Image.fromarray(photo).resize((width, height), Image.Resampling.BILINEAR, box))
    part = whole.transpose(2, 0, 1).astype(np.float32, order="C") / 255
    if rng.random() < 0.5:
        part = part[:, :, ::-1]
    contrast, middle = np.float32(rng.uniform(0.5, 0.9)), part.mean()
    return np.asarray((middle + contrast * (part - middle)).clip(0, 1), dtype=np.float32)


def _brought(field: Canvas, height: int, width: int) -> Canvas:
    return np.array(Image.fromarray(field).resize((width, height), Image.Resampling.BICUBIC))


Distance = npt.NDArray[np.float32]

VISIBLE = 0.2
"""Share of a thing's area in the picture that nearer things must leave to be seen; a thing with less is left out."""

_PATTERN = 128
"""Side in pixels of the pattern from which the textures of a scene are taken."""


def paint(
    backdrop: Canvas, figures: Sequence[SceneObject], rng: np.random.Generator
) -> tuple[Pixels, list[SceneObject]]:
    """Paint a scene.

    From near to far, each thing gets what those before it have left of each pixel: the same picture as painting from
    far to near, and what is seen of each is known. A thing of which less than :data:`VISIBLE` would be seen is not
    painted, so that nothing in the picture is left uncounted.

    The picture is [3, H, W] RGB, the backdrop [3, H, W] in [0, 1]; things come and go from the nearest to the furthest.
    """
    height, width = backdrop.shape[1:]
    light = _light(rng)
    pattern = noise_field(_PATTERN, _PATTERN, float(rng.uniform(2, 4)), 1.2, rng)
    free = np.ones((height, width), np.float32)
    colours = np.zeros_like(backdrop)
    painted = []
    for figure in figures:
        left, right = _span(figure.x, figure.radius, width)
        top, bottom = _span(figure.y, figure.radius, height)
        dx = np.arange(left, right, dtype=np.float32) + np.float32(0.5 - figure.x)
        dy = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5 - figure.y))[:, None]
        cover = (0.5 - outside(figure, dx, dy)).clip(0, 1)
        here = (slice(top, bottom), slice(left, right))
        seen = cover * free[here]
        if seen.sum() < VISIBLE * cover.sum():
            continue
        shade = _shade(figure, dx, dy, light)
        shade *= 1 + figure.texture * _patch(pattern, figure, *cover.shape)
        lit = seen * shade.clip(0, 1.2)
        for plane, share in zip(colours, figure.colour, strict=True):
            plane[here] += np.float32(share) * lit
        free[here] -= seen
        painted.append(figure)
    colours += free * backdrop
    colours += np.float32(rng.uniform(0.005, 0.03)) * rng.standard_normal(colours.shape, dtype=np.float32)
    return (colours.clip(0, 1) * 255 + 0.5).astype(np.uint8), painted


def outside(figure: SceneObject, dx: Distance, dy: Distance) -> Distance:
    """[h, w] signed distance in pixels to the shape's edge, below 0 inside; exact at straight edges and for discs.

    ``dx`` [w] and ``dy`` [h, 1] are columns and rows from its centre.
    """
    if figure.shape == "disc":
        return np.asarray(np.sqrt(dx * dx + dy * dy) - np.float32(figure.radius), dtype=np.float32)
    cosine, sine = np.float32(np.cos(figure.angle)), np.float32(np.sin(figure.angle))
    u, v = cosine * dx + sine * dy, cosine * dy - sine * dx
    r = np.float32(figure.radius)
    return np.asarray(_straight(figure.shape, np.abs(u), np.abs(v), v, r), dtype=np.float32)


def _straight(shape: Shape, across: Distance, along: Distance, v: Distance, r: np.float32) -> Distance:
    """The shapes with straight edges, each within a circle of radius ``r``."""
    if shape == "bar":
        return np.asarray(np.maximum(across - 0.92 * r, along - 0.38 * r))
    if shape == "cross":
        one, other = np.maximum(across - 0.95 * r, along - 0.3 * r), np.maximum(along - 0.95 * r, across - 0.3 * r)
        return np.asarray(np.minimum(one, other))
    # A triangle of equal sides: half the radius from the centre to each.
    return np.asarray(np.maximum(np.float32(np.sqrt(0.75)) * across + 0.5 * v, -v) - 0.5 * r)


def _span(centre: float, radius: float, limit: int) -> tuple[int, int]:
    """First pixel, and the one after the last, that a thing may touch; at least the one its centre lies in."""
    return max(int(centre - radius - 1), 0), min(int(centre + radius + 2), limit)


def _light(rng: np.random.Generator) -> tuple[float, float, float]:
    """x, y and z of the direction to the light, of length 1: from somewhere above, in front of the scene."""
    direction = np.array([rng.uniform(-0.7, 0.7), rng.uniform(-0.9, 0.1), rng.uniform(0.4, 1.0)])
    x, y, z = (direction / np.linalg.norm(direction)).tolist()
    return x, y, z


def _shade(
    figure: SceneObject,
    dx: Distance,
    dy: Distance,
    light: tuple[float, float, float],
) -> Distance:
    """[h, w] brightness by Lambert's law, of a ball; every shape is shaded so, so that only its outline tells."""
    u, v = dx / np.float32(figure.radius), dy / np.float32(figure.radius)
    depth = np.sqrt((1 - u * u - v * v).clip(0.05, 1))
    x, y, z = (np.float32(part) for part in light)
    return np.asarray(0.3 + 0.75 * (x * u + y * v + z * depth).clip(0, 1), dtype=np.float32)


def _patch(pattern: Canvas, figure: SceneObject, height: int, width: int) -> Canvas:
    """[height, width] of the scene's pattern at the thing's own place; it repeats only for things larger than it."""
    row, column = (
        int(share * max(_PATTERN - side, 1)) for share, side in zip(figure.offset, (height, width), strict=True)
    )
    if height <= _PATTERN and width <= _PATTERN:
        return pattern[row : row + height, column : column + width]
    rows, columns = (row + np.arange(height)) % _PATTERN, (column + np.arange(width)) % _PATTERN
    return pattern[rows[:, None], columns]
