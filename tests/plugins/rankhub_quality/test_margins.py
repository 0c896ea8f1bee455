"""Where recipes of image quality rank beside labels, the two do not contradict each other."""

from __future__ import annotations

import pytest
import torch
from helpers.recipes import shipped_names

import rankhub
from rankhub_quality.ranked_sets import ranked_groups
from rankhub_ranking.functional import margin_ranking

RANKED = [
    name for name in shipped_names() if name.startswith(("quality", "rankiqa")) and not name.endswith("supervised")
]


def cost(degrees: int, margin: float) -> float:
    """The loss of evenly spread labels themselves, in their standard deviations."""
    levels = torch.arange(float(degrees))
    return float(margin_ranking((levels - levels.mean()) / levels.std(correction=0), levels, margin=margin))


def ranking_of(name: str) -> tuple[int, float]:
    """(degrees of a group, margin) of a recipe."""
    ranked = rankhub.load_recipe(name).resolved()["streams"]["ranked"]
    made, ranks = ranked["generator"][0], ranked["objectives"][0]
    return max(len(group.positions) for group in ranked_groups(made["set"])) + 1, ranks["margin"]


def test_recipes_that_rank_are_found():
    assert len(RANKED) >= 9


@pytest.mark.parametrize("name", RANKED)
def test_scores_that_are_right_cost_nothing(name):
    assert cost(*ranking_of(name)) == 0


def test_a_margin_of_one_asks_for_more_than_labels_span():
    assert cost(6, 1.0) > 0.1
