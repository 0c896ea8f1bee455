"""Downloads a file in one go or in several: bytes that are there already are not fetched again."""

from __future__ import annotations

import errno
import http.client
import json
import re
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from email.message import Message
from pathlib import Path
from typing import Any

from rankhub.interfaces.errors import UserError

Progress = Callable[[int, int, str], None]

TIMEOUT_S = 30.0
"""Seconds without a byte until a connection is given up."""
RETRIES = 4
"""Failures in a row, without a byte between them, until the download is given up."""
SLOWEST, WINDOW_S = 1000, 60.0
"""Bytes a second, over so many seconds, below which a connection is given up as one that brings nothing."""
PAUSE_S = 1.0
"""Seconds before the first retry; doubled each time."""

_CHUNK = 1 << 18
_BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})
_NOTHING_BEHIND = 416


# No opener of files or of FTP: to such an address a server could send us on.
_OPENER = urllib.request.OpenerDirector()
for _handler in (
    urllib.request.ProxyHandler,
    urllib.request.UnknownHandler,
    urllib.request.HTTPHandler,
    urllib.request.HTTPSHandler,
    urllib.request.HTTPDefaultErrorHandler,
    urllib.request.HTTPRedirectHandler,
    urllib.request.HTTPErrorProcessor,
):
    _OPENER.add_handler(_handler())


class _DroppedError(Exception):
    """The connection failed in a way that another try may mend."""


class _SlowError(_DroppedError):
    """The connection brought next to nothing: that some bytes came is no success."""


def download(url: str, part: Path, size: int, progress: Progress) -> bool:
    """Fetch ``url`` to the file ``part``; an interrupted download goes on where it stopped.

    What the server said of its file is kept in ``PART.json``. If the server's file has changed since, or the
    server cannot send the rest of it alone, the download starts over. Bytes that came from another address are
    taken as they are: the caller compares the checksum of the whole.

    Args:
        url: An address with http or https.
        part: The file to make or to go on with. Its folder must exist.
        size: Bytes the file must have.
        progress: ``progress(done, total, what)`` in bytes.

    Returns:
        Whether some of the bytes come from an earlier call.

    Raises:
        UserError: The download failed; the partial file stays.
    """
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"{url} is not an address that begins with http:// or https://")
    refuse_links(part, _notes(part))
    earlier, failures = size_of(part) > 0, 0
    while (before := size_of(part)) != size:
        try:
            earlier = _fetch(url, part, size, progress) and earlier
        except _DroppedError as dropped:
            came = size_of(part) > before and not isinstance(dropped, _SlowError)
            failures = 0 if came else failures + 1
            if failures > RETRIES:
                raise UserError(f"{url}: {dropped}; {_kept(part)}") from None
            time.sleep(PAUSE_S * 2**failures)
        except OSError as error:
            what = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
            raise UserError(f"{part} cannot be written ({what}); {_kept(part)}") from None
    return earlier


def forget(part: Path) -> None:
    """Remove a partial file, so that the next download starts over."""
    part.unlink(missing_ok=True)
    _notes(part).unlink(missing_ok=True)


def refuse_links(*paths: Path) -> None:
    """Refuse to write where a link would lead elsewhere.

    Raises:
        UserError: One of the paths is a link.
    """
    if link := next((path for path in paths if path.is_symlink()), None):
        raise UserError(f"{link} is a link, through which another file would be overwritten; remove it")


def size_of(path: Path) -> int:
    """Bytes of a file; 0 if there is none."""
    return path.stat().st_size if path.is_file() else 0


def _fetch(url: str, part: Path, size: int, progress: Progress) -> bool:
    """One connection, from what ``part`` has to the end. Returns whether it went on with what was there."""
    have = size_of(part)
    if have > size:
        forget(part)
        have = 0
    with _connect(url, part, have) as response:
        start = _start_of(response, url, size)
        if start not in (0, have):
            forget(part)
            raise _DroppedError(f"the server sent another part of the file than asked, from byte {start:,}")
        have = start
        _notes(part).write_text(json.dumps({"url": url, "validator": _validator(response.headers)}), "utf-8")
        with open(part, "r+b" if have else "wb") as file:
            file.seek(have)
            since, mark = time.monotonic(), have
            while chunk := _read(response):
                have += len(chunk)
                if have > size:
                    raise UserError(f"{url} sends more than the archive's {size:,} bytes: it is another file")
                file.write(chunk)
                progress(have, size, "downloading")
                if (passed := time.monotonic() - since) >= WINDOW_S:
                    if have - mark < SLOWEST * passed:
                        raise _SlowError(f"the server sends less than {SLOWEST:,} bytes a second")
                    since, mark = time.monotonic(), have
    if have < size:
        raise _DroppedError(f"the connection was lost after {have:,} of {size:,} bytes")
    return start > 0


def _connect(url: str, part: Path, have: int) -> http.client.HTTPResponse:
    """Ask for the bytes from ``have`` on; for all of them if the server's file is not the one we have a part of."""
    headers = {"User-Agent": "rankhub"}
    if have:
        headers["Range"] = f"bytes={have}-"
        known = _read_notes(part)
        if known.get("url") == url and known.get("validator"):
            headers["If-Range"] = str(known["validator"])
    try:
        response: http.client.HTTPResponse | None = _OPENER.open(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_S
        )
        assert response is not None  # a handler for what is unknown is there
        return response
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == _NOTHING_BEHIND:
            forget(part)
            raise _DroppedError("the server's file ends before what was downloaded of it") from None
        answer = f"the server answers {error.code} {error.reason}"
        if error.code in _BUSY:
            raise _DroppedError(answer) from None
        raise UserError(f"{url}: {answer}; give another address with --mirror URL") from None
    except (TimeoutError, http.client.HTTPException, ConnectionResetError, BrokenPipeError) as error:
        raise _DroppedError(_said(error)) from None
    except urllib.error.URLError as error:
        if isinstance(error.reason, (TimeoutError, ConnectionResetError)):
            raise _DroppedError(_said(error.reason)) from None
        hint = "the certificate is not accepted" if isinstance(error.reason, ssl.SSLError) else "cannot be reached"
        raise UserError(
            f"{url} {hint} ({_said(error.reason)}); check the network, or give another address with --mirror URL; "
            f"{_kept(part)}"
        ) from None
    except ValueError as error:
        raise UserError(f"{url} is not an address: {error}") from None


def _start_of(response: http.client.HTTPResponse, url: str, size: int) -> int:
    """The first byte that the server sends.

    Raises:
        UserError: The server's file has not the size it must have.
    """
    start, total = 0, response.headers.get("Content-Length")
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
        if match is None:
            raise _DroppedError("the server did not say which part of the file it sends")
        start, total = int(match[1]), match[2]
    if total is not None and total.isdigit() and int(total) != size:
        raise UserError(f"the file at {url} has {int(total):,} bytes, the archive has {size:,}: it is another file")
    return start


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK)  # what is there: to wait for a whole chunk would hide how slow it comes
    except (OSError, http.client.HTTPException) as error:
        raise _DroppedError(f"the connection was lost ({_said(error)})") from None


def _validator(headers: Message) -> str:
    """What names this version of the server's file: a strong ETag, else its date, else nothing."""
    etag = str(headers.get("ETag", ""))
    return etag if etag.startswith('"') else str(headers.get("Last-Modified", ""))


def _notes(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _read_notes(part: Path) -> dict[str, Any]:
    try:
        known = json.loads(_notes(part).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _said(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer for {TIMEOUT_S:.0f} s"
    return str(getattr(error, "strerror", None) or error or type(error).__name__)


def _kept(part: Path) -> str:
    have = size_of(part)
    return f"the {have:,} bytes that came are kept, the same command goes on from there" if have else "nothing came yet"
