"""Many files as few arrays."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankhub_listing.files import ImageFile, ImageFiles, Paths

NAME = st.binary(min_size=1, max_size=6).filter(lambda name: b"\0" not in name).map(os.fsdecode)


@given(st.lists(st.tuples(NAME, st.integers(0, 2**62), st.integers(-(2**62), 2**62))))
def test_they_are_what_they_were_made_of(rows):
    files = [ImageFile(*row) for row in rows]
    many = ImageFiles.of(files)
    assert list(many) == files
    assert (len(many), bool(many)) == (len(files), bool(files))
    assert list(many.paths) == [many.paths[row] for row in range(len(files))] == [file.path for file in files]
    assert list(pickle.loads(pickle.dumps(many))) == files
    odd = list(range(1, len(files), 2))
    assert list(many.chosen(odd)) == files[1::2]


def test_rows_count_from_either_end_and_no_further():
    paths = Paths.of(["a", "b/c", ""])
    assert (paths[0], paths[2], paths[-2]) == ("a", "", "b/c")
    for row in (3, -4):
        with pytest.raises(IndexError):
            paths[row]


def test_a_file_takes_few_bytes_beside_its_name():
    names = [f"{number:07d}.jpg" for number in range(10_000)]
    many = ImageFiles.of(ImageFile(name, 1, 1) for name in names)
    held = many.sizes.nbytes + many.mtimes.nbytes + len(many.paths.joined) + many.paths._ends.nbytes
    assert held <= 10_000 * (len(names[0]) + 1 + 24)
    assert len(pickle.dumps(many, protocol=5)) <= 10_000 * (len(names[0]) + 1 + 16) + 1000
    assert many.sizes.dtype == many.mtimes.dtype == np.int64
