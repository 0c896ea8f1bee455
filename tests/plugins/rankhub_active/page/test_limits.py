"""A connection that is silent, or drips, is given up; others are served meanwhile and after."""

from __future__ import annotations

import socket
import threading
import time
import urllib.request

import pytest

from rankhub_active.page import server
from rankhub_active.page.desk import Desk


@pytest.fixture
def address(make_pool, monkeypatch):
    """Of a page that is served in this process, with limits of a test's length."""
    monkeypatch.setattr(server._Handler, "timeout", 0.4)
    monkeypatch.setattr(server, "LONGEST", 1.0)
    pool = make_pool("score", low=0, high=10)
    with server.served(Desk(pool), pool.folder) as (serving, address):
        thread = threading.Thread(target=serving.serve_forever, args=(0.05,))
        thread.start()
        yield address
        serving.shutdown()
        thread.join()


def seconds_until_closed(connection, drip=b""):
    """How long the server keeps a connection to which a byte is sent every tenth of a second."""
    begun = time.monotonic()
    connection.settimeout(0.1)
    while time.monotonic() - begun < 20:
        try:
            if drip:
                connection.send(drip)
            if not connection.recv(4096):
                break
        except TimeoutError:
            continue
        except OSError:
            break
    return time.monotonic() - begun


def status(address):
    with urllib.request.urlopen(address.url, timeout=20) as answer:
        return answer.status


HEAD = "POST /{token}/api/images/5 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"


@pytest.mark.parametrize(
    ("start", "drip", "limit"),
    [
        ("", b"", 0.4),
        ("GET /{token}/ HTTP/1.1\r\nX-A: ", b"", 0.4),
        ("GET /{token}/ HTTP/1.1\r\nX-A: ", b"a", 1.0),
        ("G", b"E", 1.0),
        (HEAD + "Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{{", b" ", 1.0),
        (HEAD + "Content-Type: application/json\r\nContent-Length: 900\r\n\r\n{{", b"", 0.4),
    ],
)
def test_a_connection_that_is_silent_or_drips_is_given_up(address, start, drip, limit):
    with socket.create_connection((server.HOST, address.port)) as connection:
        connection.sendall(start.format(token=address.token, port=address.port).encode())
        assert status(address) == 200
        assert seconds_until_closed(connection, drip) < limit + 10
    assert status(address) == 200


def test_many_of_them_keep_nobody_out_and_leave_no_thread(address):
    before = threading.active_count()
    connections = [socket.create_connection((server.HOST, address.port)) for _ in range(40)]
    assert status(address) == 200
    for connection in connections:
        assert seconds_until_closed(connection) < 10
        connection.close()
    until = time.monotonic() + 10
    while threading.active_count() > before and time.monotonic() < until:
        time.sleep(0.05)
    assert threading.active_count() <= before


def test_the_limits_of_use_leave_room_for_people():
    assert server._Handler.timeout == server.SILENT == 20
    assert server.LONGEST == 120
