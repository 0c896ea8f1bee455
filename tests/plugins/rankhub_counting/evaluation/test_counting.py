"""The evaluator on given predictions: figures, tables, folds, the baseline, and what is undefined."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, field
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import rankhub_counting
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.options import docs_of
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable
from rankhub_counting.evaluation.evaluator import Counting, telling
from rankhub_counting.evaluation.game import game
from rankhub_counting.evaluation.metrics import METRICS, measure

PEOPLE = LabelSpec("points", unit="people")


@dataclass
class Data:
    """Images of 30 x 40, 32 x 40 and so on, with points."""

    where: list[np.ndarray]
    known: dict[str, list[str]] = field(default_factory=dict)
    parts: list[np.ndarray] | None = None
    sized: bool = True
    told: bool = True
    label: LabelSpec = PEOPLE

    def size(self, row):
        return (30 + 2 * row, 40)

    def __getitem__(self, row):
        return SimpleNamespace(image=torch.full((3, *self.size(row)), 99, dtype=torch.uint8))

    def labels(self):
        return np.array([len(one) for one in self.where], dtype=np.float64)

    def points(self):
        return self.where if self.told else None

    def sizes(self):
        return np.array([self.size(row) for row in range(len(self.where))]) if self.sized else None

    def facts(self, name):
        return self.known.get(name)

    def folds(self):
        return self.parts


@dataclass
class Source:
    """The data set `streets`, and the maps predicted for it; stands in for the engine."""

    data: Data
    maps: list[torch.Tensor] | None
    predicted: torch.Tensor
    labels: np.ndarray | None
    train: Data | None = None
    pictures: bool = False
    row: str = "after training"

    def outputs(self, data, output):
        assert data == "streets"
        if output == "density.count":
            return OutputTable(self.predicted, self.labels)
        assert output == "density.map"
        if self.maps is None:
            raise UserError("output 'density.map' is not there; there are density.count")
        return OutputTable(self.maps, self.labels)

    def dataset(self, data):
        return {"streets": self.data, "train": self.train}[data]


NUMBERS = [4, 0, 17, 33, 8, 2, 0, 120, 61, 9]


def source(numbers=NUMBERS, pictures=False, train=None, **options) -> Source:
    rng = np.random.default_rng(3)
    where = [
        np.column_stack([rng.uniform(0, 40, n), rng.uniform(0, 30 + 2 * row, n), np.full(n, np.nan)])
        for row, n in enumerate(numbers)
    ]
    data = Data(where, **options)
    maps = [
        torch.from_numpy(rng.uniform(0, 2 * (n + 1) / 20, (1, 4 + row % 2, 5)).astype(np.float32))
        for row, n in enumerate(numbers)
    ]
    return Source(data, maps, torch.stack([one.sum() for one in maps]), data.labels(), train, pictures)


EVALUATOR = Counting(data="streets")


def test_figures_and_tables():
    given = source(known={"path": [f"{row}.jpg" for row in range(10)]})
    result = EVALUATOR(given)
    predicted, counts = given.predicted.double().numpy(), np.array(NUMBERS, dtype=float)
    error = predicted - counts
    some = counts > 0
    expected = {
        "mae": np.abs(error).mean(),
        "rmse": math.sqrt((error**2).mean()),
        "relative_error": (np.abs(error)[some] / counts[some]).mean(),
        "bias": error.mean(),
        "mae_of_empty": np.abs(predicted[~some]).mean(),
        "mae_of_own_mean": np.abs(counts - counts.mean()).mean(),
        "rmse_of_own_mean": counts.std(),
    }
    games = np.array(
        [
            [game(one[0].double().numpy(), points, given.data.size(row), level) for level in (1, 2, 3)]
            for row, (one, points) in enumerate(zip(given.maps, given.data.where, strict=True))
        ]
    )
    expected |= {f"game{level}": games[:, level - 1].mean() for level in (1, 2, 3)}
    assert result.metrics == pytest.approx(expected)
    assert set(result.tables) == {"images"}
    third = result.tables["images"][3]
    assert list(third) == ["image", "count", "predicted", "error", "absolute_error", "game1", "game2", "game3"]
    assert (third["image"], third["count"]) == ("3.jpg", 33)
    assert (third["predicted"], third["error"]) == pytest.approx((predicted[3], error[3]))
    assert (third["absolute_error"], third["game2"]) == pytest.approx((abs(error[3]), games[3, 1]))
    assert not result.pictures
    said = " | ".join(result.notes)
    assert "rmse is what papers on counting call MSE" in said
    assert "over the 8 of 10 images" in said
    assert "the very images of 'streets'" in said


def test_level_0_is_the_mae_and_further_levels_lie_above():
    metrics = Counting(data="streets", game=[3, 0, 1])(source()).metrics
    assert metrics["game0"] == pytest.approx(metrics["mae"], rel=1e-6)
    assert metrics["mae"] < metrics["game1"] < metrics["game3"]


def test_images_that_are_not_annotated_are_left_out():
    given = source()
    given.labels = given.labels.copy()
    given.labels[[2, 7]] = np.nan
    result = EVALUATOR(given)
    assert [line["image"] for line in result.tables["images"]] == ["0", "1", "3", "4", "5", "6", "8", "9"]
    assert result.notes[0] == "2 of 10 images of 'streets' are not annotated and left out"
    rest = [row for row in range(10) if row not in (2, 7)]
    predicted = given.predicted.double().numpy()[rest]
    assert {name: result.metrics[name] for name in METRICS} == pytest.approx(measure(predicted, given.labels[rest]))


def test_sizes_come_from_the_images_where_the_data_set_lists_none():
    assert EVALUATOR(source(sized=False)).metrics == EVALUATOR(source()).metrics


@pytest.mark.parametrize("what", ["map", "points"])
def test_without_a_map_or_points_there_is_no_game(what):
    given = source(pictures=True, told=what != "points")
    if what == "map":
        given.maps = None
    result = Counting(data="streets", pictures=1)(given)
    full = EVALUATOR(source()).metrics
    assert result.metrics == {name: value for name, value in full.items() if not name.startswith("game")}
    assert any("so there is no GAME" in note for note in result.notes)
    assert set(result.pictures) == {"scatter", *(("overlay_worst",) if what == "points" else ())}
    given.pictures = False
    assert not any("no GAME" in note for note in Counting(data="streets", game=[])(given).notes)


def test_each_fold_is_measured_by_itself_then_averaged():
    parts = [np.array([7, 1, 2]), np.array([0, 3]), np.array([4, 5, 6])]  # 8 and 9 are in none
    given = source(parts=parts)
    result = EVALUATOR(given)
    predicted, counts = given.predicted.double().numpy(), np.array(NUMBERS, dtype=float)
    each = [measure(predicted[rows], counts[rows]) for rows in parts]
    for name in METRICS:
        values = [one[name] for one in each]
        assert result.metrics[f"{name}_fold_mean"] == pytest.approx(np.mean(values))
        assert result.metrics[f"{name}_fold_std"] == pytest.approx(np.std(values, ddof=1))
    games = np.array([line["game2"] for line in result.tables["images"]])
    assert result.metrics["game2_fold_mean"] == pytest.approx(np.mean([games[rows].mean() for rows in parts]))
    assert [line["images"] for line in result.tables["per_fold"]] == [3, 2, 3]
    assert [line["fold"] for line in result.tables["images"]] == [1, 0, 0, 1, 2, 2, 2, 0, -1, -1]
    assert result.metrics["rmse_fold_mean"] != pytest.approx(result.metrics["rmse"])


def test_the_baseline_knows_the_training_data_or_other_folds_or_says_that_it_knows_too_much():
    counts = np.array(NUMBERS, dtype=float)
    train = source([10, 20, 60]).data
    known = Counting(data="streets", train="train")(source(train=train))
    assert known.metrics["mae_of_training_mean"] == pytest.approx(np.abs(counts - 30).mean())
    assert any("always answers 30, the mean count of the 3 images of 'train'" in note for note in known.notes)
    parts = [np.arange(0, 5), np.arange(5, 10)]
    folds = EVALUATOR(source(parts=parts)).metrics
    answers = np.repeat([counts[5:].mean(), counts[:5].mean()], 5)
    assert folds["mae_of_other_folds_mean"] == pytest.approx(np.abs(counts - answers).mean())
    alone = EVALUATOR(source(parts=[np.arange(10)])).metrics
    assert alone["mae_of_own_mean"] == pytest.approx(np.abs(counts - counts.mean()).mean())
    train.labels = lambda: np.full(3, np.nan)
    with pytest.raises(UserError, match="no image of data set 'train' is annotated"):
        Counting(data="streets", train="train")(source(train=train))


def test_a_count_that_is_not_the_sum_of_its_map_is_said():
    given = source()
    assert not any("not the sum" in note for note in EVALUATOR(given).notes)
    given.predicted = given.predicted * torch.where(torch.arange(10) == 7, 1.01, 1.0)
    assert any("density.count is not the sum of its map in 1 of 10 images" in n for n in EVALUATOR(given).notes)


@pytest.mark.parametrize("where", ["count", "map"])
def test_what_is_not_finite_has_no_result(where):
    given = source([3, 9, 4, 11], pictures=True, parts=[np.arange(2), np.arange(2, 4)])
    full = set(Counting(data="streets", pictures=0)(given).metrics)
    if where == "count":
        given.predicted[3] = float("nan")
    else:
        given.maps[3][0, 0, 0] = float("inf")
    result = EVALUATOR(given)
    assert all(math.isnan(value) for value in result.metrics.values())
    assert set(result.metrics) == full
    assert any("are not finite, so there is no result" in note for note in result.notes)
    assert len(result.tables["images"]) == 4
    assert not result.pictures


def test_only_empty_images_have_no_relative_error():
    result = EVALUATOR(source([0, 0, 0]))
    assert math.isnan(result.metrics["relative_error"])
    assert result.metrics["mae_of_empty"] == pytest.approx(result.metrics["mae"])
    assert "mae_of_empty" not in EVALUATOR(source([3, 4])).metrics


def test_what_cannot_be_compared_is_one_sentence():
    given = source()
    given.labels = None
    with pytest.raises(UserError, match="no image of data set 'streets' is annotated"):
        EVALUATOR(given)
    given = source()
    given.predicted = torch.zeros(10, 2)
    with pytest.raises(UserError, match=r"output 'density.count' is \[2\] numbers an image"):
        EVALUATOR(given)
    given.predicted = given.maps
    with pytest.raises(UserError, match=r"output 'density\.count' is a map"):
        EVALUATOR(given)


def test_check_asks_for_points():
    data = {"streets": PEOPLE, "train": LabelSpec("score"), "bare": LabelSpec()}
    assert not list(EVALUATOR.check(data))
    (sentence,) = Counting(data="streets", train="train").check(data)
    assert "'train' has labels of kind score" in sentence
    assert "'bare' has no labels" in next(iter(Counting(data="bare").check(data)))


def test_the_component_is_registered_and_every_option_described():
    catalog = Catalog.of({"rankhub_counting": rankhub_counting})
    counting = catalog.build("evaluator", {"use": "counting", "data": "streets", "game": [2], "train": "train"})
    assert counting.needs_heads
    assert counting.headline()[:2] == ("mae", "rmse")
    assert counting.headline()[-2:] == ("game2", "mae_of_training_mean")
    assert all(counting.sign(name) == -1 for name in counting.headline())
    assert {name for name, text in docs_of(Counting).args.items() if text} == set(
        inspect.signature(Counting).parameters
    )


OVERLAYS = ("overlay_worst", "overlay_median", "overlay_best")


def test_pictures_of_the_worst_the_median_and_the_best_image():
    given = source(pictures=True)
    pictures = EVALUATOR(given).pictures
    assert set(pictures) == {"scatter", *OVERLAYS}
    for picture in pictures.values():
        assert picture.dtype == np.uint8
        assert picture.ndim == 3
        assert picture.shape[2] == 3
    assert set(Counting(data="streets", pictures=0)(given).pictures) == {"scatter"}


def test_the_images_that_are_drawn_are_spread_over_the_order_of_errors():
    errors = np.array([3.0, 0.5, 9.0, 1.0, 7.0])
    assert telling(errors, 3) == {"worst": 2, "median": 0, "best": 1}
    assert telling(errors, 1) == {"worst": 2}
    assert list(telling(errors, 5).items()) == [("worst", 2), ("q75", 4), ("median", 0), ("q25", 3), ("best", 1)]
    assert telling(errors[:2], 4) == {"worst": 0, "best": 1}
    for count in range(1, 51):
        rows = telling(np.arange(53.0), count)
        assert len(rows) == len(set(rows.values())) == count


@pytest.mark.parametrize(
    ("predicted", "row", "said"),
    [
        (0.0, "after training", "all 10 images of 'streets' are 0, the true ones 0 to 120"),
        (33.25, "after training", "all 10 images of 'streets' are 33.25, the true ones"),
        (0.0, "before training", None),
    ],
)
def test_a_network_that_says_the_same_of_all_images_is_told_of(predicted, row, said):
    given = source()
    given.row, given.maps, given.predicted = row, None, torch.full((10,), predicted)
    notes = Counting(data="streets", game=[])(given).notes
    assert any(said in note for note in notes) if said else not any("says the same" in note for note in notes)
    given.predicted[3] += 2.0  # of a range of 120
    assert not any("says the same" in note for note in Counting(data="streets", game=[])(given).notes)
