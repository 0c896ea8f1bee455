"""Fixtures of studies."""

from __future__ import annotations

import pytest
from helpers.studies import make_cells


@pytest.fixture(scope="session")
def cells(tmp_path_factory):
    """A folder of tiny images of dots."""
    return make_cells(tmp_path_factory.mktemp("data") / "cells")
