"""Records kept in memory and in a file that processes share."""

from __future__ import annotations

import logging
import os
import sqlite3

import pytest

from rankhub_timm import memory
from rankhub_timm.memory import Memory, memory_at


def records(count, start=0):
    return {bytes([number]): bytes([number]) * 50 for number in range(start, start + count)}


@pytest.mark.parametrize("file", [None, "kept/features.sqlite"])
def test_what_was_kept_is_found(file, tmp_path):
    ours = Memory(None if file is None else tmp_path / file)
    ours.keep(records(3))
    assert ours.find([b"\x02", b"\x09", b"\x00"]) == {b"\x02": b"\x02" * 50, b"\x00": b"\x00" * 50}
    other = Memory(ours.file)
    assert other.find([b"\x01"]) == ({} if file is None else {b"\x01": b"\x01" * 50})


def test_memory_is_bounded_and_the_file_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MEMORY_BYTES", 120)
    alone, filed = Memory(None), Memory(tmp_path / "f.sqlite")
    for ours in (alone, filed):
        ours.keep(records(1))
        ours.keep(records(4))
    assert list(alone.find(list(records(4)))) == [b"\x00", b"\x01"]
    assert filed.find(list(records(4))) == records(4)


def test_more_keys_than_a_query_takes(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_ASKED", 3)
    Memory(tmp_path / "f.sqlite").keep(records(8))
    assert Memory(tmp_path / "f.sqlite").find(list(records(8))) == records(8)


def test_a_record_that_was_damaged_is_not_there_and_is_mended(tmp_path):
    Memory(tmp_path / "f.sqlite").keep(records(2))
    with sqlite3.connect(tmp_path / "f.sqlite") as connection:
        connection.execute("UPDATE records SET record = zeroblob(54) WHERE key = x'01'")
    connection.close()
    ours = Memory(tmp_path / "f.sqlite")
    assert ours.find(list(records(2))) == records(1)
    ours.keep(records(1, start=1))
    assert Memory(tmp_path / "f.sqlite").find(list(records(2))) == records(2)


def test_a_file_that_is_none_is_said_once(tmp_path, caplog):
    (tmp_path / "f.sqlite").write_bytes(b"no database at all" * 100)
    ours = Memory(tmp_path / "f.sqlite")
    with caplog.at_level(logging.WARNING, "rankhub"):
        assert ours.find([b"\x00"]) == {}
        ours.keep(records(2))
        assert ours.find([b"\x00"]) == records(1)
    assert len(caplog.messages) == 1
    assert "remove that file" in caplog.messages[0]
    assert str(tmp_path / "f.sqlite") in caplog.messages[0]


def forked(work):
    """A child that does ``work``; its number."""
    child = os.fork()
    if child:
        return child
    try:
        work()
        os._exit(0)
    except BaseException:
        os._exit(1)


def test_processes_write_at_once(tmp_path):
    file = tmp_path / "f.sqlite"

    def write(start):
        ours = Memory(file)
        for number in range(start, start + 20):
            ours.keep({bytes([number]): bytes([number]) * 5000})

    children = [forked(lambda start=start: write(start)) for start in (0, 20)]
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0]
    assert len(Memory(file).find([bytes([number]) for number in range(40)])) == 40


def test_a_fork_opens_the_file_for_itself(tmp_path):
    ours = Memory(tmp_path / "f.sqlite")
    ours.keep(records(1))
    assert os.waitpid(forked(lambda: ours.keep(records(1, start=1))), 0)[1] == 0
    assert ours.find(list(records(2))) == records(2)


def test_networks_of_a_process_share_a_memory(tmp_path):
    assert memory_at("a", tmp_path) is memory_at("a", tmp_path)
    assert memory_at("a", tmp_path) is not memory_at("b", tmp_path)
    assert memory_at("a", tmp_path).file == tmp_path / "a.sqlite"
