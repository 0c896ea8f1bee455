"""A folder of photos of two classes, its table, and what opens them."""

from __future__ import annotations

import pytest
from helpers.packed import pack_folder, write_photos

import rankhub
from rankhub.interfaces.data import OpenContext


@pytest.fixture
def photos(tmp_path):
    """24 of them."""
    write_photos(tmp_path / "photos", 0, 24)
    return tmp_path / "photos"


@pytest.fixture
def opened(tmp_path):
    """Opens a data set."""

    def open_it(**spec):
        dataset = rankhub.build("dataset", spec)
        assert dataset.missing() is None
        dataset.open(OpenContext(tmp_path / "cache", 10**9, lambda done, total, what: None))
        return dataset

    return open_it


@pytest.fixture
def packed(photos, tmp_path):
    """The table of the photos with their classes."""
    pytest.importorskip("lance")
    pack_folder(photos, tmp_path / "photos.lance")
    return tmp_path / "photos.lance"
