from __future__ import annotations

import csv
import dataclasses
import math

import pytest
from comparison.figure import draw, mean_curve
from comparison.results import Final
from comparison.table import Figure, markdown, paired, rows, write_csv
from PIL import Image


def final(seed: int, knn: float, teacher: bool = False) -> Final:
    return Final(
        seed,
        {"knn accuracy": knn, "rankme rankme": 10.0 * knn},
        {"knn accuracy": 0.2 + 0.01 * seed},
        {"knn accuracy": 0.25},
        [(0, 0.2), (512, knn - 0.1), (1024, knn)],
        512.0,
        teacher,
    )


@pytest.fixture
def finals() -> dict[str, list[Final]]:
    return {
        "many": [final(0, 0.5), final(1, 0.6)],
        "two": [final(0, 0.4), final(1, 0.52)],
        "late": [final(0, 0.3, teacher=True)],
    }


def test_mean_and_sample_deviation():
    figure = Figure.of([1.0, 2.0, 4.0])
    assert figure.mean == pytest.approx(7 / 3)
    assert figure.deviation == pytest.approx(math.sqrt(((4 / 3) ** 2 + (1 / 3) ** 2 + (5 / 3) ** 2) / 2))
    assert Figure.of([3.0]) == Figure(3.0, None, 1)
    assert Figure.of([]) is None


def test_differences_are_taken_seed_by_seed():
    difference = paired({0: 0.5, 1: 0.6, 7: 0.9}, {1: 0.52, 0: 0.4, 3: 0.0})
    assert difference.count == 2
    assert difference.mean == pytest.approx(0.09)
    assert difference.deviation == pytest.approx(0.02 / math.sqrt(2))
    assert paired({0: 1.0}, {1: 1.0}) is None


def test_rows_of_the_table(comparison, finals):
    table = rows(comparison.plan, finals, {"many": [100.0, 300.0]}, {"many": "lr 0.1"})
    assert [row.title for row in table] == ["raw pixels", "untrained network", "Many views", "Two views", "Late"]
    pixels, untrained, many, two, late = table
    assert pixels.metrics["knn accuracy"] == Figure(0.25, None, 1)
    assert untrained.metrics["knn accuracy"].mean == pytest.approx(0.205)
    assert many.differences["knn accuracy"].mean == pytest.approx(0.09)
    assert "rankme rankme" not in many.differences
    assert two.differences == {}
    assert many.rate.mean == 200.0
    assert many.seconds == pytest.approx(1024 / 200)
    assert two.rate.mean == 512.0
    assert (late.teacher, two.teacher) == (1024, 0)
    assert late.pixels == pytest.approx((64 + 16) / 2 / 64)


def test_markdown_says_what_the_numbers_are(comparison, finals):
    text = markdown(comparison.plan, rows(comparison.plan, finals, {}, {"many": "lr 0.1"}))
    head, _, *lines = text.split("\n\n")[0].splitlines()
    assert head == "| method | seeds | kNN (%) | Δ kNN | RankMe | views/s | seconds | chosen by the trials |"
    assert "| Many views | 2 | 55.0 ± 7.1 | +9.0 ± 1.4 | 5.5 ± 0.7 | 512 | 2 | lr 0.1 |" in lines
    assert "| Late † | 1 | 30.0 | −10.0 | 3.0 | 512 | 2 |  |" in lines
    assert "1,024 encoder forwards" in text
    assert "3 trials of 256 forwards" in text
    assert "Late 62%" in text


def test_csv_has_every_number_in_full(comparison, finals, tmp_path):
    path = tmp_path / "table.csv"
    write_csv(path, comparison.plan, rows(comparison.plan, finals, {}, {}))
    with path.open() as file:
        lines = {line["method"]: line for line in csv.DictReader(file)}
    assert float(lines["Many views"]["knn accuracy difference mean"]) == pytest.approx(0.09)
    assert lines["Many views"]["knn accuracy n"] == "2"
    assert lines["Late"]["teacher forwards"] == "1024"
    assert lines["raw pixels"]["rankme rankme mean"] == ""


def test_a_curve_has_the_points_that_all_seeds_have():
    line = mean_curve([[(0, 0.1), (5, 0.2), (10, 0.4)], [(0, 0.3), (10, 0.6)]])
    assert line.forwards == [0, 10]
    assert line.means == pytest.approx([0.2, 0.5])
    assert line.deviations == pytest.approx([0.2 / math.sqrt(2)] * 2)


def test_the_figure_is_drawn_also_without_a_speed(comparison, finals, tmp_path):
    finals["two"] = [dataclasses.replace(run, rate=None) for run in finals["two"]]
    draw(tmp_path / "figure.png", comparison.plan, finals, {"many": 512.0, "two": None, "late": 512.0})
    with Image.open(tmp_path / "figure.png") as picture:
        low, high = picture.convert("L").getextrema()
    assert (low < 100, high) == (True, 255)
