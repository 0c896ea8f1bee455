"""Image files as a browser can show them, upright, pixel for pixel."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from rankhub_data.decode import ORIENTATION, opened, orientation, upright
from rankhub_data.tiff import MAGIC

_NATIVE = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # what many phones write: a JPEG with further pictures behind it
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
    "BMP": "image/bmp",
}
_PLAIN = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA"})
_READ = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "JPEG2000", "PPM", "AVIF", "DIB", "ICO", "PCX", "SGI", "TGA")
"""Formats of pixels only: Pillow would start other programs for some of the rest (EPS)."""


class Unseen(Exception):
    """An image that cannot be shown; the message is a sentence without its full stop."""


def size(file: Path) -> tuple[int, int]:
    """Height and width of an image, upright, in pixels. Mostly reads little more than the file's header.

    Raises:
        Unseen: The file is gone, or holds no image.
    """
    with _opened(file) as image:
        if orientation(image) != 1 and image.format not in _NATIVE:
            image.load()  # some of Pillow's readers (TIFF) turn the image themselves; then this is what they left to do
        return upright(image)


def shown(file: Path) -> tuple[bytes, str]:
    """An image for a browser: the file as it is where browsers show it as it stands, else a PNG of the same pixels.

    Depths that screens do not have are stretched from their lowest to their highest value. Of animations and of
    several pages the first is shown, since it is the one that a network sees.

    Returns:
        The bytes, and their media type.

    Raises:
        Unseen: The file is gone, or holds no image.
    """
    with _opened(file) as image:
        kind = _NATIVE.get(image.format or "")
        if kind is not None and _as_it_stands(image):
            return file.read_bytes(), kind
        out = BytesIO()
        ImageOps.exif_transpose(_eight_bits(image)).save(out, "PNG", compress_level=1)
        return out.getvalue(), "image/png"


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    Image.init()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large images are shown, as asked
            if _starts_as_tiff(file):
                with opened(file.read_bytes(), ".tif") as (image, _):
                    yield image
                return
            # By its handle: some releases of Pillow map a turned TIFF that is opened by its name with the wrong width.
            with (
                file.open("rb") as data,
                Image.open(data, formats=[name for name in _READ if name in Image.OPEN]) as it,
            ):
                yield it
    except FileNotFoundError:
        raise Unseen(f"{file} is not there") from None
    except UnidentifiedImageError:
        raise Unseen(f"{file} holds no image that can be read") from None
    except Unseen:
        raise
    except Exception as error:  # Pillow's readers raise OSError, ValueError, SyntaxError, struct.error, ... on bad data
        raise Unseen(f"{file} cannot be read: {str(error).rstrip('.') or type(error).__name__}") from None


def _starts_as_tiff(file: Path) -> bool:
    with file.open("rb") as data:
        return data.read(4) in MAGIC


def _as_it_stands(image: Image.Image) -> bool:
    """Whether browsers show the same pixels: they turn a JPEG by its EXIF, and other formats not all alike."""
    if image.format in ("JPEG", "MPO"):
        return orientation(image) == 1 or _turned_by_exif(image)
    return image.mode in _PLAIN and orientation(image) == 1 and not getattr(image, "is_animated", False)


def _turned_by_exif(image: Image.Image) -> bool:
    """Whether it is EXIF that says which way is up: Pillow also reads it from XMP, which browsers do not."""
    exif = Image.Exif()
    exif.load(image.info.get("exif", b""))
    return ORIENTATION in exif


def _eight_bits(image: Image.Image) -> Image.Image:
    """The image in a mode that PNG and screens have; keeps its EXIF."""
    if image.mode in _PLAIN:
        return image
    if image.mode != "F" and not image.mode.startswith("I"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    values = np.asarray(image, dtype=np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 0.0)
    scaled = np.nan_to_num((values - low) * (255.0 / ((high - low) or 1.0)), posinf=255.0, neginf=0.0)
    grey = Image.fromarray(np.rint(np.clip(scaled, 0.0, 255.0)).astype(np.uint8))
    grey.info, grey.getexif()[ORIENTATION] = {}, orientation(image)
    return grey
