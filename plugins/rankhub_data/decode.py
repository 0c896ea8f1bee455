"""From an image file's bytes to 8-bit RGB, whatever mode, depth, orientation or number of frames it has."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from rankhub_data.deep import Remark, to_bytes
from rankhub_data.tiff import MAGIC, UnsupportedTiffError, pillow_reads, read_tiff
from rankhub_listing.files import FaultKind, UnusedImage
from rankhub_listing.formats import candidates, foreign_content, what_it_is

Pixels = npt.NDArray[np.uint8]

ORIENTATION = 0x0112
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_SIDEWAYS = frozenset(
    {Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE, Image.Transpose.ROTATE_90}
)
_MANY_FRAMES = frozenset({"GIF", "PNG", "WEBP", "AVIF", "TIFF"})
_DRAFT = 2
"""libjpeg may shrink by 2, 4 or 8 while it decodes, as long as this many times the wanted side remains."""


_LATE_EXIF = (b"eXIf", b"Raw profile", b"xmp")
"""One of these is in a PNG that says how it is turned, perhaps behind its pixels; to look there decodes the file."""


Admit = Callable[[int], None]
"""Is told of how many pixels an image is about to be decoded to; it may raise :class:`NoRoomError`."""

_AT_ONCE = 1 << 22
"""Pixels that are converted at once: of a large image, each copy takes gigabytes."""


class NoRoomError(Exception):
    """An image is not decoded now, since too many pixels are in memory."""


class UndecodableError(Exception):
    """The bytes give no image.

    Args:
        kind: See :class:`~rankhub_listing.files.UnusedImage`.
        reason: What is wrong.
        remedy: What the user can do.
    """

    def __init__(self, kind: FaultKind, reason: str, remedy: str = "") -> None:
        super().__init__(reason)
        self.kind = kind
        self.reason = reason
        self.remedy = remedy

    def at(self, path: str) -> UnusedImage:
        """The same as a row of the report."""
        return UnusedImage(path, self.kind, self.reason, self.remedy)


def decode(
    data: bytes,
    ending: str = "",
    resize: int | None = None,
    max_side: int | None = None,
    admit: Admit | None = None,
) -> tuple[Pixels, Remark, tuple[int, int]]:
    """Decode one image.

    The EXIF orientation is applied. Transparent images are laid on white. Of animations and of several pages
    the first is taken. 16-bit grey is scaled from 0..65535; 32-bit integers and floats have no agreed range, see
    :func:`~rankhub_data.deep.to_bytes`. Colour profiles are not applied, as is the custom for training images.

    Args:
        data: The file.
        ending: The file's ending, for formats that the content does not show.
        resize: Shorter side in pixels of what is returned (bicubic, antialiased); an image whose shorter side
            is not longer stays as it is. None = as it is.
        max_side: Longer side in pixels, in the same way; with both, the smaller of the two sizes is taken.
        admit: Called before the pixels are decoded.

    Returns:
        [3, H, W] uint8 RGB, contiguous; remarks; and height and width, upright, before it was shrunk.

    Raises:
        UndecodableError: There is no image in it; with the reason.
        NoRoomError: From ``admit``.
    """
    with _damage(data[:64]), opened(data, ending, admit) as (image, remark):
        pixels, more, size = _pixels(image, resize, max_side, admit if image.format else None)
        return pixels, remark | more, size


@contextmanager
def opened(data: bytes, ending: str, admit: Admit | None = None) -> Iterator[tuple[Image.Image, Remark]]:
    """An open image; where Pillow does not read its kind of TIFF, or not rightly, by tifffile, of 8 bits and upright.

    Args:
        data: The file.
        ending: As for :func:`decode`.
        admit: As for :func:`decode`.

    Raises:
        UnsupportedTiffError: It is a sound TIFF file that is not read.
        Exception: What Pillow or tifffile say of bad data.
    """
    try:
        image = Image.open(BytesIO(data), formats=list(candidates(ending)))
    except UnidentifiedImageError:
        if not data.startswith(MAGIC):
            raise
    else:
        with image:
            if image.format != "TIFF" or pillow_reads(image.tag_v2):  # type: ignore[attr-defined]
                yield image, Remark.NONE
                return
    found, remark, orientation = read_tiff(data, admit)
    turn = _UPRIGHT.get(orientation)
    yield (found if turn is None else found.transpose(turn)), remark


def from_pil(image: Image.Image, resize: int | None = None, max_side: int | None = None) -> Pixels:
    """The pixels of an open image, as :func:`decode` gives them; the image itself stays as it is.

    Args:
        image: Of any mode; of several frames the present one is taken.
        resize: As for :func:`decode`.
        max_side: The same.

    Returns:
        [3, H, W] uint8 RGB, contiguous.

    Raises:
        UndecodableError: It cannot be read, as where its file is damaged or closed.
    """
    with _damage(b""):
        if image.format == "TIFF" and not pillow_reads(getattr(image, "tag_v2", {})):
            raise UndecodableError("unsupported", "Pillow misreads this kind of TIFF", "give its path instead")
        return _pixels(image, resize, max_side, own=False)[0]


def pil_size(image: Image.Image, resize: int | None = None, max_side: int | None = None) -> tuple[int, int]:
    """Height and width of what :func:`from_pil` would give.

    Raises:
        UndecodableError: It cannot be read.
    """
    with _damage(b""):
        image.load()
        return upright(image, resize, max_side)


def header_size(
    data: bytes, ending: str = "", resize: int | None = None, max_side: int | None = None
) -> tuple[int, int]:
    """Height and width of what :func:`decode` would give, mostly without decoding.

    Args:
        data: The file.
        ending: As for :func:`decode`.
        resize: As for :func:`decode`.
        max_side: The same.

    Raises:
        UndecodableError: There is no image in it; with the reason.
    """
    with _damage(data[:64]), opened(data, ending) as (image, _):
        if image.format == "TIFF":  # which Pillow turns itself while it decodes
            image.load()
        elif image.format == "PNG" and not any(mark in data for mark in _LATE_EXIF):
            width, height = shrunk(image.size, resize, max_side)
            return height, width
        return upright(image, resize, max_side)


def upright(image: Image.Image, resize: int | None = None, max_side: int | None = None) -> tuple[int, int]:
    """Height and width of an open image once it is turned by its EXIF, and shrunk."""
    width, height = shrunk(image.size, resize, max_side)
    return (width, height) if _UPRIGHT.get(orientation(image)) in _SIDEWAYS else (height, width)


def shrunk(size: tuple[int, int], resize: int | None, max_side: int | None) -> tuple[int, int]:
    """Width and height once the shorter side is ``resize`` and the longer at most ``max_side``; never larger."""
    factors = [(resize or min(size), min(size)), (max_side or max(size), max(size))]
    side, of = min(factors, key=lambda factor: factor[0] / factor[1])
    if side >= of:
        return size
    return max(1, round(size[0] * side / of)), max(1, round(size[1] * side / of))


@contextmanager
def _damage(head: bytes) -> Iterator[None]:
    """Turn what Pillow says of bad data into the reason."""
    try:
        yield
    except (UndecodableError, NoRoomError):
        raise
    except UnsupportedTiffError as error:
        raise UndecodableError("unsupported", error.reason, error.remedy) from None
    except UnidentifiedImageError:
        raise _unidentified(head) from None
    except Image.DecompressionBombError as error:
        raise UndecodableError("too large", str(error).rstrip("."), "shrink it first") from None
    except Exception as error:  # Pillow's readers raise OSError, ValueError, SyntaxError, struct.error, ... on bad data
        raise UndecodableError("broken", str(error).rstrip(".") or type(error).__name__) from None


def _unidentified(head: bytes) -> UndecodableError:
    foreign = foreign_content(head)
    if foreign is None:
        return UndecodableError("broken", what_it_is(head))
    if foreign.pillow_id in Image.OPEN:
        return UndecodableError("broken", f"a damaged or cut off {foreign.name} file")
    return UndecodableError("unsupported", f"{foreign.name} is not read by Pillow", foreign.remedy)


def _pixels(
    image: Image.Image, resize: int | None, max_side: int | None, admit: Admit | None = None, *, own: bool = True
) -> tuple[Pixels, Remark, tuple[int, int]]:
    remark = Remark.FIRST_FRAME if _several_frames(image) else Remark.NONE
    announced = image.size
    wanted = shrunk(announced, resize, max_side)
    drafted = False
    if own and wanted != announced:
        short = _DRAFT * min(wanted)
        drafted = image.draft(image.mode, (short, short)) is not None
    if admit is not None:
        admit(image.width * image.height)
    image.load()
    width, height = source = announced if drafted else image.size
    size, turn = shrunk(source, resize, max_side), _UPRIGHT.get(orientation(image))
    if size == image.size and turn is None:
        pixels, more = _planes(image)
        return pixels, remark | more, (height, width)
    rgb, more = _to_rgb(image)
    if own and rgb is not image:
        image.close()  # which gives its pixels back
    if size != rgb.size:
        # Averaging whole blocks down to three times the size first changes no value visibly, and is faster.
        rgb = rgb.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)
    if turn is not None:
        rgb = rgb.transpose(turn)
        width, height = (height, width) if turn in _SIDEWAYS else (width, height)
    return _planes(rgb)[0], remark | more, (height, width)


def _planes(image: Image.Image) -> tuple[Pixels, Remark]:
    """[3, H, W] uint8, without a copy of the image in RGB."""
    pixels, remark = np.empty((3, image.height, image.width), dtype=np.uint8), Remark.NONE
    for (_, top, _, end), part, more in _parts(image):
        pixels[:, top:end] = np.asarray(part).transpose(2, 0, 1)
        remark |= more
    return pixels, remark


def _to_rgb(image: Image.Image) -> tuple[Image.Image, Remark]:
    if image.mode == "RGB" and not image.has_transparency_data:
        return image, Remark.NONE
    whole, remark = Image.new("RGB", image.size), Remark.NONE
    for box, part, more in _parts(image):
        whole.paste(part, box)
        remark |= more
    return whole, remark


def _parts(image: Image.Image) -> Iterator[tuple[tuple[int, int, int, int], Image.Image, Remark]]:
    """An image in RGB: whole rows from the top, so few at a time that each copy of them takes little memory."""
    (width, height), step = image.size, max(1, _AT_ONCE // image.width)
    if image.mode == "F" or image.mode.startswith("I"):
        image, remark = _from_deep(image)
    else:
        remark = Remark.NONE
    for top in range(0, height, step):
        box = (0, top, width, min(height, top + step))
        part, more = _flat(image if step >= height else image.crop(box))
        yield box, part, remark | more


def _several_frames(image: Image.Image) -> bool:
    # Phones hide previews and depth in JPEG (MPO), editors layers in PSD: those are no frames to tell of.
    if image.format not in _MANY_FRAMES:
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # damage behind the first frame does not matter
        return False


def orientation(image: Image.Image) -> int:
    """How an image is turned, as EXIF counts it; 1 = it is upright."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # damaged EXIF says nothing on orientation; the pixels are fine
        return 1


def _flat(image: Image.Image) -> tuple[Image.Image, Remark]:
    """RGB, laid on white where it is transparent."""
    if not image.has_transparency_data:
        return (image if image.mode == "RGB" else image.convert("RGB")), Remark.NONE
    if image.mode == "La":  # greyscale times alpha; Pillow converts it by way of LA only
        image = image.convert("LA")
    rgba = image.convert("RGBA")
    if rgba.getchannel("A").getextrema()[0] == 255:
        return rgba.convert("RGB"), Remark.NONE
    white = Image.new("RGBA", rgba.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, rgba).convert("RGB"), Remark.TRANSPARENT


def _from_deep(image: Image.Image) -> tuple[Image.Image, Remark]:
    """Grey of more than 8 bits to 8."""
    # Before Pillow 11, and for portable grey maps, 16-bit files come in mode I.
    whole_16 = image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))
    values, remark = to_bytes(np.asarray(image), whole_16=whole_16)
    return Image.fromarray(values), remark
