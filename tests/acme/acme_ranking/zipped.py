"""A source of images: the members of a .zip file."""

import os
import zipfile
from pathlib import Path

from rankhub.interfaces.errors import UserError
from rankhub_data.decode import decode
from rankhub_use.places import ImagePlace, ImageSource


class ZipPlace(ImagePlace):
    """The .png members of a file, which each call opens for itself, as threads ask."""

    def __init__(self, path: str) -> None:
        self.uri, self.version = os.path.abspath(path), str(os.stat(path).st_mtime_ns)
        try:
            with zipfile.ZipFile(path) as file:
                self.names = sorted(name for name in file.namelist() if name.endswith(".png"))
        except zipfile.BadZipFile as error:
            raise UserError(f"{path} is no zip file; make it anew") from error

    def read(self, row: int):
        with zipfile.ZipFile(self.uri) as file:
            return decode(file.read(self.names[row]), ".png")[:2]


class ZipSource(ImageSource):
    """Images in `photos.zip`, or one of them: `photos.zip/a.png`."""

    def split(self, text: str) -> tuple[str, str] | None:
        place, ending, name = text.partition(".zip")
        file = Path(place + ending)
        return (str(file), name.lstrip("/")) if ending and name[:1] in ("", "/") and file.is_file() else None

    def open(self, place: str) -> ImagePlace:
        return ZipPlace(place)
