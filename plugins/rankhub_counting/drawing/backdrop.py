"""What lies behind the things of a drawn scene: noise, or a part of a photo."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

Canvas = npt.NDArray[np.float32]
Pixels = npt.NDArray[np.uint8]


def noise_field(height: int, width: int, finest: float, growth: float, rng: np.random.Generator) -> Canvas:
    """[height, width] smooth noise of mean 0 and standard deviation 1, a sum of octaves.

    Args:
        height: In pixels.
        width: In pixels.
        finest: Wavelength in pixels of the finest octave; each further one is twice as long.
        growth: How much stronger each further octave is: 1 is rough, 2 is as smooth as clouds.
        rng: Where it is drawn from.
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
    """[3, height, width] a random part of a photo in [0, 1], in the scene's proportions, perhaps mirrored.

    Args:
        photo: [H, W, 3].
        height: In pixels.
        width: In pixels.
        rng: Where the part is drawn from.
    """
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
