"""Tables can be read at any width."""

from __future__ import annotations

import io
from itertools import product

import pytest
from rich.console import Console

from rankhub_console.terminal import Terminal

ROWS = ("raw pixels", "before training", "after training")
METRICS = [f"counting_{path} {metric}" for path, metric in product(("near", "far"), ("mae", "rmse", "game/4", "bias"))]


@pytest.mark.parametrize("width", [20, 40, 60, 80, 120, 200])
def test_no_name_and_no_number_is_cut_at_any_width(width):
    out = io.StringIO()
    rows = [{"": row, **{name: 100.0 * r + n for n, name in enumerate(METRICS)}} for r, row in enumerate(ROWS)]
    Terminal(Console(file=out, width=width, soft_wrap=True)).table(rows)
    text = out.getvalue()
    assert "\u2026" not in text
    for word in {part for name in METRICS for part in name.split()}:
        assert word in text
    for row, number in product(range(len(ROWS)), range(len(METRICS))):
        assert f"{100.0 * row + number:.3f}" in text
    if width >= 60:
        assert max(map(len, text.splitlines())) <= width


def test_a_table_for_which_there_is_room_stands_upright():
    out = io.StringIO()
    Terminal(Console(file=out, width=80)).table(
        [{"": "raw pixels", "knn top1": 0.5}, {"": "after training", "knn top1": 0.75}]
    )
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert [line.split() for line in lines] == [
        ["knn"],
        ["top1"],
        ["raw", "pixels", "0.500"],
        ["after", "training", "0.750"],
    ]
