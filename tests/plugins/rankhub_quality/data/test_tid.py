"""TID2013's and TID2008's text files."""

from __future__ import annotations

import pytest

from rankhub.interfaces.errors import UserError
from rankhub_quality.data.table import check_references
from rankhub_quality.data.tid import KINDS, Tid2008, Tid2013

NAMES = ["I01_01_1.bmp", "i01_01_2.bmp", "I01_02_1.BMP", "i01_02_2.BMP", "I25_01_1.bmp", "I25_01_2.bmp"]
NAMES += ["I25_02_1.bmp", "I25_02_2.bmp"]
ON_DISK = [name.swapcase() if number % 2 else name for number, name in enumerate(NAMES)]


@pytest.fixture
def root(draw, monkeypatch):
    """Two references that are called 1 and 25, two types, two levels."""
    monkeypatch.setattr(Tid2013, "kind_count", 2)
    monkeypatch.setattr(Tid2013, "levels", 2)
    monkeypatch.setattr("rankhub_quality.data.tid.check_lengths", lambda *_, **__: None)
    monkeypatch.setattr("rankhub_quality.data.base.check_references", lambda *_: None)
    return draw(*(f"distorted_images/{name}" for name in ON_DISK))


@pytest.fixture
def load(root, opened):
    def make(*lines, **options):
        lines = lines or [f"{number}.5 {name}" for number, name in enumerate(NAMES)]
        (root / "mos_with_names.txt").write_text("\r\n".join(lines) + "\r\n")
        return opened(Tid2013(root=str(root), **options))

    return make


def test_names_match_in_any_case_and_the_artificial_reference_is_left_out(load):
    data, report = load()
    assert data.facts("path") == [f"distorted_images/{name}" for name in ON_DISK[:4]]
    assert data.labels().tolist() == [0.5, 1.5, 2.5, 3.5]
    assert data.facts("reference") == ["I01"] * 4
    assert data.facts("kind") == ["gaussian_noise"] * 2 + ["colour_noise"] * 2
    assert "MOS from 0.5 to 3.5, mean 2 (higher is better)" in report.notes


def test_the_artificial_reference_can_be_kept(load):
    assert len(load(leave_out=[])[0]) == 8
    assert set(load(leave_out=["i01"])[0].facts("reference")) == {"I25"}


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["5.5 I01_01_1.bmp 0.1"], "line 1: a line takes a score and a file name"),
        (["5,5 I01_01_1.bmp"], "decimals take a point"),
        (["9.5 I01_01_1.bmp"], r"one score is outside 0 to 9: 9.5 \(line 1\)"),
        (["5 I01_03_1.bmp"], "line 1: I01_03_1.bmp is no name of a distorted image of TID2013"),
        (["5 I26_01_1.bmp"], "is no name of a distorted image"),
        (["5 I01_01_1.bmp", "4 i01_01_1.BMP"], r"more than once: distorted_images/I01_01_1.BMP \(line 1 and line 2\)"),
        (["5 I02_01_1.bmp"], "1 of the 1 images that mos_with_names.txt names are not in"),
    ],
)
def test_a_wrong_file_is_one_sentence(load, lines, said):
    with pytest.raises(UserError, match=said):
        load(*lines)


@pytest.mark.parametrize(("cls", "count"), [(Tid2013, 3000), (Tid2008, 1700)])
def test_another_number_of_lines_is_refused(draw, context, cls, count):
    root = draw("distorted_images/I01_01_1.bmp")
    (root / "mos_with_names.txt").write_text("5.5 I01_01_1.bmp\n")
    (root / "mos.txt").write_text("5.5\n" * count)
    with pytest.raises(UserError, match=f"`mos_with_names.txt` has 1 where {count:,} images are expected;"):
        cls(root=str(root)).open(context)


def test_another_number_of_references_is_refused(load, monkeypatch):
    monkeypatch.setattr("rankhub_quality.data.base.check_references", check_references)
    with pytest.raises(UserError, match="the images have 2 references where 25 are expected"):
        load()


def test_every_type_has_a_name_of_its_own():
    assert len(set(KINDS)) == 24 == Tid2013.kind_count
    assert (Tid2008.kind_count, Tid2008.levels, Tid2013.levels) == (17, 4, 5)


@pytest.mark.parametrize(("cls", "name"), [(Tid2013, "tid2013"), (Tid2008, "tid2008")])
def test_released_scores(real_images, tmp_path, cls, name):
    """The released names and scores, in the format of ``mos_with_names.txt``."""
    lines = [
        line.split(",") for line in (real_images / "score_tables" / f"{name}_mos.csv").read_text().splitlines()[1:]
    ]
    (tmp_path / "mos_with_names.txt").write_text("".join(f"{line[2]} {line[0]}\n" for line in lines))
    table = cls(root=str(tmp_path)).read_table()
    assert [row.reference for row in table.rows] == [line[1].partition(".")[0].upper() for line in lines]
    assert len({row.path for row in table.rows}) == len(lines)
    assert {row.kind for row in table.rows} == set(KINDS[: cls.kind_count])
    scores = [row.score for row in table.rows]
    assert 0 <= min(scores) < 1 < 7 < max(scores) <= 9
