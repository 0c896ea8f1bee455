import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rankhub.interfaces.order import RankTarget
from rankhub_points import Points

CPU = torch.device("cpu")


def make_target(n: int = 4, **changes) -> RankTarget:
    ids = {name: torch.arange(n) for name in ("index", "view", "group")}
    return RankTarget(**{**ids, "level": torch.linspace(0, 1, n), **changes})


def ragged(counts: list[int]) -> Points:
    values = np.split(np.arange(2.0 * sum(counts)).reshape(-1, 2), np.cumsum(counts)[:-1]) if counts else []
    return Points.of(values, torch.full((len(counts), 2), 100))


def test_levels_may_have_columns_and_labels_may_be_missing_numbers_or_points():
    assert len(make_target()) == 4
    assert make_target(level=torch.zeros(4, 2)).level.shape == (4, 2)
    assert len(make_target(label=torch.tensor([1.0, float("nan"), 2, 3]))) == 4
    assert len(make_target(label=ragged([0, 2, 0, 1]))) == 4
    assert len(make_target(0)) == 0


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"view": torch.arange(3)}, r"view must be int64 of shape \[4\], got torch.int64 \[3\]"),
        ({"group": torch.arange(4, dtype=torch.int32)}, r"group must be int64 of shape \[4\], got torch.int32 \[4\]"),
        ({"index": torch.arange(4.0)}, "index must be int64"),
        ({"view": torch.zeros(4, 1, dtype=torch.int64)}, r"view must be int64 of shape \[4\]"),
        ({"level": torch.zeros(3)}, r"level must be \[4\] or \[4, K\], got \[3\]"),
        ({"level": torch.zeros(4, 2, 2)}, r"level must be \[4\] or \[4, K\], got \[4, 2, 2\]"),
        ({"level": torch.tensor(1.0)}, "level must be"),
        ({"label": torch.zeros(5)}, "label has 5 rows, the target 4"),
        ({"label": ragged([1, 2, 3])}, "label has 3 rows, the target 4"),
    ],
)
def test_rows_that_differ_in_number_and_ids_of_another_type_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        make_target(**changes)


def test_rows_are_picked_in_the_order_asked_for():
    target = make_target(level=torch.rand(4, 2), label=ragged([1, 0, 3, 2]))
    picked = target.rows(torch.tensor([3, 0, 3]))
    assert picked.index.tolist() == picked.view.tolist() == picked.group.tolist() == [3, 0, 3]
    assert torch.equal(picked.level, target.level[[3, 0, 3]])
    assert isinstance(picked.label, Points)
    assert picked.label.counts.tolist() == [2, 1, 2]
    assert make_target(label=torch.arange(4)).rows(torch.tensor([2, 1])).label.tolist() == [2, 1]
    assert make_target().rows(torch.tensor([2])).label is None


@given(st.lists(st.integers(0, 4), max_size=8), st.data())
def test_law_rows_of_points_are_the_rows_of_their_list(counts, data):
    points = ragged(counts)
    rows = data.draw(st.lists(st.integers(0, len(counts) - 1), max_size=10)) if counts else []
    parts = list(points)
    assert [len(part) for part in parts] == counts == points.counts.tolist()
    picked = points.rows(torch.tensor(rows, dtype=torch.int64))
    assert len(picked) == len(rows)
    assert picked.values.shape == (sum(counts[row] for row in rows), 2)
    for row, part in zip(rows, picked, strict=True):
        assert torch.equal(part, parts[row])


def test_moving_to_a_device_keeps_everything():
    target = make_target(label=ragged([1, 0, 3, 2]))
    moved = target.to(CPU)
    for name in ("index", "view", "group", "level"):
        assert torch.equal(getattr(moved, name), getattr(target, name))
    assert isinstance(moved.label, Points)
    assert torch.equal(moved.label.values, target.label.values)
    assert moved.to(torch.device("meta")).label.counts.device.type == "meta"
    assert make_target().to(CPU).label is None
