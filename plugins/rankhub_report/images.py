"""Images as data URIs, downsized."""

from __future__ import annotations

import base64
import io
import warnings
from functools import lru_cache
from pathlib import Path

from PIL import Image


@lru_cache(maxsize=4096)
def picture(path: Path, side: int) -> tuple[str, int, int] | None:
    """A picture file as WebP, at most ``side`` pixels on its longer side.

    Returns:
        The data URI, width and height; None if it is no image that can be read.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as file:
                return encoded(file.convert("RGB"), side, 82)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def encoded(image: Image.Image, side: int, quality: int = 75) -> tuple[str, int, int]:
    """An image as :func:`picture` gives it."""
    small = image.copy()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    kept = io.BytesIO()
    small.save(kept, "WEBP", quality=quality)
    return f"data:image/webp;base64,{base64.b64encode(kept.getvalue()).decode()}", *small.size
