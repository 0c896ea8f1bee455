"""A table is opened at its version; a store that is away is asked again; what cannot be had is one sentence."""

from __future__ import annotations

import pickle
import sys

import pytest

from rankhub.interfaces.errors import Objection, UserError
from rankhub_lance import Store, StoreError, open_table, package

BROKEN = "LanceError(IO): Generic S3 error: Error performing GET http://x/y in 1ms - HTTP error: error sending request"


@pytest.fixture
def pauses(monkeypatch):
    """Seconds that were waited, without waiting."""
    waited, now = [], [0.0]
    monkeypatch.setattr("rankhub_lance.store.time.monotonic", lambda: now[0] + sum(waited))
    monkeypatch.setattr("rankhub_lance.store.time.sleep", waited.append)
    return waited


def failing(times, error):
    left = [times]

    def call():
        left[0] -= 1
        if left[0] >= 0:
            raise error
        return "there"

    return call


def test_a_store_that_comes_back_is_asked_until_then(pauses):
    store = Store.of("s3://bucket/t.lance")
    assert store.ask("the table", failing(7, OSError(BROKEN))) == "there"
    assert pauses == [0.25, 0.5, 1, 2, 4, 8, 8]


def test_a_store_that_stays_away_is_one_sentence(pauses):
    store = Store.of("s3://bucket/t.lance", patience=20)
    with pytest.raises(StoreError) as caught:
        store.ask("rows 3, 9 and 12", failing(99, OSError(BROKEN + ",\n/rust/a.rs:1:2")))
    said = str(caught.value)
    assert said.startswith(
        "s3://bucket/t.lance: rows 3, 9 and 12 could not be had in 16 s, by 7 attempts, the last time:"
    )
    assert "error sending request" in said
    assert "\n" not in said
    assert "LanceError" not in said
    assert sum(pauses) <= 20


@pytest.mark.parametrize(
    ("place", "error"),
    [
        ("t.lance", OSError("LanceError(IO): Input/output error")),
        ("s3://b/t.lance", OSError("Server returned non-2xx status code: 403 Forbidden")),
        ("s3://b/t.lance", ValueError("Server returned non-2xx status code: 404 Not Found: NoSuchBucket")),
        ("s3://b/t.lance", OSError("Invalid user input: no such column")),
    ],
)
def test_what_waiting_does_not_mend_is_said_at_once(pauses, place, error):
    with pytest.raises(StoreError):
        Store.of(place).ask("the table", failing(99, error))
    assert pauses == []


def test_secrets_stay_out_of_recipes():
    with pytest.raises(Objection, match="AWS_SECRET_ACCESS_KEY"):
        Store.of("s3://b/t.lance", {"aws_secret_access_key": "hidden"})
    Store.of("s3://b/t.lance", {"aws_endpoint": "http://127.0.0.1:1", "allow_http": "true"})


def test_without_the_package_one_sentence_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "lance", None)
    with pytest.raises(UserError, match=r"pip install 'rankhub\[lance\]'"):
        package()


def test_a_version_stays_what_it_was(tmp_path):
    lance, pa = pytest.importorskip("lance"), pytest.importorskip("pyarrow")
    store = Store.of(tmp_path / "t.lance")
    with pytest.raises(UserError, match=r"there is no Lance table .*t\.lance"):
        open_table(store)
    lance.write_dataset(pa.table({"a": [1, 2]}), store.uri)
    lance.write_dataset(pa.table({"a": [3]}), store.uri, mode="append")
    assert open_table(store).count_rows() == 3
    assert open_table(pickle.loads(pickle.dumps(store)), 1).count_rows() == 2
    with pytest.raises(UserError, match="there is no version 9 of the table"):
        open_table(store, 9)
