"""The colour photos that come inside the scikit-image wheel, cut into pieces that never leave their photo's part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from rankhub.interfaces.data import DataReport, Dataset, OpenContext, Sample
from rankhub.interfaces.errors import Objection, UserError
from rankhub.interfaces.options import Ge, Le
from rankhub_data.sheet import scaled

Part = Literal["all", "train", "held_out"]
Photo = Literal[
    "astronaut",
    "chelsea",
    "coffee",
    "hubble_deep_field",
    "ihc",
    "motorcycle_left",
    "motorcycle_right",
    "retina",
    "rocket",
]
Pixels = npt.NDArray[np.uint8]

PHOTOS: tuple[Photo, ...] = get_args(Photo)
"""All colour photos of the wheel. The index of a name is part of the address of random numbers: add at the end only."""

HELD_OUT: frozenset[Photo] = frozenset({"chelsea", "coffee"})
"""An animal and a still life, whose SSIM is alike at equal distortion. The motorcycles are a stereo pair: one side."""

_JPEG = frozenset({"hubble_deep_field", "retina", "rocket"})


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a photo.

    Attributes:
        photo: Which photo.
        number: Which of its pieces, from 0, row by row.
        pixels: [H, W, 3] RGB.
    """

    photo: Photo
    number: int
    pixels: Pixels

    @property
    def name(self) -> str:
        """``coffee/2``."""
        return f"{self.photo}/{self.number}"


class SkimagePhotos(Dataset):
    """The nine colour photos inside the scikit-image wheel, of eight subjects: nothing is downloaded.

    For training: astronaut, hubble_deep_field, ihc, motorcycle_left and motorcycle_right (a stereo pair), retina,
    rocket.
    Held out: chelsea, coffee. The split is by photo and fixed; all pieces of a photo are on its side.

    The wheel holds hubble_deep_field, retina and rocket as JPEG files, with faint traces of that; at the default
    ``longest`` they are reduced, which removes most of them.

    Args:
        part: ``train``, ``held_out``, or ``all``.
        photos: Only these photos of the part, for a validation split inside the training photos.
        tiles: Each photo is cut into so many rows and as many columns, without overlap.
        longest: Longest side in pixels; a larger photo is first reduced to it.
    """

    def __init__(
        self,
        *,
        part: Part = "all",
        photos: Sequence[Photo] | None = None,
        tiles: Annotated[int, Ge(1), Le(8)] = 1,
        longest: Annotated[int, Ge(128), Le(2048)] = 256,
    ) -> None:
        check_cut(tiles, longest)
        self.tiles, self.longest = tiles, longest
        self.photos = photos_of(part, photos)
        self._pieces: list[Piece] = []

    def missing(self) -> str | None:
        """One sentence if this scikit-image has come without one of the files."""
        return missing_photos(self.photos)

    def open(self, context: OpenContext) -> DataReport:
        """Decode and cut; a fraction of a second."""
        self._pieces = read_pieces(self.photos, self.tiles, self.longest)
        note = f"{len(self._pieces)} pristine pieces of {len(self.photos)} photos: {', '.join(self.photos)}"
        return DataReport(notes=[note])

    def __len__(self) -> int:
        return len(self._pieces)

    def __getitem__(self, index: int) -> Sample:
        index = range(len(self))[index]
        piece = self._pieces[index]
        meta = {"reference": piece.photo, "path": piece.name}
        return Sample(as_tensor(piece.pixels), index, path=photo_path(piece.photo), meta=meta)

    def facts(self, name: str) -> Sequence[str] | None:
        """``reference``: the photo; ``path``: the photo and the number of the piece."""
        known: dict[str, Sequence[str]] = {
            "reference": [piece.photo for piece in self._pieces],
            "path": [piece.name for piece in self._pieces],
        }
        return known.get(name)

    def sizes(self) -> npt.NDArray[np.int64]:
        """[len, 2] height and width."""
        return np.array([piece.pixels.shape[:2] for piece in self._pieces], np.int64).reshape(-1, 2)


def photos_of(part: Part, only: Sequence[Photo] | None) -> tuple[Photo, ...]:
    """The photos of a part, or those of it that are named, in the order of :data:`PHOTOS`.

    Raises:
        Objection: A name stands twice, or its photo is not in the part; or none is named.
    """
    there = [name for name in PHOTOS if part == "all" or (name in HELD_OUT) == (part == "held_out")]
    if only is None:
        return tuple(there)
    outside = [name for name in only if name not in there]
    if outside:
        raise Objection(f"photo {outside[0]} is not in part {part}, which has {', '.join(there)}")
    if not only or len(set(only)) != len(only):
        raise Objection(f"`photos` must name each photo once, and at least one of {', '.join(there)}")
    return tuple(name for name in there if name in only)


def check_cut(tiles: int, longest: int) -> None:
    """Refuse pieces that are too small to be distorted and compared.

    Raises:
        Objection: Pieces of less than 64 pixels.
    """
    if longest // tiles < 64:
        raise Objection(f"tiles {tiles} of a longest side of {longest} pixels are smaller than 64; cut into fewer")


def photo_path(photo: Photo) -> Path:
    """The photo's file inside the installed scikit-image."""
    # Not by skimage.data's functions: they would go to the network for a file that is not there.
    return Path(str(files("skimage"))) / "data" / f"{photo}.{'jpg' if photo in _JPEG else 'png'}"


def missing_photos(photos: Sequence[Photo]) -> str | None:
    """One sentence if a file is not there."""
    lost = [path for path in map(photo_path, photos) if not path.is_file()]
    if not lost:
        return None
    names = ", ".join(path.name for path in lost)
    where = f"{lost[0].parent}, where scikit-image keeps them"
    return f"{names} not found in {where}; pip install --force-reinstall scikit-image"


def read_pieces(photos: Sequence[Photo], tiles: int, longest: int) -> list[Piece]:
    """Decode, reduce and cut.

    Args:
        photos: Which photos.
        tiles: Rows, and columns, of pieces.
        longest: Longest side in pixels that is not reduced.

    Returns:
        ``tiles`` ** 2 pieces a photo, the photos one after the other; together they cover it without overlap.

    Raises:
        UserError: A file cannot be decoded.
    """
    pieces = []
    for photo in photos:
        cut = [side for row in np.array_split(_read(photo, longest), tiles) for side in np.array_split(row, tiles, 1)]
        pieces += [Piece(photo, number, np.ascontiguousarray(pixels)) for number, pixels in enumerate(cut)]
    return pieces


def as_tensor(pixels: Pixels) -> torch.Tensor:
    """[H, W, 3] to [3, H, W]."""
    return torch.from_numpy(pixels.transpose(2, 0, 1).copy())


def _read(photo: Photo, longest: int) -> Pixels:
    path = photo_path(photo)
    try:
        with Image.open(path) as file:
            image = file.convert("RGB")
    except OSError as error:
        raise UserError(f"{path} cannot be decoded ({error}); pip install --force-reinstall scikit-image") from error
    factor = longest / max(image.size)
    if factor < 1:
        image = scaled(image, factor)
    return np.asarray(image)
