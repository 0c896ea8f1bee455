"""Points in a real browser: set, moved, removed, and where they are in pixels of the image."""

from __future__ import annotations

from pathlib import Path

from helpers.label_browser import expect, near, needs_browser, points, says, shows, where
from helpers.label_page import SIDES
from PIL import Image

pytestmark = needs_browser


def test_points_by_mouse(make_pool, serve, window):
    pool = make_pool("points", asked=2)
    page = window(serve(pool.folder).url)
    shows(page, 1)
    for point in [(10, 10), (60.5, 40.25), (110, 70), (30, 60)]:
        page.mouse.click(*where(page, *point))
    expect(page.locator("#many")).to_have_text("4 points")
    page.mouse.click(*where(page, 11, 10), button="right")  # the nearest: the first
    expect(page.locator("#many")).to_have_text("3 points")
    page.mouse.move(*where(page, 110, 70))
    page.mouse.down()
    page.mouse.move(*where(page, 100, 50), steps=4)
    page.mouse.up()
    page.mouse.move(*where(page, 80, 5))
    page.keyboard.press("Delete")  # near none: the last
    expect(page.locator("#many")).to_have_text("2 points")
    page.keyboard.press("Delete")
    page.keyboard.press("Control+z")
    expect(page.locator("#many")).to_have_text("2 points")
    page.mouse.move(*where(page, 60.5, 40.25))
    for _ in range(6):
        page.mouse.wheel(0, -200)
    page.wait_for_function("document.querySelector('#picture').getBoundingClientRect().width > 3000")
    page.mouse.click(*where(page, 63, 41))
    expect(page.locator("#many")).to_have_text("3 points")
    page.mouse.down()
    page.mouse.move(500, 500)  # from the point that was just set: it moves along
    page.mouse.up()
    page.keyboard.press("Control+z")
    page.mouse.move(*where(page, 66, 43))
    page.mouse.down()
    page.mouse.move(300, 300, steps=3)  # from free ground: the image moves, and no point is set
    page.mouse.up()
    page.keyboard.press("Enter")
    shows(page, 2)
    assert near(points(pool, 5), (60.5, 40.25), (100, 50), (63, 41))


def test_points_by_keyboard_alone(make_pool, serve, window):
    pool = make_pool("points", asked=2)
    page = window(serve(pool.folder).url)
    shows(page, 1)
    page.keyboard.press("Space")  # the crosshair comes, in the middle
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Space")
    expect(page.locator("#many")).to_have_text("2 points")
    scale = page.locator("#picture").bounding_box()["width"] / SIDES[0]
    page.keyboard.press("Enter")
    shows(page, 2)
    page.keyboard.press("Enter")
    says(page, "No point is set: press Enter again")
    assert pool.row(4).state == "asked"
    page.keyboard.press("Enter")
    expect(page.locator("#finished")).to_be_visible()
    assert near(points(pool, 5), (60, 40), (60 + 20 / scale, 40 + 10 / scale))
    assert points(pool, 4) == []


def test_unfinished_points_outlive_a_reload_and_go_once_saved(make_pool, serve, window):
    pool = make_pool("points", asked=2)
    page = window(serve(pool.folder).url)
    shows(page, 1)
    page.mouse.click(*where(page, 20, 30))
    page.mouse.click(*where(page, 50, 60))
    page.reload()
    shows(page, 1)
    says(page, "Not saved yet.")
    expect(page.locator("#many")).to_have_text("2 points")
    assert pool.row(5).state == "asked"
    page.keyboard.press("Enter")
    shows(page, 2)
    assert near(points(pool, 5), (20, 30), (50, 60))
    assert page.evaluate("localStorage.length") == 0


def test_a_turned_photo_is_upright_with_coordinates_of_the_upright_image(make_pool, serve, window):
    pool = make_pool("points", asked=1)
    upright = Image.new("RGB", SIDES, (0, 0, 0))
    upright.paste((255, 255, 255), (90, 10, 100, 20))  # at the top right
    lying = upright.transpose(Image.Transpose.ROTATE_90)
    exif = lying.getexif()
    exif[0x0112] = 6  # to be turned clockwise to be upright
    lying.save(Path(pool.settings.images) / "more/05.png", "JPEG", exif=exif, quality=95)
    page = window(serve(pool.folder).url)
    shows(page, 1)
    light = page.evaluate(
        """() => {
            const pen = new OffscreenCanvas(120, 80).getContext("2d");
            pen.drawImage(document.querySelector("#picture"), 0, 0);
            return [pen.getImageData(95, 15, 1, 1).data[0], pen.getImageData(15, 65, 1, 1).data[0]];
        }"""
    )
    assert light[0] > 200
    assert light[1] < 50
    page.mouse.click(*where(page, 95, 15))
    page.keyboard.press("Enter")
    expect(page.locator("#finished")).to_have_text("The image of round 1 is answered.")
    assert near(points(pool, 5), (95, 15))
