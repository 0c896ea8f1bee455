"""Settings to try: a seeded, even draw, or the grid."""

from __future__ import annotations

import itertools
from collections import Counter

from rankhub_study.plan import Dimension
from rankhub_study.search import candidates, described

SPACE = {"loss": Dimension(path="a.loss", values=["x", "y", "z"]), "lr": Dimension(path="b.lr", values=[1.0, 2.0])}


def taken(count, seed="s", draw="random", space=SPACE):
    return list(itertools.islice(candidates(space, count, seed, draw), count))


def test_a_draw_is_a_function_of_its_seed_and_takes_each_choice_as_often_as_the_others():
    for count in range(1, 13):
        found = taken(count)
        assert found == taken(count)
        for name, dimension in SPACE.items():
            often = Counter(setting[name] for setting in found)
            assert max(often.values()) - min(often.get(value, 0) for value in dimension.values) <= 1
    assert len({str(taken(6, seed)) for seed in "abcdef"}) > 1


def test_all_of_a_small_space_are_found():
    found = {tuple(setting.values()) for setting in candidates(SPACE, 5, "s", "random")}
    assert found == set(itertools.product("xyz", (1.0, 2.0)))


def test_a_grid_runs_through_the_product():
    assert [tuple(one.values()) for one in candidates(SPACE, 2, "s", "grid")] == list(
        itertools.product("xyz", (1.0, 2.0))
    )


def test_a_range_is_drawn_once_in_each_part_of_it():
    space = {
        "lr": Dimension(path="lr", low=1e-4, high=1e-1, log=True),
        "weight": Dimension(path="w", low=0.0, high=10.0),
    }
    found = taken(5, space=space)
    for name, edges in (("lr", [1e-4 * 10 ** (0.6 * part) for part in range(6)]), ("weight", range(0, 12, 2))):
        values = sorted(setting[name] for setting in found)
        for value, low, high in zip(values, edges, list(edges)[1:], strict=False):
            assert low * 0.99 <= value <= high * 1.01


def test_a_setting_in_a_line():
    assert described({"optimizer.lr": 0.003, "loss": "smooth"}) == "lr 0.003, loss smooth"
    assert described({}) == "as it is"
