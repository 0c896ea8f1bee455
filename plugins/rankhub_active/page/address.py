"""Where the page of a folder is found: its secret and its port, the same after a restart."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

FILE = "page.json"
HOST = "127.0.0.1"
_SECRET_BYTES = 32


class Address(BaseModel):
    """What the address of a folder's page is made of.

    Attributes:
        token: Secret of every request: whoever knows it may see the images and answer.
        port: On which the page was served last; 0 = never yet.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: str = Field(pattern=r"^[A-Za-z0-9_-]{32,}$")
    port: int = Field(default=0, ge=0, le=65535)

    @property
    def url(self) -> str:
        """What to open in the browser."""
        return f"http://{HOST}:{self.port}/{self.token}/"


def load(folder: Path) -> Address:
    """The address kept in a folder of labeling, or a new one where none is kept that only its owner could read."""
    file = folder / FILE
    try:
        open_to_others = os.name == "posix" and file.stat().st_mode & 0o077
        if not open_to_others:
            return Address.model_validate_json(file.read_text())
    except (FileNotFoundError, ValidationError):
        pass
    return Address(token=secrets.token_urlsafe(_SECRET_BYTES))


def keep(folder: Path, address: Address) -> None:
    """Write an address such that nobody but its owner can read it, and no reader finds half of it."""
    beside = folder / f"{FILE}.{os.getpid()}"
    beside.unlink(missing_ok=True)
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(address.model_dump_json())
    beside.replace(folder / FILE)
