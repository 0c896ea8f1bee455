"""The page in a real browser: numbers by mouse and keyboard, reloads, two windows, and a server that is killed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from helpers.label_browser import contrast, expect, needs_browser, says, shows
from PIL import Image

pytestmark = needs_browser


def test_counts_by_keyboard_and_mouse_with_a_reload(make_pool, serve, window):
    pool = make_pool("count", asked=5, unit="cells")
    page = window(serve(pool.folder, "--by", "Anna").url)
    shows(page, 1)
    expect(page.get_by_label("Count: cells")).to_be_focused()
    page.keyboard.type("7")
    page.keyboard.press("Enter")
    says(page, "Saved: more/05.png, 7.")
    shows(page, 2)
    expect(page.locator("#progress")).to_have_text("1 of 5 answered")
    for key in "++-+":
        page.keyboard.press(key)
    page.keyboard.press("Enter")
    shows(page, 3)
    page.reload()
    shows(page, 3)
    expect(page.locator("#progress")).to_have_text("2 of 5 answered")
    for _ in range(3):
        page.get_by_role("button", name="One more").click()
    page.get_by_role("button", name="One less").click()
    page.keyboard.press("Enter")  # saves; it does not press the button again
    shows(page, 4)
    page.keyboard.press("s")
    says(page, "Saved: more/02.png, cannot say.")
    shows(page, 5)
    page.keyboard.press("Enter")
    says(page, "There is no count yet: type it, or press S if you cannot say.")
    page.keyboard.type("0")
    page.get_by_role("button", name="Save and next").click()
    expect(page.locator("#finished")).to_have_text("All 5 images of round 1 are answered.")
    expect(page.locator("#then")).to_contain_text("Now: rankhub label train")
    assert [(row.state, row.label) for row in pool.rows(round=1)] == [
        ("labeled", "7"),
        ("labeled", "2"),
        ("labeled", "2"),
        ("skipped", None),
        ("labeled", "0"),
    ]
    assert {row.source for row in pool.rows(round=1)} == {"page: Anna"}


def test_scores_by_key_button_slider_and_field(make_pool, serve, window):
    pool = make_pool("score", asked=4, low=1, high=5)
    page = window(serve(pool.folder).url)
    shows(page, 1)
    page.keyboard.press("3")
    page.keyboard.press("Enter")
    shows(page, 2)
    page.get_by_role("group", name="Scores").get_by_role("button", name="5").click()
    page.keyboard.press("Enter")
    shows(page, 3)
    page.get_by_role("slider", name="Score").click()  # in its middle, where it stands already
    expect(page.locator("#value")).to_have_value("3")
    page.keyboard.press("Enter")
    shows(page, 4)
    page.locator("#value").fill("9")
    page.keyboard.press("Enter")
    says(page, "more/02.png: 9 is not from 1 to 5")
    expect(page.locator("#message")).to_have_attribute("role", "alert")
    assert pool.row(2).state == "asked"
    page.locator("#value").fill("4,5")
    page.keyboard.press("Enter")
    expect(page.locator("#finished")).to_be_visible()
    assert [row.label for row in pool.rows(round=1)] == ["3.0", "5.0", "3.0", "4.5"]


def test_back_and_forth_and_an_answer_changed(make_pool, serve, window):
    pool = make_pool("score", asked=3)
    page = window(serve(pool.folder).url)
    shows(page, 1)
    page.keyboard.type("-2.5")
    page.keyboard.press("Enter")
    shows(page, 2)
    page.keyboard.press("ArrowLeft")
    shows(page, 1, "-2.5")
    expect(page.locator("#value")).to_have_value("-2.5")
    page.keyboard.type("8")  # the field is selected: typing replaces it
    page.keyboard.press("Enter")
    says(page, "Saved: more/05.png, 8.")
    shows(page, 2)
    page.keyboard.press("ArrowRight")
    shows(page, 3)
    page.get_by_role("button", name="Back").click()
    shows(page, 2)
    assert [row.label for row in pool.rows(round=1)] == ["8.0", None, None]


def test_a_killed_server_that_comes_back_gets_the_answer_once(make_pool, serve, window):
    pool = make_pool("count", asked=3)
    first = serve(pool.folder)
    page = window(first.url)
    shows(page, 1)
    page.keyboard.type("5")
    first.kill()
    page.keyboard.press("Enter")
    says(page, "The server is not there; answers wait")
    assert pool.row(5).state == "asked"
    second = serve(pool.folder)
    assert second.url == first.url
    says(page, "Saved: more/05.png, 5.")
    shows(page, 2)
    page.keyboard.type("6")
    second.kill()
    serve(pool.folder)
    page.keyboard.press("Enter")  # the page did not even notice
    shows(page, 3)
    page.reload()
    shows(page, 3)
    assert [(row.state, row.label) for row in pool.rows(round=1)] == [
        ("labeled", "5"),
        ("labeled", "6"),
        ("asked", None),
    ]


@pytest.mark.parametrize(("choice", "kept"), [("Keep that answer", "3"), ("Use mine", "4")])
def test_the_second_of_two_windows_chooses(make_pool, serve, window, choice, kept):
    pool = make_pool("count", asked=2)
    url = serve(pool.folder).url
    one, two = window(url), window(url)
    shows(one, 1)
    shows(two, 1)
    one.keyboard.type("3")
    one.keyboard.press("Enter")
    shows(one, 2)
    two.keyboard.type("4")
    two.keyboard.press("Enter")
    says(two, "more/05.png got an answer meanwhile, in another window or from a file: 3")
    two.keyboard.press("Control+Shift+x")  # no key of the page
    assert pool.row(5).label == "3"
    expect(two.locator("#progress")).to_have_text("1 of 2 answered")
    two.get_by_role("button", name=choice).click()
    if choice == "Use mine":
        says(two, "Saved: more/05.png, 4.")
        shows(two, 2)
    else:
        shows(two, 1, "3")
    assert pool.row(5).label == kept


def test_a_draft_of_an_image_that_a_file_answered_is_not_taken_silently(make_pool, serve, window):
    pool = make_pool("count", asked=2)
    page = window(serve(pool.folder).url)
    shows(page, 1)
    page.keyboard.type("4")
    expect(page.locator("#value")).to_have_value("4")
    pool.answer({5: "9"}, "answers.csv")
    page.reload()
    shows(page, 2)  # the first without an answer
    page.keyboard.press("ArrowLeft")
    says(page, "This image got the answer 9")
    page.get_by_role("button", name="Use mine").click()
    expect(page.locator("#value")).to_have_value("4")
    assert pool.row(5).label == "9"
    page.keyboard.press("Enter")
    says(page, "Saved: more/05.png, 4.")
    assert pool.row(5).label == "4"


def test_a_missing_file_can_be_skipped(make_pool, serve, window):
    pool = make_pool("count", asked=2)
    file = Path(pool.settings.images) / "more/05.png"
    file.unlink()
    page = window(serve(pool.folder).url)
    expect(page.locator("#problem")).to_have_text(f"{file} is not there")
    expect(page.get_by_role("button", name="Save and next")).to_be_disabled()
    page.keyboard.press("s")
    shows(page, 2)
    assert pool.row(5).state == "skipped"


def test_a_broken_file_can_be_skipped_or_left(make_pool, serve, window):
    pool = make_pool("count", asked=3)
    for name, kind in [("more/05.png", "TIFF"), ("more/04.png", "PNG")]:
        file = Path(pool.settings.images) / name
        Image.effect_noise((64, 64), 50).save(file, kind)
        file.write_bytes(file.read_bytes()[:-3000])
    page = window(serve(pool.folder).url)
    expect(page.locator("#problem")).to_contain_text("more/05.png cannot be read: ")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#path")).to_have_text("more/04.png")
    expect(page.locator("#state")).to_have_text(re.compile("^image 2, no answer yet"))
    page.keyboard.press("s")
    says(page, "Saved: more/04.png, cannot say.")
    shows(page, 3)
    assert [row.state for row in pool.rows(round=1)] == ["asked", "skipped", "asked"]


def test_images_that_were_answered_meanwhile_are_passed_over(make_pool, serve, window):
    pool = make_pool("count", asked=4)
    page = window(serve(pool.folder).url)
    shows(page, 1)
    pool.answer({4: "9", 3: "9"}, "answers.csv")
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    shows(page, 4)
    expect(page.locator("#progress")).to_have_text("3 of 4 answered")


def test_at_the_end_images_left_in_an_older_round_are_told(make_pool, serve, window):
    pool = make_pool("count", asked=2)
    pool.ask([0], "random", None, {})
    page = window(serve(pool.folder).url)
    shows(page, 1)
    page.keyboard.type("1")
    page.keyboard.press("Enter")
    expect(page.locator("#finished")).to_have_text("The image of round 2 is answered.")
    says(page, "2 of the images of round 1 still wait.")
    page.get_by_role("button", name="Look for more images").click()
    shows(page, 1)
    expect(page.locator("#round")).to_have_text("Round 1")


@pytest.mark.parametrize("takes", ["score", "count", "points"])
def test_it_fits_a_narrow_window_and_can_be_read(make_pool, serve, window, takes):
    pool = make_pool(takes, low=0, high=9)
    page = window(serve(pool.folder).url)
    page.set_viewport_size({"width": 800, "height": 600})
    shows(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth") <= 800
    assert page.evaluate("document.documentElement.scrollHeight") <= 600
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input, button')].filter((e) => !e.labels?.length && !e.textContent.trim()"
        " && !e.getAttribute('aria-label')).filter((e) => e.checkVisibility()).length"
    )
    assert unnamed == 0
    page.keyboard.press("Enter")  # there is nothing yet: something is said
    expect(page.locator("#said")).not_to_be_empty()
    for scheme in ["light", "dark"]:
        page.emulate_media(color_scheme=scheme)
        for selector in ["#path", "#state", "#progress", "#said", "#keys", "#save", "#skip"]:
            assert contrast(page, selector) >= 4.5, (scheme, selector)
