"""Photos to distort."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

SIDE = 192
SHIPPED = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")
"""The colour photos of everyday things that lie in scikit-image's wheel."""


def read(path):
    with Image.open(path) as image:
        return image.convert("RGB")


@pytest.fixture(scope="session")
def photos():
    """20 pieces of 192 x 192 pixels: of each photo the whole at half its size or so, and three corners."""
    folder, pieces = Path(skimage.__file__).parent / "data", []
    for name in SHIPPED:
        photo = read(folder / name)
        scale = SIDE / min(photo.size)
        whole = photo.resize([round(scale * side) for side in photo.size], Image.Resampling.LANCZOS)
        pieces.append(whole.crop((0, 0, SIDE, SIDE)))
        right, bottom = photo.width - SIDE, photo.height - SIDE
        pieces += [
            photo.crop((x, y, x + SIDE, y + SIDE)) for x, y in ((0, 0), (right, bottom), (right // 2, bottom // 2))
        ]
    return [np.asarray(piece) for piece in pieces]


@pytest.fixture(scope="session")
def real_photos(real_images):
    """The middle 192 x 192 pixels of 20 photos that are not part of the project."""
    files = sorted((real_images / "photos").glob("*.png"))[:20]
    if len(files) < 20:
        pytest.skip("fewer than 20 real photos")
    pieces = []
    for file in files:
        photo = read(file)
        left, top = (photo.width - SIDE) // 2, (photo.height - SIDE) // 2
        pieces.append(np.asarray(photo.crop((left, top, left + SIDE, top + SIDE))))
    return pieces
