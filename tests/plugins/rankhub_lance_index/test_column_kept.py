"""A column of vectors is written while calls are killed and others change the table: nothing is lost."""

from __future__ import annotations

import pytest
from helpers.vector_columns import Indexed, ids, silent, write_table

from rankhub import UserError
from rankhub_find.store import KnownNetwork

lance = pytest.importorskip("lance")


def test_a_killed_call_leaves_what_waits_to_the_next(table, tmp_path):
    made = Indexed(tmp_path / "photos.index", table)
    made.create()
    made.append(ids(0, 200))  # and killed
    made.reopen()
    assert len(made.ours) == 0
    assert made.ours.search(made.vector(2), 3) == [[], []]
    assert made.ours.duplicates(0.9, silent) == []
    wanted = [f"{table}/{one}" for one in ids(0, 300)]
    assert made.ours.known(wanted) == set(wanted[:200])
    made.append(ids(200, 300))
    made.save()
    made.check()
    assert not list(made.folder.glob("vectors-*"))


def killed_after(made, monkeypatch, name):
    """Let a call of the index be killed behind a step of the writing."""
    column = type(made.ours.vectors)
    whole = getattr(column, name)

    def killed(self, *args):
        whole(self, *args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(column, name, killed)
        with pytest.raises(KeyboardInterrupt):
            made.ours.settle(silent)


@pytest.mark.parametrize("step", ["announce", "have_column", "write"])
@pytest.mark.parametrize("earlier", [False, True])
def test_killed_while_it_writes(table, tmp_path, monkeypatch, step, earlier):
    made = Indexed(tmp_path / "photos.index", table)
    made.create()
    if earlier:
        made.append(ids(0, 100))
        made.save()
    made.append(ids(100, 300))
    killed_after(made, monkeypatch, step)
    made.reopen()
    wanted = [f"{table}/{one}" for one in ids(0, 310)]
    assert made.ours.known(wanted) == set(wanted[0 if earlier else 100 : 300])
    made.append(ids(300, 350))
    made.save()
    made.check()


def test_stopped_between_the_files_and_the_commit_leaves_no_file(indexed, table, monkeypatch):
    from rankhub_lance_index.rewriting import Rewriting

    before = sorted((table / "data").iterdir())
    indexed.append(ids(0, 1))

    def stopped(self, changes):
        assert len(sorted((table / "data").iterdir())) == len(before) + 1
        raise KeyboardInterrupt

    def interrupted(done, total, what):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        indexed.ours.settle(interrupted)
    assert sorted((table / "data").iterdir()) == before
    monkeypatch.setattr(Rewriting, "_committed", stopped)
    with pytest.raises(KeyboardInterrupt):
        indexed.ours.settle(silent)
    monkeypatch.undo()
    indexed.ours.unsettled()  # as after Ctrl-C
    indexed.ours.save(indexed.folder)
    indexed.reopen()
    indexed.check()


def test_a_row_that_is_packed_meanwhile_and_another_index_lose_nothing(indexed, table, tmp_path, monkeypatch):
    from rankhub_lance_index.rewriting import Rewriting

    other = Indexed(tmp_path / "other.index", table, network=KnownNetwork(digest="cd" * 32), dim=5, seed=1)
    other.create()
    other.append(ids(0, 400))
    whole, calls = Rewriting._committed, []

    def others_come_first(self, changes):
        calls.append(len(changes))
        if len(calls) == 1:
            write_table(table, ids(700, 720), 20)  # no conflict
        if len(calls) == 2:
            lance.dataset(str(table)).delete("id = 'it''s 1/1.jpg'")
        if len(calls) == 3:
            monkeypatch.setattr(Rewriting, "_committed", whole)
            other.save()
        return whole(self, changes)

    indexed.append(ids(0, 1))
    monkeypatch.setattr(Rewriting, "_committed", others_come_first)
    indexed.save()
    indexed.append(ids(7, 8))
    indexed.save()
    assert len(calls) == 3
    del indexed.known["it's 1/1.jpg"], other.known["it's 1/1.jpg"]
    indexed.check()
    other.reopen()
    other.check()
    assert lance.dataset(str(table)).count_rows() == 719


def test_others_that_always_come_first_are_said(indexed, table, monkeypatch):
    from rankhub_lance_index.rewriting import Rewriting

    before = sorted((table / "data").iterdir())
    monkeypatch.setattr(Rewriting, "_committed", lambda self, changes: False)
    indexed.append(ids(0, 1))
    with pytest.raises(UserError, match="is changed by others all the time"):
        indexed.ours.settle(silent)
    assert sorted((table / "data").iterdir()) == before
    monkeypatch.undo()
    indexed.reopen()
    indexed.save()
    indexed.check()
