"""Pairs in the right order, against a double loop over views."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import rankhub_ranking
from rankhub.catalog.catalog import Catalog
from rankhub.catalog.options import docs_of
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.order import RankTarget
from rankhub_ranking.ranking_accuracy import MOST_LEVELS, RankingAccuracy, orders


@dataclass
class Source:
    """Views of one data set; stands in for the engine."""

    table: OutputTable
    spec: ViewSpec
    row: str = "after training"
    pictures: bool = False

    def views(self, stream, data, output, limit):
        assert (stream, data, output, limit) == ("ranked", "photos", "score.score", 200)
        return self.table

    def view_spec(self, stream):
        assert stream == "ranked"
        return self.spec


def target_of(index, kind, level, kinds=True) -> RankTarget:
    index, kind = torch.as_tensor(index), torch.as_tensor(kind)
    groups = int(kind.max()) + 1
    level = torch.as_tensor(np.asarray(level, dtype=np.float32))
    return RankTarget(index, torch.arange(len(index)), index * groups + kind, level, None, kind if kinds else None)


def source(predicted, target, levels="ordered", kinds=()) -> Source:
    values = torch.as_tensor(np.asarray(predicted)).float()
    return Source(OutputTable(values, None, target), ViewSpec(len(values), 1, levels, kinds=kinds))


EVALUATOR = RankingAccuracy(stream="ranked", data="photos")


def slow(predicted, target):
    """kind -> what is right of all pairs, of neighbours, of those by (upper, lower) level, and by steps apart."""
    level = target.level.reshape(len(target), -1).tolist()
    group, kinds = target.group.tolist(), target.kind.tolist()
    found = {}
    for i in range(len(level)):
        for j in range(len(level)):
            if (
                group[i] != group[j]
                or level[i] == level[j]
                or any(a < b for a, b in zip(level[i], level[j], strict=True))
            ):
                continue
            right = 1.0 if predicted[i] > predicted[j] else 0.5 if predicted[i] == predicted[j] else 0.0
            steps = 0
            for a, b, column in zip(level[i], level[j], range(len(level[i])), strict=True):
                seen = {level[k][column] for k in range(len(level)) if group[k] == group[i]}
                steps += sum(b < value <= a for value in seen)
            own = found.setdefault(kinds[i], ([], [], {}, {}))
            own[0].append(right)
            own[3].setdefault(steps, []).append(right)
            if steps == 1:
                own[1].append(right)
                own[2].setdefault((tuple(level[i]), tuple(level[j])), []).append(right)
    return found


@st.composite
def ranked_views(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    count, columns = draw(st.integers(1, 24)), draw(st.integers(1, 2))
    level = rng.integers(0, draw(st.integers(1, 4)), (count, columns)) / 4
    level = level[:, 0] if columns == 1 and draw(st.booleans()) else level
    target = target_of(rng.integers(0, 3, count), rng.integers(0, 2, count), level)
    return rng.integers(0, 5, count).astype(float), target


@settings(max_examples=120, deadline=None, derandomize=True)
@given(ranked_views())
def test_pairs_equal_the_double_loop(case):
    predicted, target = case
    found, expected = orders(predicted, target), slow(predicted, target)
    assert list(found) == sorted(expected)
    for kind, (every, near, by_level, by_distance) in expected.items():
        order = found[kind]
        assert (order.all.pairs, order.all.right) == (len(every), sum(every))
        assert (order.neighbours.pairs, order.neighbours.right) == (len(near), sum(near))
        assert {ends: (tally.pairs, tally.right) for ends, tally in order.by_level.items()} == {
            ends: (len(rights), sum(rights)) for ends, rights in by_level.items()
        }
        assert {steps: (tally.pairs, tally.right) for steps, tally in order.by_distance.items()} == {
            steps: (len(rights), sum(rights)) for steps, rights in by_distance.items()
        }


@settings(max_examples=40, deadline=None, derandomize=True)
@given(ranked_views())
def test_turned_predictions_get_the_rest_and_order_is_all_that_counts(case):
    predicted, target = case
    plain = EVALUATOR(source(predicted, target)).metrics["accuracy"]
    assert EVALUATOR(source(-predicted, target)).metrics["accuracy"] == pytest.approx(1 - plain, nan_ok=True)
    assert EVALUATOR(source(np.exp(predicted), target)).metrics["accuracy"] == pytest.approx(plain, nan_ok=True)


def images_by_kinds(images=6, kinds=2, levels=4):
    index, kind, level = (axis.reshape(-1) for axis in np.mgrid[:images, :kinds, :levels])
    return target_of(index, kind, 1 - level / levels), level


def test_tables_name_kinds_and_levels():
    target, degree = images_by_kinds()
    predicted = -degree.astype(float)
    second = target.kind.numpy() == 1
    predicted[second & (degree == 1)] = -2.5  # below the next level, in every image of the second kind
    predicted[second & (degree == 3)] = -3.0
    result = EVALUATOR(source(predicted, target, kinds=("blur", "noise")))
    assert result.metrics["accuracy"] == pytest.approx(11 / 12)
    assert result.metrics["accuracy_neighbours"] == pytest.approx(5 / 6)
    blur, noise = result.tables["per_kind"]
    assert (blur["kind"], blur["pairs"], blur["accuracy"], blur["accuracy_neighbours"]) == ("blur", 36, 1.0, 1.0)
    assert (noise["kind"], noise["pairs"]) == ("noise", 36)
    assert (noise["accuracy"], noise["accuracy_neighbours"]) == pytest.approx((5 / 6, 2 / 3))
    lines = [(line["kind"], line["upper"], line["lower"], line["accuracy"]) for line in result.tables["per_level"]]
    assert lines == [
        ("blur", "1", "0.75", 1.0),
        ("blur", "0.75", "0.5", 1.0),
        ("blur", "0.5", "0.25", 1.0),
        ("noise", "1", "0.75", 1.0),
        ("noise", "0.75", "0.5", 0.0),
        ("noise", "0.5", "0.25", 1.0),
    ]
    assert all(line["pairs"] == 6 for line in result.tables["per_level"])
    assert not result.notes


def test_without_kinds_all_views_are_of_one():
    target, degree = images_by_kinds(kinds=1)
    plain = RankTarget(target.index, target.view, target.group, target.level)
    result = EVALUATOR(source(-degree, plain))
    assert [line["kind"] for line in result.tables["per_kind"]] == ["0"]
    assert result.metrics["accuracy"] == 1


def test_collapsed_predictions_get_half():
    target, degree = images_by_kinds()
    for predicted in (np.full(len(degree), 2.0), 2 + 2e-8 * degree):
        result = EVALUATOR(source(predicted, target))
        assert result.metrics == {"accuracy": 0.5, "accuracy_neighbours": 0.5}
        assert "collapsed" in result.notes[0]


def test_what_is_undefined_is_nan_with_a_sentence():
    target, degree = images_by_kinds()
    broken = EVALUATOR(source(np.where(degree == 2, np.nan, degree), target))
    assert all(math.isnan(value) for value in broken.metrics.values())
    assert "12 of 48 predictions" in broken.notes[0]
    level = RankTarget(target.index, target.view, target.group, torch.ones(48))
    none = EVALUATOR(source(degree, level))
    assert all(math.isnan(value) for value in none.metrics.values())
    assert "no two views of 'photos' by stream 'ranked' are comparable" in none.notes[0]
    assert not none.tables


def test_levels_without_steps_make_no_table_of_levels():
    rng = np.random.default_rng(0)
    level = rng.uniform(size=300)
    target = target_of(np.arange(300) // 3, np.zeros(300, dtype=np.int64), level)
    result = EVALUATOR(source(level, target))
    assert result.metrics == {"accuracy": 1.0, "accuracy_neighbours": 1.0}
    assert result.tables["per_kind"][0]["pairs"] == 300 > MOST_LEVELS
    assert "per_level" not in result.tables


def test_wrong_streams_and_outputs_are_one_sentence():
    target, degree = images_by_kinds()
    with pytest.raises(UserError, match="all views of stream 'ranked' are of equal level"):
        EVALUATOR(source(degree, target, levels="equal"))
    with pytest.raises(UserError, match=r"output 'score.score' is \[2\] numbers an image"):
        EVALUATOR(source(np.zeros((48, 2)), target))


def test_the_component_is_registered_and_every_option_described():
    catalog = Catalog.of({"rankhub_ranking": rankhub_ranking})
    evaluator = catalog.build("evaluator", {"use": "ranking_accuracy", "stream": "ranked", "data": "photos"})
    assert set(evaluator.headline()) == {"accuracy"}
    assert not evaluator.needs_labels
    described = {name for name, text in docs_of(RankingAccuracy).args.items() if text}
    assert described == set(inspect.signature(RankingAccuracy).parameters)
