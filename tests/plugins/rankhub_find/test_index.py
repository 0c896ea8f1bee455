"""The index against comparing every row with every other, one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rankhub import UserError
from rankhub_find import Index
from rankhub_find import duplicates as duplicates_module
from rankhub_find import exact as exact_search
from rankhub_find.kinds import LEAST, plan
from rankhub_ranking.similarity import RESOLUTION


def vectors(count: int, dim: int = 16, seed: int = 0, *, groups: int = 0) -> np.ndarray:
    """Random vectors; with ``groups``, tight bundles of them."""
    rng = np.random.default_rng(seed)
    if not groups:
        return rng.normal(size=(count, dim)).astype(np.float32)
    centres = rng.normal(size=(groups, dim))
    return (centres[rng.integers(0, groups, count)] + 0.1 * rng.normal(size=(count, dim))).astype(np.float32)


def names(count: int) -> list[str]:
    return [f"{number:05}.jpg" for number in range(count)]


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Of two float32 rows brought to unit length, on the grid."""
    units = []
    for row in (one, other):
        length = np.float32(np.sqrt((row.astype(np.float64) ** 2).sum()))
        units.append((row / length if length > 0 else row).astype(np.float64))
    return float(np.rint((units[0] * units[1]).sum() / RESOLUTION) * RESOLUTION)


def slow_search(query: np.ndarray, rows: np.ndarray, k: int) -> list[tuple[int, float]]:
    found = [(number, cosine(query, row)) for number, row in enumerate(rows)]
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:k]


def slow_groups(rows: np.ndarray, above: float) -> list[list[int]]:
    """Rows that can be walked to from one another over links."""
    near = [[b for b in range(len(rows)) if b != a and cosine(rows[a], rows[b]) >= above] for a in range(len(rows))]
    seen: set[int] = set()
    groups = []
    for start in range(len(rows)):
        if start in seen:
            continue
        walked, ahead = {start}, [start]
        while ahead:
            fresh = [row for row in near[ahead.pop()] if row not in walked]
            walked |= set(fresh)
            ahead += fresh
        seen |= walked
        if len(walked) > 1:
            groups.append(sorted(walked))
    return sorted(groups, key=lambda group: (-len(group), group[0]))


def found(index: Index, queries: np.ndarray, k: int) -> list[list[tuple[int, float]]]:
    return [[(match.row, match.similarity) for match in row] for row in index.search(queries, k)]


@settings(max_examples=30, deadline=None)
@given(
    count=st.integers(1, 60),
    k=st.integers(1, 70),
    coarse=st.sampled_from([0, 1, 3]),
    seed=st.integers(0, 10**6),
)
def test_a_flat_index_finds_what_comparing_every_row_finds(count, k, coarse, seed):
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(count, 4)).astype(np.float32)
    if coarse:  # so that many are equal, and some are zero
        rows = np.rint(rows * coarse).astype(np.float32)
    index = Index.build(names(count), rows)
    queries = rows[:5] + 0
    assert found(index, queries, k) == [slow_search(query, rows, k) for query in queries]


@pytest.mark.parametrize("most", [1024, 8])
def test_equals_are_ordered_by_row_however_many_there_are(monkeypatch, most):
    monkeypatch.setattr(exact_search, "_MOST", most)
    rows = np.repeat(vectors(3), 200, axis=0)
    index = Index.build(names(600), rows)
    assert found(index, rows[[0, 250]], 3) == [[(0, 1.0), (1, 1.0), (2, 1.0)], [(200, 1.0), (201, 1.0), (202, 1.0)]]


@settings(max_examples=20, deadline=None)
@given(count=st.integers(1, 40), above=st.sampled_from([-1.0, 0.3, 0.8, 0.95, 1.0]), seed=st.integers(0, 10**6))
def test_duplicates_are_the_rows_that_can_be_walked_to(count, above, seed):
    rows = np.rint(np.random.default_rng(seed).normal(size=(count, 4)) * 2).astype(np.float32)
    index = Index.build(names(count), rows)
    groups = index.duplicates(above)
    assert [list(group.names) for group in groups] == [
        [names(count)[row] for row in group] for group in slow_groups(rows, above)
    ]
    for group in groups:
        own = [int(name[:5]) for name in group.names]
        assert list(group.similarity) == [cosine(rows[own[0]], rows[row]) for row in own]


def test_blocks_change_no_group(monkeypatch):
    from rankhub_find import duplicates

    rows = vectors(300, groups=40)
    whole = Index.build(names(300), rows).duplicates(0.98)
    assert 5 < len(whole) < 100
    monkeypatch.setattr(exact_search, "BLOCK", 64)
    monkeypatch.setattr(exact_search, "SIDE", 37)
    monkeypatch.setattr(duplicates, "_PENDING", 10)
    assert Index.build(names(300), rows).duplicates(0.98) == whole


@pytest.mark.parametrize("kind", ["hnsw", "ivfpq"])
def test_the_fast_kinds_find_nearly_all_and_say_the_exact_similarity(kind):
    count = LEAST if kind == "ivfpq" else 2000
    rows = vectors(count, 10, groups=200)
    index, flat = Index.build(names(count), rows, kind), Index.build(names(count), rows, "flat")
    assert (index.kind, flat.kind) == (kind, "flat")
    queries = rows[:50] + 0.01
    ours, right = found(index, queries, 10), found(flat, queries, 10)
    hits = sum(len(set(one) & set(other)) for one, other in zip(ours, right, strict=True))
    assert hits >= 0.95 * 500  # a pair that is equal has the exact similarity as well


@pytest.mark.parametrize("kind", ["flat", "hnsw", "ivfpq"])
def test_what_is_added_is_found_what_is_removed_is_not(kind, tmp_path):
    count = LEAST if kind == "ivfpq" else 400
    rows = vectors(count + 50, 8)
    index = Index.build(names(count), rows[:count], kind)
    index.add(names(count + 50)[count:], rows[count:])
    assert len(index) == count + 50
    assert [match[0].name for match in index.search(rows[count:], 1)] == names(count + 50)[count:]
    gone = [f"{number:05}.jpg" for number in (3, count + 1)]
    assert index.remove(gone) == 2
    assert not set(gone) & {match.name for row in index.search(rows, 5) for match in row}
    index.save(tmp_path / "index")
    again = Index.open(tmp_path / "index")
    assert again.search(rows[:40], 5) == index.search(rows[:40], 5)
    assert (again.kind, len(again)) == (kind, count + 48)
    again.remove(names(count)[4 : count // 2])  # so many that it is built anew
    assert len(again.names) == len(again) == count + 48 - (count // 2 - 4)
    assert [match[0].name for match in again.search(rows[count // 2 : count], 1)] == names(count)[count // 2 :]
    again.save(tmp_path / "index")
    assert (
        len(list((tmp_path / "index").iterdir()))
        == len(Index.open(tmp_path / "index").duplicates(1.0)) + ({"flat": 4, "hnsw": 6, "ivfpq": 4}[again.kind])
    )


def test_duplicates_of_a_graph_are_those_of_a_flat_index(monkeypatch):
    monkeypatch.setattr(duplicates_module, "NEIGHBOURS", 4)  # fewer than the equals, so that more are asked for
    rows = np.concatenate([vectors(300, groups=60, seed=4), np.repeat(vectors(1, seed=5), 20, axis=0)])
    flat, graph = (Index.build(names(320), rows, kind) for kind in ("flat", "hnsw"))
    assert graph.duplicates(0.98) == flat.duplicates(0.98)
    assert 20 in [len(group.names) for group in flat.duplicates(0.98)]


def test_auto_says_why_and_what_it_takes():
    assert plan("auto", 99_999, 128).kind == "flat"
    large, huge = plan("auto", 100_000, 128), plan("auto", 10**8, 128)
    assert (large.kind, huge.kind) == ("hnsw", "ivfpq")
    assert huge.training
    assert "100,000" in large.lines()["index"]
    assert f"{huge.training:,} of 100,000,000 rows" in huge.lines()["training"]
    million = plan("hnsw", 10**6, 128)
    assert 0.78e9 < million.memory < 0.80e9
    assert plan("ivfpq", 10**6, 128).memory < 0.05e9


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Index.build(["a", "a"], vectors(2)), "a name comes twice"),
        (lambda: Index.build(["a"], vectors(2)), "1 names of 16 columns"),
        (lambda: Index.build(["a"], np.full((1, 4), np.nan)), "the vector of a is not finite"),
        (lambda: Index.build(["a"], vectors(1), "ivfpq"), "at least 9,984 rows"),
        (lambda: Index.build(["a"], vectors(1), "tree"), "no kind of index 'tree'"),
        (lambda: Index.build(["a"], np.zeros(3)), "takes vectors \\[n, d\\]"),
        (lambda: Index.build(["a"], vectors(1)).add(["a"], vectors(1)), "a is in the index already"),
        (lambda: Index.build(["a"], vectors(1)).remove(["b"]), "b is not in the index"),
        (lambda: Index.build(["a"], vectors(1)).search(vectors(1, 3)), "vectors of 16 columns"),
        (lambda: Index.build(["a"], vectors(1)).search(vectors(1) * np.inf), "a query is not finite"),
        (lambda: Index.build(["a"], vectors(1)).search(vectors(1), 0), "k is at least 1"),
        (lambda: Index.build(["a"], vectors(1)).duplicates(2.0), "between -1 and 1"),
    ],
)
def test_what_does_not_fit_gets_a_sentence(make, said):
    with pytest.raises(UserError, match=said):
        make()
