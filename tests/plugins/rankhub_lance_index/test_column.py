"""Vectors in a column of a packed table, beside rankhub_find.Index of the same vectors."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from helpers.vector_columns import NETWORK, Indexed, TablePlace, ids, silent, write_table

from rankhub import UserError
from rankhub_find.store import KnownNetwork
from rankhub_find.stores import make_store, open_index

lance = pytest.importorskip("lance")

COLUMN = "embedding_abababababab"
SEEN = {"id", COLUMN, "name", "vector", "_rowoffset", "_distance"}


def files(table, *columns):
    """Of some columns, and of which rows are deleted."""
    opened = lance.dataset(str(table))
    numbers = {field.id() for field in opened.lance_schema.fields() if field.name() in columns}
    return [file.path for part in opened.get_fragments() for file in part.metadata.files if numbers & set(file.fields)]


def test_it_is_what_an_index_in_memory_is(indexed, table):
    indexed.check()
    opened = lance.dataset(str(table))
    assert opened.schema.names[-1] == COLUMN
    empty = opened.to_table(columns=[COLUMN])[COLUMN].is_null().to_numpy()
    np.testing.assert_array_equal(empty, np.arange(700) % 7 == 0)
    assert sorted(path.name for path in indexed.folder.iterdir()) == ["store.json"]
    said = indexed.ours.lines(5)
    assert said["index"] == f"flat in the column {COLUMN} of the table {table}, 605 vectors of 8 columns"


@pytest.mark.parametrize("seed", range(6))
def test_random_changes_give_what_an_index_in_memory_gives(tmp_path, seed):
    rng, table = np.random.default_rng(seed), tmp_path / "photos.lance"
    last = int(rng.integers(200, 400))
    write_table(table, ids(0, last), int(rng.integers(60, 200)))
    made = Indexed(tmp_path / "photos.index", table, seed=seed)
    made.create()
    made.append(rng.permutation(ids(0, last))[: last // 2].tolist())
    made.save()
    for _ in range(6):
        there = lance.dataset(str(table)).to_table(columns=["id"])["id"].to_pylist()
        left, step = [one for one in there if one not in made.known], int(rng.integers(0, 5))
        if step == 0:
            write_table(table, ids(last, last + 80), 50)
            last += 80
        elif step == 1:
            gone = rng.choice(there, 15, replace=False).tolist()
            lance.dataset(str(table)).delete(
                "id IN ({})".format(", ".join("'" + g.replace("'", "''") + "'" for g in gone))
            )
            for one in gone:
                made.known.pop(one, None)
        elif step == 2 and len(left) > 20:
            made.append(rng.choice(left, 20, replace=False).tolist())
            made.save()
        elif step == 3:
            made.remove(rng.choice(sorted(made.known), 10, replace=False).tolist())
        else:
            lance.dataset(str(table)).optimize.compact_files(target_rows_per_fragment=150)
        made.reopen()
        made.check(0.95)


def test_only_what_changes_is_written_and_no_other_column(indexed, table):
    others, before = files(table, "id", "image"), files(table, COLUMN)
    write_table(table, ids(700, 740), 100)
    indexed.reopen()
    indexed.append(ids(700, 740))
    indexed.save()
    indexed.check()
    assert files(table, "id", "image")[:3] == others
    assert files(table, COLUMN)[:3] == before
    indexed.remove(ids(1, 2))
    after = files(table, COLUMN)
    assert (after[0] != before[0], after[1:3]) == (True, before[1:])
    indexed.check()


def test_rows_that_are_appended_have_no_vector_until_they_are_added(indexed, table):
    write_table(table, ids(700, 900), 100)
    indexed.reopen()
    indexed.check()
    indexed.append(ids(650, 651) if 650 % 7 == 0 else ids(700, 701))
    indexed.append(ids(800, 900))
    indexed.ours.unsettled()
    indexed.ours.save(indexed.folder)
    indexed.reopen()
    indexed.check()


def test_two_networks_stand_beside_each_other(indexed, table, tmp_path):
    other = Indexed(
        tmp_path / "other.index",
        table,
        network=KnownNetwork(digest="cd" * 32, output="embedding.vector"),
        dim=5,
        seed=1,
    )
    other.create()
    other.append(ids(0, 400))
    other.save()
    other.check()
    indexed.reopen()
    indexed.check()
    assert lance.dataset(str(table)).schema.names[-2:] == [COLUMN, "embedding_cdcdcdcdcdcd_embedding_vector"]
    indexed.append(ids(0, 1))
    indexed.save()
    other.reopen()
    other.check()


@pytest.mark.parametrize("dim", [8, 6])
def test_made_anew_nothing_of_the_earlier_is_left(indexed, table, dim):
    again = Indexed(indexed.folder, table, dim=dim, seed=2)
    again.create()
    again.append(ids(0, 100))
    indexed.reopen()
    indexed.check()  # the one before, until the new one is saved
    again.save()
    again.check()
    assert lance.dataset(str(table)).schema.names.count(COLUMN) == 1


def test_made_anew_after_its_folder_was_deleted(indexed, table):
    shutil.rmtree(indexed.folder)
    again = Indexed(indexed.folder, table, seed=2)
    again.create()
    again.append(ids(500, 700))
    again.save()
    again.check()


def test_another_index_in_the_column_is_said(indexed, table, tmp_path):
    again = Indexed(tmp_path / "again.index", table, seed=2)
    again.create()
    again.append(ids(500, 700))
    again.save()
    with pytest.raises(UserError, match="another index was made in it"):
        indexed.reopen()
    again.reopen()
    again.check()


def test_both_or_one_of_them_may_be_moved(indexed, table, tmp_path):
    (tmp_path / "new").mkdir()
    shutil.move(indexed.folder, tmp_path / "new" / "photos.index")
    indexed.folder = tmp_path / "new" / "photos.index"
    indexed.reopen()
    indexed.check()
    shutil.move(table, tmp_path / "new" / "photos.lance")
    indexed.table = tmp_path / "new" / "photos.lance"
    indexed.reopen()
    indexed.check()
    shutil.move(tmp_path / "new", tmp_path / "third")
    indexed.folder, indexed.table = tmp_path / "third" / "photos.index", tmp_path / "third" / "photos.lance"
    indexed.reopen()
    indexed.check()
    indexed.append(ids(0, 1))
    indexed.save()
    indexed.check()


def test_what_is_wrong_is_one_sentence(indexed, table, tmp_path):
    whole = json.loads((indexed.folder / "store.json").read_text())

    def said(match):
        with pytest.raises(UserError, match=match) as error:
            indexed.reopen()
        assert "\n" not in str(error.value)
        (indexed.folder / "store.json").write_text(json.dumps(whole))

    for name, value in (
        ("beside", "../photos.lance"),
        ("beside", ".."),
        ("table", "photos.lance"),
        ("staged", "../vectors-000000000000.lance"),
        ("column", "id"),
        ("column", "embedding_x; drop"),
        ("token", "x"),
        ("rows", -1),
        ("more", 1),
        ("counts", {"x": "y"}),
    ):
        note = {**whole, "state": {**whole["state"], name: value}}
        (indexed.folder / "store.json").write_text(json.dumps(note))
        said("does not say where its table is")
    note = {**whole, "state": {**whole["state"], "column": "embedding_other"}}
    (indexed.folder / "store.json").write_text(json.dumps(note))
    said("no column embedding_other any more")
    (indexed.folder / "store.json").write_text(json.dumps({**whole, "dim": 9}))
    said("the index 9 columns")
    strange = tmp_path / "strange.lance"
    lance.write_dataset(lance.dataset(str(table)).to_table().replace_schema_metadata({}), str(strange))
    note = {**whole, "state": {**whole["state"], "beside": "strange.lance", "table": str(strange)}}
    (indexed.folder / "store.json").write_text(json.dumps(note))
    said("was not made by rankhub pack")
    copy = tmp_path / "copy.lance"
    lance.write_dataset(lance.dataset(str(table)).to_table(), str(copy))
    note = {**whole, "state": {**whole["state"], "beside": "copy.lance", "table": str(copy)}}
    (indexed.folder / "store.json").write_text(json.dumps(note))
    said("is not as the index .* has left it")
    indexed.reopen()
    with pytest.raises(UserError, match="is no image of the table"):
        indexed.ours.append(["/elsewhere/1.jpg"], indexed.vector(1))
    opened = lance.dataset(str(table))
    before = opened.version
    indexed.append(ids(0, 1))
    indexed.save()
    lance.dataset(str(table), version=before).restore()
    said("another")
    with pytest.raises(UserError, match="set back"):
        indexed.ours.settle(silent) if indexed.ours.vectors.waiting else indexed.ours.vectors.newest()
    lance.dataset(str(table), version=1).restore()
    said("no column")
    shutil.rmtree(table)
    said("there is no table")


def test_a_table_of_its_own_is_taken_where_it_is_asked_for_or_must_be(table, tmp_path):
    place, version = TablePlace(table), lance.dataset(str(table)).version
    made = make_store("lance", {"beside": True}).create(tmp_path / "a", 8, NETWORK, "flat", images=place)
    made.append([f"{table}/{ids(0, 1)[0]}"], np.ones((1, 8), np.float32))
    made.save(tmp_path / "a")
    assert open_index(tmp_path / "a", silent).below(str(table)) == [f"{table}/{ids(0, 1)[0]}"]
    strange = tmp_path / "strange.lance"
    lance.write_dataset(lance.dataset(str(table)).to_table().replace_schema_metadata({}), str(strange))
    made = make_store("lance", {}).create(tmp_path / "b", 8, NETWORK, "flat", images=TablePlace(strange))
    assert "a Lance table of its own, since the table" in made.lines(3)["index"]
    assert lance.dataset(str(table)).version == version


def test_ivfpq_in_a_column_with_nulls_grows_and_shrinks(tmp_path, monkeypatch):
    monkeypatch.setattr("rankhub_find.kinds.LEAST", 300)
    table = tmp_path / "photos.lance"
    write_table(table, ids(0, 900), 400)
    made = Indexed(tmp_path / "photos.index", table, "ivfpq", refine=100)
    made.create()
    made.append([one for number, one in enumerate(ids(0, 900)) if number % 9])
    made.save()

    def recall():
        order, _ = made.in_order()
        vectors = np.stack([made.known[one] for one in order])
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        asked, right = vectors[::40], 0
        for query, found in zip(asked, made.ours.search(asked, 10), strict=True):
            names = [one.name.removeprefix(f"{table}/") for one in found]
            assert len(set(names)) == 10
            assert set(names) <= set(made.known)
            cosines = vectors @ query
            right += sum(float(one.similarity) >= np.sort(cosines)[-10] - 1e-5 for one in found)
        return right / len(asked) / 10

    assert (made.ours.kind, recall() > 0.95) == ("ivfpq", True)
    groups = made.ours.duplicates(0.9999, silent)
    assert len(groups[0].names) >= 80
    assert {name.removeprefix(f"{table}/") for group in groups for name in group.names} <= set(made.known)
    write_table(table, ids(900, 1000), 40)
    made.reopen()
    assert recall() > 0.95
    made.append(ids(900, 1000))
    made.save()
    assert (made.ours.vectors.unlearned, recall() > 0.95) == (0, True)
    gone = ids(1, 9)
    made.remove(gone)
    made.reopen()
    assert made.ours.vectors.unlearned == 0
    assert recall() > 0.95


def test_the_image_column_is_not_read(table, tmp_path, monkeypatch):
    made = Indexed(tmp_path / "photos.index", table)
    made.create()
    made.append(ids(0, 300))
    asked = []
    for name in ("scanner", "take"):
        whole = getattr(lance.LanceDataset, name)

        def spied(self, *args, whole=whole, columns=None, **options):
            asked.append(columns)
            return whole(self, *args, columns=columns, **options)

        monkeypatch.setattr(lance.LanceDataset, name, spied)
    made.save()
    made.remove(ids(0, 5))
    made.check()
    assert len(asked) > 20
    assert all(columns is not None and set(columns) <= SEEN for columns in asked)
