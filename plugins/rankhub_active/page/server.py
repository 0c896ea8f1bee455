"""Serves the page of a folder on this machine only, at an address with a secret, the same after a restart."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from rankhub import UserError
from rankhub.interfaces.files import whole
from rankhub_active.page.app import App
from rankhub_active.page.desk import Desk

FILE = "page.json"
HOST = "127.0.0.1"
_SECRET_BYTES = 32


class Address(BaseModel):
    """What the address of a folder's page is made of.

    Attributes:
        token: Secret of every request: whoever knows it may see the images and answer.
        port: On which the page was served last; 0 = never yet.
        folder: Which folder the token is of, by its number in the file system: a copy of it, which others may hold as
            well, gets a token of its own.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: str = Field(pattern=r"^[A-Za-z0-9_-]{32,}$")
    port: int = Field(default=0, ge=0, le=65535)
    folder: int = 0

    @property
    def url(self) -> str:
        """What to open in the browser."""
        return f"http://{HOST}:{self.port}/{self.token}/"


def load(folder: Path) -> Address:
    """The address kept in a folder of labeling, or a new one where it keeps none that only its owner could read."""
    file, number = folder / FILE, folder.stat().st_ino
    try:
        open_to_others = os.name == "posix" and file.stat().st_mode & 0o077
        if not open_to_others and (kept := Address.model_validate_json(file.read_bytes())).folder == number:
            return kept
    except (OSError, ValidationError):
        pass
    return Address(token=secrets.token_urlsafe(_SECRET_BYTES), folder=number)


def keep(folder: Path, address: Address) -> None:
    """Write an address such that nobody but its owner can read it, and no reader finds half of it."""
    with whole(folder / FILE) as beside:
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(address.model_dump_json())


_QUEUE = 128

SILENT, LONGEST = 20.0, 120.0
"""Seconds after which a connection is given up that sends or takes nothing, and that is busy with one request."""


class _Handler(WSGIRequestHandler):
    """No line for each request: what a person sees are errors, and addresses with the token go into no log."""

    timeout = SILENT

    def handle_one_request(self) -> None:
        """Answer one request, or give its connection up: one that drips a byte at a time would stay for ever."""
        limit = threading.Timer(LONGEST, self._give_up)
        limit.daemon = True
        limit.start()
        try:
            super().handle_one_request()
        finally:
            limit.cancel()

    def _give_up(self) -> None:
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""

    def log_error(self, format: str, *args: Any) -> None:
        """Say nothing of requests that are no HTTP; what goes wrong within one is printed by the server."""


@contextmanager
def served(desk: Desk, folder: Path, port: int = 0) -> Iterator[tuple[BaseWSGIServer, Address]]:
    """A server that is bound and takes requests as soon as its ``serve_forever`` is called.

    ``port``: 0 = the one of last time if it is free, else any that is. The address is kept in the folder of labeling,
    such that a page that is open works on after a restart.

    Raises:
        UserError: The port is in use.
    """
    known = load(folder)
    with _bound(port, known.port) as listening:
        address = known.model_copy(update={"port": listening.getsockname()[1]})
        if address != known:
            keep(folder, address)
        app = App(desk, address.token, address.port)
        server = make_server(HOST, address.port, app, threaded=True, request_handler=_Handler, fd=listening.fileno())
        try:
            yield server, address
        finally:
            server.server_close()


def _bound(port: int, last: int) -> socket.socket:
    if port:
        try:
            return socket.create_server((HOST, port), backlog=_QUEUE)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise UserError(f"--port {port} cannot be used: {reason}; name another, or none for a free one") from None
    try:
        return socket.create_server((HOST, last), backlog=_QUEUE)
    except OSError:
        return socket.create_server((HOST, 0), backlog=_QUEUE)
