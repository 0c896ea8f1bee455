"""LIVE's MATLAB files, with the traps that are about."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.io import savemat

from rankhub.interfaces.errors import UserError
from rankhub_quality.data.live import Live

COUNTS = {"jp2k": 3, "jpeg": 2, "wn": 2}
ORIGINALS = (2, 3)
"""jp2k/img3.bmp and jpeg/img1.bmp."""
DMOS = [50.5, -2.5, 0.0, 0.0, 20.0, 111.0, 30.0]
REFERENCES = ["bikes.bmp", "rapids.bmp", "bikes.bmp", "rapids.bmp", "bikes.bmp", "rapids.bmp", "bikes.bmp"]


def cells(texts, row=True):
    """A cell array of strings as MATLAB saves it."""
    array = np.empty((1, len(texts)) if row else (len(texts), 1), dtype=object)
    array.reshape(-1)[:] = texts
    return array


def test_the_release_has_982_entries_of_which_203_are_references():
    assert list(Live.counts.items()) == [("jp2k", 227), ("jpeg", 233), ("wn", 174), ("gblur", 174), ("fastfading", 174)]
    assert sum(Live.counts.values()) - Live.originals == 779


@pytest.fixture
def load(draw, opened, monkeypatch):
    monkeypatch.setattr(Live, "counts", COUNTS)
    monkeypatch.setattr(Live, "originals", len(ORIGINALS))
    monkeypatch.setattr(Live, "references", 2)
    root = draw(*(f"{kind}/img{number}.bmp" for kind, count in COUNTS.items() for number in range(1, count + 1)))

    def make(dmos=DMOS, references=REFERENCES, orgs=ORIGINALS, row=True, **options):
        marks = np.isin(np.arange(len(DMOS)), orgs).astype(np.uint8)[None] if isinstance(orgs, tuple) else orgs
        scores = {"dmos_new": np.array(dmos)[None], "dmos_std": np.ones((1, len(dmos)))}
        savemat(root / "dmos_realigned.mat", {**scores, **({} if marks is None else {"orgs": marks})})
        savemat(root / "dmos.mat", {"dmos": np.array(dmos)[None] / 2, "orgs": marks if marks is not None else 0})
        savemat(root / "refnames_all.mat", {"refnames_all": cells(references, row)})
        return opened(Live(root=str(root), **options))

    return make


def test_scores_go_to_their_images_and_references_are_dropped(load):
    data, report = load()
    assert data.facts("path") == ["jp2k/img1.bmp", "jp2k/img2.bmp", "jpeg/img2.bmp", "wn/img1.bmp", "wn/img2.bmp"]
    assert data.labels().tolist() == [-50.5, 2.5, -20.0, -111.0, -30.0]
    assert data.facts("reference") == ["bikes.bmp", "rapids.bmp", "bikes.bmp", "rapids.bmp", "bikes.bmp"]
    assert data.facts("kind") == ["jp2k", "jp2k", "jpeg", "wn", "wn"]
    assert not data.label.higher_is_better
    assert "2 unmodified references with label 0 left out (by orgs)" in report.notes
    assert "DMOS from -2.5 to 111, mean 41.8 (lower is better: turned inside)" in report.notes


def test_a_negative_score_is_a_score(load):
    assert load()[0].labels().max() == 2.5


def test_without_orgs_references_are_the_zeros(load):
    data, report = load(orgs=None)
    assert len(data) == 5
    assert "left out (those that are exactly 0, as there is no orgs)" in "".join(report.notes)


def test_original_scores(load):
    assert load(scores="original")[0].labels().tolist() == [-25.25, 1.25, -10.0, -55.5, -15.0]


def test_kinds_and_references(load):
    data, _ = load(kinds=["jp2k", "wn"], leave_out=["rapids"])
    assert data.facts("path") == ["jp2k/img1.bmp", "wn/img2.bmp"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"references": REFERENCES[:5], "row": False}, "`refnames_all` has 5 where 7 entries are expected"),
        ({"orgs": np.zeros((1, 5), np.uint8)}, "`orgs` has 5 where 7 entries are expected"),
        ({"orgs": np.zeros((1, 7), np.uint8)}, r"0 entries are references \(by orgs\)"),
        ({"orgs": (0, 3)}, r"2 entries are references \(by orgs\), 1 of them with a label that is not 0"),
        ({"dmos": DMOS[:6]}, "`dmos_new` has 6 where 7 entries are expected"),
        ({"dmos": [*DMOS[:6], np.nan]}, "one score is no finite number: entry 7 of dmos_new"),
        ({"orgs": None, "dmos": [0.0, *DMOS[1:]]}, "3 entries are references"),
        ({"references": ["Bikes.bmp", *REFERENCES[1:]]}, "the images have 3 references where 2 are expected"),
    ],
)
def test_altered_copies_are_refused(load, options, said):
    with pytest.raises(UserError, match=said):
        load(**options)


def test_a_missing_image_is_named(load, tmp_path):
    (tmp_path / "data" / "wn" / "img2.bmp").unlink()
    with pytest.raises(UserError, match=r"1 of the 5 images that dmos_realigned.mat names are not in .*: wn/img2.bmp"):
        load()


def test_what_is_missing_is_said(draw):
    root = draw("jp2k/img1.bmp", "jpeg/img1.bmp", "wn/img1.bmp", "gblur/img1.bmp", "fastfading/img1.bmp")
    said = Live(root=str(root)).missing()
    assert f"LIVE (release 2) is not in {root} (no dmos_realigned.mat, refnames_all.mat)" in said
    assert "gives it on request, dmos_realigned.mat by itself" in said
    assert "no dmos.mat, refnames_all.mat" in Live(root=str(root), scores="original").missing()


def test_files_that_are_no_matlab_files(load, tmp_path, opened):
    load()
    root = tmp_path / "data"
    savemat(root / "dmos_realigned.mat", {"other": np.ones(7)})
    with pytest.raises(UserError, match="has no variable `dmos_new`, only other;"):
        opened(Live(root=str(root)))
    (root / "dmos_realigned.mat").write_text("<html>")
    with pytest.raises(UserError, match="is no MATLAB file, or it is damaged"):
        opened(Live(root=str(root)))
    savemat(root / "dmos_realigned.mat", {"dmos_new": np.array(DMOS)})
    savemat(root / "refnames_all.mat", {"refnames_all": np.arange(7)})
    with pytest.raises(UserError, match="entry 1 of `refnames_all` is no name"):
        opened(Live(root=str(root)))


def test_the_numbering_is_that_of_the_release(real_images, tmp_path):
    """The released scores by file name, laid out as the list of 982 entries, come back under their names."""
    lines = (real_images / "score_tables" / "live_r2_dmos.csv").read_text().splitlines()[1:]
    scores = {name: (float(score), reference) for name, reference, score, _ in (line.split(",") for line in lines)}
    names = [f"{kind}/img{number}.bmp" for kind, count in Live.counts.items() for number in range(1, count + 1)]
    entries = [scores.get(name, (0.0, "a reference")) for name in names]
    assert len(entries) - len(scores) == Live.originals
    savemat(tmp_path / "dmos_realigned.mat", {"dmos_new": np.array([score for score, _ in entries])[None]})
    savemat(tmp_path / "refnames_all.mat", {"refnames_all": cells([reference for _, reference in entries])})
    table = Live(root=str(tmp_path)).read_table()
    assert {row.path: (row.score, row.reference) for row in table.rows} == scores
    assert len({row.reference for row in table.rows}) == 29 == Live.references
    kinds = [row.kind for row in table.rows]
    assert [kinds.count(kind) for kind in Live.counts] == [169, 175, 145, 145, 145]
