"""Values of more than 8 bits to 8 bits: which range they are of, and what of it is worth telling."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntFlag
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[Any]

_VALUES_AT_ONCE = 1 << 22
_DIM = 16
"""Images that use less than the so-many-th part of the range that was taken for theirs come out dark."""
_OVERSHOOT = (-0.5, 2.0)
"""Floats between these may be of 0..1, beyond which resampling and sharpening shoot;"""
_WITHIN = 0.99
"""they are if so many of them lie in it."""


class Remark(IntFlag):
    """What is worth telling of an image that was decoded."""

    NONE = 0
    FIRST_FRAME = 1
    TRANSPARENT = 2
    DIM = 4
    STRETCHED = 8
    CLIPPED = 16


def to_bytes(values: Values, *, whole_16: bool = False) -> tuple[npt.NDArray[np.uint8], Remark]:
    """Scale values to 0..255, not finite ones to 0.

    Integers of 16 bits without a sign are of 0..65535. Others have no agreed range: floats of which nearly all lie in
    0..1 and none far from it are of 0..1, what lies beyond is clipped; else 0..255, and for integers 0..65535, are
    taken as such where the values fit; else the image's own range is stretched.

    Args:
        values: [H, W] or [H, W, C]; all channels are scaled alike.
        whole_16: Whether they are of 0..65535, though their type is wider.

    Raises:
        ValueError: No value is finite.
    """
    low, high, share = _extent(values)
    floats, remark = values.dtype.kind == "f", Remark.NONE
    if whole_16 or values.dtype == np.uint16:
        start, stop = 0.0, 65535.0
        remark = Remark.DIM if 255 < high < stop / _DIM else remark
    elif floats and _OVERSHOOT[0] <= low and high <= _OVERSHOOT[1] and share >= _WITHIN:
        start, stop = 0.0, 1.0
        remark = Remark.CLIPPED if low < 0 or high > 1 else remark
    elif low >= 0 and high <= 255 and not (floats and high <= _OVERSHOOT[1]):
        start, stop = 0.0, 255.0
        remark = Remark.DIM if 0 < high < stop / _DIM else remark
    elif low >= 0 and high <= 65535 and not floats:
        start, stop = 0.0, 65535.0
        remark = Remark.DIM if high < stop / _DIM else remark
    else:
        start, stop = low, high if high > low else low + 1.0
        remark = Remark.STRETCHED
    out = np.empty(values.shape, dtype=np.uint8)
    for rows in _pieces(values):
        piece = values[rows].astype(np.float64)
        piece = (np.where(np.isfinite(piece), piece, start) - start) * (255.0 / (stop - start))
        out[rows] = np.rint(np.clip(piece, 0.0, 255.0))
    return out, remark


def _extent(values: Values) -> tuple[float, float, float]:
    """The lowest and the highest finite value, and the share of the finite ones in 0..1."""
    lows, highs, within, count = [], [], 0, 0
    for rows in _pieces(values):
        finite = values[rows][np.isfinite(values[rows])]
        if finite.size:
            lows.append(float(finite.min()))
            highs.append(float(finite.max()))
            within += int(((finite >= 0) & (finite <= 1)).sum())
            count += finite.size
    if not count:
        raise ValueError("the image holds no finite number")
    return min(lows), max(highs), within / count


def _pieces(values: Values) -> Iterator[slice]:
    """Rows, so few at a time that what is made of them takes little memory."""
    step = max(1, _VALUES_AT_ONCE // max(1, values[:1].size))
    return (slice(start, start + step) for start in range(0, len(values), step))
