"""Rows by their numbers: the same from the store and from blocks on the disk, which stay within their limit."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

from rankhub.interfaces.errors import UserError
from rankhub_lance import BlockCache, Rows, Store

lance, pa = pytest.importorskip("lance"), pytest.importorskip("pyarrow")


@pytest.fixture
def store(tmp_path):
    """100 rows in fragments of 40, 40 and 20."""
    store = Store.of(tmp_path / "t.lance")
    for start in (0, 40, 80):
        numbers = list(range(start, min(start + 40, 100)))
        lance.write_dataset(
            pa.table({"number": numbers, "content": [b"%d" % one * 50 for one in numbers]}), store.uri, mode="append"
        )
    return store


def blocks(folder, limit=1 << 30):
    return BlockCache(folder / "blocks", limit)


@pytest.mark.parametrize("kept", [False, True])
def test_rows_come_in_the_order_of_their_numbers(store, tmp_path, kept):
    rows = Rows(store, 3, ["number", "content"], blocks(tmp_path) if kept else None, 16)
    rows = pickle.loads(pickle.dumps(rows))
    asked = np.array([99, 3, 40, 3, 39, 80, 79, 16, 15])
    for _ in range(2):
        found = rows.take(asked)
        assert found["number"].to_pylist() == asked.tolist()
        assert found["content"].to_pylist() == [b"%d" % one * 50 for one in asked.tolist()]


def test_each_block_is_fetched_once_also_for_a_later_version_with_more_rows(store, tmp_path):
    every = np.arange(100)
    Rows(store, 3, ["number"], blocks(tmp_path), 16).take(every)
    before = {path: path.stat().st_ino for path in (tmp_path / "blocks").rglob("*.arrow")}
    assert len(before) == 3 + 3 + 2  # blocks end where fragments do
    lance.write_dataset(pa.table({"number": [100], "content": [b""]}), store.uri, mode="append")
    found = Rows(store, 4, ["number"], blocks(tmp_path), 16).take(np.arange(101))
    assert found["number"].to_pylist() == list(range(101))
    after = {path: path.stat().st_ino for path in (tmp_path / "blocks").rglob("*.arrow")}
    assert before.items() <= after.items()
    assert len(after) == len(before) + 1


def test_a_column_that_is_added_leaves_the_blocks_of_others_as_they_are(store, tmp_path):
    every = np.arange(100)
    Rows(store, 3, ["number"], blocks(tmp_path), 16).take(every)
    before = {path: path.stat().st_ino for path in (tmp_path / "blocks").rglob("*.arrow")}
    opened = lance.dataset(store.uri)
    opened.add_columns({"twice": "number * 2"})
    opened.add_columns(pa.field("none", pa.int32()))
    Rows(store, 5, ["number"], blocks(tmp_path), 16).take(every)
    assert {path: path.stat().st_ino for path in (tmp_path / "blocks").rglob("*.arrow")} == before
    found = Rows(store, 5, ["number", "twice"], blocks(tmp_path), 16).take(every)
    assert found["twice"].to_pylist() == (2 * every).tolist()
    for numbers in (every, every[85:]):  # a column without a file: fragments are told apart all the same
        found = Rows(store, 5, ["none"], blocks(tmp_path), 64).take(numbers)
        assert found["none"].to_pylist() == [None] * len(numbers)


def test_deleted_rows_are_not_counted(store, tmp_path):
    lance.dataset(store.uri).delete("number % 7 = 0")
    left = [number for number in range(100) if number % 7]
    for kept in (None, blocks(tmp_path)):
        found = Rows(store, 4, ["number"], kept, 16).take(np.arange(len(left)))
        assert found["number"].to_pylist() == left


def test_blocks_of_other_deletions_are_others_though_as_many_rows_are_gone(store, tmp_path):
    """After a table was set back, the next version may lack other rows."""
    for wanted in (5, 7):
        opened = lance.dataset(store.uri, version=3)
        opened.restore()
        opened.delete(f"number = {wanted}")
        found = Rows(store, int(opened.version), ["number"], blocks(tmp_path), 16).take(np.arange(99))
        assert wanted not in found["number"].to_pylist()


def test_the_blocks_that_were_used_last_stay_within_the_limit(tmp_path):
    cache = blocks(tmp_path, 40_000)
    for number in range(50):
        block = pa.table({"content": [bytes(1000)]})
        assert cache.get(f"{number:02d}", lambda block=block: block).equals(block)
        path = cache._path(f"{number:02d}")
        os.utime(path, ns=(number, number))
        kept = sorted(int(path.stem) for path in (tmp_path / "blocks").rglob("*.arrow"))
        assert kept == list(range(number + 1 - len(kept), number + 1))
    assert 20 < len(kept) < 40
    assert sum(path.stat().st_size for path in (tmp_path / "blocks").rglob("*.arrow")) <= 40_000 + 40_000 // 32 + 2000


def test_a_damaged_block_is_fetched_anew(tmp_path):
    block = pa.table({"content": [b"whole"]})
    blocks(tmp_path).get("ab", lambda: block)
    blocks(tmp_path)._path("ab").write_bytes(b"cut")
    assert blocks(tmp_path).get("ab", lambda: block).equals(block)
    assert blocks(tmp_path).get("ab", lambda: 1 / 0).equals(block)


def test_where_the_disk_takes_no_block_rows_come_all_the_same(tmp_path, caplog):
    (tmp_path / "blocks").write_text("no folder")
    cache, block = blocks(tmp_path), pa.table({"content": [b""]})
    for key in ("ab", "cd"):
        assert cache.get(key, lambda: block) is block
    assert caplog.text.count("blocks are not kept in") == 1


def test_a_condition_chooses_rows_and_a_wrong_one_names_the_columns(store):
    rows = Rows(store, 3, ["number"])
    assert rows.where("number >= 38 and number < 42").tolist() == [38, 39, 40, 41]
    with pytest.raises(UserError, match="it has the columns number, content"):
        rows.where("nummer = 3")


def test_a_forked_process_is_told_to_be_spawned(store, monkeypatch):
    rows = Rows(store, 3, ["number"])
    rows.take(np.arange(2))
    monkeypatch.setattr("rankhub_lance.rows.os.getpid", lambda: 1)
    with pytest.raises(UserError, match=r"set loader\.start=spawn"):
        rows.take(np.arange(2))
