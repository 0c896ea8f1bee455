"""Distorted versions of images kept on disk, so that blur and compressors run once and a crop reads only its pixels."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import time
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rankhub_quality.distortion.pixels import Pixels
from rankhub_quality.ranked_sets import RankedGroup
from rankhub_quality.variants import Variants

_LAYOUT = 1
"""To be raised whenever a kind of distortion gives other pixels, or what a file consists of changes."""

_USED, _REPEATED = 1, 2
"""States of a version in a file; anything else is damage, such as a block of zeros."""

_PART = ".part"
_ABANDONED_S = 3600.0


def default_folder() -> Path:
    """Where versions are kept if a recipe names no folder."""
    return Path.home() / ".cache" / "rankhub" / "distortions"


class VariantCache:
    """A file for each image, under a folder for each set.

    A file is found by the image's content, whatever its name, data set or run. It is a NumPy array of records, one a
    version, with the fields ``state`` and ``pixels`` [3, H, W]; ``np.load(file, mmap_mode="r")`` reads it. It takes
    versions x 3 x height x width bytes: for a photo of 481 x 321 px, 9.3 MB with the set ``live`` (20 versions) and
    35 MB with ``tid2013`` (76).

    Several processes may share the folder: a file is complete or not there at all, and two that make the same one make
    the same content. A file of another length or form is made again.

    Args:
        folder: Made when it is needed.
        groups: The set.
    """

    def __init__(self, folder: Path, groups: Sequence[RankedGroup]) -> None:
        self._positions = [group.positions for group in groups]
        self._count = sum(map(len, self._positions))
        made_by = tuple(map(version, ("numpy", "scipy", "scikit-image", "pillow")))  # their filters and codecs
        self.folder = folder / _digest(repr((_LAYOUT, made_by, tuple(groups))).encode())
        self._cleaned = False

    def path_of(self, image: npt.NDArray[np.uint8]) -> Path:
        """The file of an image [3, H, W] uint8, whether it is there or not."""
        name = _digest(repr(image.shape).encode(), np.ascontiguousarray(image).data)
        return self.folder / name[:2] / f"{name}.npy"

    def read(self, path: Path, size: tuple[int, int]) -> list[Variants] | None:
        """The versions of an image of a size in a file, memory-mapped; None if it is not there or damaged."""
        head, record = self._form(size)
        length = len(head) + record.itemsize * self._count
        try:
            with open(path, "rb") as file:
                if file.read(len(head)) != head or os.fstat(file.fileno()).st_size != length:
                    return None
                # torch wants memory that may be written; what is written stays in this process
                records = np.memmap(file, record, "c", len(head), (self._count,))
        except OSError:
            return None
        state, pixels = records["state"].tolist(), iter(records["pixels"].view(np.ndarray))
        if not set(state) <= {_USED, _REPEATED}:
            return None
        states, found = iter(state), []
        for positions in self._positions:  # each takes its part of the two iterators: zip asks the list first
            repeated = frozenset(p for p, how in zip(positions, states, strict=False) if how == _REPEATED)
            found.append(Variants(dict(zip(positions, pixels, strict=False)), repeated))
        return found

    def write(self, path: Path, variants: Sequence[Variants]) -> None:
        """Put the versions of an image into its file.

        Raises:
            OSError: The folder cannot be written.
        """
        images = [(one.images[p], p in one.repeated) for one in variants for p in one.images]
        head, form = self._form(images[0][0].shape[1:])
        records = np.empty(len(images), form)
        for record, (pixels, repeated) in zip(records, images, strict=True):
            record["pixels"] = pixels
            record["state"] = _REPEATED if repeated else _USED
        path.parent.mkdir(parents=True, exist_ok=True)
        self._clean()
        part = path.with_name(f"{path.stem}.{secrets.token_hex(8)}{_PART}")
        try:
            with open(part, "xb") as file:
                file.write(head)
                file.write(records.view(np.uint8).data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink()
            raise

    def _form(self, size: tuple[int, ...]) -> tuple[bytes, np.dtype[np.void]]:
        """What a file of an image of this size begins with, and the type of a record."""
        record = np.dtype([("state", np.uint8), ("pixels", np.uint8, (3, *size))])
        head = io.BytesIO()
        descr = np.lib.format.dtype_to_descr(record)
        np.lib.format.write_array_header_1_0(head, {"descr": descr, "fortran_order": False, "shape": (self._count,)})
        return head.getvalue(), record

    def _clean(self) -> None:
        """Remove what killed processes left; one that is alive is done with a file within the hour."""
        if self._cleaned:
            return
        self._cleaned = True
        for part in self.folder.glob(f"*/*{_PART}"):
            with contextlib.suppress(OSError):
                if time.time() - part.stat().st_mtime > _ABANDONED_S:
                    part.unlink()


def kept_or_made(
    cache: VariantCache, image: Pixels, make: Callable[[], list[Variants]], trouble: Callable[[str], None]
) -> list[Variants]:
    """The versions of an image [3, H, W] from the cache; if they are not there, they are made and kept.

    ``trouble`` is told in a sentence if they cannot be kept.
    """
    path = cache.path_of(image)
    found = cache.read(path, (image.shape[1], image.shape[2]))
    if found is not None:
        return found
    made = make()
    try:
        cache.write(path, made)
    except OSError as error:
        trouble(
            f"distorted images cannot be kept in {cache.folder} ({error.strerror or error}), so they are made every "
            "time they are used; set `cache` to a folder with room, or to false"
        )
        return made
    # The pages of the file can be given back to the system; the arrays that were just made cannot.
    return cache.read(path, (image.shape[1], image.shape[2])) or made


def _digest(*parts: bytes | memoryview) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
