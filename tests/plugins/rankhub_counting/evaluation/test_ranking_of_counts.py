"""The evaluator `ranking_accuracy` on counts of nested crops."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.order import RankTarget
from rankhub_ranking.ranking_accuracy import RankingAccuracy

IMAGES, CROPS = 20, 5
EVALUATOR = RankingAccuracy(stream="ranked", data="streets", output="density.count", limit=IMAGES)


@dataclass
class Source:
    """Nested crops of `streets` and the counts predicted for them; stands in for the engine."""

    values: object
    sets: int = 1
    row: str = "after training"
    pictures: bool = False

    def view_spec(self, stream):
        assert stream == "ranked"
        kinds = ("nested",) if self.sets == 1 else tuple(f"nested {number + 1}" for number in range(self.sets))
        views = self.sets * CROPS
        return ViewSpec(views, self.sets, "ordered", ((views, 64),), kinds)

    def views(self, stream, data, output, limit):
        assert (stream, data, output, limit) == ("ranked", "streets", "density.count", IMAGES)
        index, kind, position = (axis.reshape(-1) for axis in np.mgrid[:IMAGES, : self.sets, :CROPS])
        ids = [torch.from_numpy(column) for column in (index, kind * CROPS + position, index * self.sets + kind)]
        level = torch.from_numpy((CROPS - 1 - position).astype(np.float32))
        return OutputTable(self.values, None, RankTarget(*ids, level, kind=torch.from_numpy(kind)))


def counts(sets=1):
    """[images, sets, crops] how many of random points each of nested crops holds; the smaller, the fewer."""
    rng = np.random.default_rng(0)
    reach = rng.uniform(size=(IMAGES, sets, 400))  # of the square around the anchor on whose border a point lies
    sides = 0.8 ** np.arange(CROPS)
    return (reach[..., None] < sides).sum(axis=2).astype(np.float32)


def test_true_counts_are_in_the_right_order():
    result = EVALUATOR(Source(torch.from_numpy(counts().reshape(-1))))
    assert result.metrics == {"accuracy": 1.0, "accuracy_neighbours": 1.0}
    (line,) = result.tables["per_kind"]
    assert (line["kind"], line["pairs"]) == ("nested", 10 * IMAGES)
    assert [(line["upper"], line["lower"]) for line in result.tables["per_level"]] == [
        ("4", "3"),
        ("3", "2"),
        ("2", "1"),
        ("1", "0"),
    ]
    assert not result.notes


def test_crops_further_apart_are_easier_to_tell():
    rng = np.random.default_rng(1)
    noisy = counts() + rng.normal(scale=60, size=(IMAGES, 1, CROPS))
    result = EVALUATOR(Source(torch.from_numpy(noisy.reshape(-1)).float()))
    table = result.tables["per_distance"]
    assert [(line["kind"], line["levels_apart"], line["pairs"]) for line in table] == [
        ("nested", apart, (CROPS - apart) * IMAGES) for apart in range(1, CROPS)
    ]
    for line in table:
        ahead = [noisy[:, 0, a] > noisy[:, 0, a + line["levels_apart"]] for a in range(CROPS - line["levels_apart"])]
        assert line["accuracy"] == pytest.approx(np.mean(ahead))
    assert table[0]["accuracy"] == pytest.approx(result.metrics["accuracy_neighbours"])
    assert table[0]["accuracy"] < table[-1]["accuracy"]


def test_sets_of_crops_are_not_compared_and_have_names():
    both = counts(2)
    both[:, 1] = -both[:, 1]  # the second set the wrong way
    result = EVALUATOR(Source(torch.from_numpy(both.reshape(-1)), sets=2))
    assert [(line["kind"], line["accuracy"]) for line in result.tables["per_kind"]] == [
        ("nested 1", 1.0),
        ("nested 2", 0.0),
    ]
    assert result.metrics["accuracy"] == 0.5


def test_crops_that_hold_equally_many_count_half():
    few = np.minimum(counts(), counts()[..., 2:3])  # the three largest squares hold the same points
    result = EVALUATOR(Source(torch.from_numpy(few.reshape(-1))))
    assert result.metrics["accuracy"] == pytest.approx((7 + 3 * 0.5) / 10)
    collapsed = EVALUATOR(Source(torch.zeros(IMAGES * CROPS)))
    assert collapsed.metrics["accuracy"] == 0.5
    assert "collapsed" in collapsed.notes[0]


def test_a_map_is_no_count():
    maps = [torch.ones(1, 2, 2)] * (IMAGES * CROPS)
    with pytest.raises(UserError, match=r"output 'density\.count' is a map"):
        EVALUATOR(Source(maps))
