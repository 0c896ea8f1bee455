"""Serves the page of a folder on this machine, and on this machine only."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from rankhub import UserError
from rankhub_active.page.address import HOST, Address, keep, load
from rankhub_active.page.app import App
from rankhub_active.page.desk import Desk

_QUEUE = 128


class _Silent(WSGIRequestHandler):
    """No line for each request: what a person sees are errors, and addresses with the token go into no log."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""

    def log_error(self, format: str, *args: Any) -> None:
        """Say nothing of requests that are no HTTP; what goes wrong within one is printed by the server."""


@contextmanager
def served(desk: Desk, folder: Path, port: int = 0) -> Iterator[tuple[BaseWSGIServer, Address]]:
    """A server that is bound and takes requests as soon as its ``serve_forever`` is called.

    Args:
        desk: What the page works on.
        folder: Of labeling; keeps the address, such that a page that is open works on after a restart.
        port: 0 = the one of last time if it is free, else any that is.

    Raises:
        UserError: The port is in use.
    """
    known = load(folder)
    with _bound(port, known.port) as listening:
        address = known.model_copy(update={"port": listening.getsockname()[1]})
        if address != known:
            keep(folder, address)
        app = App(desk, address.token, address.port)
        server = make_server(HOST, address.port, app, threaded=True, request_handler=_Silent, fd=listening.fileno())
        try:
            yield server, address
        finally:
            server.server_close()


def _bound(port: int, last: int) -> socket.socket:
    if port:
        try:
            return _listen(port)
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(f"--port {port} cannot be used: {reason}; name another, or none for a free one") from None
    try:
        return _listen(last)
    except OSError:
        return _listen(0)


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # elsewhere the option would let two servers have one port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen(_QUEUE)
    except BaseException:
        listening.close()
        raise
    return listening
