"""The page's requests, without a socket: who may ask, and what is answered."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from helpers.label_page import HOST, PORT, SIDES, TOKEN, Page, app_of
from werkzeug.test import Client

from rankhub_active.page import app as module


@pytest.fixture
def scores(make_pool):
    return make_pool("score", low=0, high=10)


PATHS = ["/", "/page.js", "/api/round", "/api/images/5", "/images/5", "/nothing"]


@pytest.mark.parametrize("token", ["", "u" * 43, TOKEN[:-1], TOKEN + "t", "\u00fc", TOKEN.upper()])
def test_without_the_token_there_is_nothing(scores, token):
    client = Client(app_of(scores))
    for path in PATHS:
        answer = client.get((token and "/" + token) + path, base_url=HOST)
        assert (answer.status_code, answer.text) == (404, "Not Found")


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1:1", "127.0.0.1", "localhost", f"[::1]:{PORT}"]
)
def test_a_foreign_host_learns_nothing(scores, host):
    client = Client(app_of(scores))
    for path in PATHS:
        answer = client.get(f"/{TOKEN}{path}", base_url="http://" + host)
        assert (answer.status_code, answer.text) == (404, "Not Found")


def test_no_host_at_all_is_refused(scores):
    answer = Client(app_of(scores)).get(f"/{TOKEN}/", base_url=HOST, environ_overrides={"HTTP_HOST": ""})
    assert answer.status_code == 404


def test_nothing_is_written_without_the_token_or_from_a_foreign_host(scores):
    app = app_of(scores)
    told = {"version": Page(app).version(5), "label": 3}
    for path, host in [("/api/images/5", HOST), (f"/{TOKEN}/api/images/5", "http://evil.example")]:
        assert Client(app).post(path, json=told, base_url=host).status_code == 404
    assert scores.row(5).state == "asked"


@pytest.mark.parametrize("host", [f"127.0.0.1:{PORT}", f"localhost:{PORT}", f"LOCALHOST:{PORT}"])
def test_this_machine_may_ask(scores, host):
    assert Client(app_of(scores)).get(f"/{TOKEN}/", base_url="http://" + host).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/../pool.db",
        "/..%2fpool.db",
        "/images/../../labeling/pool.db",
        "/images/%2e%2e%2fpool.db",
        "/images/more/05.png",
        "/images//etc/passwd",
        "/images/-1",
        "/images/5.5",
        "/images/" + "9" * 30,
        "/app.py",
        "/index.html",
        "/page.json",
    ],
)
def test_paths_lead_nowhere(scores, path):
    assert Page(app_of(scores)).get(path).status_code == 404


@pytest.mark.parametrize("path", ["/api/images/77", "/images/77"])
def test_an_unknown_image_is_named(scores, path):
    answer = Page(app_of(scores)).get(path)
    assert (answer.status_code, answer.json) == (404, {"error": "there is no image 77 in the pool"})


def test_nothing_is_kept_and_nothing_comes_from_outside(scores):
    page = Page(app_of(scores))
    for path in PATHS:
        headers = page.get(path).headers
        assert headers["Cache-Control"] == "no-store"
        assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self';")
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_names_no_outside_resource():
    from importlib.resources import files

    for file in (files("rankhub_active.page")).iterdir():
        if file.name.endswith((".html", ".js", ".css")):
            assert "//" not in file.read_text().replace("// ", "").replace("http://www.w3.org", ""), file.name


def test_every_file_that_the_page_names_is_served(scores):
    page = Page(app_of(scores))
    for name in ["page.css", "icon.svg", "page.js", "stage.js", "inputs.js", "server.js", "words.js"]:
        assert page.get("/" + name).status_code == 200


def test_without_the_last_slash_the_page_is_found_too(scores):
    answer = Client(app_of(scores)).get(f"/{TOKEN}", base_url=HOST)
    assert (answer.status_code, answer.location) == (308, f"{HOST}/{TOKEN}/")


def test_other_methods_are_refused(scores):
    page = Page(app_of(scores))
    assert page.client.delete(f"/{TOKEN}/api/images/5", base_url=HOST).status_code == 405
    assert page.client.post(f"/{TOKEN}/api/round", base_url=HOST).status_code == 405


def test_the_round_is_told_the_most_wanted_first(scores):
    scores.answer({4: "2.0"}, "a.csv")
    scores.answer({0: "2.0"}, "a.csv")  # never asked for: no part of the round
    told = Page(app_of(scores)).get("/api/round").json
    assert (told["round"], told["takes"], told["low"], told["high"]) == (1, "score", 0, 10)
    assert told["flag"].startswith(" --folder ")
    assert [(image["id"], image["state"]) for image in told["images"]] == [
        (5, "asked"),
        (4, "labeled"),
        (3, "asked"),
        (2, "asked"),
    ]
    assert told["images"][0]["path"] == "more/05.png"


def test_the_newest_round_with_open_images_is_shown(make_pool):
    pool = make_pool(asked=2)
    pool.ask([0], "random", None, {})
    page = Page(app_of(pool))
    assert page.get("/api/round").json["round"] == 2
    assert page.answer(0, 1).status_code == 200
    assert page.get("/api/round").json["round"] == 1
    for id in (5, 4):
        page.answer(id, 1)
    told = page.get("/api/round").json
    assert (told["round"], told["images"]) == (2, [{"id": 0, "path": "more/00.png", "state": "labeled"}])


def test_without_any_round_there_are_no_images(make_pool):
    told = Page(app_of(make_pool(asked=0))).get("/api/round").json
    assert (told["round"], told["images"]) == (None, [])


def test_an_image_is_described_and_shown(scores):
    page = Page(app_of(scores))
    told = page.get("/api/images/5").json
    assert (told["path"], told["state"], told["label"], told["problem"]) == ("more/05.png", "asked", None, None)
    assert (told["width"], told["height"]) == SIDES
    shown = page.get("/images/5")
    assert shown.mimetype == "image/png"
    assert shown.data == (Path(scores.settings.images) / "more/05.png").read_bytes()


def test_a_missing_file_is_a_sentence_and_can_be_skipped(make_pool):
    pool = make_pool("points")
    file = Path(pool.settings.images) / "more/05.png"
    file.unlink()
    page = Page(app_of(pool))
    sentence = f"{file} is not there"
    told = page.get("/api/images/5").json
    assert (told["problem"], told["width"]) == (sentence, None)
    assert (page.get("/images/5").status_code, page.get("/images/5").json) == (404, {"error": sentence})
    assert page.answer(5, [[1, 1]]).json == {"error": f"more/05.png: {sentence}"}
    assert page.post(5, {"version": told["version"], "skip": True}).json["state"] == "skipped"


def test_all_that_the_page_is_made_of_is_shipped(repo):
    patterns = tomllib.loads((repo / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    plugin = repo / "plugins/rankhub_active"
    shipped = {path.name for pattern in patterns["rankhub_active"] for path in plugin.glob(pattern)}
    assert shipped == {"index.html", *module._ASSETS}
    assert shipped == {path.name for path in (plugin / "page").iterdir() if path.suffix not in (".py", "")}
