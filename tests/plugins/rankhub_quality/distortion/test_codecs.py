"""JPEG and JPEG 2000: what is asked of the codec, and what it cannot reach."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from PIL import Image, features

from rankhub.interfaces.errors import UserError
from rankhub_quality.distortion import codecs
from rankhub_quality.distortion.sets import LIVE
from rankhub_quality.variants import distinct

RATIOS = next(levels.strengths for levels in LIVE if levels.kind == "jpeg2000")


def draws():
    return np.random.default_rng(0)


def test_jpeg_quality_0_is_1(photos):
    lowest, one, two = (codecs.jpeg(photos[0], quality, draws()) for quality in (0, 1, 2))
    assert np.array_equal(lowest, one)
    assert not np.array_equal(one, two)


def test_jpeg_has_half_the_chroma(photos):
    stream = BytesIO()
    Image.fromarray(photos[0]).save(stream, format="JPEG", quality=43, subsampling=2)
    with Image.open(stream) as image:
        assert np.array_equal(codecs.jpeg(photos[0], 43, draws()), np.asarray(image))


@pytest.mark.parametrize("ratio", RATIOS[:3])
def test_jpeg2000_meets_its_ratio(ratio, photos):
    length = codecs._jpeg2000_stream(photos[0], ratio).getbuffer().nbytes
    assert photos[0].size / length == pytest.approx(ratio, rel=0.1)


def test_ratios_on_a_piece_of_192_pixels(photos):
    assert codecs.reachable(photos[0], RATIOS) == [True, True, True, True, False]


def test_ratios_on_a_small_piece(photos):
    """At 96 x 96 pixels, three of the five are out of reach, and their pixels are all the same."""
    piece = photos[0][:96, :96]
    assert codecs.reachable(piece, RATIOS) == [True, True, False, False, False]
    variants = [codecs.jpeg2000(piece, ratio, draws()) for ratio in RATIOS]
    assert distinct(piece, variants) == [True, True, True, False, False]


def test_no_ratio_is_reached_on_a_tiny_image():
    assert codecs.reachable(np.arange(27, dtype=np.uint8).reshape(3, 3, 3), RATIOS) == [False] * 5


def test_a_flat_image_has_nothing_to_lose():
    image = np.full((128, 128, 3), 128, np.uint8)
    assert codecs.reachable(image, RATIOS) == [False] * 5


def test_distinct_compares_with_the_level_before():
    image = np.zeros((2, 2, 3), np.uint8)
    assert distinct(image, [image, image + 1, image + 1, image + 2]) == [False, True, False, True]
    assert distinct(image, []) == []


def test_pillow_without_openjpeg(monkeypatch, photos):
    monkeypatch.setattr(features, "check", lambda name: name != "jpg_2000")
    with pytest.raises(UserError, match=r"'jpeg2000' needs OpenJPEG.*install Pillow's wheel"):
        codecs.jpeg2000(photos[0], 52, draws())
