"""Laws of the splits."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.errors import Objection, UserError
from rankhub_tables.draws import few_labels, folds_of, held_out_units, thinned
from rankhub_tables.split import Split, Units

NAMES = st.text(st.characters(codec="utf-8"), max_size=4)
UNITS = st.lists(NAMES, min_size=1, max_size=40)
SEEDS = st.integers(0, 1000)


def split(**given):
    return Split(**{"part": "all", "held_out": 0.2, "folds": None, "fold": None, "seed": 0, **given})


@given(UNITS, st.floats(0.01, 0.99), SEEDS)
def test_the_share_of_references_is_held_out_exactly(units, share, seed):
    out = held_out_units(units, share, seed)
    assert len(out) == math.floor(share * len(set(units)) + 0.5)
    assert out <= set(units)


@pytest.mark.parametrize(("references", "expected"), [(29, 6), (24, 5)])
def test_a_fifth_is_what_the_papers_hold_out(references, expected):
    assert len(held_out_units([f"I{number}" for number in range(references)], 0.2, 0)) == expected


@given(UNITS, SEEDS, st.randoms())
def test_a_split_does_not_depend_on_the_order_or_number_of_images(units, seed, random):
    shuffled = units * 2
    random.shuffle(shuffled)
    assert held_out_units(shuffled, 0.3, seed) == held_out_units(units, 0.3, seed)
    folds = dict(zip(units, folds_of(units, 3, seed), strict=True))
    assert [folds[unit] for unit in shuffled] == folds_of(shuffled, 3, seed).tolist()


@given(UNITS, st.integers(2, 6), SEEDS)
def test_folds_partition_the_images_by_reference_and_are_even(units, folds, seed):
    numbers = folds_of(units, folds, seed)
    fold_of = {}
    assert all(fold_of.setdefault(unit, number) == number for unit, number in zip(units, numbers, strict=True))
    sizes = Counter(fold_of.values())
    counts = [sizes[fold] for fold in range(folds)]
    assert max(counts) - min(counts) <= 1
    assert sum(counts) == len(set(units))


@settings(max_examples=50)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=8, max_size=40), st.integers(2, 4), SEEDS)
def test_no_reference_is_on_both_sides_and_every_image_is_on_one(units, folds, seed):
    units = [*units, *"abcdefgh"]
    named = Units(units, "references")
    for options in ({"held_out": 0.3}, {"held_out": 2}, {"folds": folds, "fold": folds - 1}):
        sides = split(part="train", seed=seed, **options).sides(named)
        train, held_out = np.flatnonzero(sides.train), np.flatnonzero(sides.held_out)
        assert sorted([*train, *held_out]) == list(range(len(units)))
        assert len({units[row] for row in held_out}) == 2 or options != {"held_out": 2}
        assert not {units[row] for row in train} & {units[row] for row in held_out}


def test_splits_are_the_same_in_every_version():
    assert held_out_units([f"I{number:02d}" for number in range(1, 25)], 0.2, 0) == {"I04", "I05", "I13", "I19", "I21"}
    assert folds_of(list("abcdef"), 3, 0).tolist() == [2, 1, 1, 2, 0, 0]


def test_other_seeds_split_otherwise():
    units = [str(number) for number in range(30)]
    assert len({held_out_units(units, 0.2, seed) for seed in range(10)}) == 10
    assert len({tuple(folds_of(units, 5, seed)) for seed in range(10)}) == 10


@given(st.integers(1, 60), st.floats(0.01, 1), st.floats(0.01, 1), SEEDS)
def test_a_share_is_exact_even_over_kinds_and_part_of_a_larger_one(count, one, other, seed):
    names = [str(number) for number in range(count)]
    kinds = ["ab"[number % 3 == 0] for number in range(count)]
    small, large = (set(thinned(names, kinds, share, seed).tolist()) for share in sorted((one, other)))
    assert small <= large
    assert len(large) == max(1, math.floor(max(one, other) * count + 0.5))
    for kind in set(kinds):
        of_kind = {row for row in range(count) if kinds[row] == kind}
        assert abs(len(large & of_kind) - len(large) * len(of_kind) / count) <= 1


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"part": "train", "fold": 0}, "set `folds`"),
        ({"part": "train", "folds": 3, "fold": 3}, "not among 3 folds"),
        ({"folds": 3, "fold": 1}, "`part: all` takes all"),
        ({"part": "train", "folds": 3}, "needs `fold`"),
    ],
)
def test_options_that_contradict_each_other(given, said):
    with pytest.raises(Objection, match=said):
        split(**given)


def test_more_folds_than_references():
    with pytest.raises(UserError, match="`folds: 4` cannot be made of 3 references"):
        split(folds=4).sides(Units(["a", "b", "c"], "references"))


@pytest.mark.parametrize(("held_out", "count"), [(0.2, 0), (0.9, 2), (2, 2)])
def test_a_side_without_images(held_out, count):
    said = f"`held_out: {held_out}` takes {count} of 2 references, which leaves one side empty"
    for part in ("train", "held_out"):
        with pytest.raises(UserError, match=said):
            split(part=part, held_out=held_out).sides(Units(["a", "b", "b"], "references"))


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), min_size=8, max_size=40), st.integers(2, 3), SEEDS
)
def test_images_without_a_label_are_never_held_out_and_follow_their_copies(images, folds, seed):
    names, labeled = [*"abcd", *(name for name, _ in images)], np.array([True] * 4 + [has for _, has in images])
    units = Units(names, "annotated images", labeled)
    for options in ({"held_out": 0.4}, {"held_out": 1}, {"folds": folds, "fold": 0}):
        sides = split(part="train", seed=seed, **options).sides(units)
        assert not (sides.held_out & ~labeled).any()
        assert not (sides.held_out & sides.train).any()
        out = {name for name, held_out in zip(names, sides.held_out, strict=True) if held_out}
        assert [name in out for name in names] == (~sides.train).tolist()
        if sides.folds is not None:
            drawn = {name for name, has in zip(names, labeled, strict=True) if has}
            assert [fold < 0 for fold in sides.folds] == [name not in drawn for name in names]
    assert split().sides(units).train.tolist() == labeled.tolist()


@given(st.integers(1, 30), st.integers(1, 40), SEEDS)
def test_few_labels_are_exact_and_part_of_more(count, labels, seed):
    names = [f"{number}.png" for number in range(count)]
    if labels > count:
        with pytest.raises(UserError, match=f"`labels: {labels}` of {count} annotated images"):
            few_labels(names, labels, seed)
        return
    kept = few_labels(names, labels, seed)
    assert kept.sum() == labels
    assert labels == count or (few_labels(names, labels + 1, seed) >= kept).all()
