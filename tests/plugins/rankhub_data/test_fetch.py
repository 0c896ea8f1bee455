"""Downloading and unpacking, against a web server on this machine."""

from __future__ import annotations

import errno
import hashlib
import io
import json
import shutil
import socket
import tarfile
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest

from rankhub.interfaces.errors import UserError
from rankhub_data import archive as archives
from rankhub_data import download
from rankhub_data.archive import Archive
from rankhub_data.stl10 import IMAGE_BYTES, Stl10

NOISE = np.random.default_rng(0).integers(0, 256, 2 * IMAGE_BYTES, dtype=np.uint8).tobytes()
FILES = {
    "train_X.bin": NOISE,
    "train_y.bin": b"\x01\x02",
    "test_X.bin": NOISE[:IMAGE_BYTES],
    "test_y.bin": b"\x02",
    "unlabeled_X.bin": NOISE[IMAGE_BYTES:],
    "class_names.txt": b"cat\ndog\n",
    "fold_indices.txt": b"0\n1\n",
}


def tiny(content: bytes, url: str) -> type[Stl10]:
    """STL-10 with a tiny archive at ``url``."""

    class Tiny(Stl10):
        archive = Archive(
            url=url,
            size=len(content),
            md5=hashlib.md5(content).hexdigest(),
            folder="stl10_binary",
            files={name: None if name.endswith("txt") else len(data) for name, data in FILES.items()},
        )

    return Tiny


@pytest.fixture
def packed(make_tar) -> bytes:
    return make_tar({f"stl10_binary/{name}": data for name, data in FILES.items()} | {"stl10_binary/readme": b"hi"})


@pytest.fixture
def served(site, packed):
    it = site(packed)
    return it, tiny(packed, it.url)


def silent(*_: object) -> None:
    pass


def complete(folder: Path) -> bool:
    return all((folder / name).read_bytes() == data for name, data in FILES.items())


def partial(folder: Path) -> Path:
    return folder / "tiny.tar.gz.part"


def begin(folder: Path, content: bytes, count: int, url: str, validator: str = '"v1"') -> None:
    """As if an earlier call had fetched the first ``count`` bytes."""
    folder.mkdir(exist_ok=True)
    partial(folder).write_bytes(content[:count])
    Path(f"{partial(folder)}.json").write_text(json.dumps({"url": url, "validator": validator}))


def test_fetched_data_can_be_opened(served, tmp_path, context):
    _, cls = served
    calls = []
    folder = cls.fetch(tmp_path / "sets", None, lambda *call: calls.append(call))
    assert folder == tmp_path / "sets" / "stl10_binary"
    assert complete(folder)
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["stl10_binary"]
    assert not (folder / "readme").exists()
    data = cls(root=str(folder))
    assert data.missing() is None
    data.open(context())
    assert data.labels().tolist() == [0, 1]
    assert list(dict.fromkeys(what for *_, what in calls)) == ["downloading", "checking", "unpacking"]
    for what in ("downloading", "checking"):
        assert [(done, total) for done, total, w in calls if w == what][-1] == (cls.archive.size, cls.archive.size)


def test_default_folder_is_where_the_data_set_looks(served, tmp_path, monkeypatch):
    _, cls = served
    monkeypatch.chdir(tmp_path)
    assert cls.fetch(None, None, silent) == tmp_path / "data" / "stl10_binary"
    assert cls().missing() is None


def test_nothing_is_done_when_all_is_there(served, tmp_path):
    it, cls = served
    cls.fetch(tmp_path, None, silent)
    it.requests.clear()
    calls = []
    assert cls.fetch(tmp_path / "stl10_binary", None, lambda *call: calls.append(call)) == tmp_path / "stl10_binary"
    assert (it.requests, calls) == ([], [])


def test_goes_on_where_it_stopped(served, tmp_path, packed):
    it, cls = served
    begin(tmp_path, packed, 1000, it.url)
    calls = []
    assert complete(cls.fetch(tmp_path, None, lambda *call: calls.append(call)))
    assert it.requests == [("bytes=1000-", '"v1"')]
    assert it.sent == len(packed) - 1000
    assert calls[0][0] > 1000


def test_lost_connections_are_taken_up_again(served, tmp_path, packed):
    it, cls = served
    it.drop_at = [10_000, 10_000, 20_000]  # the second gives nothing at all
    assert complete(cls.fetch(tmp_path, None, silent))
    assert [asked for asked, _ in it.requests] == [None, "bytes=10000-", "bytes=10000-", "bytes=20000-"]
    assert it.sent == len(packed)


def test_gives_up_after_some_tries_and_keeps_what_came(served, tmp_path, packed):
    it, cls = served
    it.drop_at = [10_000] * 20
    with pytest.raises(UserError, match=r"lost after 10,000 of .* bytes; the 10,000 bytes that came are kept"):
        cls.fetch(tmp_path, None, silent)
    assert partial(tmp_path).read_bytes() == packed[:10_000]
    assert len(it.requests) == download.RETRIES + 2
    it.drop_at = []
    assert complete(cls.fetch(tmp_path, None, silent))


def test_server_without_ranges_starts_over(served, tmp_path, packed):
    it, cls = served
    it.ranges = False
    begin(tmp_path, packed, 1000, it.url)
    assert complete(cls.fetch(tmp_path, None, silent))
    assert it.sent == len(packed)


def test_changed_file_starts_over(served, tmp_path, packed):
    it, cls = served
    begin(tmp_path, b"x" * len(packed), 1000, it.url, '"v0"')
    assert complete(cls.fetch(tmp_path, None, silent))
    assert it.requests == [("bytes=1000-", '"v0"')]
    assert it.sent == len(packed)


def test_changed_file_without_version_is_found_by_the_checksum(served, tmp_path, packed):
    it, cls = served
    it.etag = ""
    begin(tmp_path, b"x" * len(packed), 1000, it.url, "")
    assert complete(cls.fetch(tmp_path, None, silent))
    assert [asked for asked, _ in it.requests] == ["bytes=1000-", None]


def test_part_that_is_longer_than_the_file_starts_over(served, tmp_path, packed):
    it, cls = served
    begin(tmp_path, packed + b"more", len(packed) + 4, it.url)
    assert complete(cls.fetch(tmp_path, None, silent))


def test_server_whose_file_is_shorter_than_the_part(served, tmp_path, packed):
    it, cls = served
    begin(tmp_path, packed, 1000, it.url)
    it.content = packed[:500]
    with pytest.raises(UserError, match="has 500 bytes, the archive has"):
        cls.fetch(tmp_path, None, silent)
    assert [asked for asked, _ in it.requests] == ["bytes=1000-", None]


def test_another_mirror_goes_on_with_what_came(site, served, tmp_path, packed):
    it, cls = served
    other = site(packed)
    begin(tmp_path, packed, 1000, it.url)
    assert complete(cls.fetch(tmp_path, other.url, silent))
    assert (it.requests, other.requests) == ([], [("bytes=1000-", None)])


def test_mirror_may_be_a_folder(served, tmp_path):
    it, cls = served
    assert complete(cls.fetch(tmp_path, it.url.removesuffix("tiny.tar.gz"), silent))


def test_wrong_checksum(site, packed, tmp_path):
    damaged = packed[:2000] + b"?" + packed[2001:]
    it = site(damaged)
    with pytest.raises(UserError, match=r"MD5 sum [0-9a-f]{32} instead of [0-9a-f]{32}.*--mirror"):
        tiny(packed, it.url).fetch(tmp_path, None, silent)
    assert list(tmp_path.iterdir()) == []
    assert len(it.requests) == 1


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, download.RETRIES + 1)])
def test_errors_of_the_server(served, tmp_path, status, tries):
    it, cls = served
    it.status = status
    with pytest.raises(UserError, match=rf"http://127.0.0.1:\d+/tiny.tar.gz: the server answers {status} "):
        cls.fetch(tmp_path, None, silent)
    assert len(it.requests) == tries


def test_refused_connection(packed, tmp_path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/tiny.tar.gz"
        with pytest.raises(UserError, match=r"cannot be reached \(Connection refused\).*--mirror"):
            tiny(packed, url).fetch(tmp_path, None, silent)


def test_silent_server(served, tmp_path, packed, monkeypatch):
    it, cls = served
    monkeypatch.setattr(download, "TIMEOUT_S", 0.05)
    begin(tmp_path, packed, 1000, it.url)
    it.stall = True
    with pytest.raises(UserError, match=r"no answer for .* the 1,000 bytes that came are kept"):
        cls.fetch(tmp_path, None, silent)
    assert partial(tmp_path).read_bytes() == packed[:1000]


@pytest.mark.parametrize("url", ["ftp://example.org/a.tar.gz", "stl10.tar.gz", "file:///etc/passwd"])
def test_addresses_that_are_none(served, tmp_path, url):
    _, cls = served
    with pytest.raises(UserError, match="begins with http"):
        cls.fetch(tmp_path, url, silent)


def test_no_room_is_seen_before_anything_is_fetched(served, tmp_path, monkeypatch):
    it, cls = served
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("Usage", "free")(1000))
    with pytest.raises(UserError, match=r"0\.0 GB free.*--to FOLDER"):
        cls.fetch(tmp_path, None, silent)
    assert it.requests == []


class FullDisk(io.FileIO):
    """A file that takes no byte."""

    def write(self, _):
        raise OSError(errno.ENOSPC, "No space left on device")


def full_when_writing(monkeypatch, module, name: str) -> None:
    """Files of that name cannot be written in ``module``: the disk is full."""

    def opening(path, mode="r", *rest):
        kind = FullDisk if Path(path).name == name and mode != "rb" else open
        return kind(path, mode, *rest)

    monkeypatch.setattr(module, "open", opening, raising=False)


def test_disk_full_while_downloading(served, tmp_path, packed, monkeypatch):
    it, cls = served
    begin(tmp_path, packed, 1000, it.url)
    full_when_writing(monkeypatch, download, "tiny.tar.gz.part")
    with pytest.raises(UserError, match=r"the disk is full\); the 1,000 bytes that came are kept"):
        cls.fetch(tmp_path, None, silent)
    assert partial(tmp_path).stat().st_size == 1000


def test_disk_full_while_unpacking_leaves_the_archive_only(served, tmp_path, packed, monkeypatch):
    it, cls = served
    with monkeypatch.context() as patched:
        full_when_writing(patched, archives, "test_X.bin")
        with pytest.raises(UserError, match="No space left on device"):
            cls.fetch(tmp_path, None, silent)
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.tar.gz"]
    assert complete(cls.fetch(tmp_path, None, silent))
    assert len(it.requests) == 1


def test_archive_that_was_downloaded_by_hand_is_taken(served, tmp_path, packed):
    it, cls = served
    (tmp_path / "tiny.tar.gz").write_bytes(packed)
    assert complete(cls.fetch(tmp_path, None, silent))
    assert it.requests == []


def test_archive_by_hand_that_is_another_is_kept(served, tmp_path, packed):
    _, cls = served
    (tmp_path / "tiny.tar.gz").write_bytes(packed[:-1] + b"?")
    with pytest.raises(UserError, match=r"tiny.tar.gz is not the archive"):
        cls.fetch(tmp_path, None, silent)
    assert (tmp_path / "tiny.tar.gz").exists()


def test_lacking_files_are_added_and_others_never_overwritten(served, tmp_path):
    it, cls = served
    folder = cls.fetch(tmp_path, None, silent)
    (folder / "test_X.bin").unlink()
    (folder / "notes.txt").write_text("mine")
    assert complete(cls.fetch(tmp_path, None, silent))
    assert (folder / "notes.txt").read_text() == "mine"
    (folder / "train_X.bin").write_bytes(b"my own")
    (folder / "test_X.bin").unlink()
    it.requests.clear()
    with pytest.raises(UserError, match=r"train_X\.bin has 6 bytes.*not overwritten"):
        cls.fetch(tmp_path, None, silent)
    assert (folder / "train_X.bin").read_bytes() == b"my own"
    assert it.requests == []


def test_file_in_place_of_the_folder(served, tmp_path):
    _, cls = served
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file cannot be written: File exists"):
        cls.fetch(tmp_path / "file", None, silent)


def link(kind: bytes, name: str, to: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, to
    return info


@pytest.mark.parametrize(
    "member",
    [
        link(tarfile.SYMTYPE, "stl10_binary/train_X.bin", "/etc/passwd"),
        link(tarfile.LNKTYPE, "stl10_binary/train_X.bin", "stl10_binary/other"),
        link(tarfile.FIFOTYPE, "stl10_binary/train_X.bin", ""),
        tarfile.TarInfo("../escaped"),
        tarfile.TarInfo("stl10_binary/../../escaped"),
        tarfile.TarInfo("/tmp/escaped"),
    ],
    ids=lambda member: f"{member.name}-{member.type.decode()}",
)
def test_archives_that_reach_outside_are_refused(site, make_tar, tmp_path, member):
    content = make_tar({f"stl10_binary/{name}": data for name, data in FILES.items()}, member)
    it = site(content)
    with pytest.raises(UserError, match="refused"):
        tiny(content, it.url).fetch(tmp_path / "sets", None, silent)
    assert not (tmp_path / "escaped").exists()
    assert [path.name for path in (tmp_path / "sets").iterdir()] == ["tiny.tar.gz"]


def test_archive_that_lacks_a_file(site, make_tar, tmp_path):
    content = make_tar({"stl10_binary/train_X.bin": FILES["train_X.bin"]})
    it = site(content)
    with pytest.raises(UserError, match=r"does not hold train_y\.bin, test_X\.bin"):
        tiny(content, it.url).fetch(tmp_path, None, silent)
    assert not (tmp_path / "stl10_binary").exists()


def test_file_that_is_no_archive(site, tmp_path):
    content = b"no archive at all" * 100
    it = site(content)
    with pytest.raises(UserError, match="cannot be unpacked"):
        tiny(content, it.url).fetch(tmp_path, None, silent)


def test_constants_are_those_of_the_authors():
    archive = Stl10.archive
    assert (archive.size, archive.md5) == (2_640_397_119, "91f7769df0f17e558f3565bffb0c7dfb")
    assert archive.files["unlabeled_X.bin"] == 2_764_800_000
    assert archive.files["train_X.bin"] == 138_240_000
    assert archive.files["test_X.bin"] == 221_184_000
    assert archive.name == "stl10_binary.tar.gz"
