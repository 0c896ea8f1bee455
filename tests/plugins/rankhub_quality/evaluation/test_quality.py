"""The evaluator on given predictions: figures, tables, the data set's own scale, and what is undefined."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

import rankhub_quality
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.options import docs_of
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable
from rankhub_quality.evaluation.evaluator import Quality
from rankhub_quality.evaluation.measure import METRICS, measure
from rankhub_quality.evaluation.scatter import MOST, scatter
from rankhub_ranking.metrics import srocc

MOS = LabelSpec("score", True, (0.0, 9.0), "MOS")
DMOS = LabelSpec("score", False, (0.0, 100.0), "DMOS")


@dataclass
class Data:
    label: LabelSpec
    known: dict[str, list[str]] = field(default_factory=dict)

    def facts(self, name):
        return self.known.get(name)


@dataclass
class Source:
    """One data set, `photos`, and the predictions for it; stands in for the engine."""

    predicted: torch.Tensor
    labels: np.ndarray | None
    data: Data
    pictures: bool = False
    row: str = "after training"
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    def outputs(self, data, output):
        assert (data, output) == ("photos", "score.score")
        return OutputTable(self.predicted, self.labels)

    def dataset(self, data):
        return self.data


def source(predicted, labels, label=MOS, pictures=False, **known) -> Source:
    return Source(torch.as_tensor(np.asarray(predicted)).float(), labels, Data(label, known), pictures)


@pytest.fixture
def agreeing() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.uniform(0, 9, 60)
    return np.float32(0.5 * labels + rng.normal(size=60)).astype(np.float64), labels


KINDS = ["blur", "noise", "jpeg"] * 20
REFERENCES = [f"{row // 12}.png" for row in range(60)]


def test_figures_and_tables(agreeing):
    predicted, labels = agreeing
    paths = [f"{row}.png" for row in range(60)]
    given = source(predicted, labels, kind=KINDS, reference=REFERENCES, path=paths)
    result = Quality(data="photos")(given)
    metrics = dict(result.metrics)
    by_reference = [srocc(predicted[start : start + 12], labels[start : start + 12]) for start in range(0, 60, 12)]
    assert metrics.pop("srocc_by_reference") == pytest.approx(np.mean(by_reference))
    assert metrics == pytest.approx(measure(predicted, labels))
    assert set(result.tables) == {"images", "per_kind", "per_reference"}
    assert [line["kind"] for line in result.tables["per_kind"]] == ["blur", "jpeg", "noise"]
    assert result.tables["per_kind"][0]["srocc"] == pytest.approx(srocc(predicted[::3], labels[::3]))
    assert [line["srocc"] for line in result.tables["per_reference"]] == pytest.approx(by_reference)
    first = result.tables["images"][0]
    assert list(first) == ["image", "reference", "kind", "score", "predicted"]
    assert (first["image"], first["reference"], first["kind"]) == ("0.png", "0.png", "blur")
    assert (first["score"], first["predicted"]) == pytest.approx((labels[0], predicted[0]))
    assert not result.notes
    assert not result.pictures


def test_a_data_set_of_which_nothing_else_is_known(agreeing):
    result = Quality(data="photos")(source(*agreeing))
    assert set(result.metrics) == set(METRICS)
    assert set(result.tables) == {"images"}
    assert list(result.tables["images"][7]) == ["image", "score", "predicted"]
    assert result.tables["images"][7]["image"] == "7"
    assert "per_kind" not in Quality(data="photos", by=None)(source(*agreeing, kind=KINDS)).tables


def test_where_lower_is_better_only_tables_and_pictures_are_on_the_data_sets_own_scale(agreeing):
    predicted, labels = agreeing
    plain = Quality(data="photos")(source(predicted, labels))
    turned = Quality(data="photos")(source(predicted, labels, DMOS))
    assert turned.metrics == plain.metrics
    for ours, theirs in zip(plain.tables["images"], turned.tables["images"], strict=True):
        assert (theirs["score"], theirs["predicted"]) == (-ours["score"], -ours["predicted"])
    (note,) = turned.notes
    assert note.startswith("scores of 'photos' are lower for better images")


def test_images_without_a_score_are_left_out(agreeing):
    predicted, labels = agreeing
    some = labels.copy()
    some[::5] = np.nan
    known = ~np.isnan(some)
    kinds = [kind if row else "unscored" for kind, row in zip(KINDS, known, strict=True)]
    result = Quality(data="photos")(source(predicted, some, kind=kinds))
    expected = Quality(data="photos")(source(predicted[known], labels[known]))
    assert result.metrics == expected.metrics
    assert [line["image"] for line in result.tables["images"]] == [str(row) for row in np.flatnonzero(known)]
    assert [line["kind"] for line in result.tables["per_kind"]] == ["blur", "jpeg", "noise"]
    assert result.notes == ["12 of 60 images of 'photos' have no score and are left out"]


def test_repeats_give_mean_median_and_deviation_over_subsets_of_the_references(agreeing):
    evaluator = Quality(data="photos", repeats=4, share=0.4)
    result = evaluator(source(*agreeing, reference=REFERENCES))
    lines = result.tables["subsets"]
    assert [line["images"] for line in lines] == [24] * 4
    for name in METRICS:
        values = [line[name] for line in lines]
        assert result.metrics[f"{name}_mean"] == pytest.approx(np.mean(values))
        assert result.metrics[f"{name}_median"] == pytest.approx(np.median(values))
        assert result.metrics[f"{name}_std"] == pytest.approx(np.std(values, ddof=1))
    assert evaluator(source(*agreeing, reference=REFERENCES)).metrics == result.metrics
    other = Quality(data="photos", repeats=4, share=0.4, seed=1)(source(*agreeing, reference=REFERENCES))
    assert other.tables["subsets"] != lines
    assert set(evaluator.headline()) <= set(result.metrics)
    images = Quality(data="photos", repeats=4, share=0.4)(source(*agreeing))
    assert [line["images"] for line in images.tables["subsets"]] == [24] * 4


def test_what_is_undefined_is_nan_with_a_sentence(agreeing):
    predicted, labels = agreeing
    evaluator = Quality(data="photos", repeats=2)
    rounding = 3 + 3e-8 * np.arange(60)
    cases = [
        (source(rounding, labels), "collapsed", {"srocc", "plcc", "krocc", "plcc_fitted"}),
        (source(predicted, np.full(60, 2.0)), "all scores of 'photos' are equal", {"srocc", "plcc", "krocc"}),
        (source(predicted[:2], labels[:2]), "only 2 images", {"srocc", "plcc", "krocc", "plcc_fitted"}),
        (source(np.where(np.arange(60) == 3, np.nan, predicted), labels), "1 of 60 predictions", set(METRICS)),
    ]
    full = set(evaluator(source(*agreeing)).metrics)
    for given, said, undefined in cases:
        given.pictures = True
        result = evaluator(given)
        assert undefined <= {name for name, value in result.metrics.items() if math.isnan(value)}
        assert set(result.metrics) == full
        assert any(said in note for note in result.notes)
        assert len(result.tables["images"]) == len(given.labels)


def test_references_with_too_few_images_do_not_count(agreeing):
    references = ["a"] * 30 + ["b"] * 28 + ["c"] * 2
    result = Quality(data="photos")(source(*agreeing, reference=references))
    predicted, labels = agreeing
    expected = (srocc(predicted[:30], labels[:30]) + srocc(predicted[30:58], labels[30:58])) / 2
    assert result.metrics["srocc_by_reference"] == pytest.approx(expected)
    assert result.notes == ["srocc_by_reference is the mean over 2 of 3 references; it is undefined for the rest"]
    alone = Quality(data="photos")(source(*agreeing, reference=[str(row) for row in range(60)]))
    assert math.isnan(alone.metrics["srocc_by_reference"])


def test_predictions_that_run_the_wrong_way_and_straight_fits_are_said(agreeing):
    predicted, labels = agreeing
    wrong = Quality(data="photos")(source(-predicted, labels))
    assert wrong.metrics["srocc"] < 0 < wrong.metrics["plcc_fitted"]
    assert any("fall where scores rise" in note for note in wrong.notes)
    random = Quality(data="photos")(source(np.random.default_rng(1).normal(size=60), labels))
    assert any("both rises and falls" in note for note in random.notes)
    few = Quality(data="photos")(source(np.round(predicted / 3), labels))
    assert any("straight line" in note for note in few.notes)


@pytest.mark.parametrize(
    ("predicted", "labels", "said"),
    [
        (np.zeros((4, 3)), np.arange(4.0), r"output 'score.score' is \[3\] numbers an image"),
        (np.zeros(4), None, "no image of data set 'photos' has a score"),
        (np.zeros(4), np.full(4, np.nan), "no image of data set 'photos' has a score"),
    ],
)
def test_what_cannot_be_compared_is_one_sentence(predicted, labels, said):
    with pytest.raises(UserError, match=said):
        Quality(data="photos")(source(predicted, labels))
    column = Quality(data="photos")(source(np.arange(4.0)[:, None], np.arange(4.0)))
    assert column.metrics["srocc"] == pytest.approx(1)


def test_check_asks_for_scores():
    data = {"photos": MOS, "classes": LabelSpec("class"), "bare": LabelSpec()}
    assert not list(Quality(data="photos").check(data))
    assert "'classes' has labels of kind class" in next(iter(Quality(data="classes").check(data)))
    assert "'bare' has no labels" in next(iter(Quality(data="bare").check(data)))


def test_the_component_is_registered_and_every_option_described():
    catalog = Catalog.of({"rankhub_quality": rankhub_quality})
    quality = catalog.build("evaluator", {"use": "quality", "data": "photos", "repeats": 10})
    assert quality.headline() == ("srocc", "plcc", "plcc_fitted", "rmse", "srocc_median")
    assert Quality(data="photos").headline() == ("srocc", "plcc", "plcc_fitted", "rmse")
    assert quality.sign("rmse") == quality.sign("rmse_fitted_median") == -1
    assert quality.sign("srocc") == 1
    assert {name for name, text in docs_of(Quality).args.items() if text} == set(inspect.signature(Quality).parameters)


def test_the_picture_shows_each_kind_in_its_colour_on_the_own_scale(agreeing):
    predicted, labels = agreeing
    given = [source(predicted, labels, label, pictures=True, kind=KINDS) for label in (MOS, DMOS)]
    pictures = [Quality(data="photos")(each).pictures["scatter"] for each in given]
    for picture in pictures:
        assert picture.dtype == np.uint8
        assert picture.shape == (600, 800, 3)
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 50
    assert not np.array_equal(*pictures)
    again = Quality(data="photos")(given[0]).pictures["scatter"]
    np.testing.assert_array_equal(pictures[0], again)


@pytest.mark.parametrize("count", [2, MOST, MOST + 1])
def test_kinds_are_told_apart_as_long_as_that_can_be_seen(count):
    values = np.arange(2.0 * count)
    kinds = [f"kind {row % count}" for row in range(len(values))]
    alike, drawn = scatter("t", "a", values, values), scatter("t", "a", values, values, kinds)
    assert drawn.shape == alike.shape
    assert np.array_equal(drawn, alike) == (count > MOST)
