from __future__ import annotations

import csv

import numpy as np
import pytest
from PIL import Image

from rankhub import UserError
from rankhub.interfaces.data import OpenContext
from rankhub_active.labeling.export import COLUMNS, write_labels, write_table
from rankhub_active.labeling.labels import points
from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.settings import Settings
from rankhub_counting.data.points import PointsFile
from rankhub_quality.data.scored_csv import ScoredCsv

PATHS = ["a.png", "b, c.png", "sub/d.png", "é.png"]


@pytest.fixture
def images(tmp_path):
    folder = tmp_path / "images"
    for number, path in enumerate(PATHS):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.random.default_rng(number).integers(0, 255, (20, 30, 3), np.uint8)).save(folder / path)
    return folder


def make(tmp_path, images, takes):
    folder = tmp_path / "labeling"
    folder.mkdir()
    return Pool.create(folder, Settings(images=str(images), takes=takes), PATHS, test=["é.png"])


def read(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def test_labels_are_what_the_data_set_of_scores_reads(tmp_path, images):
    pool = make(tmp_path, images, "score")
    pool.answer({0: "1.5", 1: "0.1", 2: "-3.25", 3: "2.0"}, "answers.csv")
    path = write_labels(pool, "pool", tmp_path / "labels.csv")
    assert path == tmp_path / "labels.csv"
    data = ScoredCsv(root=str(images), higher_is_better=True, table=str(path))
    data.open(OpenContext(tmp_path / "cache", 1 << 30, lambda done, total, what: None))
    assert data.facts("path") == PATHS[:3]
    assert data.labels().tolist() == [1.5, 0.1, -3.25]
    assert read(write_labels(pool, "test", tmp_path / "test.csv")) == [["path", "score"], ["é.png", "2.0"]]


def test_points_are_what_the_data_set_of_points_reads(tmp_path, images):
    pool = make(tmp_path, images, "points")
    marked = {0: [(1.25, 2.0), (29.0, 19.5)], 1: [], 3: [(3.0, 3.0)]}
    pool.answer({id: points(of, (20, 30)) for id, of in marked.items()}, "page")
    path = write_labels(pool, "pool", tmp_path / "points.csv")
    assert ["b, c.png", "", ""] in read(path)
    data = PointsFile(root=str(images), annotations=str(path))
    listed = data.list_images()
    named = {row.path: data.read_points(row, (20, 30)).tolist() for row in listed.rows if row.annotation}
    assert named == {"a.png": [[1.25, 2.0], [29.0, 19.5]], "b, c.png": []}


def test_without_labels_the_header_stands_alone(tmp_path, images):
    pool = make(tmp_path, images, "count")
    assert read(write_labels(pool, "pool", tmp_path / "labels.csv")) == [["path", "score"]]


def test_table_has_every_image_and_what_is_known_of_it(tmp_path, images):
    pool = make(tmp_path, images, "score")
    pool.ask([2, 0], "random", None, {0: 0.25, 2: 0.5})
    pool.answer({2: "4.0"}, "answers.csv")
    pool.skip(1, "page")
    path = tmp_path / "table.csv"
    assert write_table(pool, path) == 4
    header, *rows = read(path)
    assert header == list(COLUMNS)
    assert [row[:7] for row in rows] == [
        ["a.png", "pool", "asked", "", "1", "0.25", ""],
        ["b, c.png", "pool", "skipped", "", "", "", "page"],
        ["sub/d.png", "pool", "labeled", "4.0", "1", "0.5", "answers.csv"],
        ["é.png", "test", "unlabeled", "", "", "", ""],
    ]
    assert [bool(row[7]) for row in rows] == [False, True, True, False]


def test_a_file_is_replaced_whole_and_nothing_lies_beside_it(tmp_path, images):
    pool = make(tmp_path, images, "score")
    out = tmp_path / "out"
    out.mkdir()
    (out / "table.csv").write_text("older and much longer than what is written now" * 100)
    write_table(pool, out / "table.csv")
    assert [path.name for path in out.iterdir()] == ["table.csv"]
    assert len(read(out / "table.csv")) == 5


def test_a_file_that_cannot_be_written_is_one_sentence(tmp_path, images):
    pool = make(tmp_path, images, "score")
    with pytest.raises(UserError, match="cannot be written: No such file"):
        write_table(pool, tmp_path / "absent" / "table.csv")
