"""What to tell of a folder that was read: sentences and tables."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import DataReport
from rankhub.interfaces.files import readable
from rankhub_data.deep import Remark
from rankhub_data.reading import Folder
from rankhub_listing.files import UnusedImage
from rankhub_listing.scan import Listing

_KINDS_NAMED = 4
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar", ".zst")


def report(folder: Folder, rows: npt.NDArray[np.int64]) -> DataReport:
    """Notes and tables for the images ``rows`` of a folder.

    The table ``skipped`` names every image of the folder that is not used, ``duplicates`` every image among
    ``rows`` that shows the same pixels as an earlier one.

    Args:
        folder: The folder.
        rows: Its images that are served.
    """
    faults, original = folder.faults, folder.originals
    copies = rows[original[rows] != rows]
    tables: dict[str, Sequence[Mapping[str, Any]]] = {}
    if faults:
        tables["skipped"] = [
            {"path": readable(f.path), "kind": f.kind, "reason": f.reason, "remedy": f.remedy} for f in faults
        ]
    if len(copies):
        tables["duplicates"] = [
            {"path": readable(folder.path_of(row)), "same_as": readable(folder.path_of(original[row]))}
            for row in copies
        ]
    return DataReport(list(_notes(folder, rows, faults, len(copies))), tables)


def nothing_found(root: str, listing: Listing) -> str:
    """Why a folder without a single image file gives nothing; one sentence."""
    if not listing.ignored:
        hidden = " but hidden files" if listing.hidden else ""
        return f"there is nothing in the folder {root}{hidden}; set `root` to a folder of images"
    archives = [ending for ending in listing.ignored if ending in _ARCHIVES]
    advice = "unpack it first" if archives else "set `root` to a folder of images"
    return f"there is no image in the folder {root}, only {_endings(listing.ignored)}; {advice}"


def nothing_readable(root: str, faults: Sequence[UnusedImage]) -> str:
    """Why a folder whose images all failed gives nothing; one sentence."""
    reasons = Counter((fault.reason, fault.remedy) for fault in faults)
    (reason, remedy), count = reasons.most_common(1)[0]
    example = next(readable(fault.path) for fault in faults if (fault.reason, fault.remedy) == (reason, remedy))
    others = "" if len(reasons) == 1 else f" (and {len(faults) - count} for other reasons)"
    advice = f": {remedy}" if remedy else ""
    return f"none of the {len(faults):,} images in {root} can be read, such as {example}: {reason}{others}{advice}"


def size_range(shapes: npt.NDArray[np.int64]) -> str:
    """The smallest and largest width x height, as a part of a sentence.

    Args:
        shapes: [n, 2] height and width of at least one image.
    """
    low, high = shapes.min(axis=0), shapes.max(axis=0)
    smallest = f"{low[1]:,} x {low[0]:,}"
    return f"{smallest} pixels" if (low == high).all() else f"from {smallest} to {high[1]:,} x {high[0]:,} pixels"


def _notes(folder: Folder, rows: npt.NDArray[np.int64], faults: Sequence[UnusedImage], copies: int) -> Iterator[str]:
    facts, listing = folder.decoded.facts, folder.listing
    of = "" if len(rows) == len(facts.rows) else f" of {len(facts.rows):,}"
    yield f"{len(rows):,}{of} images in {folder.root}, {size_range(facts.shapes[rows])}"
    if faults:
        total = len(facts.rows) + len(faults)
        said = f"{len(faults):,} of {total:,} images cannot be used and are skipped, see the table skipped"
        yield f"{said}: {_why(faults)}"
    if copies:
        yield (
            f"{copies:,} images are copies of another, pixel for pixel: in training the two count as negatives of each "
            "other, which they are not (`duplicates: drop` leaves copies out)"
        )
    yield from remarked(facts.remarks[rows])
    if listing.ignored:
        yield f"passed over what is no image: {_endings(listing.ignored)}"
    if listing.hidden:
        yield f"passed over {listing.hidden:,} hidden files or folders"
    if listing.repeated:
        yield f"passed over {listing.repeated:,} links to folders that are read already"
    yield from folder.where_kept()


def remarked(remarks: npt.NDArray[np.uint8]) -> Iterator[str]:
    """What is worth telling of decoded images; see :class:`~rankhub_data.deep.Remark`."""
    for remark, sentence in (
        (Remark.FIRST_FRAME, "{} files have several frames or pages, of which the first is taken"),
        (Remark.TRANSPARENT, "{} images are transparent in places and are laid on white"),
        (
            Remark.DIM,
            "{} images of more than 8 bits use less than a sixteenth of the range that is taken for theirs and come "
            "out dark: scale them",
        ),
        (Remark.CLIPPED, "{} images of floats reach a little beyond 0 to 1, and are clipped to it"),
        (
            Remark.STRETCHED,
            "{} images are of no known range: each is stretched from its own lowest to its highest value",
        ),
    ):
        count = int(np.count_nonzero(remarks & int(remark)))
        if count:
            yield sentence.format(f"{count:,}")


def _why(faults: Sequence[UnusedImage]) -> str:
    counts = Counter(
        f"{fault.reason} ({fault.remedy})" if fault.kind == "unsupported" else fault.kind for fault in faults
    )
    return ", ".join(f"{count:,} x {what}" for what, count in counts.most_common(_KINDS_NAMED))


def _endings(ignored: Counter[str]) -> str:
    named = [f"{count:,} {ending or 'without ending'}" for ending, count in ignored.most_common(_KINDS_NAMED)]
    rest = sum(ignored.values()) - sum(count for _, count in ignored.most_common(_KINDS_NAMED))
    return ", ".join(named + ([f"{rest:,} others"] if rest else []))
