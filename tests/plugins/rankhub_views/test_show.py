"""`rankhub show generator`."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import torch
from helpers import fakes
from helpers.commands import call
from PIL import Image

import rankhub_data
import rankhub_views
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.order import RankTarget
from rankhub_views import sheet, show


@pytest.fixture
def photo(tmp_path):
    """A file with an image of 30 x 20 px, red on its left half and blue on its right."""
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, :15], pixels[:, 15:] = (240, 0, 0), (0, 0, 240)
    path = tmp_path / "photo.png"
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture
def fake(monkeypatch):
    catalog = Catalog.of({"fakes": fakes, "rankhub_data": rankhub_data, "rankhub_views": rankhub_views})
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: catalog))


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def reds(picture):
    """[n] the brightest red of each red patch of the sheet, from left to right, in the middle of its rows."""
    red = (picture[..., 0] > 40) & (picture[..., 1] == 0) & (picture[..., 2] == 0)
    row = picture[np.flatnonzero(red.any(1))[red.any(1).sum() // 2]]
    inside = (row[:, 0] > 40) & (row[:, 1] == 0) & (row[:, 2] == 0)
    starts = np.flatnonzero(np.diff(np.concatenate([[0], inside.astype(int)])) == 1)
    return row[starts + 2, 0].tolist()


@pytest.mark.usefixtures("fake")
def test_worker_views_stand_by_level_from_left_to_right(capsys, photo, tmp_path):
    out = tmp_path / "sheet.png"
    called = call(capsys, "show", "generator", "dimmer", "levels=4", "--image", photo, "--out", out)
    assert (called.code, called.err) == (0, "")
    assert called.out == f"4 views in 1 group, {out}\n"
    assert reds(pixels(out)) == [240, 120, 80, 60]


@pytest.mark.usefixtures("fake")
def test_device_views_are_drawn_too(capsys, photo, tmp_path):
    out = tmp_path / "sheet.png"
    assert call(capsys, "show", "generator", "jitter", "views=3", "--image", photo, "--out", out).code == 0
    first = reds(pixels(out))
    assert len(set(first)) == 3
    call(capsys, "show", "generator", "jitter", "views=3", "--image", photo, "--out", out, "--force")
    assert reds(pixels(out)) == first
    call(capsys, "show", "generator", "jitter", "views=3", "--image", photo, "--out", out, "--force", "--seed", 1)
    assert reds(pixels(out)) != first


@pytest.mark.usefixtures("fake")
def test_large_views_are_reduced(capsys, tmp_path):
    path, out = tmp_path / "large.png", tmp_path / "sheet.png"
    Image.new("RGB", (400, 200), (250, 0, 0)).save(path)
    call(capsys, "show", "generator", "dimmer", "levels=2", "--image", path, "--out", out, "--side", 100)
    shown = (pixels(out) == (250, 0, 0)).all(2)
    assert (shown.any(1).sum(), shown.any(0).sum()) == (50, 100)


@pytest.mark.usefixtures("fake")
def test_the_file_is_named_for_the_generator_and_not_replaced(capsys, photo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = ("show", "generator", "dimmer", "--image", photo)
    assert call(capsys, *arguments).out.endswith("dimmer.png\n")
    called = call(capsys, *arguments)
    assert called.code == 2
    assert called.err == "error: --out dimmer.png is there already; name another file, or --force to replace it\n"
    assert call(capsys, *arguments, "--force").code == 0


@pytest.mark.usefixtures("fake")
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["dimer"], "no generator is called 'dimer'; did you mean 'dimmer'"),
        (["dimmer", "level=3"], "unknown option 'level'; did you mean 'levels'?"),
        (["dimmer", "levels=1"], "levels: got 1; expected a whole number of at least 2"),
        (["dimmer", "levels"], "the option 'levels' has no value; write levels=VALUE"),
        (["dimmer", "levels=[3"], "the option 'levels=[3' cannot be used: the value "),
        (["dimmer", "a.b=3"], "is a part of 'a', which is not given; write a={b: 3}"),
        (["dimmer", "use=jitter"], "`use` is no option"),
        (["dimmer", "--image", "none.png"], "--image none.png cannot be read: no such file or directory"),
        (["dimmer", "--image", "."], "--image . cannot be read: is a directory"),
        (["dimmer", "--out", "nowhere/a.png"], "there is no folder"),
    ],
)
def test_what_the_user_can_mend_is_one_sentence(capsys, photo, tmp_path, monkeypatch, arguments, sentence):
    monkeypatch.chdir(tmp_path)
    called = call(capsys, "show", "generator", "--image", photo, *arguments)
    assert called.code == 2
    assert called.err.startswith("error: ")
    assert called.err.count("\n") == 1
    assert sentence in called.err
    assert not (tmp_path / "dimmer.png").exists()


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\n" + bytes(40)])
def test_a_file_that_is_no_image(capsys, tmp_path, content):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    called = call(capsys, "show", "generator", "random_views", "size=8", "--image", path, "--out", tmp_path / "o.png")
    assert called.code == 2
    assert f"--image {path}" in called.err
    assert called.err.count("\n") == 1


@pytest.mark.parametrize("ending", [".txt", ""])
def test_a_file_of_no_image_format(capsys, tmp_path, ending):
    path = tmp_path / f"notes{ending}"
    path.write_text("no image")
    called = call(capsys, "show", "generator", "random_views", "size=8", "--image", path, "--out", tmp_path / "o.png")
    assert called.err == f"error: --image {path} cannot be read: not an image format that Pillow knows\n"


def test_what_is_wrong_with_a_file_is_told(capsys, tmp_path):
    path = tmp_path / "x y.png"
    path.write_bytes(b"")
    called = call(capsys, "show", "generator", "random_views", "size=8", "--image", path, "--out", tmp_path / "o.png")
    assert called.err == f"error: --image {path} cannot be read: the file is empty\n"


def test_views_are_of_the_pixels_that_training_sees(tmp_path):
    deep, clear, turned = (tmp_path / name for name in ("deep.png", ".clear.png", "turned.JPG"))
    Image.fromarray(np.full((4, 6), 32768, np.uint16)).save(deep)
    Image.new("RGBA", (6, 4), (0, 0, 0, 0)).save(clear)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (6, 4), (90, 90, 90)).save(turned, exif=exif)
    for path, shade, shape in ((deep, 128, (3, 4, 6)), (clear, 255, (3, 4, 6)), (turned, 90, (3, 6, 4))):
        image = show._read(path)
        assert image.shape == shape
        assert image.unique().tolist() == [shade]


@pytest.mark.parametrize("name", ["random_views", "random_crops"])
def test_an_option_that_is_missing_is_answered_with_the_command(capsys, photo, tmp_path, name):
    done = call(capsys, "show", "generator", name, "--image", photo, "--out", tmp_path / "x.png")
    command = f"write rankhub show generator {name} size=96 --image {photo}"
    assert (done.code, command in done.err.replace("\n", " ")) == (2, True)
    Image.new("RGB", (120, 100)).save(photo)
    words = command.partition("rankhub ")[2].split()
    assert call(capsys, *words, "--out", tmp_path / "x.png").code == 0


def test_without_an_image(capsys):
    called = call(capsys, "show", "generator", "random_views", "size=8")
    assert called.code == 2
    assert "name one with --image FILE" in called.err


def test_official_generators(capsys, photo, tmp_path):
    out = tmp_path / "sheet.png"
    own = "set=[{kind: jpeg, levels: [40, 20, 9]}, {kind: gaussian_blur, levels: [1, 3]}]"
    said = [
        call(capsys, "show", "generator", *words, "--image", photo, "--out", out, "--force").out.split(",")[0]
        for words in (
            ["random_views", "size=16", "views=4"],
            ["distortions", own],
            ["random_crops", "size=9", "count=3"],
        )
    ]
    assert said == ["4 views in 1 group", "7 views in 2 groups", "3 views in 1 group"]


def test_levels_that_are_left_out_are_said_and_leave_a_gap(capsys, tmp_path):
    grey = tmp_path / "grey.png"
    Image.new("RGB", (40, 40), (90, 90, 90)).save(grey)
    own = "set=[{kind: gaussian_blur, levels: [1, 2]}, {kind: mean_shift_up, levels: [20, 40]}]"
    called = call(capsys, "show", "generator", "distortions", own, "--image", grey, "--out", tmp_path / "o.png")
    assert "note: gaussian_blur 1 (level 1 of 2) changes no pixel" in called.out
    assert "\n4 views in 2 groups" in called.out


def batch(levels, groups, side=10):
    """A view for each level, of a grey of its own."""
    n = len(levels)
    shades = torch.linspace(0.1, 0.9, n)[:, None, None, None].expand(n, 3, side, side).contiguous()
    ids = torch.arange(n)
    kind = torch.tensor(groups)
    target = RankTarget(torch.zeros(n, dtype=torch.int64), ids, kind, torch.tensor(levels), None, kind)
    return Batch((shades,), torch.full((n, 2), side), torch.eye(3)[:2].repeat(n, 1, 1), target)


def placed(levels, groups, spec):
    return [
        (title, [(cell.caption, cell.column) for cell in cells])
        for title, cells in sheet._lines(batch(levels, groups), spec, 50)
    ]


def test_a_level_has_one_column_in_every_line():
    spec = ViewSpec(5, 2, "ordered", ((5, None),), ("blur", "jpeg"))
    assert placed([1.0, 0.5, 0.0, 0.0, 1.0], [0, 0, 0, 1, 1], spec) == [
        ("blur", [("level 1", 0), ("level 0.5", 1), ("level 0", 2)]),
        ("jpeg", [("level 1", 0), ("level 0", 2)]),
    ]


def test_views_of_equal_level_stand_side_by_side():
    spec = ViewSpec(3, 1, "ordered")
    assert placed([0.0, 1.0, 1.0], [0, 0, 0], spec) == [("", [("level 1", 0), ("level 1", 1), ("level 0", 2)])]
    assert placed([1.0, 1.0], [0, 0], ViewSpec(2)) == [("", [("view 0", 0), ("view 1", 1)])]


def test_levels_of_several_columns():
    spec = ViewSpec(2, 1, "grid")
    assert placed([[0.5, 0.0], [0.5, 1.0]], [0, 0], spec) == [("", [("level (0.5, 1)", 0), ("level (0.5, 0)", 1)])]


def test_long_groups_go_on_in_the_next_line():
    lines = placed([float(n) for n in range(15)], [1] * 15, ViewSpec(15, 2, "ordered"))
    assert [(title, len(cells)) for title, cells in lines] == [("group 1", 12), ("", 3)]
    assert lines[1][1][0] == ("level 2", 0)


def parts(maps, side=10):
    """Views of one group, falling in level, with these maps."""
    found = batch([float(len(maps) - n) for n in range(len(maps))], [0] * len(maps), side)
    return Batch(found.images, found.sizes, torch.tensor(maps, dtype=torch.float64), found.target)


GREEN = (12, 140, 90)


def plain(height, width):
    """An image of a colour that nothing else on a sheet has."""
    return torch.tensor(GREEN, dtype=torch.uint8)[:, None, None].expand(3, height, width)


def drawn(views, side, source):
    found = sheet.draw_sheet(views, ViewSpec(len(views), 1, "ordered", kinds=("crops",)), side, source)
    return np.asarray(found).astype(int)


def where(picture, colour):
    """[n, 2] x and y of the pixels of this colour."""
    return np.argwhere((picture == colour).all(axis=2))[:, ::-1]


def test_views_are_outlined_on_the_image_in_the_colour_of_their_frame():
    """Squares of 25 and 5 px of an image of 40 x 30 px, drawn eight times as large; the second is flipped."""
    outer, inner = [[0.4, 0, -4.0], [0, 0.4, -0.8]], [[-2.0, 0, 40.0], [0, 2.0, -20.0]]
    picture = drawn(parts([outer, inner]), 320, plain(30, 40))
    left, top = where(picture, GREEN).min(axis=0)
    assert (where(picture, GREEN).max(axis=0) - (left, top) + 1).tolist() == [320, 240]
    for colour, box in zip(sheet._colours(2), ((80, 16, 279, 215), (120, 80, 159, 119)), strict=True):
        here = where(picture[top : top + 240, left : left + 320], colour)
        assert np.abs(np.concatenate([here.min(axis=0), here.max(axis=0)]) - box).max() <= 1
        assert (np.ptp(where(picture[:, left + 320 :], colour), axis=0) + 1).tolist() == [14, 14]


def test_no_image_is_drawn_beside_views_that_show_all_of_it():
    whole = [[[0.25, 0, 0], [0, 0.25, 0]], [[-0.25, 0, 10.0], [0, 0.25, 0]]]
    for maps in (whole, [*whole, [[0.0, 0, 0], [0, 0.0, 0]]]):
        assert not len(where(drawn(parts(maps), 50, plain(40, 40)), GREEN))
    assert len(where(drawn(parts([*whole, [[1, 0, -3.0], [0, 1, 0]]]), 50, plain(40, 40)), GREEN))


def test_a_view_that_leaves_the_image_is_outlined_at_its_edge():
    picture = drawn(parts([[[0.1, 0, 2.0], [0, 0.1, 3.0]]]), 80, plain(40, 40))
    inner = where(picture, GREEN)
    frame = where(picture[:, : inner[:, 0].max() + 10], sheet._colours(1)[0])
    assert (np.ptp(frame, axis=0) + 1).tolist() == [80, 80]
    assert (inner.min(axis=0) > frame.min(axis=0)).all()
    assert (inner.max(axis=0) < frame.max(axis=0)).all()


def test_nested_crops_are_drawn_in_order(capsys, tmp_path):
    path, out = tmp_path / "large.png", tmp_path / "sheet.png"
    Image.new("RGB", (160, 120), (90, 90, 90)).save(path)
    called = call(capsys, "show", "generator", "nested_crops", "size=40", "sets=2", "--image", path, "--out", out)
    assert (called.code, called.out) == (0, f"10 views in 2 groups, {out}\n")
    for colour in sheet._colours(5):
        assert len(where(pixels(out), colour)) > 2 * 2 * 4 * 40
    called = call(capsys, "show", "generator", "nested_crops", "smallest=50", "--image", path, "--out", out, "--force")
    assert called.code == 2
    assert called.err.startswith("error: the image number 0 has 160 x 120 pixels: 5 nested crops need a shorter side")


def test_importing_the_verb_imports_nothing_heavy():
    code = "import sys, rankhub_views.show; print({'torch', 'numpy', 'PIL'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"
