"""What one folder holds itself, without what lies below it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from rankhub_listing.files import UnusedImage, unreadable, unsupported
from rankhub_listing.formats import FOREIGN, READABLE, looks_like_image, unread

_NOT_PHOTOS = frozenset({"__MACOSX", "@eaDir", "lost+found", "$RECYCLE.BIN", "System Volume Information"})
"""Folders that archivers, network drives and file systems make; @eaDir holds thumbnails of the photos beside it."""


@dataclass(slots=True)
class Content:
    """The names in a folder, each kind in order.

    Attributes:
        files: Images to decode, as the file system has their names, with NUL between them.
        folders: No links.
        links: To folders.
        foreign: Images of formats that are not read here.
        lost: Images that cannot be looked at.
        ignored: Ending -> number of files that are no images.
        hidden: Files and folders whose name starts with a dot, or that a system made.
        lasting: Whether all this holds as long as no name is added or removed. It does not where a link may lead
            elsewhere, or a file is told by its first bytes.
    """

    files: bytes = b""
    folders: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    lost: list[UnusedImage] = field(default_factory=list)
    ignored: dict[str, int] = field(default_factory=dict)
    hidden: int = 0
    lasting: bool = True

    def faults(self, within: str) -> Iterator[UnusedImage]:
        """The images that cannot be read; ``within`` goes before their names."""
        for name in self.foreign:
            yield unsupported(within + name, FOREIGN[_ending(name)])
        for one in self.lost:
            yield UnusedImage(within + one.path, one.kind, one.reason)


def read_content(entries: Iterable[os.DirEntry[str]]) -> Content:
    """What the entries of a folder are.

    Raises:
        OSError: They cannot be read.
    """
    content = Content()
    files: list[str] = []
    for entry in sorted(entries, key=lambda entry: entry.name):
        name = entry.name
        if name.startswith(".") or name in _NOT_PHOTOS:
            content.hidden += 1
        elif entry.is_dir(follow_symlinks=False):
            content.folders.append(name)
        elif _is_image(entry, content):
            files.append(name)
    content.files = os.fsencode("\0".join(files))
    return content


def _ending(name: str) -> str:
    """Of a name that does not start with a dot; with its own dot, in lower case."""
    _, dot, ending = name.rpartition(".")
    return f".{ending.lower()}" if dot else ""


def _is_image(entry: os.DirEntry[str], content: Content) -> bool:
    """Whether an entry that is no folder is an image to decode; else it is noted what it is."""
    ending = _ending(entry.name)
    by_name = ending in READABLE or ending in FOREIGN
    regular = entry.is_file(follow_symlinks=False)
    if not regular and entry.is_symlink():
        content.lasting = False
        try:
            mode = entry.stat().st_mode
        except OSError as error:
            if by_name:
                content.lost.append(unreadable(entry.name, error))
            else:
                content.ignored[ending] = content.ignored.get(ending, 0) + 1
            return False
        if stat.S_ISDIR(mode):
            content.links.append(entry.name)
            return False
        regular = stat.S_ISREG(mode)
    if regular and by_name:
        if unread(ending) is None:
            return True
        content.foreign.append(entry.name)
        return False
    if regular and not ending:
        content.lasting = False
        if _starts_like_image(entry.path):
            return True
    content.ignored[ending] = content.ignored.get(ending, 0) + 1
    return False


def _starts_like_image(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            return looks_like_image(file.read(16))
    except OSError:
        return False
