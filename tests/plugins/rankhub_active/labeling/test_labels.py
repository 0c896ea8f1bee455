from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankhub_active.labeling.labels import LabelError, between, points, read_points, score
from rankhub_active.labeling.settings import Settings

FREE = Settings(images="/images", takes="score")
STARS = Settings(images="/images", takes="score", low=1, high=5)
COUNT = Settings(images="/images", takes="count")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_score_is_kept_to_the_last_digit(number):
    assert float(score(repr(number), FREE)) == number
    assert score(number, FREE) == score(repr(number), FREE)


@pytest.mark.parametrize("text", ["", "good", "1_000", "4 5", "0x10", None, True, [3]])
def test_what_is_no_number_is_refused(text):
    with pytest.raises(LabelError, match="is no number"):
        score(text, FREE)


def test_a_decimal_comma_is_explained():
    with pytest.raises(LabelError, match="'4,5' is no number; decimals take a point"):
        score("4,5", FREE)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e999", 10**400])
def test_what_is_not_finite_is_refused(value):
    with pytest.raises(LabelError, match="is no finite number"):
        score(value, FREE)
    with pytest.raises(LabelError, match="is no finite number"):
        score(value, COUNT)


@pytest.mark.parametrize(
    ("low", "high", "text", "said"),
    [
        (1, 5, "7", "7 is not from 1 to 5"),
        (1, 5, "0.5", "0.5 is not from 1 to 5"),
        (1, 5, "5.0000001", "5.0000001 is not from 1 to 5"),
        (0, None, "-2", "-2 is not at least 0"),
        (None, 0.5, "1", "1 is not at most 0.5"),
    ],
)
def test_a_score_out_of_range_is_refused(low, high, text, said):
    with pytest.raises(LabelError) as refused:
        score(text, Settings(images="/images", takes="score", low=low, high=high))
    assert str(refused.value) == said


@pytest.mark.parametrize("text", ["1", "5", " 3.5 "])
def test_the_ends_of_a_range_belong_to_it(text):
    assert float(score(text, STARS)) == float(text)


@pytest.mark.parametrize(("value", "kept"), [("0", "0"), ("12", "12"), ("12.0", "12"), ("1e3", "1000"), (7, "7")])
def test_a_count_is_a_whole_number(value, kept):
    assert score(value, COUNT) == kept


@pytest.mark.parametrize("text", ["-1", "2.5"])
def test_what_is_no_count_is_refused(text):
    with pytest.raises(LabelError, match=f"{text} is no count; expected a whole number of at least 0"):
        score(text, COUNT)


@given(st.lists(st.tuples(st.floats(0, 640), st.floats(0, 480))))
def test_points_are_kept_to_a_hundredth_of_a_pixel(marked):
    kept = read_points(points(marked, (480, 640)))
    assert kept == [(round(x, 2), round(y, 2)) for x, y in marked]
    assert points(kept, (480, 640)) == points(marked, (480, 640))


def test_points_may_come_as_text_and_may_be_none():
    assert json.loads(points([("1.5", "2")], (10, 10))) == [[1.5, 2.0]]
    assert points([], (10, 10)) == "[]"


@pytest.mark.parametrize("value", ["12", ["1"], ["a", "b"], [1, 2, 3], 5, None, [None, 1], [True, 1]])
def test_what_is_no_point_is_refused(value):
    with pytest.raises(LabelError, match="is no point; expected x and y"):
        points([value], (10, 10))


@pytest.mark.parametrize("value", [(-0.01, 5), (5, 20.01), (31, 5), (5, float("nan")), (float("inf"), 5)])
def test_a_point_outside_the_image_is_refused(value):
    with pytest.raises(LabelError, match="is outside the image of 30 x 20 pixels"):
        points([(3, 3), value], (20, 30))


def test_ranges_in_words():
    assert [between(1, 5), between(0.5, None), between(None, 2.0), between(None, None)] == [
        "from 1 to 5",
        "at least 0.5",
        "at most 2",
        "any number",
    ]
