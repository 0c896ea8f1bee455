"""Plain scalars, and writing data so that they mean the same again."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rankhub.recipe.reader import read_value, read_yaml, scalar, write_yaml

TEXT = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=20)
TRICKY = st.sampled_from(
    [
        "1e-3",
        "no",
        "on",
        "true",
        "True",
        "null",
        "~",
        "",
        "012",
        "0o17",
        "1:30",
        "1_000",
        "2024-01-01",
        ".inf",
        "+.5",
        "-",
        "=",
        "<<",
        "a: b",
        "#x",
        "- a",
        "!x",
        "*a",
        "&a",
        "'",
        '"',
        "a\nb",
        " a ",
        "0x1f",
        ".nan",
        "1.",
        "@",
        "%",
        "{",
        "\u2028",
    ]
)
VALUES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT
    | TRICKY
)
KEYS = (TEXT | TRICKY).filter(lambda key: key != "<<")
DATA = st.dictionaries(
    KEYS,
    st.recursive(VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)),
    max_size=4,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1E5", 1e5),
        (".5", 0.5),
        ("-3.", -3.0),
        ("+7", 7),
        ("012", 12),
        ("true", True),
        ("null", None),
        ("~", None),
        ("", None),
        ("-.inf", -math.inf),
    ],
)
def test_numbers_booleans_and_null(text, value):
    assert scalar(text) == value
    assert type(scalar(text)) is type(value)


@pytest.mark.parametrize(
    "text", ["no", "yes", "on", "off", "True", "TRUE", "2024-01-01", "1:30", "1_000", "0x1f", "0o17", "1e", "e3", "."]
)
def test_everything_else_is_text(text):
    assert scalar(text) == text


def test_not_a_number():
    assert math.isnan(scalar(".nan"))


@given(DATA)
def test_what_is_written_is_read_back(data):
    assert read_yaml(write_yaml(data), "file").data == data


@given(VALUES)
def test_a_written_value_is_an_override_s_value(value):
    found = read_value(write_yaml(value))
    assert found == value
    assert type(found) is type(value)
