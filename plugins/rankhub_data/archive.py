"""Downloads an archive, checks it, and unpacks just the files that it should hold."""

from __future__ import annotations

import contextlib
import hashlib
import os
import posixpath
import shutil
import tarfile
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rankhub.interfaces.errors import UserError
from rankhub_data.download import Progress, download, forget, refuse_links, size_of

_CHUNK = 1 << 20
_UNSTATED = 1 << 26
"""Bytes, at most, of a file whose size is not stated."""
_BESIDE = 1 << 30
"""Bytes, at most, of what an archive holds beside the wanted files: it is unpacked too, to be passed over."""


@dataclass(frozen=True, slots=True)
class Archive:
    """A tar archive with one folder of plain files.

    Attributes:
        url: Where it lies.
        size: Its bytes.
        md5: Its MD5 sum, in hexadecimal.
        folder: The folder in it.
        files: The files in that folder that are wanted, with their bytes; None where any number will do.
    """

    url: str
    size: int
    md5: str
    folder: str
    files: Mapping[str, int | None]

    @property
    def name(self) -> str:
        """The archive's own file name."""
        return posixpath.basename(urllib.parse.urlsplit(self.url).path)

    def absent(self, target: Path) -> list[str]:
        """The wanted files that are not in the folder ``target``.

        Raises:
            UserError: A file there has another size, so it is not the archive's.
        """
        absent = []
        for name, size in self.files.items():
            if not (target / name).is_file():
                absent.append(name)
            elif size is not None and size_of(target / name) != size:
                raise UserError(
                    f"{target / name} has {size_of(target / name):,} bytes, the archive's file has {size:,}; it is not "
                    "overwritten: move it away, or name another folder with --to FOLDER"
                )
        return absent


def fetch_archive(archive: Archive, folder: Path, mirror: str | None, progress: Progress) -> Path:
    """Make ``FOLDER/<the archive's folder>``, complete; goes on where an earlier call stopped.

    An archive that was downloaded by other means and lies in ``folder`` is taken. The archive is removed once
    it is unpacked.

    Args:
        archive: What to fetch.
        folder: Where to; made if it is not there. May be the archive's folder itself.
        mirror: Another address of the archive, or of the folder it lies in if it ends with ``/``.
        progress: ``progress(done, total, what)`` in bytes; not called if all is there.

    Returns:
        The absolute path of the archive's folder.

    Raises:
        UserError: It failed; one sentence.
    """
    folder = Path(os.path.abspath(folder.expanduser()))
    folder = folder.parent if folder.name == archive.folder else folder
    target = folder / archive.folder
    if not archive.absent(target):
        return target
    url = mirror or archive.url
    url += archive.name if url.endswith("/") else ""
    with _sentences(folder):
        folder.mkdir(parents=True, exist_ok=True)
        packed = folder / archive.name
        refuse_links(packed)
        _check_room(archive, folder, packed)
        if packed.is_file():
            if size_of(packed) != archive.size or _md5(packed, archive.size, progress) != archive.md5:
                raise UserError(f"{packed} is not the archive (its size or MD5 sum differs); delete it and try again")
        else:
            _download_checked(archive, url, packed, progress)
        _unpack(archive, packed, target, progress)
        packed.unlink()
    return target


@contextlib.contextmanager
def _sentences(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        where = error.filename or folder
        raise UserError(f"{where} cannot be written: {error.strerror or error}; what is done so far is kept") from None


def _check_room(archive: Archive, folder: Path, packed: Path) -> None:
    had = size_of(packed) or size_of(_part(packed))
    needed = archive.size - had + sum(size or 0 for size in archive.files.values())
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise UserError(
            f"the disk of {folder} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed "
            f"for the archive and its files; make room, or name another folder with --to FOLDER"
        )


def _part(packed: Path) -> Path:
    return packed.with_name(f"{packed.name}.part")


def _download_checked(archive: Archive, url: str, packed: Path, progress: Progress) -> None:
    part = _part(packed)
    while True:
        earlier = download(url, part, archive.size, progress)
        found = _md5(part, archive.size, progress)
        if found == archive.md5:
            break
        forget(part)
        if not earlier:  # pieces of two downloads may not fit each other: only then is it worth a second try
            raise UserError(
                f"the file from {url} has the MD5 sum {found} instead of {archive.md5}: it is damaged or another file "
                "and was deleted; try again, or give another address with --mirror URL"
            )
    os.replace(part, packed)
    forget(part)


def _md5(path: Path, size: int, progress: Progress) -> str:
    digest, done = hashlib.md5(usedforsecurity=False), 0
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            done += len(chunk)
            progress(done, size, "checking")
    return digest.hexdigest()


class _Watched:
    """A file that reports how far it was read."""

    def __init__(self, file: IO[bytes], size: int, progress: Progress) -> None:
        self._file, self._size, self._progress, self._done = file, size, progress, 0

    def read(self, count: int = -1) -> bytes:
        """The next bytes."""
        data = self._file.read(count)
        self._done += len(data)
        self._progress(self._done, self._size, "unpacking")
        return data


def _unpack(archive: Archive, packed: Path, target: Path, progress: Progress) -> None:
    """Unpack beside ``target`` and rename, so that ``target`` is complete or not there at all."""
    beside = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        with open(packed, "rb") as file:
            stream: Any = _Watched(file, archive.size, progress)
            with tarfile.open(fileobj=stream, mode="r|*", bufsize=_CHUNK) as tar:
                left = _BESIDE + sum(_UNSTATED if size is None else size for size in archive.files.values())
                for member in tar:
                    left -= member.size
                    if left < 0:
                        raise UserError(f"{packed} unpacks to far more than it should hold; delete it and try again")
                    _unpack_member(archive, tar, member, beside)
        lacking = archive.absent(beside)
        if lacking:
            raise UserError(f"{packed} does not hold {', '.join(lacking)}; it is another archive")
        if target.exists():  # some files were there, of the right size: only the others are added
            for name in archive.absent(target):
                os.replace(beside / name, target / name)
        else:
            os.rename(beside, target)
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{packed} cannot be unpacked ({error}); delete it and try again") from None
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _unpack_member(archive: Archive, tar: tarfile.TarFile, member: tarfile.TarInfo, to: Path) -> None:
    """Write a wanted file under ``to``; whatever could lead out of there refuses the whole archive."""
    parts = member.name.split("/")
    if not (member.isreg() or member.isdir()) or member.name.startswith("/") or ".." in parts or "\\" in member.name:
        raise UserError(f"the archive holds {member.name}, a link, a device or a path out of its folder: refused")
    if hasattr(tarfile, "data_filter"):  # from Python 3.11.4 on
        tarfile.data_filter(member, str(to))
    parent, name = posixpath.split(posixpath.normpath(member.name))
    if member.isdir() or parent != archive.folder or name not in archive.files:
        return
    size = archive.files[name]
    if member.size > _UNSTATED if size is None else member.size != size:
        raise UserError(
            f"the archive's {member.name} has {member.size:,} bytes: it is another file, and is not unpacked"
        )
    content = tar.extractfile(member)
    assert content is not None
    with content, open(to / name, "wb") as file:
        shutil.copyfileobj(content, file, _CHUNK)
