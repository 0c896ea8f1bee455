"""A real browser that shows the page: found, driven, and read. Modules that import this skip without its driver."""

from __future__ import annotations

import json
import re
import shutil
from contextlib import contextmanager

import pytest
from helpers.label_page import SIDES

playwright = pytest.importorskip("playwright.sync_api", reason="playwright, which drives the browser, is not installed")
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FOUND = next(filter(None, map(shutil.which, NAMES)), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]

needs_browser = pytest.mark.skipif(FOUND is None, reason=f"no browser is installed: none of {', '.join(NAMES)}")
expect = playwright.expect


@contextmanager
def launched():
    """A browser without a window."""
    with playwright.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=FOUND, args=FLAGS)
        yield chromium
        chromium.close()


def shows(page, number: int, words: str = "no answer yet") -> None:
    """Wait until an image of the round is there."""
    expect(page.locator("#state")).to_have_text(f"image {number}, {words}")


def says(page, words: str) -> None:
    expect(page.locator("#said")).to_have_text(re.compile(f"^{re.escape(words)}"))


def where(page, x: float, y: float) -> tuple[float, float]:
    """The place on the screen of a pixel of the image."""
    box = page.locator("#picture").bounding_box()
    return box["x"] + x * box["width"] / SIDES[0], box["y"] + y * box["height"] / SIDES[1]


def points(pool, id: int) -> list[tuple[float, float]]:
    return [tuple(point) for point in json.loads(pool.row(id).label)]


def near(found, *wanted) -> bool:
    """Whether points are where they were set, to a quarter of a pixel of the image."""
    return found == [pytest.approx(point, abs=0.25) for point in wanted]


def contrast(page, selector: str) -> float:
    """WCAG 2.1's contrast ratio of an element's text with the ground behind it."""
    colours = page.evaluate(
        """(selector) => {
            const element = document.querySelector(selector);
            let ground = element;
            while (getComputedStyle(ground).backgroundColor === "rgba(0, 0, 0, 0)") ground = ground.parentElement;
            return [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
        }""",
        selector,
    )

    def luminance(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted(map(luminance, colours))
    return (light + 0.05) / (dark + 0.05)
