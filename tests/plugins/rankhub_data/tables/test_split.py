"""Laws of the splits."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.errors import Objection, UserError
from rankhub_data.tables.split import folds_of, held_out_units, thinned
from rankhub_quality.data.parts import Parts, Units
from rankhub_quality.data.table import Row

NAMES = st.text(st.characters(codec="utf-8"), max_size=4)
UNITS = st.lists(NAMES, min_size=1, max_size=40)
SEEDS = st.integers(0, 1000)


def options(**given):
    return Parts(**{"part": "all", "held_out": 0.2, "folds": None, "fold": None, "seed": 0, "share": 1.0, **given})


def table(units, kinds=("jpeg", "blur", "noise"), wanted=lambda number: True):
    return [
        Row(f"{number}.png", number, "", unit, kinds[number % 3], wanted(number)) for number, unit in enumerate(units)
    ]


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
    for options_of_a_side in ({"held_out": 0.3}, {"folds": folds, "fold": folds - 1}):
        sides = []
        for part in ("train", "held_out"):
            parts = options(part=part, seed=seed, **options_of_a_side)
            sides.append(parts.rows(named, parts.fold_numbers(named), table(units)))
        train, held_out = sides
        assert sorted([*train, *held_out]) == list(range(len(units)))
        assert not {units[row] for row in train} & {units[row] for row in held_out}


@settings(max_examples=50)
@given(st.lists(st.sampled_from("abcdefgh"), min_size=8, max_size=40), st.integers(2, 4), SEEDS, st.data())
def test_filters_of_rows_do_not_change_the_split(units, folds, seed, data):
    units = [*units, *"abcdefgh"]
    kept = data.draw(st.sets(st.integers(0, len(units) - 1), min_size=1))
    rows = sorted(kept)
    others = [unit for row, unit in enumerate(units) if row not in kept]
    flagged = table(units, wanted=lambda number: number in kept)
    for side in ({"held_out": 0.3}, {"folds": folds, "fold": folds - 1}):
        for part in ("train", "held_out"):
            parts = options(part=part, seed=seed, **side)
            whole = Units(units, "references")
            expected = [row for row in parts.rows(whole, parts.fold_numbers(whole), table(units)) if row in kept]
            dropped = Units([units[row] for row in rows], "references", others)
            for named, entries, back in (
                (whole, flagged, range(len(units))),
                (dropped, [flagged[r] for r in rows], rows),
            ):
                numbers = parts.fold_numbers(named)
                if expected:
                    assert [back[row] for row in parts.rows(named, numbers, entries)] == expected
                else:
                    with pytest.raises(UserError, match=r"row filters .* leave no image of the references of part"):
                        parts.rows(named, numbers, entries)


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


def test_a_share_thins_out_the_part_to_train_on_only():
    units = [f"r{number % 5}" for number in range(50)]
    named, rows = Units(units, "references"), table(units)
    whole = options(part="train").rows(named, None, rows)
    half = options(part="train", share=0.5).rows(named, None, rows)
    assert len(half) == 20
    held_out = [options(part="held_out", share=share).rows(named, None, rows).tolist() for share in (0.5, 1.0)]
    assert held_out[0] == held_out[1] == sorted(set(range(50)) - set(whole))
    assert set(half) < set(whole)
    assert np.all(np.diff(half) > 0)


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
        options(**given)


def test_more_folds_than_references():
    with pytest.raises(UserError, match="`folds: 4` cannot be made of 3 references"):
        options(folds=4).fold_numbers(Units(["a", "b", "c"], "references"))


def test_a_fold_without_images():
    units = Units(["a", "a"], "references", ["b", "c"])
    parts = options(folds=3)
    with pytest.raises(UserError, match=r"leave no image of fold \d of 3, as folds are made of all 3 references"):
        parts.rows(units, parts.fold_numbers(units), table("aa"))


def test_a_part_without_images():
    with pytest.raises(UserError, match=r"none of the 2 references falls to part held_out with `held_out: 0\.2`"):
        options(part="held_out").rows(Units(["a", "b", "b"], "references"), None, table("abb"))
