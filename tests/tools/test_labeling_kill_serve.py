"""What `kill -9` leaves of a page's answers: the short version of the tool's check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tools.labeling_kill.serve import BrokenError, Writer, check, kill_serve, make_pool


def test_five_kills_lose_nothing_that_was_acknowledged(tmp_path):
    history = kill_serve(tmp_path / "pool", kills=5, seed=3)
    assert len(history) == 5
    assert sum(kill.acknowledged for kill in history) > 0


@pytest.mark.parametrize(
    ("kept", "sent", "pending", "holds"),
    [
        ("7", {0: 7}, None, True),
        (None, {}, (0, 7), True),
        ("7", {}, (0, 7), True),
        (None, {0: 7}, None, False),
        ("6", {0: 7}, None, False),
        ("6", {0: 6}, (0, 7), True),
        ("7", {}, None, False),
        ("7", {}, (1, 7), False),
    ],
)
def test_the_check_itself_notices(tmp_path, kept, sent, pending, holds):
    pool = make_pool(tmp_path / "pool", images=3)
    before = pool.rows()
    if kept is not None:
        pool.answer({0: kept}, "page")
    writer = replace(Writer("", [0, 1], 0), sure=sent, pending=pending)
    if holds:
        assert check(pool, before, [writer])[1] == (pending is not None and kept == str(pending[1]))
    else:
        with pytest.raises(BrokenError):
            check(pool, before, [writer])
