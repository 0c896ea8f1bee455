import numpy as np
import pytest
import torch

from rankhub.interfaces.batch import IDENTITY, Batch, View
from rankhub.interfaces.order import RankTarget
from rankhub_points import Points


def make_batch(rows: tuple[int, ...] = (3, 2), **changes) -> Batch:
    n = sum(rows)
    stacks, first = [], 0
    for stack, count in enumerate(rows):
        values = torch.arange(first, first + count, dtype=torch.uint8)[:, None, None, None]
        stacks.append(values.expand(count, 3, 4 + stack, 5))
        first += count
    ids = torch.arange(n)
    fields = {
        "images": tuple(stacks),
        "sizes": torch.stack([ids + 1, ids + 2], dim=1),
        "maps": torch.from_numpy(IDENTITY).repeat(n, 1, 1) * (ids + 1.0)[:, None, None],
        "target": RankTarget(ids, ids, ids, torch.ones(n)),
    }
    return Batch(**{**fields, **changes})


def test_rows_stay_in_their_stacks():
    picked = make_batch().rows(torch.tensor([0, 2, 4]))
    assert [stack[:, 0, 0, 0].tolist() for stack in picked.images] == [[0, 2], [4]]
    assert [tuple(stack.shape[1:]) for stack in picked.images] == [(3, 4, 5), (3, 5, 5)]
    assert picked.target.index.tolist() == [0, 2, 4]
    assert picked.sizes[:, 0].tolist() == [1, 3, 5]
    assert picked.maps[:, 0, 0].tolist() == [1, 3, 5]
    assert len(picked) == 3
    none = make_batch().rows(torch.tensor([3], dtype=torch.int64))
    assert [len(stack) for stack in none.images] == [0, 1]


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": torch.zeros(4, 2, dtype=torch.int64)},
        {"maps": torch.zeros(6, 2, 3)},
        {"images": (torch.zeros(4, 3, 2, 2),)},
        {"target": RankTarget(*[torch.arange(2)] * 3, torch.ones(2))},
    ],
)
def test_parts_of_unequal_rows_are_refused(changes):
    with pytest.raises(ValueError, match=r"equal rows in images, sizes, maps and target, got \("):
        make_batch(**changes)


def test_sizes_and_maps_stay_on_the_cpu():
    points = Points.of([np.zeros((n, 2)) for n in (1, 0, 0, 2, 0)], torch.ones(5, 2, dtype=torch.int64))
    ids = torch.arange(5)
    moved = make_batch(target=RankTarget(ids, ids, ids, torch.ones(5), points)).to(torch.device("meta"))
    assert {stack.device.type for stack in moved.images} == {"meta"}
    assert moved.target.index.device.type == moved.target.label.values.device.type == "meta"
    assert moved.sizes.device.type == moved.maps.device.type == "cpu"


def test_a_view_starts_as_the_whole_image():
    view = View(torch.zeros(3, 2, 2, dtype=torch.uint8), 7)
    assert (view.view, view.kind, view.level, view.label) == (0, 0, 1.0, None)
    np.testing.assert_array_equal(view.map @ [3, 4, 1], [3, 4])
