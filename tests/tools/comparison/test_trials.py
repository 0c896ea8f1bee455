from __future__ import annotations

from collections import Counter

import pytest
from comparison.plan import Dimension
from comparison.trials import overrides_of, settings, shown
from hypothesis import given
from hypothesis import strategies as st


def space(*sizes: int) -> dict[str, Dimension]:
    return {f"d{n}": Dimension(path=f"p{n}", choices=list(range(size))) for n, size in enumerate(sizes)}


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=3), seed=st.text(max_size=3), data=st.data())
def test_settings_differ_and_begin_with_the_default(sizes, seed, data):
    product = 1
    for size in sizes:
        product *= size
    count = data.draw(st.integers(1, min(product, 8)))
    found = settings(space(*sizes), count, seed)
    assert len({tuple(each.values()) for each in found}) == count
    assert all(value == 0 for value in found[0].values())
    assert found == settings(space(*sizes), count, seed)


@pytest.mark.parametrize("seed", ["0/a", "0/b", "1/a"])
def test_each_choice_is_tried_as_often_as_the_others(seed):
    found = settings(space(6, 3, 2), 6, seed)
    assert Counter(each["d0"] for each in found) == dict.fromkeys(range(6), 1)
    assert Counter(each["d1"] for each in found) == dict.fromkeys(range(3), 2)
    assert Counter(each["d2"] for each in found) == dict.fromkeys(range(2), 3)


def test_another_seed_gives_other_settings():
    assert settings(space(6, 6), 6, "0") != settings(space(6, 6), 6, "1")


def test_a_search_that_is_too_small_is_refused():
    with pytest.raises(ValueError, match="fewer than 7"):
        settings(space(2, 3), 7, "0")


def test_a_setting_becomes_overrides_and_words():
    search = {
        "loss": Dimension(path="x.loss", choices=[{"use": "smooth_ap", "tau": 0.05}, {"use": "ramp_ap"}]),
        "lr": Dimension(path="optimizer.lr", choices=[0.002]),
    }
    setting = {"loss": search["loss"].choices[0], "lr": 0.002}
    assert overrides_of(search, setting) == {"x.loss": {"use": "smooth_ap", "tau": 0.05}, "optimizer.lr": 0.002}
    assert shown(setting) == "loss smooth_ap (tau 0.05), lr 0.002"
    assert shown({"loss": {"use": "ramp_ap"}}) == "loss ramp_ap"
    assert shown({}) == "no choice"
