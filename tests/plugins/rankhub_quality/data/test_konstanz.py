"""KADID-10k's and KonIQ-10k's CSV files."""

from __future__ import annotations

import pytest

from rankhub.interfaces.errors import UserError
from rankhub_quality.data.kadid import KINDS, Kadid10k
from rankhub_quality.data.koniq import Koniq10k

KADID = ["I01_01_01.png,I01.png,4.57,0.496", "I01_10_05.png,I01.png,1,0.2", "I81_25_03.png,I81.png,5,0.1"]
SETS = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set"
KONIQ = [
    "10.jpg,0,0,25,73,7,105,65.5,0.5,training",
    "11.jpg,0,0,25,73,7,105,0,0.5,test",
    "12.jpg,1,1,1,1,1,5,100,1,test",
]
WITHOUT = '"image_name","c1","c2","c3","c4","c5","c_total","MOS","SD","MOS_zscore"'


@pytest.fixture
def kadid(draw, opened, monkeypatch):
    monkeypatch.setattr(Kadid10k, "images", 3)
    monkeypatch.setattr(Kadid10k, "references", 2)
    root = draw(*(f"images/{line.partition(',')[0]}" for line in KADID))

    def make(*lines, **options):
        (root / "dmos.csv").write_text("\n".join(["dist_img,ref_img,dmos,var", *(lines or KADID)]) + "\n")
        return opened(Kadid10k(root=str(root), **options))

    return make


def test_kadid_calls_dmos_what_is_higher_for_better_images(kadid):
    data, report = kadid()
    assert data.labels().tolist() == [4.57, 1.0, 5.0]
    assert data.facts("reference") == ["I01", "I01", "I81"]
    assert data.facts("kind") == ["gaussian_blur", "jpeg", "contrast"]
    assert data.facts("path")[1] == "images/I01_10_05.png"
    assert "(higher is better)" in report.notes[1]
    assert len(set(KINDS)) == 25


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ("I01_26_01.png,I01.png,4,0", r"`dist_img` is no name such as I01_01_01.png .* on line 2 \(I01_26_01.png\)"),
        ("I01_01_01.png,I02.png,4,0", "with `ref_img` I01.png on line 2"),
        ("I01_01_01.png,I01.png,0.9,0", r"outside 1 to 5: 0.9 \(line 2\)"),
        ("I01_01_02.png,I01.png,4,0", "not in .*: images/I01_01_02.png;"),
    ],
)
def test_a_wrong_row_of_kadid_is_one_sentence(kadid, first, said):
    with pytest.raises(UserError, match=said):
        kadid(first, *KADID[1:])


def test_another_number_of_rows_of_kadid_is_refused(kadid):
    with pytest.raises(UserError, match="`rows` has 2 where 3 images are expected"):
        kadid(*KADID[:2])


def test_another_number_of_references_of_kadid_is_refused(kadid):
    with pytest.raises(UserError, match="the images have 1 references where 2 are expected"):
        kadid(*KADID[:2], KADID[0].replace("01.png,I", "02.png,I"))


@pytest.fixture
def koniq(draw, opened, monkeypatch):
    monkeypatch.setattr(Koniq10k, "count", 3)
    root = draw(*(f"{folder}/{name}.jpg" for folder in ("1024x768", "512x384") for name in (10, 11, 12)))

    def make(lines=KONIQ, header=SETS, file="koniq10k_distributions_sets.csv", **options):
        (root / file).write_text("\n".join([header, *lines]) + "\n")
        return opened(Koniq10k(root=str(root), **options))

    return make


def test_koniq_and_its_official_split(koniq):
    data, _ = koniq()
    assert data.labels().tolist() == [65.5, 0, 100]
    assert data.facts("path") == ["1024x768/10.jpg", "1024x768/11.jpg", "1024x768/12.jpg"]
    assert data.facts("reference") is None
    test, report = koniq(split="test", images="512x384")
    assert test.facts("path") == ["512x384/11.jpg", "512x384/12.jpg"]
    assert "official split: test" in report.notes
    assert koniq(split="training")[0].labels().tolist() == [65.5]


def test_a_split_of_koniq_that_no_row_has(koniq):
    with pytest.raises(UserError, match=r"column set of .*sets.csv has no validation; its values are test, training"):
        koniq(split="validation")


def test_the_parts_of_koniq_are_the_same_whatever_the_split(koniq):
    for seed in range(8):
        drawn = {"held_out": 0.5, "seed": seed}
        out = koniq(part="held_out", **drawn)[0].facts("path")
        for split, paths in (("test", {"1024x768/11.jpg", "1024x768/12.jpg"}), ("training", {"1024x768/10.jpg"})):
            if paths & set(out):
                assert koniq(split=split, part="held_out", **drawn)[0].facts("path") == sorted(paths & set(out))
            else:
                with pytest.raises(UserError, match=r"leave no image of the images of part held_out"):
                    koniq(split=split, part="held_out", **drawn)


def test_koniq_without_the_split(koniq, tmp_path):
    lines = ['"10.jpg",0,0,0,0,0,0,3.9,0.5,70.1', '"11.jpg",0,0,0,0,0,0,1.5,0.5,3', '"12.jpg",0,0,0,0,0,0,5,0.5,99']
    file = "koniq10k_scores_and_distributions.csv"
    assert koniq(lines, WITHOUT, file)[0].labels().tolist() == [70.1, 3, 99]
    said = Koniq10k(root=str(tmp_path / "data"), split="test").missing()
    assert "(no koniq10k_distributions_sets.csv)" in said


def test_a_web_page_in_place_of_koniqs_scores(koniq):
    with pytest.raises(UserError, match="is a web page in place of a table; download the file itself"):
        koniq(header="<!DOCTYPE html>")


def test_another_number_of_rows_of_koniq_is_refused(koniq):
    with pytest.raises(UserError, match="`rows` has 2 where 3 images are expected"):
        koniq(KONIQ[:2], split="test")
