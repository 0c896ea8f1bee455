"""Answers that are sent: taken, refused, changed, and told from those of another window."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from helpers.label_page import HOST, TOKEN, Page, app_of
from werkzeug.test import Client

from rankhub_active.page.app import MAX_BYTES


@pytest.fixture
def scores(make_pool):
    return make_pool("score", low=0, high=10)


@pytest.mark.parametrize(
    ("takes", "label", "kept", "shown"),
    [
        ("score", 7.25, "7.25", 7.25),
        ("score", "3", "3.0", 3),
        ("score", 10, "10.0", 10),
        ("count", 12, "12", 12),
        ("count", 0, "0", 0),
        ("points", [], "[]", []),
        ("points", [[0, 0], [119.987, 80], [3.5, 4.25]], "[[0.0, 0.0], [119.99, 80.0], [3.5, 4.25]]", None),
    ],
)
def test_a_good_label_is_in_the_table_once_it_is_acknowledged(make_pool, takes, label, kept, shown):
    pool = make_pool(takes, **({"low": 0, "high": 10} if takes == "score" else {}))
    page = Page(app_of(pool, by="Anna"))
    answer = page.answer(5, label)
    row = pool.row(5)
    assert answer.status_code == 200
    assert (row.state, row.label, row.source, row.round) == ("labeled", kept, "page: Anna", 1)
    assert (answer.json["state"], answer.json["label"]) == ("labeled", json.loads(kept) if shown is None else shown)
    assert answer.json["version"] == page.version(5)


@pytest.mark.parametrize(
    ("takes", "label", "sentence"),
    [
        ("score", 11, "more/05.png: 11 is not from 0 to 10"),
        ("score", -0.5, "more/05.png: -0.5 is not from 0 to 10"),
        ("score", "good", "more/05.png: 'good' is no number"),
        ("score", "", "more/05.png: '' is no number"),
        ("score", float("nan"), "more/05.png: nan is no finite number"),
        ("score", float("inf"), "more/05.png: inf is no finite number"),
        ("score", 10**400, "more/05.png: inf is no finite number"),
        ("score", True, "more/05.png: expected a number"),
        ("score", None, "more/05.png: expected a number"),
        ("score", [3], "more/05.png: expected a number"),
        ("count", 2.5, "more/05.png: 2.5 is no count; expected a whole number of at least 0"),
        ("count", -1, "more/05.png: -1 is no count; expected a whole number of at least 0"),
        ("points", 3, "more/05.png: expected a list of points, [[x, y], ...]"),
        ("points", ["12"], "more/05.png: expected a list of points, [[x, y], ...]"),
        ("points", [[1]], "more/05.png: [1.0] is no point; expected x and y"),
        ("points", [[1, 2], [121, 3]], "more/05.png: the point 121, 3 is outside the image of 120 x 80 pixels"),
        ("points", [[1, -0.1]], "more/05.png: the point 1, -0.1 is outside the image of 120 x 80 pixels"),
        ("points", [[1, float("nan")]], "more/05.png: the point 1, nan is outside the image of 120 x 80 pixels"),
    ],
)
def test_a_wrong_label_is_refused_in_a_sentence(make_pool, takes, label, sentence):
    pool = make_pool(takes, **({"low": 0, "high": 10} if takes == "score" else {}))
    before = pool.rows()
    answer = Page(app_of(pool)).answer(5, label)
    assert (answer.status_code, answer.json) == (422, {"error": sentence})
    assert pool.rows() == before


@pytest.mark.parametrize(
    "told",
    [
        [],
        3,
        {},
        {"label": 3},
        {"version": "x"},
        {"version": 3, "label": 3},
        {"version": "x", "label": 3, "skip": True},
        {"version": "x", "skip": False},
    ],
)
def test_what_is_no_answer_is_refused(scores, told):
    assert Page(app_of(scores)).post(5, told).status_code == 422
    assert scores.row(5).state == "asked"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"[" * 100_000])
def test_what_is_no_json_is_refused(scores, body):
    client = Client(app_of(scores))
    answer = client.post(f"/{TOKEN}/api/images/5", data=body, content_type="application/json", base_url=HOST)
    assert (answer.status_code, answer.json) == (422, {"error": "the answer is no JSON"})


def test_a_form_of_a_foreign_page_is_no_answer(scores):
    told = json.dumps({"version": Page(app_of(scores)).version(5), "label": 3})
    answer = Client(app_of(scores)).post(f"/{TOKEN}/api/images/5", data=told, content_type="text/plain", base_url=HOST)
    assert answer.status_code == 422
    assert scores.row(5).state == "asked"


def test_an_answer_without_end_is_refused(scores):
    answer = Client(app_of(scores)).post(
        f"/{TOKEN}/api/images/5", data=b" " * (MAX_BYTES + 1), content_type="application/json", base_url=HOST
    )
    assert answer.status_code == 413


def test_an_answer_to_an_unknown_image_is_refused(scores):
    answer = Page(app_of(scores)).post(77, {"version": "x", "label": 3})
    assert (answer.status_code, answer.json) == (404, {"error": "there is no image 77 in the pool"})


def test_an_answer_may_be_changed(scores):
    page = Page(app_of(scores))
    page.answer(5, 3)
    assert page.answer(5, 4).status_code == 200
    assert scores.row(5).label == "4.0"


def test_an_image_may_be_skipped_and_answered_later(scores):
    page = Page(app_of(scores, by="Anna"))
    assert page.post(5, {"version": page.version(5), "skip": True}).json["state"] == "skipped"
    assert (scores.row(5).state, scores.row(5).label, scores.row(5).source) == ("skipped", None, "page: Anna")
    assert page.answer(5, 4).json["state"] == "labeled"


def test_the_same_answer_twice_is_one_answer(scores):
    page = Page(app_of(scores))
    told = {"version": page.version(5), "label": 3}
    first = page.post(5, told)
    row = scores.row(5)
    second = page.post(5, told)
    assert (first.status_code, second.status_code, first.json) == (200, 200, second.json)
    assert scores.row(5) == row


def test_the_same_skip_twice_is_one_skip(scores):
    page = Page(app_of(scores))
    told = {"version": page.version(5), "skip": True}
    assert [page.post(5, told).status_code for _ in range(2)] == [200, 200]


@pytest.mark.parametrize("second", [{"label": 4}, {"skip": True}])
def test_the_second_of_two_windows_is_told_and_loses_nothing(scores, second):
    page = Page(app_of(scores))
    seen = page.version(5)
    page.post(5, {"version": seen, "label": 3})
    answer = page.post(5, {"version": seen, **second})
    assert answer.status_code == 409
    assert answer.json["error"] == "more/05.png got an answer meanwhile, in another window or from a file"
    assert (answer.json["image"]["label"], scores.row(5).label) == (3, "3.0")
    again = page.post(5, {"version": answer.json["image"]["version"], **second})
    assert again.status_code == 200


def test_two_changes_within_a_second_are_told_apart(scores):
    page = Page(app_of(scores))
    page.answer(5, 3)
    seen = page.version(5)
    page.post(5, {"version": seen, "label": 4})
    assert page.post(5, {"version": seen, "label": 5}).status_code == 409
    assert scores.row(5).label == "4.0"


def test_an_answer_from_a_file_meanwhile_is_told(scores):
    page = Page(app_of(scores))
    seen = page.version(5)
    scores.answer({5: "9.0"}, "answers.csv")
    assert page.post(5, {"version": seen, "label": 4}).status_code == 409
    assert scores.row(5).label == "9.0"


def test_another_process_that_is_faster_is_told_too(scores, monkeypatch):
    """The other answer comes between the look at the row and its change."""
    app = app_of(scores)
    page = Page(app)
    seen = page.version(5)
    write = app.desk.pool.answer

    def late(*args, **options):
        scores.answer({5: "9.0"}, "answers.csv")
        write(*args, **options)

    monkeypatch.setattr(app.desk.pool, "answer", late)
    assert page.post(5, {"version": seen, "label": 4}).status_code == 409
    assert scores.row(5).label == "9.0"


def test_a_restart_goes_on_where_it_was(scores):
    first = Page(app_of(scores))
    seen = first.version(4)
    first.answer(5, 3)
    second = Page(app_of(scores))
    states = [image["state"] for image in second.get("/api/round").json["images"]]
    assert states == ["labeled", "asked", "asked", "asked"]
    assert second.post(4, {"version": seen, "label": 6}).status_code == 200  # seen before the restart


def test_two_at_once_each_find_their_answers_in_the_table(make_pool):
    pool = make_pool("count", asked=12, images=12)
    app = app_of(pool)

    def label(ids: range) -> list[int]:
        page = Page(app)
        return [page.answer(id, 1000 + id).status_code for id in ids]

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(label, [range(0, 12, 2), range(1, 12, 2)]))
    assert done == [[200] * 6] * 2
    assert [row.label for row in pool.rows()] == [str(1000 + id) for id in range(12)]


def test_two_at_once_on_one_image_get_one_answer(make_pool):
    pool = make_pool("count", asked=12, images=12)
    app = app_of(pool)
    seen = [Page(app).version(id) for id in range(12)]

    def label(value: int) -> list[int]:
        page = Page(app)
        return [page.post(id, {"version": seen[id], "label": value}).status_code for id in range(12)]

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(label, [1, 2]))
    for id, (one, two) in enumerate(zip(*done, strict=True)):
        assert sorted((one, two)) == [200, 409]
        assert pool.row(id).label == ("1" if one == 200 else "2")


def test_the_table_being_held_is_a_sentence(scores, monkeypatch):
    import sqlite3

    monkeypatch.setattr("rankhub_active.labeling.pool.PATIENCE", 0.01)
    page = Page(app_of(scores))
    told = {"version": page.version(5), "label": 3}
    holder = sqlite3.connect(scores.file, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    answer = page.post(5, told)
    holder.execute("ROLLBACK")
    assert answer.status_code == 503
    assert "cannot be used: database is locked" in answer.json["error"]
    assert page.post(5, told).status_code == 200
