"""Packing may end at any time and goes on: every image is in the table once, in its order."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.commands import call
from helpers.packed import pack_folder, write_photos

from rankhub import Talk, UserError
from rankhub_lance import Store
from rankhub_pack import sources
from rankhub_pack.packing import Packing
from rankhub_pack.sources import FolderSource

lance = pytest.importorskip("lance")


def names(table):
    """Of all rows."""
    return lance.dataset(str(table)).to_table(columns=["id"])["id"].to_pylist()


def in_folder(root):
    """What the images of a folder are called, in order."""
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*.jpg"))


@pytest.fixture
def killed(monkeypatch):
    """Lets packing end after so many images, as a kill would: nothing that comes after the last portion is done."""

    def kill(after):
        done = [0]
        plain = sources.FileTask._row

        def row(task, path):
            done[0] += 1
            if done[0] > after:
                raise KeyboardInterrupt
            return plain(task, path)

        monkeypatch.setattr(sources.FileTask, "_row", row)

    yield kill
    monkeypatch.undo()


@pytest.mark.parametrize("after", [0, 7, 14, 23])
def test_it_goes_on_where_it_was_killed(photos, tmp_path, killed, monkeypatch, after):
    monkeypatch.setattr(sources, "_FILES", 3)
    table = tmp_path / "photos.lance"
    killed(after)
    with pytest.raises(KeyboardInterrupt):
        pack_folder(photos, table)
    monkeypatch.undo()
    committed = after // 3 * 3 // 10 * 10
    assert len(names(table)) == committed
    with pytest.raises(UserError, match=r"was interrupted after .* rows; go on with the same command and --resume"):
        pack_folder(photos, table)
    with pytest.raises(UserError, match="was being packed from"):
        pack_folder(photos, table, split="other", resume=True)
    done = pack_folder(photos, table, resume=True)
    assert (done.added, done.there, done.rows) == (24 - committed, committed, 24)
    assert names(table) == in_folder(photos)
    assert pack_folder(photos, table, resume=True).added == 0


def test_a_table_that_is_not_whole_is_refused_but_not_its_earlier_versions(photos, packed, opened, killed):
    version = lance.dataset(str(packed)).version
    write_photos(photos, 24, 40)
    killed(30)  # 24 are compared with those in the table
    with pytest.raises(KeyboardInterrupt):
        pack_folder(photos, packed, append=True)
    with pytest.raises(UserError, match="is not whole: it is being packed, or that was interrupted"):
        opened(use="lance", uri=str(packed))
    assert len(opened(use="lance", uri=str(packed), version=version)) == 24


def test_new_images_are_added_and_others_of_the_same_names_are_not_mixed_up(photos, packed, tmp_path):
    with pytest.raises(UserError, match="is there already; name another, or add what is not in it with --append"):
        pack_folder(photos, packed)
    write_photos(photos, 24, 30)
    done = pack_folder(photos, packed, append=True)
    assert (done.added, done.there, done.rows) == (6, 24, 30)
    assert sorted(names(packed)) == in_folder(photos)
    write_photos(tmp_path / "other", 100, 102)
    (tmp_path / "other/cat/100.jpg").rename(tmp_path / "other/cat/000.jpg")
    with pytest.raises(UserError, match=r"has another image called cat/000\.jpg than .*; give these other names"):
        pack_folder(tmp_path / "other", packed, append=True)
    again = FolderSource(tmp_path / "other", classes=True, resize=None)
    Packing(again, Store.of(packed), prefix="other/").run(Talk(), resume=True, append=True)
    assert names(packed)[-2:] == ["other/cat/000.jpg", "other/dog/101.jpg"]


def test_labels_of_another_kind_or_other_classes_are_refused(photos, packed):
    with pytest.raises(UserError, match="has kind 'class', what is to be added has None"):
        pack_folder(photos, packed, classes=False, append=True)
    write_photos(photos.parent / "birds/bird", 0, 1)
    with pytest.raises(UserError, match=r"has classes \('cat', 'dog'\), what is to be added has \('bird',\)"):
        pack_folder(photos.parent / "birds", packed, append=True)


def test_what_cannot_be_read_is_left_out_and_listed(photos, tmp_path):
    (photos / "cat/broken.jpg").write_bytes(b"\xff\xd8 cut")
    done = pack_folder(photos, tmp_path / "t.lance")
    assert [(fault.path, fault.kind) for fault in done.faults] == [("cat/broken.jpg", "broken")]
    assert len(names(tmp_path / "t.lance")) == 24


def test_an_answer_that_is_lost_on_its_way_adds_nothing_twice(photos, tmp_path, monkeypatch):
    plain, lost = Packing._write, []

    def write(packing, module, data, mode):
        plain(packing, module, data, mode)
        if mode == "append" and len(lost) < 2:
            lost.append(mode)
            raise OSError("LanceError(IO): connection reset")

    monkeypatch.setattr(Packing, "_write", write)
    monkeypatch.setattr(Store, "remote", True)
    monkeypatch.setattr(Packing, "_alone", lambda packing: pytest.MonkeyPatch.context())
    monkeypatch.setattr("rankhub_lance.store._FIRST_S", 0.001)
    pack_folder(photos, tmp_path / "t.lance")
    assert lost
    assert names(tmp_path / "t.lance") == in_folder(photos)


def test_several_processes_and_the_verb(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    called = call(capsys, "pack", "photos", "--to", "t.lance", "--set", "labels=folder", "--processes", 2, "--json")
    assert called.code == 0, called.err
    said = json.loads(called.out)
    assert said == {"to": f"{tmp_path}/t.lance", "added": 24, "there": 0, "rows": 24, "version": 4, "left_out": []}
    assert names(tmp_path / "t.lance") == in_folder(photos)
    labels = lance.dataset("t.lance").to_table(columns=["label"])["label"].to_pylist()
    assert labels == [int("dog" in name) for name in in_folder(photos)]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing", "--to", "t.lance"], "there is no folder and no data set nothing"),
        (["image_foldr", "--to", "t.lance"], "data set image_foldr; did you mean image_folder?"),
        (["photos", "--to", "t.lance", "--storage", "x"], "--storage x has no value"),
        (["{a: b}", "--to", "t.lance"], "has no `use`"),
        (["photos", "--to", "s3://b/t", "--storage", "aws_secret_access_key=x"], "in plain text; leave it out"),
        (["photos/cat/000.jpg", "--to", "t.lance"], "is a file; name a folder of images"),
    ],
)
def test_what_is_typed_wrongly_is_one_sentence(photos, tmp_path, capsys, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    called = call(capsys, "pack", *words)
    assert called.code == 2
    assert said in called.err
    assert not (tmp_path / "t.lance").exists()


def test_a_data_set_is_named_as_in_a_recipe(tmp_path, capsys, opened):
    table = tmp_path / "digits.lance"
    called = call(capsys, "pack", "{use: placed_digits, part: validation}", "--to", table)
    assert called.code == 0, called.err
    ours, theirs = opened(use="lance", uri=str(table), labels="class"), opened(use="placed_digits", part="validation")
    np.testing.assert_array_equal(ours.labels(), theirs.labels())
    np.testing.assert_array_equal(ours.batch([0, 7]), theirs.batch([0, 7]))
