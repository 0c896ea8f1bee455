"""Data sets and generators that are wrong on purpose: each is named, with what is wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.fakes import Dimmer, Jitter, Patches
from helpers.wrong import Wrong, said_of, wrong

from rankhub.interfaces.batch import Batch
from rankhub.interfaces.data import LabelSpec

SCORED = LabelSpec("score")
RANKED = {"streams.views.generator": [{"use": "mine"}]}
MANY = {"phases": [{"name": "only", "steps": 6, "streams": ["views"]}], "strict": True}


def sample(**changed):
    """A data set that changes its samples."""
    return {
        "__getitem__": lambda self, i: replace(
            Patches.__getitem__(self, i), **{k: f(self, i) for k, f in changed.items()}
        )
    }


def image(self, i):
    return Patches.__getitem__(self, i).image


def views(change):
    """A worker step that changes the views of a good one."""
    return {"base": Dimmer, "apply": lambda self, given, draws: change(self, given, Dimmer.apply(self, given, draws))}


def each(**changed):
    """The same of each view."""
    return views(lambda s, g, made: [replace(v, **{k: f(v) for k, f in changed.items()}) for v in made])


def batch(change):
    """A device step that changes the batch of a good one."""
    return {"apply": lambda self, given, draws: change(self, given, Jitter.apply(self, given, draws))}


def target(**changed):
    """The same of its target."""

    def change(self, given, made):
        return replace(made, target=replace(made.target, **{k: f(made) for k, f in changed.items()}))

    return batch(change)


def stack(change):
    """The same of its pixels."""
    return batch(lambda s, g, made: replace(made, images=(change(made.images[0]),)))


def darkens(self, given, draws):
    for view in given:
        view.image.numpy()[:] //= 2
    return Dimmer.apply(self, given, draws)


def darkens_batch(self, given, draws):
    given.images[0].floor_divide_(2)
    return Jitter.apply(self, given, draws)


def by_chance(self, given, draws):
    made = Jitter.apply(self, given, draws)
    return replace(made, images=(torch.rand_like(made.images[0]),))


def permuted(self, given, draws):
    made = Jitter.apply(self, given, draws)
    return replace(made, images=(made.images[0].flip(0),))


def mixed(self, given, draws):
    made = Jitter.apply(self, given, draws)
    return replace(made, images=((made.images[0] + made.images[0].mean(0, keepdim=True)) / 2,))


def reordered(self, given, draws):
    made = Jitter.apply(self, given, draws)
    order = torch.arange(len(made)).flip(0)
    return Batch((made.images[0][order],), made.sizes[order], made.maps[order], made.target.rows(order))


def plan(**changed):
    return {"plan": lambda self, given: replace(Jitter.plan(self, given), **changed)}


DATASETS = [
    wrong("dataset", "raises", "failed in __getitem__: KeyError: 0", __getitem__=lambda self, i: {}[i]),
    wrong("dataset", "open_raises", "failed in open: ZeroDivisionError", open=lambda self, context: 1 // 0),
    wrong("dataset", "open_exits", "failed in open: SystemExit: 1", open=lambda self, context: exit(1)),
    wrong(
        "dataset",
        "vanished",
        "failed in __getitem__: FileNotFoundError",
        __getitem__=lambda self, i: Path("/nowhere/at/all").read_bytes(),
    ),
    wrong(
        "dataset",
        "float_image",
        "gave image 0 as torch.float32 [3, 8, 8], it must be torch.uint8 [3, H, W]",
        **sample(image=lambda s, i: image(s, i) / 255),
    ),
    wrong(
        "dataset",
        "channels_last",
        "gave image 0 as torch.uint8 [8, 8, 3]",
        **sample(image=lambda s, i: image(s, i).permute(1, 2, 0)),
    ),
    wrong("dataset", "grey", "gave image 0 as torch.uint8 [1, 8, 8]", **sample(image=lambda s, i: image(s, i)[:1])),
    wrong("dataset", "array", "gave image 0 as ndarray", **sample(image=lambda s, i: image(s, i).numpy())),
    wrong(
        "dataset",
        "tuple",
        "gave image 0 as tuple, it must be a Sample",
        __getitem__=lambda self, i: (image(self, i), 0),
    ),
    wrong("dataset", "index", "gave image 0 the index 1", **sample(index=lambda s, i: i + 1)),
    wrong(
        "dataset",
        "chance",
        "gave image 0 with other pixels the second time",
        **sample(image=lambda s, i: torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8)),
    ),
    wrong(
        "dataset",
        "batch",
        "gave image 11 with other pixels in a batch",
        batch=lambda self, indices: [image(self, 0) for _ in indices],
    ),
    wrong("dataset", "batch_short", "gave 1 images of a batch of 2", batch=lambda self, indices: [image(self, 0)]),
    wrong(
        "dataset",
        "batch_float",
        "gave image 0 in a batch as torch.float32 [3, 8, 8]",
        batch=lambda self, indices: torch.stack([image(self, one) / 255 for one in indices]),
    ),
    wrong("dataset", "label", "gave image 0 the label 1, its labels() say 0", **sample(label=lambda s, i: 1 - i % 2)),
    wrong("dataset", "label_text", "gave image 0 the label 'cat'", **sample(label=lambda s, i: "cat")),
    wrong("dataset", "labels_short", "has 12 images and labels of 11", labels=lambda self: np.arange(11) % 2),
    wrong("dataset", "labels_list", "gave labels as list, it must be a ndarray", labels=lambda self: [0, 1] * 6),
    wrong(
        "dataset",
        "labels_columns",
        "gave labels [12, 2], they must be [12]",
        labels=lambda self: np.zeros((12, 2), int),
    ),
    wrong(
        "dataset", "labels_float", "gave labels of float64 for the kind class", labels=lambda self: np.arange(12) % 2.0
    ),
    wrong("dataset", "classes", "gave classes 0 to 11 of 2", labels=lambda self: np.arange(12)),
    wrong(
        "dataset",
        "labels_unannounced",
        "announces no labels and gave some",
        label=property(lambda s: LabelSpec(), lambda s, v: None),
        labels=lambda self: np.arange(12),
    ),
    wrong(
        "dataset",
        "sample_unannounced",
        "announces no labels and gave image 0 the label 3",
        label=property(lambda s: LabelSpec(), lambda s, v: None),
        **sample(label=lambda s, i: 3),
    ),
    wrong(
        "dataset", "kind", "has labels of kind 'stars'", label=property(lambda s: LabelSpec("stars"), lambda s, v: None)
    ),
    wrong("dataset", "sizes", "says that image 0 has [9, 9] pixels", sizes=lambda self: np.full((12, 2), 9)),
    wrong("dataset", "sizes_short", "has 12 images and sizes of 3", sizes=lambda self: np.full((3, 2), 8)),
    wrong("dataset", "folds", "gave fold 0 with positions", folds=lambda self: [np.array([0, 12])]),
    wrong(
        "dataset",
        "len",
        "failed in __getitem__: IndexError",
        __len__=lambda self: 13,
        labels=lambda self: np.arange(13) % 2,
        __getitem__=lambda self, i: Patches.__getitem__(self, list(range(12))[i]),
    ),
    wrong("dataset", "missing", "failed in missing: ZeroDivisionError", missing=lambda self: 1 / 0),
    wrong(
        "dataset", "typo", "has a method 'fact' that nothing calls; did you mean 'facts'?", fact=lambda self, name: None
    ),
]
GENERATORS = [
    wrong("generator", "fewer", "gave 2 views of image", **views(lambda s, g, made: made[:2])),
    wrong("generator", "none", "gave 0 views of image", **views(lambda s, g, made: [])),
    wrong(
        "generator",
        "none_at_all",
        "gave its views as NoneType, it must be a Sequence",
        **views(lambda s, g, made: None),
    ),
    wrong("generator", "numbers", "two are alike", **each(view=lambda v: 0)),
    wrong("generator", "index", "the index 99", **each(index=lambda v: 99)),
    wrong("generator", "kind", "the kind 5, it plans 1 groups", **each(kind=lambda v: 5)),
    wrong("generator", "level_nan", "a level that is not finite", **each(level=lambda v: float("nan"))),
    wrong(
        "generator", "level_columns", "gave levels of {2} columns, it plans ordered", **each(level=lambda v: (1.0, 0.0))
    ),
    wrong(
        "generator",
        "float_view",
        "as torch.float32 [3, 8, 8], it must be torch.uint8 [3, H, W]",
        **each(image=lambda v: v.image / 255),
    ),
    wrong("generator", "map", "a map [3, 3], it must be finite numbers of [2, 3]", **each(map=lambda v: np.eye(3))),
    wrong("generator", "in_place", "changed the images that it was handed", base=Dimmer, apply=darkens),
    wrong(
        "generator",
        "raises",
        "failed in apply: AttributeError",
        base=Dimmer,
        apply=lambda self, given, draws: given[0].picture,
    ),
    wrong("generator", "batch_in_place", "changed the images that it was handed", apply=darkens_batch),
    wrong("generator", "batch_none", "gave its batch as NoneType", apply=lambda self, given, draws: None),
    wrong("generator", "batch_views", "gave a stack of 12 views, not 18", **plan(views=3, sizes=((3, None),))),
    wrong("generator", "side", "gave a stack [12, 3, 8, 8], it must be [12, 3, 4, 4]", **plan(sizes=((2, 4),))),
    wrong("generator", "range", "gave pixels from", **stack(lambda x: x * 255)),
    wrong("generator", "normalized", "gave pixels from -", **stack(lambda x: (x - 0.5) / 0.25)),
    wrong("generator", "nan", "gave a stack with", **stack(lambda x: x / 0 * 0)),
    wrong("generator", "double", "gave a stack of torch.int64", **stack(lambda x: x.long())),
    wrong(
        "generator",
        "two_stacks",
        "gave 2 stacks, it plans 1",
        **batch(lambda s, g, m: replace(m, images=(m.images[0][:6], m.images[0][6:]))),
    ),
    wrong(
        "generator", "levels", "different levels, it plans equal ones", **target(level=lambda m: m.target.view.float())
    ),
    wrong(
        "generator",
        "groups",
        "gave groups that are not index * groups + kind",
        **target(group=lambda m: m.target.group + 1),
    ),
    wrong("generator", "kinds", "gave kinds outside of its 1 groups", **target(kind=lambda m: m.target.kind + 1)),
    wrong("generator", "same_numbers", "two are alike", **target(view=lambda m: m.target.view * 0)),
    wrong("generator", "order", "gave rows in another order of images", apply=reordered),
    wrong("generator", "permuted", "made other views of an image by itself than beside others", apply=permuted),
    wrong("generator", "mixed", "made other views of an image by itself than beside others", apply=mixed),
    wrong("generator", "chance", "made other views of an image by itself than beside others", apply=by_chance),
    wrong("generator", "plan_views", "plans 0 views, it must be at least 1", **plan(views=0, sizes=())),
    wrong("generator", "plan_sizes", "plans stacks of [2] views, together they must be 5", **plan(views=5)),
    wrong(
        "generator",
        "plan_levels",
        "plans levels 'sorted', they must be one of equal, ordered, grid",
        **plan(levels="sorted"),
    ),
    wrong("generator", "plan_kinds", "plans 2 names of kinds for 1 groups", **plan(kinds=("a", "b"))),
    wrong("generator", "plan_none", "plans None, it must be a ViewSpec", plan=lambda self, given: None),
]


@pytest.mark.parametrize("case", [*DATASETS, *GENERATORS], ids=str)
def test_what_is_said_of_wrong_data(case: Wrong, tmp_path, caplog):
    said = said_of(case, tmp_path / "run", caplog)
    assert case.title in said
    assert case.says in said
