"""Backbones and heads that are wrong on purpose: each is named, with what is wrong."""

from __future__ import annotations

import pytest
import torch
from helpers.fakes import Arrow, Flat
from helpers.wrong import (
    FITTED,
    TRAINED,
    Wrong,
    features,
    later,
    outputs,
    raises,
    raises_of_constructor,
    said_of,
    wrong,
)

from rankhub.interfaces.model import Features, OutputSpec

BACKBONES = [
    wrong("backbone", "raises", "failed in forward: KeyError: 'x'", forward=raises(KeyError("x"))),
    wrong("backbone", "exits", "failed in forward: SystemExit: 0", forward=raises(SystemExit(0))),
    wrong("backbone", "memory", "ran out of memory", forward=raises(MemoryError())),
    wrong("backbone", "constructor", "failed in __init__: ValueError: no", __init__=raises_of_constructor),
    wrong(
        "backbone", "tensor", "gave its features as Tensor, it must be a Features", **features(lambda s, i, f: f.pooled)
    ),
    wrong(
        "backbone",
        "width",
        "gave pooled features [12, 7], it must be [12, 8]",
        **features(lambda s, i, f: Features(f.pooled[:, :7])),
    ),
    wrong(
        "backbone",
        "rows",
        "gave pooled features [11, 8], it must be [12, 8]",
        **features(lambda s, i, f: Features(f.pooled[1:])),
    ),
    wrong(
        "backbone",
        "half",
        "of torch.int64, it must be of a floating point type",
        **features(lambda s, i, f: Features(f.pooled.long())),
    ),
    wrong(
        "backbone",
        "detached",
        "gave pooled features without a graph",
        **features(lambda s, i, f: Features(f.pooled.detach())),
    ),
    wrong(
        "backbone", "device", "on meta, it must be on cpu", **features(lambda s, i, f: Features(f.pooled.to("meta")))
    ),
    wrong(
        "backbone",
        "nan",
        "gave pooled features with 96 of 96 not finite (nan)",
        **features(lambda s, i, f: Features(f.pooled * float("nan"))),
    ),
    wrong(
        "backbone",
        "in_place",
        "changed what it was handed",
        forward=lambda self, images, maps=False: Flat.forward(self, images.mul_(0.5), maps),
    ),
    wrong(
        "backbone",
        "no_spec",
        "has the spec None, it must be a FeatureSpec",
        __init__=lambda self: torch.nn.Module.__init__(self),
    ),
    wrong(
        "backbone",
        "typo",
        "has a method 'initialise' that nothing calls; did you mean 'initialize'?",
        initialise=lambda self: None,
    ),
    wrong(
        "backbone",
        "initialize",
        "failed in initialize: RuntimeError: no weights",
        initialize=raises(RuntimeError("no weights")),
    ),
]
HEADS = [
    wrong(
        "head",
        "score_column",
        "gave rating [6, 1], it must be [6]",
        recipe=FITTED,
        **outputs(rating=lambda s, f, g: s.rate(f.pooled)),
    ),
    wrong(
        "head",
        "score_scalar",
        "gave rating [], it must be [6]",
        recipe=FITTED,
        **outputs(rating=lambda s, f, g: g["rating"].mean()),
    ),
    wrong(
        "head", "columns", "gave arrow [12, 3], it must be [12, 4]", **outputs(arrow=lambda s, f, g: g["arrow"][:, :3])
    ),
    wrong(
        "head", "list", "gave arrow as list, it must be a Tensor", **outputs(arrow=lambda s, f, g: g["arrow"].tolist())
    ),
    wrong(
        "head",
        "extra",
        "gave the outputs arrow, rating, third, they must be arrow, rating",
        **outputs(third=lambda s, f, g: g["arrow"]),
    ),
    wrong(
        "head",
        "missing",
        "gave the outputs arrow, they must be arrow, rating",
        forward=lambda self, f: {"arrow": self.embed(f.pooled)},
    ),
    wrong(
        "head",
        "tensor",
        "gave its outputs as Tensor, it must be a Mapping",
        forward=lambda self, f: self.embed(f.pooled),
    ),
    wrong("head", "detached", "gave arrow without a graph", **outputs(arrow=lambda s, f, g: g["arrow"].detach())),
    wrong(
        "head",
        "infinite",
        "gave arrow with 48 of 48 not finite (inf)",
        **outputs(arrow=lambda s, f, g: g["arrow"] * 0 + float("inf")),
    ),
    wrong(
        "head",
        "in_place",
        "changed what it was handed",
        forward=lambda self, f: Arrow.forward(self, Features(f.pooled.mul_(2))),
    ),
    wrong(
        "head",
        "kind",
        "it must be an OutputSpec of a kind among",
        outputs=property(lambda self: {"arrow": OutputSpec("vector", 4)}),
    ),
    wrong(
        "head",
        "std",
        "std finite and above 0",
        outputs=property(lambda self: {"arrow": OutputSpec("embedding", 4, std=0.0)}),
    ),
    wrong("head", "none", "they must be a mapping with at least one", outputs=property(lambda self: {})),
    wrong(
        "head",
        "raises",
        "failed in forward: IndexError",
        forward=lambda self, f: {"arrow": f.maps[3]} if f.maps else [][1],
    ),
    wrong(
        "head",
        "later",
        "gave arrow [12, 3], it must be [12, 4] (step ",
        recipe=TRAINED,
        **later(Arrow.forward, lambda s, f: {**Arrow.forward(s, f), "arrow": Arrow.forward(s, f)["arrow"][:, :3]}),
    ),
]


@pytest.mark.parametrize("case", [*BACKBONES, *HEADS], ids=str)
def test_what_is_said_of_a_wrong_part_of_the_network(case: Wrong, tmp_path, caplog):
    said = said_of(case, tmp_path / "run", caplog)
    assert case.title in said
    assert case.says in said
