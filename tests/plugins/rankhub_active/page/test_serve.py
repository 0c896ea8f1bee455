"""`rankhub label serve`, as a user runs it."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from helpers.commands import call
from helpers.label_served import BUDGET

from rankhub_active.labeling.summary import advice


def test_it_serves_until_ctrl_c_and_again_at_the_same_address(make_pool, serve):
    pool = make_pool("count", asked=2)
    first = serve(pool.folder, "--by", "Anna")
    assert first.url.startswith("http://127.0.0.1:")
    assert first.line == "2 of the 2 images of round 1 wait. Ctrl-C ends; every answer is saved."
    assert b"<title>Label</title>" in first.get("")
    assert first.get("images/5") == (Path(pool.settings.images) / "more/05.png").read_bytes()
    assert first.answer(5, 7)["label"] == 7
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(first.url.replace(first.url[-10:], "A" * 9 + "/"), timeout=BUDGET)
    code, out, err = first.interrupt()
    assert (code, err) == (0, "")  # no line for each request either
    said, then = out.splitlines()
    assert said == "1 of the 2 images of round 1 are answered."
    assert then.startswith(f"Next: answer the one open image: rankhub label serve --folder {pool.folder}")
    assert (pool.row(5).label, pool.row(5).source) == ("7", "page: Anna")

    second = serve(pool.folder)
    assert second.url == first.url
    assert second.line.startswith("1 of the 2 images of round 1 wait.")
    second.answer(4, 0)
    code, out, _ = second.interrupt()
    assert (code, out.splitlines()) == (0, ["2 of the 2 images of round 1 are answered.", f"Next: {advice(pool)}"])


def test_only_this_machine_reaches_it(make_pool, serve):
    served = serve(make_pool().folder)
    port = int(served.url.split(":")[2].split("/")[0])
    with socket.socket() as other:
        other.settimeout(5)
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            other.connect(("127.0.0.2", port))  # would be reached if it listened on all addresses


def test_a_port_of_ones_own(make_pool, serve):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert serve(make_pool().folder, "--port", str(port)).url.startswith(f"http://127.0.0.1:{port}/")


def test_a_port_in_use_is_one_sentence(make_pool, capsys):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        called = call(capsys, "label", "serve", "--folder", make_pool().folder, "--no-open", "--port", port)
    assert called.code == 2
    assert called.err == (
        f"error: --port {port} cannot be used: Address already in use; name another, or none for a free one\n"
    )


def test_when_the_port_of_last_time_is_taken_another_is_found(make_pool, serve):
    folder = make_pool().folder
    first, second = serve(folder), serve(folder)
    assert first.url != second.url
    assert first.url.split("/")[3] == second.url.split("/")[3]  # the token stays
    assert second.get("api/round") == first.get("api/round")


@pytest.mark.parametrize("asked", [0, 2])
def test_with_nothing_to_label_it_says_what_to_do(make_pool, capsys, asked):
    pool = make_pool(asked=asked)
    pool.answer(dict.fromkeys((5, 4)[:asked], "1.0"), "a.csv")
    called = call(capsys, "label", "serve", "--folder", pool.folder, "--no-open")
    assert called.code == 2
    assert called.err == f"error: no image of {pool.folder} waits for a label; next: {advice(pool)}\n"


def test_without_a_pool_it_says_so(tmp_path, capsys):
    called = call(capsys, "label", "serve", "--folder", tmp_path, "--no-open")
    assert called.code == 2
    assert called.err.startswith(f"error: {tmp_path} holds no pool")


@pytest.mark.parametrize(
    ("option", "screen", "opened"), [("--open", ":0", 1), ("--open", "", 0), ("--no-open", ":0", 0)]
)
def test_the_browser_is_opened_where_there_is_a_screen(make_pool, capsys, monkeypatch, option, screen, opened):
    urls: list[str] = []
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("DISPLAY", screen)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.setattr("webbrowser.open", urls.append)
    monkeypatch.setattr("werkzeug.serving.BaseWSGIServer.serve_forever", lambda server: None)
    called = call(capsys, "label", "serve", "--folder", make_pool().folder, option)
    assert called.code == 0
    assert urls == called.out.splitlines()[:1] * opened
