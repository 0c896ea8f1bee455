"""The page's address: secret, and the same after a restart."""

from __future__ import annotations

import os
import shutil

import pytest

from rankhub import UserError
from rankhub_active.page.server import FILE, Address, keep, load


def test_a_new_folder_gets_a_secret_of_its_own(tmp_path):
    one, two = load(tmp_path), load(tmp_path)
    assert one.token != two.token
    assert len(one.token) >= 43  # 32 bytes
    assert one.port == 0


def test_what_is_kept_comes_back(tmp_path):
    address = Address(token="a" * 43, port=8000, folder=tmp_path.stat().st_ino)
    keep(tmp_path, address)
    assert load(tmp_path) == address
    assert address.url == f"http://127.0.0.1:8000/{'a' * 43}/"
    assert [file.name for file in tmp_path.iterdir()] == [FILE]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_nobody_else_can_read_it(tmp_path):
    keep(tmp_path, Address(token="a" * 43))
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_a_secret_that_others_could_read_is_one_no_more(tmp_path):
    keep(tmp_path, Address(token="a" * 43, port=8000, folder=tmp_path.stat().st_ino))
    assert load(tmp_path).token == "a" * 43
    (tmp_path / FILE).chmod(0o644)
    assert load(tmp_path).token != "a" * 43


def test_a_folder_that_is_moved_keeps_its_secret_and_a_copy_gets_another(tmp_path):
    (tmp_path / "first").mkdir()
    keep(tmp_path / "first", load(tmp_path / "first"))
    kept = load(tmp_path / "first")
    moved = (tmp_path / "first").rename(tmp_path / "moved")
    assert load(moved) == kept
    shutil.copytree(moved, tmp_path / "copy")  # with the mode of the file
    assert load(tmp_path / "copy").token != kept.token
    assert load(moved) == kept


def test_a_secret_of_an_earlier_version_which_may_be_a_copy_is_replaced_once(tmp_path):
    (tmp_path / FILE).write_text(f'{{"token": "{"a" * 43}", "port": 8000}}')
    (tmp_path / FILE).chmod(0o600)
    new = load(tmp_path)
    assert new.token != "a" * 43
    keep(tmp_path, new)
    assert load(tmp_path) == new


@pytest.mark.parametrize(
    "text", ["", "{", "\udcff", '{"token": "short", "port": 1}', '{"token": "' + "a" * 43 + '", "port": 99999}']
)
def test_a_damaged_file_is_replaced(tmp_path, text):
    (tmp_path / FILE).write_bytes(text.encode("utf-8", "surrogateescape"))
    (tmp_path / FILE).chmod(0o600)
    address = load(tmp_path)
    keep(tmp_path, address)
    assert load(tmp_path) == address


def test_a_folder_in_its_place_is_one_sentence(tmp_path):
    (tmp_path / FILE).mkdir()
    with pytest.raises(UserError, match=f"{FILE} cannot be written"):
        keep(tmp_path, load(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == [FILE]
