"""Folders of runs: one that was trained, and copies of it that a test may damage."""

from __future__ import annotations

import shutil

import pytest
from helpers.scored_photos import RECIPE, write_photos

import rankhub

HOSTILE = "<img src=x onerror=boom()>&amp;\"'</script><script>boom()</script>.png"
"""What a stranger may write wherever a run's folder has text."""


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A folder with ``photos`` and ``run``."""
    root = tmp_path_factory.mktemp("report")
    write_photos(root / "photos", [(30, 33)] * 8, step=10)
    rankhub.train(RECIPE.format(root=root / "photos", more=""), out=root / "run", progress=False)
    return root


@pytest.fixture
def run(trained, tmp_path):
    """A copy of the run's folder; its recipe still names the photos."""
    return shutil.copytree(trained / "run", tmp_path / "copy")
