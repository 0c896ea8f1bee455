"""A run that has hardly learned anything, and photos; a packed table, and an index in a column of it."""

from __future__ import annotations

import pytest
from helpers.two_runs import photo, train_two
from helpers.vector_columns import Indexed, ids, write_table


@pytest.fixture(scope="session")
def shot(tmp_path_factory):
    """A folder with two runs of other seeds, and eight photos of which two are equal."""
    root = tmp_path_factory.mktemp("lance_find")
    for number in range(8):
        photo(root / "photos" / f"{number}.png", number % 7)
    train_two(root)
    return root


@pytest.fixture
def table(tmp_path):
    """Of 700 rows in three fragments."""
    pytest.importorskip("lance")
    write_table(tmp_path / "photos.lance", ids(0, 700), 250)
    return tmp_path / "photos.lance"


@pytest.fixture
def indexed(table, tmp_path):
    """An index of all but every seventh row, handed over in another order."""
    made = Indexed(tmp_path / "photos.index", table)
    made.create()
    some = [one for number, one in enumerate(ids(0, 700)) if number % 7]
    made.append(some[300:])
    made.append(some[:300])
    made.save()
    return made
