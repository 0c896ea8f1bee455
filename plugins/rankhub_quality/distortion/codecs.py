"""Compression and decompression by Pillow's codecs."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image, features

from rankhub.interfaces.errors import UserError
from rankhub_quality.distortion.pixels import Pixels

OVERSHOOT = 1.2
"""A ratio counts as reached if the stream is at most this much larger than asked for."""


def jpeg(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """JPEG and back, chroma at half the resolution (4:2:0).

    Source: supplement, section 3 (LIVE; TID2013 type 10). The strength is the quality of libjpeg's scale, 0 to 100,
    rounded; libjpeg takes 0 as 1.
    """
    stream = BytesIO()
    Image.fromarray(image).save(stream, format="JPEG", quality=max(1, round(strength)), subsampling="4:2:0")
    return _decoded(stream)


def jpeg2000(image: Pixels, strength: float, draws: np.random.Generator) -> Pixels:
    """JPEG 2000 and back: one layer, irreversible 9/7 wavelet and colour transform (OpenJPEG).

    Source: supplement, section 3 (LIVE; TID2013 type 11). The strength is the ratio of the uncompressed bytes
    (3 per pixel) to the compressed ones. What the codec cannot reach on a small image, it passes over in silence:
    see `reachable`.

    Raises:
        UserError: This Pillow has no JPEG 2000.
    """
    return _decoded(_jpeg2000_stream(image, strength))


def reachable(image: Pixels, strengths: Sequence[float]) -> list[bool]:
    """Which ratios JPEG 2000 reaches on this image.

    A stream has about 180 bytes of headers, which alone exceed the size that a large ratio leaves to a small image;
    the codec then keeps nothing of the picture, the same for all such ratios. A ratio is reached if the stream is
    at most `OVERSHOOT` times the size asked for, and its pixels differ from those of the ratio reached before it.

    Raises:
        UserError: This Pillow has no JPEG 2000.
    """
    reached, before = [], image
    for ratio in strengths:
        stream = _jpeg2000_stream(image, ratio)
        now = before if stream.getbuffer().nbytes > OVERSHOOT * image.size / ratio else _decoded(stream)
        reached.append(not np.array_equal(now, before))
        before = now
    return reached


def _jpeg2000_stream(image: Pixels, ratio: float) -> BytesIO:
    if not features.check("jpg_2000"):
        raise UserError(
            "the distortion 'jpeg2000' needs OpenJPEG, without which this Pillow was built: "
            "install Pillow's wheel (pip install --force-reinstall pillow) or leave the kind out"
        )
    stream = BytesIO()
    # A bare codestream: the boxes of a .jp2 file would only add to the headers.
    Image.fromarray(image).save(
        stream, format="JPEG2000", quality_mode="rates", quality_layers=[ratio], irreversible=True, no_jp2=True
    )
    return stream


def _decoded(stream: BytesIO) -> Pixels:
    stream.seek(0)
    with Image.open(stream) as image:
        return np.array(image.convert("RGB"))
