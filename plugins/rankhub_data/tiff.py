"""TIFF files that Pillow does not read, or reads wrongly: deep colour in planes, floats, signed numbers, more bands."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Mapping
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from rankhub_data.deep import Remark, Values, to_bytes

MAGIC = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")
_SAMPLES, _PLANAR, _BITS, _FORMAT, _COMPRESSION, _PHOTOMETRIC = 277, 284, 258, 339, 259, 262
_DEFLATE, _UNBOUNDED = (8, 32946), (34925, 34926, 50000)
"""Compressions: deflate; LZMA and Zstandard, whose bombs are not found out in time."""
_MOST = 1 << 31
"""Bytes of one image's values."""
_EXPANDS = 1032
"""So many times, at most, deflated bytes grow."""
_WHITE_IS_ZERO, _BLACK_IS_ZERO, _RGB = 0, 1, 2
_ASSOCIATED, _UNASSOCIATED = 1, 2
_REMEDY = "convert it to 8 or 16 bits of grey or RGB"


class UnsupportedTiffError(Exception):
    """A sound TIFF file that is not read.

    Args:
        reason: What it holds.
        remedy: What the user can do.
    """

    def __init__(self, reason: str, remedy: str = _REMEDY) -> None:
        super().__init__(reason)
        self.reason = reason
        self.remedy = remedy


def pillow_reads(tags: Mapping[int, Any]) -> bool:
    """Whether Pillow reads such a TIFF rightly, by its tags.

    Up to Pillow 13, 16-bit colour in planes comes out garbled; floats and signed numbers are not read, or with the
    bytes swapped where they are compressed; deep grey in which white is zero is not inverted; of two bands in planes,
    and of five and more, the wrong ones are taken.
    """
    bits, formats = (set(np.atleast_1d(tags.get(tag, 1)).tolist()) for tag in (_BITS, _FORMAT))
    samples, planar, compression = (int(tags.get(tag, 1)) for tag in (_SAMPLES, _PLANAR, _COMPRESSION))
    if max(bits) > 8 and tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO:
        return False
    if samples == 1 and compression == 1 and bits <= {16, 32}:
        return True
    if not formats <= {1, 4} or samples not in ((1, 2, 3, 4) if planar == 1 else (1, 3, 4)):  # 4: it is not said
        return False
    return max(bits) <= 8 or (bits == {16} and (planar == 1 or samples == 1))


def read_tiff(data: bytes, admit: Callable[[int], None] | None = None) -> tuple[Image.Image, Remark, int]:
    """The first page of a TIFF file, with tifffile.

    Args:
        data: The file.
        admit: Is told how many pixels are about to be decoded; may raise.

    Returns:
        An image of 8 bits (L, RGB or RGBA), not yet turned; remarks; and its orientation as EXIF counts it.

    Raises:
        UnsupportedTiffError: It is sound, and not read.
        Exception: It is damaged, in any way that a file can be.
    """
    import tifffile  # scikit-image needs it, so it is there; most runs do not

    logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what matters is raised, and reported here
    with tifffile.TiffFile(BytesIO(data)) as file:
        page = file.pages.first
        _check(page)
        _check_bomb(page, data)
        if admit is not None:
            admit(int(page.imagewidth) * int(page.imagelength))
        try:
            values = page.asarray()
        except ValueError as error:
            if "imagecodecs" not in str(error):
                raise
            raise UnsupportedTiffError(
                f"a TIFF file of {_what(page)}, compressed as {_compression(page)}",
                f"pip install imagecodecs, or {_REMEDY}",
            ) from None
        tag = page.tags.get("Orientation")
        several = Remark.FIRST_FRAME if len(file.pages) > 1 else Remark.NONE
        image, remark = _image(page, np.moveaxis(values, 0, -1) if page.axes == "SYX" else values)
        return image, remark | several, int(tag.value) if tag is not None else 1


def _check(page: Any) -> None:
    """Refuse what is no picture in grey or RGB, or too large, before any of it is decoded."""
    pixels = int(page.imagewidth) * int(page.imagelength)
    if page.nbytes > _MOST or (Image.MAX_IMAGE_PIXELS is not None and pixels > 2 * Image.MAX_IMAGE_PIXELS):
        raise Image.DecompressionBombError(f"the image has {pixels:,} pixels of {_what(page)}")
    colours = _colours(page)
    extra = int(page.samplesperpixel) - colours
    kind = page.dtype.kind if page.dtype is not None else ""
    if page.axes not in ("YX", "YXS", "SYX") or kind not in tuple("uif") or not colours or (colours == 1 and extra > 1):
        raise UnsupportedTiffError(f"a TIFF file of {_what(page)}")
    # What is cut off would be filled with zeros.
    if any(
        at + count > page.parent.filehandle.size
        for at, count in zip(page.dataoffsets, page.databytecounts, strict=True)
    ):
        raise ValueError("a damaged or cut off TIFF file")
    if int(page.compression) in _UNBOUNDED:
        raise UnsupportedTiffError(f"a TIFF file compressed as {_compression(page)}")


def _check_bomb(page: Any, data: bytes) -> None:
    """Refuse deflated pieces that grow beyond all bounds; those that are too small for it are not looked at."""
    if int(page.compression) not in _DEFLATE:
        return
    for at, count in zip(page.dataoffsets, page.databytecounts, strict=True):
        piece, size, inflate = data[at : at + count], 0, zlib.decompressobj()
        while piece and count * _EXPANDS > _MOST // 4:
            size += len(inflate.decompress(piece, 1 << 20))
            piece = inflate.unconsumed_tail
            if size > max(page.nbytes, _MOST // 4):
                raise Image.DecompressionBombError("the image grows beyond its size where it is inflated")


def _colours(page: Any) -> int:
    """How many bands are colours; 0 = it is neither grey nor RGB."""
    return {_WHITE_IS_ZERO: 1, _BLACK_IS_ZERO: 1, _RGB: 3}.get(int(page.photometric), 0)


def _compression(page: Any) -> str:
    return str(getattr(page.compression, "name", page.compression))


def _what(page: Any) -> str:
    bands, photometric = int(page.samplesperpixel), getattr(page.photometric, "name", str(page.photometric))
    return f"{bands} {'band' if bands == 1 else 'bands'} of {page.dtype or 'an unknown type'} ({photometric})"


def _image(page: Any, values: Values) -> tuple[Image.Image, Remark]:
    colours, whole_16 = _colours(page), page.dtype == np.uint16
    values = values[..., None] if values.ndim == 2 else values
    bits = int(page.bitspersample)
    if page.dtype.kind == "u" and bits not in (8, 16, 32, 64):  # 10, 12 or 14 bits, as they come
        values, whole_16, bits = values * (65535.0 / (2**bits - 1)), True, 16
    alpha = page.extrasamples[0] if page.extrasamples else 0
    if page.dtype == np.uint8:
        colour, remark = values[..., :colours], Remark.NONE
    elif colours == 3 and page.dtype == np.uint16 and bits == 16:
        colour, remark = (
            (values[..., :3] >> 8).astype(np.uint8),
            Remark.NONE,
        )  # as Pillow reads it where planes are joined
    else:
        colour, remark = to_bytes(values[..., :colours], whole_16=whole_16)
    if int(page.photometric) == _WHITE_IS_ZERO:
        colour = 255 - colour
    colour = np.ascontiguousarray(np.broadcast_to(colour, (*colour.shape[:2], 3)))
    if alpha not in (_ASSOCIATED, _UNASSOCIATED):
        return Image.fromarray(colour), remark
    opacity = values[..., colours].astype(np.float64)
    top = {"f": 1.0, "u": float(2**bits - 1)}.get(page.dtype.kind, 0.0) if bits <= 16 or page.dtype.kind == "f" else 0.0
    if not top or not (opacity >= 0).all() or not (opacity <= top).all():  # NaN is refused too
        raise UnsupportedTiffError(f"a TIFF file of {_what(page)} whose transparency has no known range")
    four = np.dstack([colour, np.rint(opacity * (255.0 / top)).astype(np.uint8)])
    size = (four.shape[1], four.shape[0])
    return Image.frombytes("RGBa" if alpha == _ASSOCIATED else "RGBA", size, four.tobytes()).convert("RGBA"), remark
