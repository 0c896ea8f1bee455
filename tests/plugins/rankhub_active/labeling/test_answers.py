from __future__ import annotations

import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from rankhub import UserError
from rankhub_active.labeling.answers import SHOWN, AnswersError, Ingested, ingest
from rankhub_active.labeling.export import write_labels, write_table
from rankhub_active.labeling.labels import points, read_points
from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.settings import Settings

PATHS = ["a.jpg", "b.jpg", "c d.jpg", "one/e.jpg", "one/same.jpg", "two/f,g.jpg", "two/same.jpg"]


@pytest.fixture
def make(tmp_path):
    def made(takes="score", **more):
        folder = tmp_path / "labeling"
        folder.mkdir()
        images = tmp_path / "images"
        return Pool.create(folder, Settings(images=str(images), takes=takes, **more), PATHS, test=["b.jpg"])

    return made


@pytest.fixture
def put(tmp_path):
    """Writes a file of answers."""

    def written(content, name="answers.csv"):
        file = tmp_path / name
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return file

    return written


def draw(pool, path, size, orientation=None, format=None):
    file = Path(pool.settings.images, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size)
    exif = image.getexif()
    if orientation is not None:
        exif[0x0112] = orientation
    image.save(file, format, exif=exif)


def labels(pool):
    return {row.path: row.label for row in pool.rows(state="labeled")}


def faults(pool, file, **options):
    """What is refused, after which the table must be what it was."""
    before = pool.rows()
    with pytest.raises(AnswersError) as refused:
        ingest(pool, file, **options)
    assert pool.rows() == before
    return [str(fault) for fault in refused.value.faults]


def test_answers_of_a_round(make, put):
    pool = make(low=1, high=5)
    pool.ask([0, 1, 2, 3], "random", None, {})
    done = ingest(pool, put("path,score\na.jpg,3\nb.jpg,skip\nc d.jpg,\none/e.jpg,4.5\n"))
    assert done == Ingested(labeled=2, skipped=1, left_open=1, unchanged=0)
    assert labels(pool) == {"a.jpg": "3.0", "one/e.jpg": "4.5"}
    assert [row.state for row in pool.rows()[:4]] == ["labeled", "skipped", "asked", "labeled"]
    assert {row.source for row in pool.rows(state="labeled")} == {"answers.csv"}


@pytest.mark.parametrize(
    "content",
    [
        "path;score\na.jpg;3\nb.jpg;4\n",
        "path\tscore\na.jpg\t3\nb.jpg\t4\n",
        b"\xef\xbb\xbfpath,score\r\na.jpg,3\r\nb.jpg,4\r\n",
        "path,score\n\na.jpg,3\n,\n\nb.jpg,4",
        ' Path , LABEL ,remark\na.jpg, 3 ,"good, but\ndark"\n"b.jpg","4",\n',
        "label,when,path\n3,now,a.jpg\n4,then,b.jpg\n",
        "path,score\ra.jpg,3\rb.jpg,4\r",
        "sep=;\r\npath;score\r\na.jpg;3;\r\nb.jpg;4;;\r\n",
        "path\tscore\r\na.jpg\t3\r\nb.jpg\t4\r\n".encode("utf-16"),
    ],
)
def test_tables_of_many_makes(make, put, content):
    pool = make()
    ingest(pool, put(content))
    assert labels(pool) == {"a.jpg": "3.0", "b.jpg": "4.0"}


def test_json(make, put):
    pool = make("count")
    content = json.dumps({"a.jpg": 3, "b.jpg": "4", "c d.jpg": None, "one/e.jpg": "Skip", "one/same.jpg": "?"})
    assert ingest(pool, put(content, "answers.json")) == Ingested(2, 1, 2, 0)
    assert labels(pool) == {"a.jpg": "3", "b.jpg": "4"}


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("one\\e.jpg", "one/e.jpg"),
        ("./one/e.jpg", "one/e.jpg"),
        (".\\one\\..\\a.jpg", "a.jpg"),
        ("e.jpg", "one/e.jpg"),
        ('"f,g.jpg"', "two/f,g.jpg"),
        ("IMAGES/one/e.jpg", "one/e.jpg"),
        ("IMAGES//one/./e.jpg", "one/e.jpg"),
    ],
)
def test_an_image_may_be_named_in_many_ways(make, put, written, path):
    pool = make()
    ingest(pool, put(f"path,score\n{written.replace('IMAGES', pool.settings.images)},2\n"))
    assert labels(pool) == {path: "2.0"}


def test_every_fault_is_named_with_its_line(make, put):
    pool = make(low=1, high=5)
    pool.answer({0: "2.0"}, "before")
    content = (
        "path,score\na.jpg,3\nb.jpg,7\nc d.jpg,good\none/e.jpg,inf\none/o.jpg,3\nsame.jpg,3\n"
        "two/f,g.jpg,3\none/same.jpg,2\n,3\n./one/same.jpg,4\n\none/e.jpeg,4\nb.jpg,1\n"
    )
    assert faults(pool, put(content)) == [
        "line 2: a.jpg: labeled already, with 2",
        "line 3: b.jpg: 7 is not from 1 to 5",
        "line 4: c d.jpg: 'good' is no number",
        "line 5: one/e.jpg: 'inf' is no finite number",
        "line 6: one/o.jpg: no image of the pool; did you mean one/e.jpg?",
        "line 7: same.jpg: 2 images are called so, such as one/same.jpg and two/same.jpg; add the folder",
        "line 8: 3 fields, but the first line has 2; quote fields with delimiters in them",
        "line 10: no path; name an image or take the row out",
        "line 11: ./one/same.jpg: answered already in line 9; keep one of the two",
        "line 13: one/e.jpeg: no image of the pool; did you mean one/e.jpg?",
        "line 14: b.jpg: answered already in line 3; keep one of the two",
    ]


def test_one_wrong_row_keeps_all_out(make, put):
    pool = make("count")
    assert faults(pool, put("path,count\na.jpg,3\nb.jpg,2.5\n")) == [
        "line 3: b.jpg: 2.5 is no count; expected a whole number of at least 0"
    ]
    assert labels(pool) == {}


def test_many_faults_are_counted(make, put):
    pool = make()
    rows = "".join(f"absent{number}.jpg,1\n" for number in range(SHOWN + 5))
    with pytest.raises(AnswersError) as refused:
        ingest(pool, put(f"path,score\n{rows}"))
    lines = str(refused.value).splitlines()
    assert len(refused.value.faults) == SHOWN + 5
    assert len(lines) == 1 + SHOWN + 1
    assert lines[0].endswith(f"answers.csv: {SHOWN + 5} rows cannot be taken, and nothing was changed:")
    assert lines[-1] == "  and 5 more"


def test_a_file_taken_twice_is_told_apart_from_one_with_other_labels(make, put):
    pool = make()
    file = put("path,score\na.jpg,3\nb.jpg,4\nc d.jpg,\n")
    ingest(pool, file)
    with pytest.raises(AnswersError, match=r"all 2 answers in .* stood in the table before, with the same label"):
        ingest(pool, file)
    assert faults(pool, file)[0] == "line 2: a.jpg: labeled already, with the same label"
    with pytest.raises(AnswersError, match="2 rows cannot be taken, and nothing was changed; --amend replaces"):
        ingest(pool, put("path,score\na.jpg,3\nb.jpg,5\n"))
    with pytest.raises(AnswersError, match="2 rows cannot be taken, and nothing was changed; --amend leaves them"):
        ingest(pool, put("path,score\na.jpg,3\nb.jpg,4\nc d.jpg,5\n"))


def test_amending_touches_only_what_differs(make, put):
    pool = make()
    ingest(pool, put("path,score\na.jpg,3\nb.jpg,4\nc d.jpg,skip\n", "first.csv"))
    file = put("path,score\na.jpg,3\nb.jpg,5\nc d.jpg,skip\none/e.jpg,1\n", "second.csv")
    assert ingest(pool, file, amend=True) == Ingested(2, 0, 0, 2)
    assert [(row.label, row.source) for row in pool.rows()[:4]] == [
        ("3.0", "first.csv"),
        ("5.0", "second.csv"),
        (None, "first.csv"),
        ("1.0", "second.csv"),
    ]
    assert ingest(pool, put("path,score\na.jpg,skip\n"), amend=True) == Ingested(0, 1, 0, 0)
    assert pool.row(0).state == "skipped"


def test_a_label_is_not_skipped_by_the_way(make, put):
    pool = make()
    pool.answer({0: "3.0"}, "x")
    assert faults(pool, put("path,score\na.jpg,skip\n")) == ["line 2: a.jpg: labeled already, with 3"]


def test_a_form_that_nobody_filled_in_changes_nothing(make, put):
    pool = make()
    assert ingest(pool, put("path,score\na.jpg,\nb.jpg,?\n")) == Ingested(0, 0, 2, 0)
    assert pool.counts() == {("pool", "unlabeled"): 6, ("test", "unlabeled"): 1}


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        ("image,score\na.jpg,3\n", "a.csv", "the first line names image, score; expected path, score, with further"),
        ("a.jpg,3\n", "a.csv", "the first line names a.jpg, 3; expected path, score"),
        ("", "a.csv", "the first line names nothing; expected path, score"),
        ("path,label,score\na.jpg,1,3\n", "a.csv", "has the columns score and label; keep the one that holds the"),
        ("path,score,score\na.jpg,1,3\n", "a.csv", "has more than one column score; keep the one"),
        ("path,place,score,part\na.jpg,1,0.4,pool\n", "ask.csv", "is the list of what to label, not of answers"),
        ('path,score\n"a.jpg,3\n', "a.csv", "a.csv, line 2, column 1: the quotation mark that opens"),
        ("path,score\né.jpg,3\n".encode("latin-1"), "a.csv", "is no text in UTF-8 (line 2, column 1); save it as CSV"),
        ("path,score\na.jpg,3\n".encode("utf-16-le"), "a.csv", "is no text: line 1, column 2 is a NUL"),
        ('path,score,of\na.jpg,3,"x\nb.jpg,4,"\n', "a.csv", "a.csv, line 2, column 9: the quotation mark that"),
        ("path,score\na.jpg,3\npath,score\nb.jpg,4\n", "a.csv", "line 3 names the columns again"),
        ("[1, 2]", "a.json", "is no object of the form"),
        ("{", "a.json", "is no JSON"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(make, put, content, name, said):
    pool = make()
    with pytest.raises(UserError, match=re.escape(said)) as refused:
        ingest(pool, put(content, name))
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there(make, tmp_path):
    with pytest.raises(UserError, match=r"absent.csv cannot be read: No such file"):
        ingest(make(), tmp_path / "absent.csv")


def test_points_stand_in_rows_of_their_own(make, put):
    pool = make("points")
    for path in ("a.jpg", "b.jpg"):
        draw(pool, path, (30, 20))
    content = "path,x,y\na.jpg,1,2\nb.jpg,30,20\na.jpg,3.5,4\nc d.jpg,,\none/e.jpg,skip,\none/same.jpg,?,?\n"
    assert ingest(pool, put(content)) == Ingested(3, 1, 1, 0)
    assert {path: read_points(label) for path, label in labels(pool).items()} == {
        "a.jpg": [(1, 2), (3.5, 4)],
        "b.jpg": [(30, 20)],
        "c d.jpg": [],
    }


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF"])  # Pillow's TIFF reader turns the image itself
def test_points_of_an_image_that_is_turned_by_its_exif(make, put, format):
    pool = make("points")
    draw(pool, "a.jpg", (30, 20), orientation=6, format=format)
    ingest(pool, put("path,x,y\na.jpg,15,29\n"))
    draw(pool, "b.jpg", (30, 20), orientation=3)
    assert faults(pool, put("path,x,y\nb.jpg,15,29\n")) == [
        "line 2: b.jpg: the point 15, 29 is outside the image of 30 x 20 pixels"
    ]


def test_faults_of_points(make, put):
    pool = make("points")
    for path in ("a.jpg", "b.jpg"):
        draw(pool, path, (30, 20))
    Path(pool.settings.images, "two").mkdir()
    Path(pool.settings.images, "two/same.jpg").write_bytes(b"no image")
    content = (
        "path,x,y\na.jpg,1,2\na.jpg,31,2\nb.jpg,5,\nc d.jpg,,\nc d.jpg,1,1\none/e.jpg,skip,3\n"
        "one/same.jpg,?,?\none/same.jpg,1,1\n'two/f,g.jpg',1,1\ntwo/same.jpg,1,1\n"
    ).replace("'", '"')
    *most, last = faults(pool, put(content))
    assert most == [
        "line 2: a.jpg: the point 31, 2 is outside the image of 30 x 20 pixels",
        "line 4: b.jpg: only one of x and y is there",
        "line 5: c d.jpg: by line 5 it has no point, yet there are other lines of it; keep what is true",
        "line 7: one/e.jpg: skip and 3 is no answer; write one of the two",
        "line 8: one/same.jpg: by line 8 it is not answered, yet there are other lines of it; keep what is true",
        f"line 10: two/f,g.jpg: its points cannot be checked: {pool.settings.images}/two/f,g.jpg is not there",
    ]
    assert last.startswith("line 11: two/same.jpg: its points cannot be checked: ")
    assert last.endswith("no image that can be read")
    doubled = put("path,x,y\na.jpg,1,2\na.jpg,3,4\na.jpg,1,2\na.jpg,3,4\n")
    assert faults(pool, doubled) == ["line 2: a.jpg: each of its points is there more than once; keep one of each"]


def test_points_as_shares_are_faults(make, put):
    pool = make("points")
    for path in ("a.jpg", "b.jpg"):
        draw(pool, path, (30, 20))
    said = "its points lie between 0 and 1, as shares of width and height do; write them in pixels"
    shares = "path,x,y\nb.jpg,0.25,1\na.jpg,0.5,0.75\na.jpg,.1,.3\n"
    assert faults(pool, put(shares)) == [f"line 2: b.jpg: {said}", f"line 3: a.jpg: {said}"]
    assert faults(pool, put('path,label\na.jpg,"[[0.5, 0.75]]"\nb.jpg,"[]"\n')) == [f"line 2: a.jpg: {said}"]
    # One point in a corner is meant where others of the file are in pixels.
    assert ingest(pool, put("path,x,y\nb.jpg,0.5,0.5\na.jpg,7,8\n")) == Ingested(2, 0, 0, 0)


def test_points_as_json(make, put):
    pool = make("points")
    draw(pool, "a.jpg", (30, 20))
    content = '{"a.jpg": [[1, 2], [3, 4.5]], "b.jpg": [], "c d.jpg": "skip", "one/e.jpg": null}'
    assert ingest(pool, put(content, "points.json")) == Ingested(2, 1, 1, 0)
    assert labels(pool) == {"a.jpg": "[[1.0, 2.0], [3.0, 4.5]]", "b.jpg": "[]"}
    wrong = '{"a.jpg": [[1, 2]], "a.jpg": [], "one/e.jpg": 5, "one/same.jpg": [["1"]], "x": []}'
    draw(pool, "one/same.jpg", (30, 20))
    assert set(faults(pool, put(wrong, "points.json"))) == {
        "a.jpg: named more than once; keep one",
        "a.jpg: labeled already, with 2 points",
        "one/e.jpg: 5 is no list of points; expected [[x, y], ...]",
        "one/same.jpg: ['1'] is no point; expected x and y",
        "x: no image of the pool",
    }


def test_points_in_another_order_are_the_same_label(make, put):
    pool = make("points")
    draw(pool, "a.jpg", (30, 20))
    ingest(pool, put("path,x,y\na.jpg,1,2\na.jpg,3,4\n"))
    again = put("path,x,y\na.jpg,3,4\na.jpg,1,2\n")
    with pytest.raises(AnswersError, match=r"the one answer in .* stood in the table before"):
        ingest(pool, again)
    assert ingest(pool, again, amend=True) == Ingested(0, 0, 0, 1)


POINTS = st.lists(st.tuples(st.integers(0, 30), st.integers(0, 20)), unique=True, max_size=4)
VALUES = {"score": st.floats(-1e6, 1e6), "count": st.integers(0, 10**9), "points": POINTS}


@settings(max_examples=8, deadline=None)
@given(st.data(), st.sampled_from(["score", "count", "points"]))
def test_what_is_exported_can_be_taken_into_a_new_pool(data, takes):
    answers = data.draw(st.dictionaries(st.integers(0, len(PATHS) - 1), VALUES[takes]))
    with TemporaryDirectory() as scratch:
        pools = []
        for name in ("first", "second", "third"):
            file = Path(scratch, name)
            file.mkdir()
            pools.append(Pool.create(file, Settings(images=scratch, takes=takes), PATHS))
        for path in PATHS if takes == "points" else ():
            draw(pools[0], path, (30, 20))
        kept = {
            id: points(value, (20, 30)) if takes == "points" else repr(value) if takes == "score" else str(value)
            for id, value in answers.items()
        }
        pools[0].ask([0, 1, 2], "random", None, {id: id / 7 for id in range(len(PATHS))})
        pools[0].answer(kept, "x")
        write_table(pools[0], Path(scratch, "table.csv"))
        ingest(pools[1], Path(scratch, "table.csv"))
        ingest(pools[2], write_labels(pools[0], "pool", Path(scratch, "labels.csv")))
        assert labels(pools[0]) == labels(pools[1]) == labels(pools[2])
        assert len(labels(pools[1])) == len(answers)
