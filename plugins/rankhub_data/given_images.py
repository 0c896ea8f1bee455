"""Images as Python programs hold them: paths, PIL images, arrays, tensors; and several of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from rankhub.interfaces.errors import UserError
from rankhub_data.decode import Pixels, UndecodableError, decode, from_pil, header_size, pil_size, shrunk
from rankhub_listing.formats import learn_formats, unread

FORMS = "a path, a PIL image, an array [H, W, 3] or [H, W], or a tensor [3, H, W] or [1, H, W]"

Array = npt.NDArray[Any]
Limits = tuple[int | None, int | None]
"""Shorter and longer side in pixels to which an image is shrunk, if it is larger; None = any."""
AS_IS: Limits = (None, None)

_HASHED = 4096

_NEAR = 1e-6
"""A float may miss [0, 1] by so much, by rounding."""


@dataclass
class GivenItems:
    """One image or several, in any form; nothing is copied or read until it is asked for.

    Attributes:
        items: n images, or pairs of an image and its label.
        one: Whether an image was given by itself.
        held: Whether all are at hand at once, and not made one by one when they are asked for.
        first: Position of the first, for messages.
        limits: To which images are shrunk.
    """

    items: Sequence[Any]
    one: bool
    held: bool
    first: int = 0
    limits: Limits = AS_IS

    @classmethod
    def of(cls, value: Any, first: int = 0, limits: Limits = AS_IS) -> GivenItems:
        """What was given, with a look at all that is held in memory.

        Raises:
            UserError: It is no image and holds none; the first that cannot be taken.
        """
        learn_formats()
        items, one = _items(value)
        held = isinstance(items, list | tuple | np.ndarray | Tensor)
        given = cls(items, one, held, first, limits)
        if not len(items):
            raise UserError("there is no image in what was given")
        for number in range(len(items)) if held else ():
            check(given.image(number), given.name(number))
        return given

    def __len__(self) -> int:
        return len(self.items)

    def name(self, number: int, item: Any = None) -> str:
        """What an image is called in a sentence."""
        path = _path(self.image(number) if item is None and self.held else item)
        name = f"images[{self.first + number}]"
        if path is None:
            return "the image" if self.one else name
        return path if self.one else f"{name} ({path})"

    def image(self, number: int) -> Any:
        """An image in its form."""
        return self.parts(number)[0]

    def parts(self, number: int) -> tuple[Any, ...]:
        """An image in its form, and the label that stands beside it, if it is a pair."""
        item = self.items[number]
        if not isinstance(item, tuple):
            return (item,)
        two_images = len(item) == 2 and (isinstance(item[1], Image.Image) or getattr(item[1], "ndim", 0) > 2)
        if len(item) not in (1, 2) or two_images:
            raise UserError(
                f"images[{self.first + number}] is a tuple of {len(item)}; expected {FORMS}, or one of these with its "
                "label"
            )
        return item

    def label(self, number: int) -> Any:
        """The label that stands beside an image.

        Raises:
            UserError: There is none.
        """
        parts = self.parts(number)
        if len(parts) < 2:
            raise UserError(
                f"images[{self.first + number}] has no label, others have; write None where it is not known"
            )
        return parts[1]

    def pixels(self, number: int, image: Any = None) -> Pixels:
        """[3, H, W] uint8 RGB of an image; nobody else's memory.

        Args:
            number: Which one.
            image: It, if it is at hand.

        Raises:
            UserError: It cannot be taken.
        """
        image = self.image(number) if image is None else image
        return pixels(image, self.name(number, image), self.limits)

    def digest(self, number: int) -> int:
        """A hash of some thousand values of an image in memory, spread over it."""
        image = self.image(number)
        values = np.asarray(image if isinstance(image, Image.Image) else _as_array(image, self.name(number))).ravel()
        some = np.ascontiguousarray(values[:: max(1, len(values) // _HASHED)])
        return int.from_bytes(hashlib.blake2b(some.tobytes(), digest_size=8).digest(), "big")

    @cached_property
    def paths(self) -> list[str]:
        """[n] paths as they were given; empty for what is no file or not held."""
        return [_path(self.image(number)) or "" for number in range(len(self))] if self.held else [""] * len(self)

    def size(self, number: int, *, shrunk: bool = True) -> tuple[int, int]:
        """Height and width of an image, upright, with or without shrinking; mostly without decoding a file."""
        image = self.image(number)
        return size(image, self.name(number, image), self.limits if shrunk else AS_IS)


def _items(value: Any) -> tuple[Any, bool]:
    """Several images as a sequence, and whether it was one by itself."""
    if isinstance(value, str | os.PathLike | Image.Image):
        return [value], True
    if isinstance(value, np.ndarray) and value.dtype.kind in "OUS":  # of paths, say
        return value.tolist() if value.ndim == 1 else [value], value.ndim != 1
    if isinstance(value, np.ndarray | Tensor):
        return (value, False) if value.ndim == 4 else ([value], True)
    if hasattr(value, "iloc") and getattr(value, "ndim", 0) == 1:  # a column of a table, whose [0] is a name
        return list(value), False
    if isinstance(value, list | tuple):
        return value, False
    ordered = hasattr(value, "__len__") and hasattr(value, "__getitem__") and not hasattr(value, "iloc")
    if ordered and not isinstance(value, Mapping | bytes | bytearray):
        return value, False
    raise UserError(f"images cannot be taken from a {type(value).__name__}; expected {FORMS}, or a list of these")


def _path(image: Any) -> str | None:
    return os.fsdecode(image) if isinstance(image, str | os.PathLike) else None


def check(image: Any, name: str) -> None:
    """See that an image can be taken; files are looked for, not read.

    Raises:
        UserError: It cannot.
    """
    path = _path(image)
    if path is not None:
        _file(path, name)
    elif not isinstance(image, Image.Image):
        _check_values(_as_array(image, name), name)


def pixels(image: Any, name: str, limits: Limits) -> Pixels:
    """[3, H, W] uint8 RGB of an image, in memory of its own.

    Raises:
        UserError: It cannot be taken.
    """
    path = _path(image)
    try:
        if path is not None:
            return _own(decode(_read(path, name), ending(path), *limits)[0])
        if isinstance(image, Image.Image):
            return _own(from_pil(image, *limits))
    except UndecodableError as error:
        raise _unreadable(name, error) from None
    array = _as_array(image, name)
    _check_values(array, name)
    if array.dtype.kind == "f":
        array = np.rint(array.astype(np.float64 if array.dtype == np.float64 else np.float32) * 255).clip(0, 255)
    rgb = np.broadcast_to(array.astype(np.uint8), (*array.shape[:2], 3))
    height, width = rgb.shape[:2]
    if shrunk((width, height), *limits) != (width, height):
        return _own(from_pil(Image.fromarray(np.ascontiguousarray(rgb)), *limits))
    return np.array(rgb.transpose(2, 0, 1), order="C")


def _own(found: Pixels) -> Pixels:
    """What Pillow gave, as memory that may be written to."""
    return found if found.flags.writeable else found.copy()


def size(image: Any, name: str, limits: Limits) -> tuple[int, int]:
    """Height and width that :func:`pixels` would give, mostly without decoding a file.

    Raises:
        UserError: It cannot be taken.
    """
    path = _path(image)
    try:
        if path is not None:
            return header_size(_read(path, name), ending(path), *limits)
        if isinstance(image, Image.Image):
            return pil_size(image, *limits)
    except UndecodableError as error:
        raise _unreadable(name, error) from None
    height, width = _as_array(image, name).shape[:2]
    width, height = shrunk((width, height), *limits)
    return height, width


def ending(path: str) -> str:
    """A name's ending in lower case, with the dot."""
    return os.path.splitext(path)[1].lower()


def _unreadable(name: str, error: UndecodableError) -> UserError:
    return UserError(f"{name} cannot be read: {error.reason}{f'; {error.remedy}' if error.remedy else ''}")


def _file(path: str, name: str) -> Path:
    """A file that may hold an image."""
    file = Path(path).expanduser()
    if not file.is_file():
        what = "is a folder; give it alone, or the paths of its images" if file.is_dir() else "is not there"
        raise UserError(f"{name} {what}")
    if foreign := unread(ending(path)):
        raise UserError(f"{name} cannot be read: {foreign.name} is not read by Pillow; {foreign.remedy}")
    return file


def _read(path: str, name: str) -> bytes:
    try:
        return _file(path, name).read_bytes()
    except OSError as error:
        raise UserError(f"{name} cannot be read: {(error.strerror or str(error)).lower()}") from None


def _as_array(image: Any, name: str) -> Array:
    """An array or a tensor as [H, W, 1] or [H, W, 3]; a view, of whatever type.

    Raises:
        UserError: It is something else, or has another shape.
    """
    if not isinstance(image, np.ndarray | Tensor):
        what = f"is a {type(image).__name__}" if image is not None else "is None"
        raise UserError(f"{name} {what}; expected {FORMS}")
    shape = list(image.shape)
    if isinstance(image, Tensor):
        kind, layouts, channels = "tensor", "[3, H, W] or [1, H, W]", 0
        plain = image.detach().cpu()
        array: Array = (plain.float() if plain.dtype == torch.bfloat16 else plain).numpy()
        array = array.transpose(1, 2, 0) if array.ndim == 3 else array
    else:
        kind, layouts, channels = "array", "[H, W, 3] or [H, W]", -1
        array = image
    array = array[:, :, None] if array.ndim == 2 else array
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        hint = ""
        if len(shape) == 3 and shape[-1 - channels] in (1, 3):
            turn = "permute(2, 0, 1)" if kind == "tensor" else "transpose(1, 2, 0)"
            hint = f"; channels stand {'first' if kind == 'tensor' else 'last'}: {turn}"
        elif len(shape) == 3 and shape[channels] == 4:
            hint = "; lay it on a colour first, or give a PIL image, which is laid on white"
        elif len(shape) == 3:
            hint = "; several grey images are a list"
        raise UserError(f"{name} is a{'n' * (kind == 'array')} {kind} {shape}; expected {layouts}{hint}")
    if not array.size:
        raise UserError(f"{name} is empty: it is a{'n' * (kind == 'array')} {kind} {shape}")
    return array


def _check_values(array: Array, name: str) -> None:
    """See that an array holds uint8, whole numbers from 0 to 255, or floats from 0 to 1.

    Raises:
        UserError: It does not.
    """
    if array.dtype == np.uint8:
        return
    if array.dtype.kind not in "iuf":
        raise UserError(f"{name} holds {array.dtype}; expected uint8, or floats in [0, 1]")
    low, high = array.min(), array.max()
    if array.dtype.kind in "iu":
        if low < 0 or high > 255:
            raise UserError(f"{name} holds {array.dtype} from {low} to {high}; expected 0 to 255: scale it")
    elif not (np.isfinite(low) and np.isfinite(high)):
        raise UserError(f"{name} holds numbers that are not finite; expected floats in [0, 1]")
    elif low < -_NEAR or high > 1 + _NEAR:
        remedy = "divide it by 255" if low >= 0 and high <= 255 else "give images before they are normalized"
        raise UserError(f"{name} holds floats from {low:.4g} to {high:.4g}; expected [0, 1]: {remedy}")
