"""Images and a table of one's own."""

from __future__ import annotations

import numpy as np
import pytest

from rankhub.interfaces.errors import Objection, UserError
from rankhub_quality.data.scored_csv import ScoredCsv

HEADER = "path,score,reference,kind"
ROWS = [
    "a_1.png,10,a,jpeg",
    "a_2.png,20.5,a,blur",
    "b_1.png,30,b,jpeg",
    "b_2.png,40,b,blur",
    "c_1.png,50,c,jpeg",
    "c_2.png,60,c,blur",
]
BY_REFERENCE = {"reference": "reference", "kind": "kind"}


@pytest.fixture
def root(draw):
    return draw(*(row.partition(",")[0] for row in ROWS))


@pytest.fixture
def load(root, opened):
    """Opens a table made of these lines."""

    def make(*lines, header=HEADER, encoding="utf-8", **options):
        (root / "labels.csv").write_bytes("\n".join([header, *(lines or ROWS)]).encode(encoding) + b"\n")
        data = ScoredCsv(root=str(root), **{"higher_is_better": True, **options})
        return opened(data)

    return make


def test_what_it_serves(load, root):
    data, report = load(**BY_REFERENCE, unit="MOS", range=(0, 100))
    assert len(data) == 6
    assert data.labels().tolist() == [10, 20.5, 30, 40, 50, 60]
    assert data.facts("path") == [row.partition(",")[0] for row in ROWS]
    assert data.facts("reference") == list("aabbcc")
    assert data.facts("kind") == ["jpeg", "blur"] * 3
    assert data.facts("fold") is None
    assert data.sizes().tolist() == [[4, 6]] * 6
    sample = data[-1]
    assert (sample.index, sample.label, sample.path) == (5, 60.0, root / "c_2.png")
    assert sample.meta == {"reference": "c", "kind": "blur"}
    assert tuple(sample.image.shape) == (3, 4, 6)
    assert (data.label.mean, data.label.std) == (data.labels().mean(), data.labels().std())
    assert report.notes[0] == (
        f"your set: 6 scored images of 3 references and 2 kinds of distortion in {root}, 6 x 4 pixels"
    )
    assert report.notes[1] == "MOS from 10 to 60, mean 35.08 (higher is better)"
    assert report.tables["scores"][1] == {"path": "a_2.png", "score": 20.5, "reference": "a", "kind": "blur"}
    assert report.tables["references"][2] == {"reference": "c", "images": 2, "served": 2}


def test_labels_are_turned_where_lower_is_better_and_turn_back(load):
    data, report = load(higher_is_better=False, unit="DMOS")
    assert data.labels().tolist() == [-10, -20.5, -30, -40, -50, -60]
    assert data[1].label == -20.5
    assert data.label.mean < 0
    assert data.label.turned(data.labels()).tolist() == [10, 20.5, 30, 40, 50, 60]
    assert "lower is better: turned inside" in report.notes[1]
    assert report.tables["scores"][1]["score"] == 20.5


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_and_byte_order_marks(load, delimiter, encoding):
    lines = [row.replace(",", delimiter) for row in ROWS]
    data, _ = load(*lines, header=HEADER.replace(",", delimiter), encoding=encoding, **BY_REFERENCE)
    assert data.labels().tolist() == [10, 20.5, 30, 40, 50, 60]


def test_quoted_fields_blanks_and_empty_lines(load):
    data, _ = load('"a_1.png", 10 ,"x, y",', "", ' b_1.png ,"30",b,', "\r", reference="reference")
    assert data.facts("reference") == ["x, y", "b"]
    assert data.labels().tolist() == [10, 30]


def test_one_name_in_several_spellings_is_one_reference_and_one_kind(load):
    one, two = "k\u00e4fer", "ka\u0308fer"
    lines = [
        f"a_1.png,1,{one}.png,{one}",
        f"a_2.png,2,./{two}.png,{two}",
        f"b_1.png,3,{one}.PNG,{two}",
        "c_1.png,4,c,d",
    ]
    for kinds in ([one], [two]):
        data, _ = load(*lines, **BY_REFERENCE, kinds=kinds)
        assert data.facts("reference") == [f"{one}.png"] * 3
        assert data.labels().tolist() == [1, 2, 3]
        assert load(*lines, where={"kind": kinds[0]})[0].labels().tolist() == [1, 2, 3]
        assert load(*lines, **BY_REFERENCE, leave_out=kinds)[0].labels().tolist() == [4]


def test_columns_by_other_names_and_a_filter(load):
    header = "image,reference,dmos,matched_by"
    lines = ["a_1.png,a,1,file order", "b_1.png,b,2,level rank", "c_1.png,c,3,file order"]
    options = {"path": "image", "score": "dmos", "where": {"matched_by": "file order"}}
    data, report = load(*lines, header=header, **options)
    assert data.labels().tolist() == [1, 3]
    assert "rows left out by `where`: 1" in report.notes


def test_rows_that_are_filtered_out_need_no_image_and_no_score(load):
    data, _ = load("a_1.png,1,a,jpeg", "gone.png,,b,none", where={"kind": "jpeg"})
    assert data.facts("path") == ["a_1.png"]


def test_kinds_and_references_can_be_left_out(load):
    data, _ = load(**BY_REFERENCE, kinds=["jpeg"], leave_out=["B"])
    assert data.facts("path") == ["a_1.png", "c_1.png"]


def test_a_reference_can_be_named_without_folder_and_ending(load):
    lines = ["a_1.png,1,refs/monarch.png,jpeg", "b_1.png,2,refs/stream.png,jpeg"]
    data, _ = load(*lines, reference="reference", leave_out=["monarch"])
    assert data.facts("reference") == ["refs/stream.png"]


def test_parts_and_folds(load):
    everything, report = load(**BY_REFERENCE, folds=3)
    assert "3 folds of 3 references (seed 0)" in report.notes
    folds = everything.folds()
    assert sorted(np.concatenate(folds).tolist()) == list(range(6))
    references, paths = everything.facts("reference"), everything.facts("path")
    for number, fold in enumerate(folds):
        assert len({references[row] for row in fold}) == 1
        assert {everything[row].meta["fold"] for row in fold.tolist()} == {number}
        held_out, report = load(**BY_REFERENCE, folds=3, fold=number, part="held_out")
        assert held_out.facts("path") == [paths[row] for row in fold]
        assert held_out.folds() is None
        assert f"part held_out: 1 of 3 references (fold {number} of 3, seed 0)" in report.notes
        train, _ = load(**BY_REFERENCE, folds=3, fold=number, part="train")
        assert train.facts("path") == [path for path in paths if path not in held_out.facts("path")]
        assert train.label.mean == train.labels().mean()


def test_without_references_copies_stay_together(load, root):
    for number in range(20):
        (root / f"copy_{number}.png").write_bytes((root / "a_1.png").read_bytes())
    lines = [*ROWS, *(f"copy_{number}.png,5,,copy" for number in range(20))]
    for seed in range(5):
        data, report = load(*lines, part="held_out", held_out=0.5, seed=seed)
        copies = sum(path.startswith("copy") for path in data.facts("path"))
        assert copies in (0, 20)
        assert (copies == 20) == ("a_1.png" in data.facts("path"))
        assert data.facts("reference") is None
        assert "part held_out: 3 of 6 images (0.5 held out" in "".join(report.notes)


FILTERS = [{}, {"kinds": ["jpeg"]}, {"where": {"kind": "blur"}}, {"where": {"rater": "1"}}, {"share": 0.5}]


@pytest.mark.parametrize("drawn", [{"held_out": 0.4}, {"folds": 3, "fold": 1}], ids=["held_out", "fold"])
def test_no_reference_is_on_both_sides_whatever_the_filters(draw, load, drawn):
    """24 references, of which each filter leaves some."""
    lines = [
        f"{reference}_{kind}.png,{number},{reference},{kind},{number % 3}"
        for number, reference in enumerate("abcdefghijklmnopqrstuvwx")
        for kind in ("jpeg", "blur")[: 1 + number % 2]
    ]
    draw(*(line.partition(",")[0] for line in lines))

    def references(part, seed, options):
        data, _ = load(*lines, header=f"{HEADER},rater", part=part, seed=seed, **drawn, **BY_REFERENCE, **options)
        return set(data.facts("reference"))

    for seed in range(4):
        sides = {part: [references(part, seed, options) for options in FILTERS] for part in ("train", "held_out")}
        for train in sides["train"]:
            for held_out in sides["held_out"]:
                assert not train & held_out
        whole = {part: of_part[0] for part, of_part in sides.items()}
        assert whole["train"] | whole["held_out"] == set("abcdefghijklmnopqrstuvwx")
        assert all(some <= whole[part] for part, of_part in sides.items() for some in of_part)


def test_without_references_no_picture_is_on_both_sides_whatever_the_filters(load, root):
    """Each image scored twice has a copy under another name that other filters leave."""
    names = [row.partition(",")[0] for row in ROWS]
    for name in names:
        (root / f"copy_{name}").write_bytes((root / name).read_bytes())
    lines = [f"{name},1,,one" for name in names] + [f"copy_{name},2,,two" for name in names]
    lines += [f"{name},3,,three" for name in names]
    for seed in range(4):
        drawn = {"held_out": 0.5, "seed": seed}
        sides = {
            (part, kind): {
                path.removeprefix("copy_")
                for path in load(*lines, part=part, where={"kind": kind}, **drawn)[0].facts("path")
            }
            for part in ("train", "held_out")
            for kind in ("one", "two", "three")
        }
        assert len({frozenset(sides["train", kind]) for kind in ("one", "two", "three")}) == 1
        assert len({frozenset(sides["held_out", kind]) for kind in ("one", "two", "three")}) == 1
        assert sides["train", "one"] | sides["held_out", "two"] == set(names)
        assert not sides["train", "one"] & sides["held_out", "two"]


def test_references_that_are_left_out_are_out_before_folds_are_drawn(load):
    """Leave one of the rest out: as many folds as references that are left, none of them empty."""
    tested = []
    for fold in range(2):
        data, report = load(**BY_REFERENCE, leave_out=["b"], folds=2, fold=fold, part="held_out")
        assert f"part held_out: 1 of 2 references (fold {fold} of 2, seed 0)" in report.notes
        tested += data.facts("reference")
    assert sorted(tested) == list("aacc")


def test_filters_that_leave_nothing_of_a_part_are_said(load):
    lines = [*ROWS[:4], "c_1.png,50,c,noise", "c_2.png,60,c,noise"]
    found = [
        set(load(*lines, **BY_REFERENCE, part="held_out", folds=3, fold=fold)[0].facts("kind")) for fold in (0, 1, 2)
    ]
    noisy = found.index({"noise"})
    options = {**BY_REFERENCE, "part": "held_out", "folds": 3, "fold": noisy}
    said = "row filters .* leave no image of the references of part held_out, which was drawn among all 3 references"
    with pytest.raises(UserError, match=said):
        load(*lines, **options, kinds=["jpeg"])
    with pytest.raises(UserError, match=f"leave no image of fold {noisy} of 3"):
        load(*lines, **BY_REFERENCE, folds=3, where={"kind": "blur"})
    with pytest.raises(UserError, match=r"the options that choose images leave none of .*labels.csv together"):
        load(*lines, **BY_REFERENCE, kinds=["noise"], leave_out=["c"], where={"kind": "blur"})


def test_a_split_without_references_warns_of_versions(load):
    said = "no reference named: images are split one by one, so versions of one picture may be on both sides; set"
    for options, warned in (({"part": "train"}, True), ({"folds": 2}, True), ({}, False)):
        assert any(said in note for note in load(**options)[1].notes) == warned
        assert not any(said in note for note in load(**options, **BY_REFERENCE)[1].notes)


def test_copies_are_kept_and_reported(load, root):
    (root / "a_2.png").write_bytes((root / "a_1.png").read_bytes())
    data, report = load(**BY_REFERENCE)
    assert len(data) == 6
    assert "5 of 6 images differ; the others are copies with scores of their own: kept" in report.notes


def test_a_share_of_the_labels(load):
    data, report = load(**BY_REFERENCE, share=0.34)
    assert sorted(data.facts("kind")) == ["blur", "jpeg"]
    assert "2 images keep their label: share 0.34, evenly over the kinds" in report.notes
    assert sum(row["served"] for row in report.tables["references"]) == 2


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["a_1.png,x,a,j", "a_2.png,,a,j", "b_1.png,1,b,j"],
            r"`score` is no number on line 2 \('x'\), line 3 \(empty\);",
        ),
        (['a_1.png,"1,5",a,j'], "decimals take a point"),
        (["a_1.png,1,a,j", "a_2.png,nan,a,j"], "one score is no finite number: line 3;"),
        (["a_1.png,inf,a,j"], "one score is no finite number: line 2;"),
        (["a_1.png,-1,a,j", "a_2.png,101,a,j"], r"2 scores are outside 0 to 100: -1 \(line 2\), 101 \(line 3\)"),
        (["a_1.png,1,a,j", "b_1.png,1,b,j", "a_1.png,2,a,j"], r"more than once: a_1.png \(line 2 and line 4\)"),
        (["a_1.png,1,a,j", "gone.png,1,b,j"], "1 of the 2 images that labels.csv names are not in .*: gone.png;"),
        (["a_1.png,1,a,j,extra"], "the header has 4 fields, but line 2 has 5"),
        (["a_1.png,1,a,j", "a_2.png,1,,j"], r"no reference for 1 of its 2 images \(line 3\)"),
        ([",1,a,j"], "`path` is empty on line 2"),
        ([""], "has no scores"),
    ],
)
def test_a_wrong_table_is_one_sentence(load, lines, said):
    with pytest.raises(UserError, match=said) as caught:
        load(*lines, reference="reference", range=(0, 100))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"score": "scor"},
            r"no column scor \(did you mean score\?\); its first line, split at commas, names path, score",
        ),
        ({"where": {"kind": "png"}}, "no row of .* has kind = png; its values are blur, jpeg"),
        ({"where": {"kind": "jpeg", "path": "a_2.png"}}, "has all the values of `where` at once"),
        ({**BY_REFERENCE, "kinds": ["jpg"]}, "`kinds` asks for jpg, but .* has the kinds blur, jpeg"),
        ({**BY_REFERENCE, "leave_out": ["z"]}, "`leave_out` names z, but .* has the references a, b, c"),
        ({**BY_REFERENCE, "leave_out": ["a", "b", "c"]}, "leaves no image"),
        ({**BY_REFERENCE, "folds": 4}, "cannot be made of 3 references"),
    ],
)
def test_wrong_options_are_one_sentence(load, options, said):
    with pytest.raises(UserError, match=said):
        load(**options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"range": (1.0, 1.0)}, "lowest and then the highest"),
        ({"kinds": ["jpeg"]}, "name that column"),
        ({"leave_out": ["a"]}, "name that column"),
    ],
)
def test_options_are_refused_before_anything_is_read(options, said):
    with pytest.raises(Objection, match=said):
        ScoredCsv(root="nowhere", higher_is_better=True, **options)


def test_a_web_page_and_a_file_that_is_no_text(load, root):
    with pytest.raises(UserError, match="is a web page in place of a table"):
        load(header="<!DOCTYPE html>")
    with pytest.raises(UserError, match="is no text in UTF-8"):
        load("ä.png,1,,", encoding="latin-1")


def test_what_is_missing_is_said(root):
    data = ScoredCsv(root=str(root), higher_is_better=True, table="scores.tsv")
    said = f"there is no file {root / 'scores.tsv'}; set `table` to the table of scores, relative to `root`"
    assert data.missing() == said
    assert f"there is no folder {root / 'x'};" in ScoredCsv(root=str(root / "x"), higher_is_better=True).missing()


def test_part_of_live(real_images, context):
    options = {
        "root": str(real_images / "live_subset"),
        "higher_is_better": False,
        "path": "image",
        "score": "dmos",
        "reference": "reference",
        "kind": "distortion",
        "unit": "DMOS",
    }
    data = ScoredCsv(**options)
    assert data.missing() is None
    data.open(context)
    assert len(data) == 66
    assert set(data.facts("kind")) == {"fastfading", "gblur", "jpeg", "wnoise"}
    assert data.labels().max() == -3.3916
    assert data[0].path.name == "buildings_2.png"
    assert len(ScoredCsv(**options, where={"matched_by": "file order"}).read_table().wanted.rows) == 41
    sides = []
    for fold in range(4):
        held_out = ScoredCsv(**options, folds=4, fold=fold, part="held_out")
        held_out.open(context)
        assert len(set(held_out.facts("reference"))) == 1
        sides += held_out.facts("path")
    assert sorted(sides) == sorted(data.facts("path"))
