"""Which rows of a table are served."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub.interfaces.errors import UserError
from rankhub_quality.data.choose import served
from rankhub_quality.data.table import ScoredRow
from rankhub_tables.split import Split, Units


def rows(units, units_of, share=1.0, **options):
    """What a part of these rows serves."""
    split = Split(**{"part": "all", "held_out": 0.2, "folds": None, "fold": None, "seed": 0, **options})
    return served(units, split.sides(units_of), split, share).tolist()


def table(units, kinds=("jpeg", "blur", "noise"), wanted=lambda number: True):
    return [
        ScoredRow(f"{number}.png", number, "", unit, kinds[number % 3], wanted(number))
        for number, unit in enumerate(units)
    ]


@settings(max_examples=50)
@given(
    st.lists(st.sampled_from("abcdefgh"), min_size=8, max_size=40), st.integers(2, 4), st.integers(0, 1000), st.data()
)
def test_filters_of_rows_do_not_change_the_split(units, folds, seed, data):
    units = [*units, *"abcdefgh"]
    kept = sorted(data.draw(st.sets(st.integers(0, len(units) - 1), min_size=1)))
    flagged = table(units, wanted=lambda number: number in kept)
    whole = Units(units, "references")
    others = [unit for row, unit in enumerate(units) if row not in kept]
    dropped = Units([units[row] for row in kept], "references", others=others)
    for side in ({"held_out": 0.3}, {"folds": folds, "fold": folds - 1}):
        for part in ("train", "held_out"):
            options = {"part": part, "seed": seed, **side}
            expected = [row for row in rows(table(units), whole, **options) if row in kept]
            for named, entries, back in (
                (whole, flagged, range(len(units))),
                (dropped, [flagged[row] for row in kept], kept),
            ):
                if expected:
                    assert [back[row] for row in rows(entries, named, **options)] == expected
                else:
                    with pytest.raises(UserError, match=r"row filters .* leave no image of the references of part"):
                        rows(entries, named, **options)


def test_a_share_thins_out_the_part_to_train_on_only():
    units = [f"r{number % 5}" for number in range(50)]
    named, entries = Units(units, "references"), table(units)
    whole, half = (rows(entries, named, share, part="train") for share in (1.0, 0.5))
    assert len(half) == 20
    held_out = [rows(entries, named, share, part="held_out") for share in (0.5, 1.0)]
    assert held_out[0] == held_out[1] == sorted(set(range(50)) - set(whole))
    assert set(half) < set(whole)
    assert np.all(np.diff(half) > 0)


def test_a_fold_without_images():
    units = Units(["a", "a"], "references", others=["b", "c"])
    with pytest.raises(UserError, match=r"leave no image of fold \d of 3, as folds are made of all 3 references"):
        rows(table("aa"), units, folds=3)
