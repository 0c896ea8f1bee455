"""Downloads from servers, into folders and of archives that mean no good."""

from __future__ import annotations

import hashlib
import io
import tarfile

import pytest

from rankhub.interfaces.errors import UserError
from rankhub_data import archive as archives
from rankhub_data import download
from rankhub_data.archive import Archive, fetch_archive

FILES = {"a.bin": b"a" * 500, "names.txt": b"cat\n"}


def fetch(content: bytes, url: str, folder):
    sizes = {"a.bin": 500, "names.txt": None}
    return fetch_archive(
        Archive(url, len(content), hashlib.md5(content).hexdigest(), "set", sizes), folder, None, lambda *_: None
    )


@pytest.fixture
def packed(make_tar) -> bytes:
    return make_tar({f"set/{name}": data for name, data in FILES.items()})


def test_a_server_that_drips_is_given_up_and_what_came_is_kept(site, packed, tmp_path, monkeypatch):
    monkeypatch.setattr(download, "WINDOW_S", 0.05)
    monkeypatch.setattr(download, "RETRIES", 1)
    it = site(packed)
    it.drip = 0.02
    with pytest.raises(UserError, match=r"sends less than 1,000 bytes a second; the \d+ bytes that came are kept"):
        fetch(packed, it.url, tmp_path)
    assert len(it.requests) == 2, "bytes that drip do not count as success"
    it.drip = 0
    assert (fetch(packed, it.url, tmp_path) / "a.bin").read_bytes() == FILES["a.bin"]


@pytest.mark.parametrize("other", ["ftp://127.0.0.1:9/tiny.tar.gz", "file:///etc/passwd", "data:text/plain,x"])
def test_a_server_may_not_send_on_to_another_scheme(site, packed, tmp_path, other):
    it = site(packed)
    it.sends_on = other
    with pytest.raises(UserError) as caught:
        fetch(packed, it.url, tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "set").exists()
    assert not any(tmp_path.glob("*.part"))


def test_a_server_may_send_on_to_another_address(site, packed, tmp_path):
    it, other = site(packed), site(packed)
    other.sends_on = it.url
    assert fetch(packed, other.url, tmp_path).name == "set"


@pytest.mark.parametrize("name", ["tiny.tar.gz", "tiny.tar.gz.part", "tiny.tar.gz.part.json", ".set.unpacking"])
def test_a_planted_link_is_not_written_through(site, packed, tmp_path, name):
    victim, folder = tmp_path / "victim", tmp_path / "sets"
    folder.mkdir()
    if name.endswith("unpacking"):
        victim.mkdir()
        (victim / "kept").write_text("mine")
    else:
        victim.write_text("mine")
    (folder / name).symlink_to(victim)
    it = site(packed)
    with pytest.raises(UserError, match=rf"{name}.* (is a link, through which|cannot be written: File exists)"):
        fetch(packed, it.url, folder)
    assert (victim / "kept" if victim.is_dir() else victim).read_text() == "mine"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"set/a.bin": b"a" * 501, "set/names.txt": b""}, r"set/a.bin has 501 bytes: it is another file"),
        ({"set/a.bin": b"a" * 500, "set/names.txt": b"n" * 1001}, r"set/names.txt has 1,001 bytes: it is another file"),
        ({"set/other.bin": b"o" * 5000, "set/a.bin": b"a" * 500}, "unpacks to far more than it should hold"),
    ],
)
def test_sizes_are_checked_before_anything_is_written(site, make_tar, tmp_path, monkeypatch, files, said):
    monkeypatch.setattr(archives, "_UNSTATED", 1000)
    monkeypatch.setattr(archives, "_BESIDE", 2000)
    content = make_tar(files)
    with pytest.raises(UserError, match=said):
        fetch(content, site(content).url, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.tar.gz"]


def test_a_member_that_announces_more_than_there_is(site, tmp_path):
    info = tarfile.TarInfo("set/a.bin")
    info.size = 500
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        tar.addfile(info, io.BytesIO(b"a" * 500))
    content = packed.getvalue()[:-40]
    with pytest.raises(UserError, match="cannot be unpacked"):
        fetch(content, site(content).url, tmp_path)
    assert not (tmp_path / "set").exists()
