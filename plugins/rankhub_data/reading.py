"""Reads a folder of images once: list, decode in threads, keep. Parts of one folder share what was read."""

from __future__ import annotations

import errno
import hashlib
import threading
import warnings
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import numpy.typing as npt
from torch import Tensor

from rankhub.interfaces.data import OpenContext
from rankhub.interfaces.errors import UserError
from rankhub_data.cache import Decoded, Facts, PartialEntry, entry_of, load, load_part
from rankhub_data.decode import NoRoomError, Pixels, UndecodableError, decode
from rankhub_data.deep import Remark
from rankhub_data.parts import originals
from rankhub_data.store import Collector
from rankhub_listing.files import ImageFile, ImageFiles, UnusedImage, as_ints
from rankhub_listing.formats import learn_formats
from rankhub_listing.kept import KeptListing
from rankhub_listing.scan import Listing, scan
from rankhub_train.waiting import cores

_FILES_A_TASK = 32
_BYTES_A_TASK = 1 << 20
"""Small files go to a thread many at once, since handing over costs as much as decoding; large ones alone."""


_ROOM, _ROOM_A_CORE = 1 << 26, 1 << 24
"""Pixels that are decoded at once, and that wait for their turn, at the least and for each core; a larger image is
decoded alone."""

Sizes = npt.NDArray[np.int64]

_Decode = Callable[..., tuple[Pixels, Remark, tuple[int, int]]]
"""What :func:`~rankhub_data.decode.decode` does, once it is said how far images are shrunk."""


@dataclass(frozen=True)
class Folder:
    """A folder of images that was read.

    Attributes:
        root: Absolute.
        listing: What it holds.
        decoded: Its images.
        cached: The folder that keeps the decoded images, if they are kept outside memory.
    """

    root: Path
    listing: Listing
    decoded: Decoded
    cached: Path | None

    def __len__(self) -> int:
        return len(self.decoded.facts.rows)

    def image(self, image: int) -> Tensor:
        """[3, H, W] uint8, RGB; not copied where it lies in memory."""
        return self.decoded.images[image]

    def path_of(self, image: int) -> str:
        """The path of an image relative to the root, as the file is named on the disk."""
        return self.listing.files[int(self.decoded.facts.rows[image])].path

    def path(self, image: int) -> Path:
        """The absolute path of an image."""
        return Path(f"{self.root}/{self.path_of(image)}")

    @property
    def sizes(self) -> Sizes:
        """[n, 2] height and width of the images, as they are kept."""
        return self.decoded.facts.shapes

    @property
    def source_sizes(self) -> Sizes:
        """[n, 2] height and width, upright, before they were shrunk."""
        return self.decoded.facts.sources

    @property
    def digests(self) -> npt.NDArray[np.uint64]:
        """[n] a hash of each file."""
        return self.decoded.facts.file_digests

    @cached_property
    def originals(self) -> Sizes:
        """[n] for each image the first one with the same pixels; its own number if it is the first."""
        return originals(self.decoded.facts.pixel_digests)

    def where_kept(self) -> Iterator[str]:
        """The sentence on the folder that keeps the decoded images, if they are kept outside memory."""
        if self.cached is not None:
            size = self.decoded.images.nbytes / 1e9
            yield f"decoded images are kept in {self.cached} ({size:.1f} GB), which may be deleted at any time"

    @property
    def faults(self) -> list[UnusedImage]:
        """All images that are not used, by path."""
        return sorted([*self.listing.faults, *self.decoded.faults], key=lambda fault: fault.path)


_in_use: WeakValueDictionary[Path, Folder] = WeakValueDictionary()
_reading = threading.Lock()


class _Together:
    """What the data sets that one context opens, one after the other, have listed: each folder once."""

    def __init__(self) -> None:
        self._context: OpenContext | None = None
        self._listings: WeakValueDictionary[Any, Listing] = WeakValueDictionary()

    def listing(
        self, root: Path, folders: Sequence[str] | None, context: OpenContext, formats: frozenset[str]
    ) -> Listing:
        """Of a folder; looked at anew for another context."""
        with _reading:
            if self._context is not context:
                self._context, self._listings = context, WeakValueDictionary()
            key = root, None if folders is None else tuple(folders)
            found = self._listings.get(key)
            if found is None:
                kept = KeptListing(context.cache / "listings", root, folders, formats)
                found = self._listings[key] = scan(root, folders, kept)
            return found


_together = _Together()


def list_folder(root: Path, folders: Sequence[str] | None, context: OpenContext | None = None) -> Listing:
    """The images of a folder, not yet decoded; see :func:`~rankhub_listing.scan.scan`.

    Args:
        root: Absolute.
        folders: Only these below it; None = all.
        context: Where to keep what is found, for the next run; data sets that it opens share it. None = nowhere.

    Raises:
        UserError: The folder cannot be listed.
    """
    formats = learn_formats()
    try:
        if context is None:
            return scan(root, folders)
        return _together.listing(root, folders, context, formats)
    except OSError as error:
        raise UserError(f"the folder {error.filename or root} cannot be listed: {error.strerror}") from None


def read_folder(
    root: Path,
    listing: Listing,
    resize: int | None,
    context: OpenContext,
    *,
    keep: bool,
    max_side: int | None = None,
) -> Folder:
    """Decode the images of a folder, or take them from where they were decoded before.

    Args:
        root: Absolute.
        listing: What it holds.
        resize: Shorter side of the images that are kept; None = as they are.
        context: Where and how much to keep.
        keep: Whether to use the cache though the images fit into memory.
        max_side: Longest side of the images that are kept; None = as they are.

    Raises:
        UserError: The cache cannot be written.
    """
    entry = entry_of(context.cache / "image_folder", root, listing.files, resize, max_side, learn_formats())
    with _reading:
        folder = _in_use.get(entry)
        if folder is None:
            shrunk = partial(decode, resize=resize, max_side=max_side)
            folder = _read(root, listing, shrunk, context, entry, keep=keep)
            _in_use[entry] = folder
        return folder


def _read(root: Path, listing: Listing, shrunk: _Decode, context: OpenContext, entry: Path, *, keep: bool) -> Folder:
    decoded = load(entry, root)
    if decoded is not None:
        return Folder(root, listing, decoded, entry)
    part = load_part(entry, root, listing.files)
    if part is not None:
        return Folder(root, listing, *part)
    draft = PartialEntry(entry)
    collector = Collector(0 if keep else context.memory_limit, draft.open_pixels)
    try:
        facts, faults = _decode_into(collector, root, listing.files, shrunk, context)
        with _writing(entry.parent):
            images = collector.finish()
            if images is None:
                images = draft.publish(listing.files, facts, faults)
                return Folder(root, listing, Decoded(images, facts, faults), entry)
        return Folder(root, listing, Decoded(images, facts, faults), None)
    finally:
        collector.close()
        draft.discard()


@contextmanager
def _writing(cache: Path) -> Iterator[None]:
    """Turn what the disk says while the cache is written into a sentence."""
    try:
        yield
    except OSError as error:
        what = "is full" if error.errno == errno.ENOSPC else f"cannot be written ({error.strerror or error})"
        raise UserError(
            f"the disk for decoded images at {cache} {what}; set loader.cache to a folder with room, "
            "or loader.memory_limit_gb to more, or a smaller `resize`"
        ) from None


def _decode_into(
    collector: Collector, root: Path, files: ImageFiles, shrunk: _Decode, context: OpenContext
) -> tuple[Facts, tuple[UnusedImage, ...]]:
    faults: list[UnusedImage] = []
    rows, sources, digests, remarks = array("q"), array("q"), array("Q"), array("B")
    for row, result in enumerate(_decode_all(root, files, shrunk, context.progress)):
        if isinstance(result, UnusedImage):
            faults.append(result)
            continue
        with _writing(context.cache):
            collector.add(result.pixels)
        rows.append(row)
        digests.extend((result.file_digest, result.pixel_digest))
        sources.extend(result.source)
        remarks.append(int(result.remark))
        del result  # before the next is decoded
    both = np.frombuffer(digests, np.uint64).reshape(-1, 2)
    facts = Facts(
        as_ints(rows),
        collector.shapes,
        as_ints(sources).reshape(-1, 2),
        both[:, 0].copy(),
        both[:, 1].copy(),
        np.frombuffer(remarks, np.uint8),
    )
    return facts, tuple(faults)


@dataclass(frozen=True, slots=True)
class _Image:
    pixels: Pixels
    source: tuple[int, int]
    file_digest: int
    pixel_digest: int
    remark: Remark


class _Room:
    """Counts the pixels in flight.

    Args:
        pixels: How many there may be.
    """

    def __init__(self, pixels: int) -> None:
        self._left = pixels
        self._lock = threading.Lock()

    def enter(self, pixels: int) -> None:
        """Take room, or raise NoRoomError: to wait could be for ever, as images are handed over in order."""
        with self._lock:
            if pixels > self._left:
                raise NoRoomError
            self._left -= pixels

    def leave(self, pixels: int) -> None:
        """Give room back."""
        with self._lock:
            self._left += pixels


def _decode_all(
    root: Path, files: ImageFiles, shrunk: _Decode, progress: Callable[[int, int, str], None]
) -> Iterator[_Image | UnusedImage]:
    """Each file's image or fault, in order. Few are in flight, so that memory stays bounded."""
    threads, done = min(32, cores() + 4), 0
    room, tasks = _Room(max(_ROOM, cores() * _ROOM_A_CORE)), _tasks(files)

    def decode_task(task: Sequence[ImageFile]) -> list[_Image | UnusedImage | ImageFile]:
        return [_decode_in(room, root, file, shrunk) for file in task]

    with warnings.catch_warnings(), ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        warnings.simplefilter("ignore")  # Pillow's remarks on odd files; what matters is reported
        pending = deque(pool.submit(decode_task, task) for task in islice(tasks, threads + 2))
        try:
            while pending:
                results = deque(pending.popleft().result())
                pending.extend(pool.submit(decode_task, task) for task in islice(tasks, 1))
                while results:  # each is let go before the next, as large ones are decoded here, where they are due
                    result = results.popleft()
                    if isinstance(result, ImageFile):
                        yield _decode_file(root, result, shrunk)
                    else:
                        yield result
                        room.leave(0 if isinstance(result, UnusedImage) else result.pixels[0].size)
                    del result
                    done += 1
                progress(done, len(files), "decoding images")
        finally:
            pool.shutdown(cancel_futures=True)


def _tasks(files: ImageFiles) -> Iterator[list[ImageFile]]:
    task: list[ImageFile] = []
    size = 0
    for file in files:
        task.append(file)
        size += file.size
        if len(task) == _FILES_A_TASK or size >= _BYTES_A_TASK:
            yield task
            task, size = [], 0
    if task:
        yield task


def _decode_in(room: _Room, root: Path, file: ImageFile, shrunk: _Decode) -> _Image | UnusedImage | ImageFile:
    """An image that holds as much room as it has pixels, a fault; or the file itself where there is no room for it."""
    entered = 0

    def admit(pixels: int) -> None:
        nonlocal entered
        room.enter(pixels)
        entered = pixels

    try:
        result = _decode_file(root, file, partial(shrunk, admit=admit))
    except NoRoomError:
        return file
    room.leave(entered - (0 if isinstance(result, UnusedImage) else result.pixels[0].size))
    return result


def _decode_file(root: Path, file: ImageFile, shrunk: _Decode) -> _Image | UnusedImage:
    try:
        with open(f"{root}/{file.path}", "rb") as opened:
            data = opened.read()
        pixels, remark, source = shrunk(data, file.ending)
    except (OSError, MemoryError) as error:
        return UnusedImage(file.path, "unreadable", (getattr(error, "strerror", None) or str(error)).lower())
    except UndecodableError as error:
        return error.at(file.path)
    return _Image(pixels, source, _hash(data), _hash(pixels.data, pixels.shape), remark)


def _hash(content: bytes | memoryview, shape: tuple[int, ...] = ()) -> int:
    """64 bits: among ten million images the chance of one false match is three in a million."""
    digest = hashlib.blake2b(content, digest_size=8)
    digest.update(repr(shape).encode())
    return int.from_bytes(digest.digest(), "big")
