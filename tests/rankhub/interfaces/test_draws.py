import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from rankhub.interfaces.draws import Draws

DRAWS = Draws(7, "views", 3, 1)
MANY = 20_000


def many(slot: str = "x", draws: Draws = DRAWS) -> np.ndarray:
    return draws.at(np.arange(MANY), 0).uniform(slot)


def test_the_numbers_never_change():
    """They decide what every run of the past has seen: a change here makes none of them repeatable."""
    drawn = DRAWS.at([0, 5, 123456], [0, 1, 2])
    assert drawn.state.tolist() == [0x8F5DF4BCB4A56F3A, 0xB041473C8FE68904, 0xFC3199AF01B0CDD9]
    assert drawn.bits("crop", 2).tolist() == [
        [0x41753565E8E8ADAD, 0xEA3E740A66372103],
        [0xBEB06C1FB77311A9, 0x0F9D3F6E98FF9357],
        [0x76BED2D6592D2699, 0xC7DA5BEAFC1FA759],
    ]
    assert drawn.uniform("a").tolist() == [0.22145582228940675, 0.43693469259453555, 0.6342154197816119]
    assert drawn.integers("d", [3, 10, 1000]).tolist() == [0, 7, 358]
    assert drawn.chance("e", 0.5).tolist() == [False, False, True]
    assert drawn.permutations("f", 5).tolist() == [[4, 3, 1, 2, 0], [0, 2, 3, 1, 4], [3, 0, 4, 2, 1]]
    assert [int(generator.integers(1000)) for generator in drawn.generators("g")] == [112, 913, 283]


def slow_mix(word: int) -> int:
    """SplitMix64 in Python's own integers."""
    word = (word + 0x9E3779B97F4A7C15) % 2**64
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    word = (word ^ (word >> 27)) * 0x94D049BB133111EB % 2**64
    return word ^ (word >> 31)


def test_the_hash_is_splitmix64_over_the_words_of_the_address():
    stream = int.from_bytes(hashlib.blake2b(b"views", digest_size=8).digest(), "little")
    state = slow_mix(slow_mix(7) ^ 0)
    state = slow_mix(state ^ stream)
    for word in (3, 1, 123456, 2):
        state = slow_mix(state ^ slow_mix(word))
    assert DRAWS.at(123456, 2).state.tolist() == [state]
    # the first number of the generator's published reference, seed 0
    assert slow_mix(0) == 0xE220A8397B1DCDAF


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param(lambda: many(), id="over indices"),
        pytest.param(lambda: DRAWS.at(0, np.arange(MANY)).uniform("x"), id="over views"),
        pytest.param(lambda: DRAWS.at(0, 0).uniforms("x", MANY)[0], id="inside a slot"),
        pytest.param(lambda: np.array([DRAWS.at(0, 0).uniform(f"slot {n}")[0] for n in range(2000)]), id="over slots"),
        pytest.param(
            lambda: np.array([Draws(7, "v", n).at(0, 0).uniform("x")[0] for n in range(2000)]), id="over epochs"
        ),
        pytest.param(
            lambda: np.array([Draws(n, "v", 0).at(0, 0).uniform("x")[0] for n in range(2000)]), id="over seeds"
        ),
        pytest.param(lambda: many() * 2**20 % 1, id="lower bits"),
    ],
)
def test_numbers_are_uniform_along_every_part_of_the_address(numbers):
    assert stats.kstest(numbers(), "uniform").pvalue > 1e-3


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(lambda: many("y"), id="slot"),
        pytest.param(lambda: DRAWS.at(np.arange(MANY), 1).uniform("x"), id="view"),
        pytest.param(lambda: DRAWS.at(np.arange(MANY) + 1, 0).uniform("x"), id="index"),
        pytest.param(lambda: DRAWS.at(np.arange(MANY), 0).uniforms("x", 2)[:, 1], id="place in the slot"),
        pytest.param(lambda: many(draws=Draws(8, "views", 3, 1)), id="seed"),
        pytest.param(lambda: many(draws=Draws(7, "other", 3, 1)), id="stream"),
        pytest.param(lambda: many(draws=Draws(7, "views", 4, 1)), id="epoch"),
        pytest.param(lambda: many(draws=Draws(7, "views", 3, 2)), id="step"),
        pytest.param(lambda: many(draws=Draws(7, "views", 1, 3)), id="epoch and step exchanged"),
        pytest.param(lambda: DRAWS.at(0, np.arange(MANY) + 1).uniform("x"), id="index and view exchanged"),
    ],
)
def test_another_address_gives_independent_numbers(other):
    mine, theirs = many(), other()
    assert abs(np.corrcoef(mine, theirs)[0, 1]) < 4 / np.sqrt(MANY)
    assert abs(np.corrcoef(mine > 0.5, theirs > 0.5)[0, 1]) < 4 / np.sqrt(MANY)
    assert not (mine == theirs).any()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**62), st.integers(0, 1000)), min_size=1, max_size=12), st.randoms())
def test_law_a_view_gets_the_same_numbers_in_any_company(addresses, random):
    """Alone, with others, in any order."""
    index, view = zip(*addresses, strict=True)
    together = DRAWS.at(index, view)
    order = random.sample(range(len(addresses)), len(addresses))
    turned = DRAWS.at([index[row] for row in order], [view[row] for row in order])
    for position, row in enumerate(order):
        alone = DRAWS.at(index[row], view[row])
        for draw in (
            lambda d: d.uniforms("a", 3),
            lambda d: d.integers("c", 17)[:, None],
            lambda d: d.permutations("d", 6),
        ):
            np.testing.assert_array_equal(draw(together)[row], draw(alone)[0])
            np.testing.assert_array_equal(draw(turned)[position], draw(alone)[0])


def test_index_and_view_are_broadcast():
    assert len(DRAWS.at(3, 4)) == 1
    assert DRAWS.at(3, [0, 1, 2]).state.tolist() == DRAWS.at([3, 3, 3], [0, 1, 2]).state.tolist()
    assert len(DRAWS.at([], [])) == 0
    assert DRAWS.at(np.array([1, 2], dtype=np.int32), 0).state.tolist() == DRAWS.at([1, 2], 0).state.tolist()


def test_a_slot_gives_the_same_numbers_each_time_and_whatever_was_drawn_before():
    drawn = DRAWS.at(np.arange(5), 0)
    first = drawn.uniforms("x", 4)
    drawn.permutations("y", 9)
    np.testing.assert_array_equal(drawn.uniforms("x", 4), first)
    np.testing.assert_array_equal(drawn.uniforms("x", 2), first[:, :2])


def test_ranges():
    drawn = DRAWS.at(np.arange(MANY), 0)
    spread = drawn.uniform("x", -3.0, 5.0)
    assert -3 <= spread.min() < -2.99
    assert 4.99 < spread.max() < 5
    counts = np.arange(MANY) % 7 + 1
    picked = drawn.integers("x", counts)
    assert (picked >= 0).all()
    assert (picked < counts).all()
    assert np.bincount(picked[counts == 7], minlength=7).min() > 300
    assert not drawn.chance("x", 0.0).any()
    assert drawn.chance("x", 1.0).all()
    assert abs(drawn.chance("x", 0.3).mean() - 0.3) < 0.015


def test_permutations_are_permutations_and_equally_likely():
    orders = DRAWS.at(np.arange(24_000), 0).permutations("x", 4)
    assert (np.sort(orders, axis=1) == np.arange(4)).all()
    counts = np.unique(orders @ [64, 16, 4, 1], return_counts=True)[1]
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-3


def test_generators_are_independent_and_repeatable():
    def fields():
        return [generator.random(500) for generator in DRAWS.at([1, 2], 0).generators("noise")]

    first, again = fields(), fields()
    np.testing.assert_array_equal(first, again)
    assert abs(np.corrcoef(first)[0, 1]) < 0.2
