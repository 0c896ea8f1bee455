"""The same from an object store, which goes away for a while, or is slow; a local server stands in for S3."""

from __future__ import annotations

import pytest
import torch
from helpers.packed import pack_folder

from rankhub.interfaces.errors import UserError

pytest.importorskip("lance")
pytest.importorskip("moto")


@pytest.fixture
def s3(monkeypatch):
    """A server with a bucket."""
    from tools.local_s3 import KEYS, LocalS3

    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    server = LocalS3()
    yield server
    server.stop()


@pytest.fixture
def tables(s3, photos, packed, opened):
    """The table in the store, opened with given options, and the one on the disk."""
    uri = "s3://photos/photos.lance"
    pack_folder(photos, uri, options=s3.options)
    soon = {"client_max_retries": "1", "download_retry_count": "1"}  # of Lance itself, which then waits no seconds

    def both(**options):
        ours = opened(use="lance", uri=uri, labels="class", storage_options=s3.options | soon, **options)
        return ours, opened(use="lance", uri=str(packed), labels="class")

    return both


def assert_same(ours, theirs, rows):
    for one, two in zip(ours.batch(rows), theirs.batch(rows), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("cache", ["auto", "never"])
def test_rows_come_from_a_store_that_is_stopped_and_slow(s3, tables, cache):
    ours, theirs = tables(cache=cache, block=8)
    assert ours.labels().tolist() == theirs.labels().tolist()
    assert_same(ours, theirs, [3, 0, 17])
    s3.stop_for(1.0)
    assert_same(ours, theirs, [9, 12, 23])
    s3.delay = 0.2
    assert_same(ours, theirs, [5, 20])
    asked = s3.requests
    assert_same(ours, theirs, [3, 0, 17, 9, 12, 23, 5, 20])
    assert (s3.requests == asked) == (cache == "auto")  # what was fetched once lies on the disk


def test_a_store_that_stays_away_is_one_sentence_with_the_rows(s3, tables):
    ours, _ = tables(cache="never", patience=0.5)
    ours.batch([0])
    s3.stop()
    with pytest.raises(UserError, match=r"s3://photos/photos\.lance: rows 4, 8, 12, 16 and 1 more could not be had in"):
        ours.batch([4, 8, 12, 16, 20])
    s3.start()


def test_images_one_after_the_other_are_fetched_together(s3, tables):
    ours, theirs = tables(cache="never")
    ours[0]
    before = s3.requests
    for row in range(1, 24):
        assert torch.equal(ours[row].image, theirs[row].image)
    assert s3.requests - before <= 8


def test_packing_goes_on_over_a_pause_of_the_store(s3, photos, opened):
    s3.stop_for(1.0)
    pack_folder(photos, "s3://photos/late.lance", options=s3.options)
    ours = opened(use="lance", uri="s3://photos/late.lance", storage_options=s3.options)
    theirs = opened(use="image_folder", root=str(photos))
    assert ours.facts("path") == theirs.facts("path")


def test_a_bucket_that_is_not_there_is_said_at_once(s3, opened):
    with pytest.raises(UserError, match=r"NoSuchBucket|404"):
        opened(use="lance", uri="s3://nowhere/t.lance", storage_options=s3.options)
    with pytest.raises(UserError, match=r"there is no Lance table s3://photos/nothing\.lance"):
        opened(use="lance", uri="s3://photos/nothing.lance", storage_options=s3.options)
