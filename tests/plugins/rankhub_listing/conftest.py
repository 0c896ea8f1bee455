"""Folders of files with the names of images, and a clock that tests move."""

from __future__ import annotations

import time

import pytest
from helpers.listings import Lister

from rankhub_listing import content, kept, scan


@pytest.fixture
def lister(tmp_path, monkeypatch) -> Lister:
    """Keeps listings however small, on whatever file system the tests run."""
    made = Lister(tmp_path / "cache")

    def read(entries):
        made.read += made.busy
        made.plain += not made.busy
        return content.read_content(entries)

    real = time.time_ns
    monkeypatch.setattr(scan, "read_content", read)
    monkeypatch.setattr(scan.time, "time_ns", lambda: real() + made.later)
    monkeypatch.setattr(kept, "quiet_time", lambda directory: 2 * kept.SECOND)
    monkeypatch.setattr(kept, "FEW_FILES", 1)
    monkeypatch.setattr(kept, "FEW_A_FOLDER", 0)
    return made
