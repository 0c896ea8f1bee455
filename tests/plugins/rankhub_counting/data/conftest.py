"""What opening a data set needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from rankhub.interfaces.data import DataReport, Dataset, OpenContext


@pytest.fixture
def context(tmp_path) -> OpenContext:
    return OpenContext(tmp_path / "cache", 1 << 30, lambda *_: None)


@pytest.fixture
def root(tmp_path) -> Path:
    """Where a test lays out its set."""
    return tmp_path / "set"


@pytest.fixture
def opened(context, root) -> Callable[..., tuple[Dataset, DataReport]]:
    """Builds a data set on ``root`` and opens it as the engine does."""

    def make(kind: type[Dataset], **options: object) -> tuple[Dataset, DataReport]:
        data = kind(**{"root": str(root), **options})
        assert data.missing() is None
        return data, data.open(context)

    return make
