"""A run that has hardly learned anything, and photos."""

from __future__ import annotations

import pytest
from helpers.two_runs import photo, train_two


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A folder with two runs, other seeds, and twelve photos, of which two are copies and one is broken."""
    root = tmp_path_factory.mktemp("find")
    for number in range(10):
        photo(root / "photos" / f"{number}.png", number)
    photo(root / "photos" / "copy" / "3.png", 3)
    photo(root / "photos" / "copy" / "4.png", 4)
    train_two(root)
    (root / "photos" / "broken.png").write_bytes(b"no image")
    return root
