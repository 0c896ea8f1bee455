"""A pool to label."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from helpers.label_page import pool_in
from helpers.label_served import Served


@pytest.fixture
def make_pool(tmp_path):
    """Makes the pool of ``tmp_path / "labeling"``."""
    return partial(pool_in, tmp_path)


@pytest.fixture
def serve():
    """Starts the command, as often as a test wants."""
    started: list[Served] = []

    def start(folder: Path, *options: str) -> Served:
        started.append(Served(folder, *options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture(scope="module")
def browser():
    """A real browser without a window."""
    from helpers.label_browser import launched

    with launched() as chromium:
        yield chromium


@pytest.fixture
def window(browser):
    """Opens windows that share their storage, as those of one person; no script of theirs may fail."""
    context = browser.new_context(viewport={"width": 1000, "height": 700})
    context.set_default_timeout(20_000)
    failures: list[str] = []

    def open_at(url: str):
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(url)
        return page

    yield open_at
    context.close()
    assert not failures
