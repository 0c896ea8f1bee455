"""Exact duplicates, and the split of a folder into a part to train on and a part held out."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.draws import Draws

Digests = npt.NDArray[np.uint64]


def originals(pixel_digests: Digests) -> npt.NDArray[np.int64]:
    """[n] for each image the first image with the same pixels; its own number if it is the first."""
    _, first, group = np.unique(pixel_digests, return_index=True, return_inverse=True)
    return np.asarray(first[group], dtype=np.int64)


def held_out(original: npt.NDArray[np.int64], file_digests: Digests, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """[n] whether each image is held out: a pure function of the content of its file.

    A name, a position in the list or the number of images would do worse: with the content, an image stays on its
    side when the folder is moved, sorted anew or grows, and when ``resize`` or Pillow's decoder changes. Where
    different files give the same pixels, the smallest digest speaks for all, so that copies are never
    separated.

    Args:
        original: [n], see :func:`originals`.
        file_digests: [n] hash of the encoded bytes.
        share: Expected share of the images that are held out, in (0, 1).
        seed: Another seed gives another split.
    """
    smallest = np.full(len(original), np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(smallest, original, file_digests)
    address = smallest[original].view(np.int64)
    return Draws(seed, "image_folder part", 0).at(address, 0).uniform("part") < share
