"""By what a data set is known again when a run goes on: not by where its images lie or when they were written."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.data import Dataset, GivenData

LOOKED_AT = 16
"""Images whose pixels stand for all where a data set knows no digests."""


def identity(dataset: Dataset) -> dict[str, Any]:
    """Digests of an open data set: ``listing`` of names and sizes in order, ``content`` of pixels, ``labels``.

    It takes a second or two for a million images. No ``content`` where an image is another when asked again.
    """
    paths, label = dataset.facts("path") or (), dataset.label
    if isinstance(dataset, GivenData):
        paths = [os.path.basename(path) for path in paths]
    names = unicodedata.normalize("NFC", "\0".join(paths))
    told = [label.kind, label.higher_is_better, label.classes, dataset.facts("reference"), dataset.facts("kind")]
    labels = [repr(told), dataset.labels(), *(dataset.points() or ()), *(dataset.folds() or ())]
    listing = _digest([names, dataset.sizes()])
    return {"images": len(dataset), "listing": listing, "content": _content(dataset), "labels": _digest(labels)}


def differences(then: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """In what a data set differs from what it was, as ends of sentences."""
    lacks = [key for key in ("images", "listing", "content", "labels") if key not in then]
    if lacks:
        yield f"is not described whole in the run's folder, {', '.join(lacks)} is not there"
        return
    contents = then["content"], now["content"]
    if then["images"] != now["images"]:
        yield f"had {then['images']} images and has {now['images']}"
    elif then["listing"] != now["listing"]:
        yield "has images of other names or sizes, or in another order"
    elif None not in contents and contents[0] != contents[1]:
        yield "has other images of the same names"
    if then["images"] == now["images"] and then["labels"] != now["labels"]:
        yield "has other labels"


def _content(data: Dataset) -> str | None:
    if (known := data.digests()) is not None:
        return _digest([known])
    rows = range(0, len(data), max(1, len(data) // LOOKED_AT))
    seen = [data[row].image.numpy() for row in rows]
    return _digest(seen) if all(np.array_equal(seen[0], data[row].image.numpy()) for row in rows[:1]) else None


def _digest(parts: Iterable[str | npt.NDArray[Any] | None]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for part in parts:
        if isinstance(part, str):
            digest.update(part.encode("utf-8", "surrogateescape"))
        elif part is not None:
            # What is computed may differ in its last bits from machine to machine.
            plain = np.asarray(part, dtype=np.float32 if part.dtype.kind == "f" else None)
            digest.update(repr(plain.shape).encode() + plain.tobytes())
        digest.update(b"\0")
    return digest.hexdigest()
