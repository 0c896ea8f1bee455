"""Which rows belong together, against loops over all pairs."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from rankhub.interfaces.order import RankTarget
from rankhub_contrastive.partners import aligned, pairs
from rankhub_ranking.pairs import has_partner, numbered

IDS = st.lists(st.integers(-3, 3) | st.integers(-(2**62), 2**62), max_size=14)


@given(IDS)
def test_pairs_are_all_ordered_pairs_of_an_id(ids):
    group = torch.tensor(ids, dtype=torch.int64)
    first, second = pairs(group)
    expected = [(i, j) for i, a in enumerate(ids) for j, b in enumerate(ids) if a == b and i != j]
    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == expected
    assert has_partner(group).tolist() == [ids.count(one) > 1 for one in ids]
    which, sizes = numbered(group)
    assert [int(sizes[n]) for n in which] == [ids.count(one) for one in ids]


@given(st.lists(st.tuples(st.integers(-4, 4), st.integers(0, 3)), unique=True, max_size=16))
def test_aligned_lists_the_samples_that_have_every_view(rows):
    index, view = (torch.tensor([row[k] for row in rows], dtype=torch.int64) for k in (0, 1))
    table = aligned(RankTarget(index, view, index, torch.ones(len(rows))))
    numbers = sorted({v for _, v in rows})
    whole = [i for i in sorted({i for i, _ in rows}) if len(numbers) > 1 and all((i, v) in rows for v in numbers)]
    assert table.shape == (len(whole), len(numbers))
    assert [[rows[row] for row in line] for line in table.tolist()] == [[(i, v) for v in numbers] for i in whole]
