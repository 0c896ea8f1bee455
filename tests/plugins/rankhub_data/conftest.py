"""A local web server with an archive, and what opening a data set needs."""

from __future__ import annotations

import io
import re
import tarfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from rankhub.interfaces.data import OpenContext
from rankhub_data import download


@dataclass
class Context:
    """Makes OpenContexts and keeps what was reported to them."""

    cache: Path
    calls: list[tuple[int, int, str]] = field(default_factory=list)

    def __call__(self, memory_limit: int = 1 << 30) -> OpenContext:
        return OpenContext(self.cache, memory_limit, lambda *call: self.calls.append(call))


@pytest.fixture
def context(tmp_path) -> Context:
    return Context(tmp_path / "cache")


@dataclass
class Site:
    """A web server with one file, and its moods.

    Attributes:
        content: The file.
        url: Its address.
        etag: Its version; empty = the server tells none.
        ranges: Whether parts can be asked for.
        drop_at: The connection is cut off when this byte of the file is reached; then it heals.
        status: Answers with this error to every request.
        stall: Sends nothing after the headers.
        drip: Sends the file byte by byte, with so many seconds between; 0 = at once.
        sends_on: Redirects every request to this address.
        requests: (Range, If-Range) of each request.
        sent: Bytes of the file sent in all.
    """

    content: bytes
    url: str = ""
    etag: str = '"v1"'
    ranges: bool = True
    drop_at: list[int] = field(default_factory=list)
    status: int = 200
    stall: bool = False
    drip: float = 0.0
    sends_on: str = ""
    requests: list[tuple[str | None, str | None]] = field(default_factory=list)
    sent: int = 0
    released: threading.Event = field(default_factory=threading.Event)

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        asked, condition = handler.headers.get("Range"), handler.headers.get("If-Range")
        self.requests.append((asked, condition))
        if self.status != 200:
            handler.send_error(self.status)
            return
        if self.sends_on:
            handler.send_response(302)
            handler.send_header("Location", self.sends_on)
            handler.end_headers()
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and self.ranges else 0
        if condition is not None and condition != self.etag:
            start = 0
        if start and start >= len(self.content):
            handler.send_error(416)
            return
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(self.content) - 1}/{len(self.content)}")
        if self.etag:
            handler.send_header("ETag", self.etag)
        handler.send_header("Content-Length", str(len(self.content) - start))
        handler.end_headers()
        if self.stall:
            self.released.wait(30)
            return
        for at in range(start, len(self.content)) if self.drip else ():
            handler.wfile.write(self.content[at : at + 1])
            self.sent += 1
            if self.released.wait(self.drip):
                return
        stop = self.drop_at.pop(0) if self.drop_at else len(self.content)
        handler.wfile.write(self.content[start:stop])
        self.sent += max(0, stop - start)


@pytest.fixture
def site(monkeypatch) -> Iterator[Callable[[bytes], Site]]:
    """Starts a web server on this machine for the given file; nothing waits between retries."""
    monkeypatch.setattr(download, "PAUSE_S", 0.0)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    servers: list[tuple[ThreadingHTTPServer, Site]] = []

    def start(content: bytes) -> Site:
        it = Site(content)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                it.answer(self)

            def log_message(self, *_):
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        it.url = f"http://127.0.0.1:{server.server_port}/tiny.tar.gz"
        servers.append((server, it))
        return it

    yield start
    for server, it in servers:
        it.released.set()
        server.shutdown()
        server.server_close()


def tar_of(files: dict[str, bytes], *extra: tarfile.TarInfo) -> bytes:
    """A gzipped tar archive."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        for info in extra:
            tar.addfile(info)
    return packed.getvalue()


@pytest.fixture
def make_tar() -> Callable[..., bytes]:
    return tar_of
