"""Points of one image, read as numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from rankhub.interfaces.errors import UserError
from rankhub_data.placed import Floats


def as_points(location: str, value: Any, *, may_be_empty: bool) -> Floats:
    """What an annotation file holds, as points.

    Args:
        location: Where it stands, for sentences.
        value: Rows of x and y.
        may_be_empty: Whether an image may have no point; else that is a damaged file.

    Returns:
        [n, 2] as they are written.

    Raises:
        UserError: They are no rows of two finite numbers, or there are none.
    """
    try:
        if np.asarray(value).dtype.kind in "bUS":  # NumPy takes "1_000" and True for numbers
            raise TypeError
        points = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{location} holds no rows of two numbers, x and y; mend it or get it anew") from None
    if not points.size:
        if may_be_empty:
            return np.empty((0, 2))
        raise UserError(f"{location} holds no point; an image of this set has some: get the file anew")
    if points.ndim != 2 or points.shape[1] != 2:
        shape = " x ".join(str(length) for length in points.shape)
        raise UserError(f"{location} holds {shape} numbers in place of rows of x and y; get the file as released")
    if bad := int((~np.isfinite(points)).any(axis=1).sum()):
        are = "is" if bad == 1 else "are"
        raise UserError(f"{location}: {bad:,} of {len(points):,} points {are} no finite number; mend or take them out")
    return points
