"""rankhub_lance_index.index beside rankhub_find.Index, which is exact where it is flat."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from rankhub import UserError
from rankhub_find import Index
from rankhub_find.store import KnownNetwork
from rankhub_find.stores import chosen, is_index, make_store, open_index

pytest.importorskip("lance")

SMALL = 1e-5
"""GB: blocks of the least size, 256 rows."""


def vectors(rows, dim=8, seed=0, groups=40):
    """Around a few centres; some are equal."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(groups, dim))[rng.integers(0, groups, rows)] + 0.3 * rng.normal(size=(rows, dim))
    found[rows // 2 : rows // 2 + 30] = found[3]
    return found.astype(np.float32)


def names(rows, first=0):
    return [f"/it's/{number}.jpg" for number in range(first, first + rows)]


def silent(done, total, what):
    """Progress that is not shown."""


def made(folder, rows, kind, dim=8, **options):
    """An index in Lance of the rows, added in two parts, as it is opened again."""
    found = make_store("lance", {"memory_gb": SMALL, **options}).create(folder, dim, KnownNetwork(), kind)
    half = len(rows) // 3
    found.append(names(half), rows[:half])
    found.append(names(len(rows) - half, half), rows[half:])
    found.settle(silent)
    found.save(folder)
    return open_index(folder, silent, {"memory_gb": SMALL, **options})


def test_flat_is_what_comparing_every_row_gives_ties_and_all(tmp_path):
    rows = vectors(900)
    ours, exact = made(tmp_path / "index", rows, "auto"), Index.build(names(900), rows, "flat")
    assert (ours.kind, len(ours)) == ("flat", 900)
    for k in (1, 10, 50, 1000):
        for mine, theirs in zip(ours.nearest(rows[::90], k), exact.nearest(rows[::90], k), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    assert ours.search(rows[3:4], 40) == exact.search(rows[3:4], 40)
    assert ours.duplicates(0.98, silent) == exact.duplicates(0.98)
    assert len(ours.duplicates(0.98, silent)) > 1


def test_added_and_removed_rows_are_those_of_an_index_in_memory(tmp_path):
    rows, folder = vectors(600), tmp_path / "index"
    ours, exact = made(folder, rows[:500], "auto"), Index.build(names(500), rows[:500], "flat")
    for one in (ours, exact):
        assert one.remove(names(20, 100)) == 20
        one.add(names(100, 500), rows[500:])
    ours.save(folder)
    again = open_index(folder, silent)
    assert again.search(rows[::50], 15) == exact.search(rows[::50], 15)
    assert again.known([*names(3, 118), "x"]) == {names(1, 120)[0]}
    assert again.below("/it's/59") == ["/it's/59.jpg", *names(10, 590)]
    with pytest.raises(UserError, match="is in the index already"):
        again.add(names(1), rows[:1])
    with pytest.raises(UserError, match="is not in the index"):
        again.remove(["/nowhere.jpg"])


@pytest.mark.parametrize("dim", [8, 7])
def test_ivfpq_finds_nearly_all_with_exact_similarities(tmp_path, dim):
    rows = vectors(10_500, dim)
    ours = made(tmp_path / "index", rows, "ivfpq", dim, refine=100)
    assert ours.kind == "ivfpq"
    exact = Index.build(names(10_500), rows, "flat")
    asked = vectors(40, dim, seed=1)
    similarity, found = ours.nearest(asked, 10)
    best, right = exact.nearest(asked, 10)
    recall = np.mean([len(set(one) & set(other)) / 10 for one, other in zip(found, right, strict=True)])
    assert recall > 0.95
    pairs = enumerate(zip(right.tolist(), best.tolist(), strict=True))
    known = {(query, row): cosine for query, (at, said) in pairs for row, cosine in zip(at, said, strict=True)}
    shared = [(query, row, n) for query in range(40) for n, row in enumerate(found[query]) if (query, row) in known]
    assert len(shared) > 350
    assert all(similarity[query, n] == known[query, row] for query, row, n in shared)
    ours.add(["/new.jpg"], asked[:1])
    assert ours.vectors.unlearned == 0
    assert ours.search(asked[:1], 1)[0][0].name == "/new.jpg"
    for number in range(3):  # in pieces, searches beside each other would wait for one another for ever
        ours.add([f"/new/{number}.jpg"], asked[number : number + 1])
    assert "num_segments=1," in str(ours.vectors.described[0])
    assert [one[0].similarity for one in ours.search(asked[:3], 1)] == [1.0] * 3


def test_what_a_killed_call_has_added_is_not_there(tmp_path):
    rows, folder = vectors(300), tmp_path / "index"
    killed = made(folder, rows[:200], "auto")
    killed.append(names(50, 200), rows[200:250])  # and never saved
    again = open_index(folder, silent)
    assert len(again) == 200
    again.add(names(100, 200), rows[200:])
    again.save(folder)
    exact = Index.build(names(300), rows, "flat")
    assert open_index(folder, silent).search(rows[::30], 5) == exact.search(rows[::30], 5)


def test_an_index_is_replaced_when_the_next_is_saved_by_either_store(tmp_path):
    folder = tmp_path / "index"
    made(folder, vectors(100), "flat")
    new = make_store("lance", {}).create(folder, 8, KnownNetwork(), "flat")
    new.append(names(5), vectors(100)[:5])
    assert len(open_index(folder, silent)) == 100
    new.save(folder)
    assert len(open_index(folder, silent)) == 5
    assert len(list(folder.glob("vectors-*.lance"))) == 1
    Index.build(names(7), vectors(100)[:7]).save(folder)
    assert isinstance(open_index(folder, silent), Index)
    assert is_index(folder)


def test_what_is_wrong_is_one_sentence(tmp_path):
    folder = tmp_path / "index"
    made(folder, vectors(100), "flat")
    note = json.loads((folder / "store.json").read_text())
    for change, said in (
        ({"dim": 9}, "the index 9 columns"),
        ({"state": {**note["state"], "version": 1}}, "is not the one of the index"),
        ({"state": {**note["state"], "version": 99}}, "there is no version 99"),
        ({"state": {**note["state"], "table": "../vectors-x.lance"}}, "does not say where its table is"),
        ({"store": "nobody/else"}, "nobody"),
    ):
        (folder / "store.json").write_text(json.dumps({**note, **change}))
        with pytest.raises(UserError, match=said) as error:
            open_index(folder, silent)
        assert "\n" not in str(error.value)
    (folder / "store.json").write_text(json.dumps(note))
    shutil.rmtree(folder / note["state"]["table"])
    with pytest.raises(UserError, match="there is no"):
        open_index(folder, silent)
    with pytest.raises(UserError, match="hnsw is in memory"):
        make_store("lance", {}).create(tmp_path / "other", 8, KnownNetwork(), "hnsw")
    with pytest.raises(UserError, match="memory_gb"):
        make_store("lance", {"memory_gb": -1})


def test_without_pylance_one_sentence_says_what_to_install(monkeypatch):
    monkeypatch.setattr("rankhub_lance_index.store.is_installed", lambda: False)
    with pytest.raises(UserError, match=r"pip install 'rankhub\[lance\]'"):
        make_store("lance", {})


def test_auto_keeps_faiss_while_the_vectors_fit(monkeypatch):
    monkeypatch.setattr("rankhub_find.stores.machine_memory", lambda: 2 * 10**9)
    assert chosen(100_000, 1000) == (
        "rankhub_find/faiss",
        "100,000 vectors of 1000 columns take 800 MB while they are joined, at most half of the 2.0 GB of this machine",
    )
    name, why = chosen(200_000, 1000)
    assert name == "rankhub_lance_index/lance"
    assert "1.6 GB while they are joined, more than half of the 2.0 GB" in why
