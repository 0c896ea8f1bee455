from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub_data.parts import held_out, originals

digests = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2**64 - 1)), min_size=1, max_size=40)
"""(pixels, file) of some images: few different pixels, so that there are duplicates."""


def arrays(rows) -> tuple[np.ndarray, np.ndarray]:
    pixels, files = zip(*rows, strict=True)
    return np.array(pixels, np.uint64), np.array(files, np.uint64)


@settings(derandomize=True)
@given(digests)
def test_original_is_the_first_with_the_same_pixels(rows):
    pixels, _ = arrays(rows)
    values = pixels.tolist()
    assert originals(pixels).tolist() == [values.index(value) for value in values]


@settings(derandomize=True)
@given(digests, st.floats(0.05, 0.95), st.integers(0, 3))
def test_copies_are_never_separated(rows, share, seed):
    pixels, files = arrays(rows)
    side = held_out(originals(pixels), files, share, seed)
    for value in set(pixels.tolist()):
        assert len(set(side[pixels == value].tolist())) == 1


@settings(derandomize=True)
@given(digests, st.randoms(use_true_random=False))
def test_order_does_not_matter(rows, random):
    shuffled = list(rows)
    random.shuffle(shuffled)

    def sides(some):
        pixels, files = arrays(some)
        return sorted(zip(some, held_out(originals(pixels), files, 0.5, 0).tolist(), strict=True))

    assert sides(rows) == sides(shuffled)


@settings(derandomize=True)
@given(st.lists(st.integers(0, 2**64 - 1), min_size=2, max_size=40, unique=True), st.integers(1, 20))
def test_new_images_move_no_other(files, count):
    everything = np.array(files, np.uint64)
    some = everything[: max(1, len(files) - count)]

    def side(part):
        return held_out(np.arange(len(part)), part, 0.5, 0)

    assert (side(everything)[: len(some)] == side(some)).all()


def test_share_seed_and_nesting():
    files = np.random.default_rng(0).integers(0, 2**63, 20_000, dtype=np.uint64)
    alone = np.arange(len(files))
    tenth = held_out(alone, files, 0.1, 0)
    assert abs(tenth.mean() - 0.1) < 0.01
    assert (held_out(alone, files, 0.2, 0) >= tenth).all()
    other = held_out(alone, files, 0.1, 1)
    assert abs((tenth & other).mean() - 0.01) < 0.005
