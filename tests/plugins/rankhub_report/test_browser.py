"""The file in a real browser: no error, nothing loaded, no script of a stranger, at both widths, dark and light."""

from __future__ import annotations

import pytest
from helpers.commands import call
from helpers.label_browser import contrast, launched, needs_browser

from .conftest import HOSTILE
from .test_report import hostile

pytest.importorskip("plotly", reason="plotly, which draws the charts, is not installed")
pytestmark = needs_browser


@pytest.fixture(scope="module")
def browser():
    """A browser without a window."""
    with launched() as chromium:
        yield chromium


@pytest.fixture
def opened(browser):
    """Opens a file and scrolls through it; nothing may fail, warn or be asked for."""
    contexts, failures = [], []

    def open_at(file, width, scheme):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.on("console", lambda said: failures.append(said.text) if said.type in ("error", "warning") else None)
        page.on("request", lambda one: None if one.url.startswith(("file:", "data:")) else failures.append(one.url))
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
        for place in page.locator(".chart").all():
            place.scroll_into_view_if_needed()
            place.locator("svg.main-svg").first.wait_for()
        return page

    yield open_at
    for context in contexts:
        context.close()
    assert failures == []


@pytest.mark.parametrize(("width", "scheme"), [(400, "light"), (400, "dark"), (1600, "light"), (1600, "dark")])
def test_it_fits_and_follows_the_system(capsys, run, tmp_path, opened, width, scheme):
    assert call(capsys, "report", run, "--out", tmp_path / "report.html").code == 0
    page = opened(tmp_path / "report.html", width, scheme)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.locator(".chart").count() >= 5
    assert page.evaluate("document.documentElement.dataset.theme") == scheme
    for place in ("dd", "dt", "td", "nav a", "figcaption"):
        assert contrast(page, place) >= 4.5, place
    page.click("#theme")
    assert page.evaluate("document.documentElement.dataset.theme") != scheme
    assert contrast(page, "dd") >= 4.5


def test_no_script_of_a_stranger_runs_and_names_are_shown_as_they_are(capsys, run, tmp_path, opened):
    hostile(run)
    assert call(capsys, "report", run, "--out", tmp_path / "report.html", "--no-data").code == 0
    page = opened(tmp_path / "report.html", 1000, "light")
    assert page.locator("img[src=x]").count() == 0
    assert page.locator("script").count() == 3
    assert HOSTILE in page.locator("#recipes pre").inner_text()
    assert HOSTILE in page.locator("#worst li").first.inner_text().splitlines()
    assert page.evaluate("typeof boom") == "undefined"
