"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest
import torch

REPO = Path(__file__).resolve().parents[1]

# The same examples in every run: what fails on one machine fails on all.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def _one_thread():
    """Two pytest workers share two cores; more threads would only slow both down."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def repo() -> Path:
    """Root of the checkout."""
    return REPO


@pytest.fixture(scope="session")
def real_images() -> Path:
    """Folder of small real image sets that are not part of the project; tests that use it skip without it."""
    folder = Path(os.environ.get("RANKHUB_TEST_DATA", REPO.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the real image sets are not at {folder} (set RANKHUB_TEST_DATA)")
    return folder
