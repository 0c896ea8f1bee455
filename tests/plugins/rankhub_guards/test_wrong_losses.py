"""Losses, optimizers and schedules that are wrong on purpose: each is named, with what is wrong."""

from __future__ import annotations

import pytest
import torch
from helpers.fakes import Fit, Follow
from helpers.wrong import LABELED, Wrong, result, said_of, without_rate, wrong

from rankhub.interfaces.loss import LossResult

LOSSES = [
    wrong(
        "loss",
        "vector",
        "gave total [12], it must be [], a scalar",
        **result(lambda s, o, t, r: LossResult(o[s.name].sum(1))),
    ),
    wrong("loss", "tensor", "gave its result as Tensor, it must be a LossResult", **result(lambda s, o, t, r: r.total)),
    wrong("loss", "number", "gave total as float, it must be a Tensor", **result(lambda s, o, t, r: LossResult(1.0))),
    wrong("loss", "detached", "gave total without a graph", **result(lambda s, o, t, r: LossResult(r.total.detach()))),
    wrong(
        "loss",
        "nan",
        "gave total with 1 of 1 not finite (nan)",
        **result(lambda s, o, t, r: LossResult(r.total * float("nan"))),
    ),
    wrong(
        "loss",
        "part",
        "gave part 'norm' [12], it must be [], a scalar",
        **result(lambda s, o, t, r: LossResult(r.total, {"norm": o[s.name].sum(1)})),
    ),
    wrong(
        "loss",
        "part_nan",
        "gave part 'norm' with 1 of 1 not finite",
        **result(lambda s, o, t, r: LossResult(r.total, {"norm": r.total / 0})),
    ),
    wrong(
        "loss",
        "part_float",
        "gave part 'norm' as float, it must be a Tensor",
        **result(lambda s, o, t, r: LossResult(r.total, {"norm": 1.0})),
    ),
    wrong(
        "loss",
        "outputs_in_place",
        "changed what it was handed",
        **result(lambda s, o, t, r: (o[s.name].detach().mul_(2), r)[1]),
    ),
    wrong(
        "loss", "target_in_place", "changed what it was handed", **result(lambda s, o, t, r: (t.level.zero_(), r)[1])
    ),
    wrong(
        "loss",
        "target_by_numpy",
        "changed what it was handed",
        **result(lambda s, o, t, r: (t.level.numpy().fill(7), r)[1]),
    ),
    wrong(
        "loss",
        "label_in_place",
        "changed what it was handed",
        base=Fit,
        recipe=LABELED,
        **result(lambda s, o, t, r: (t.label.sub_(1), r)[1], Fit),
    ),
    wrong("loss", "count_shape", "gave count [12], it must be [], a scalar", count=lambda self, target: torch.ones(12)),
    wrong(
        "loss",
        "count_nan",
        "gave the count nan, it must be finite and at least 0",
        count=lambda self, target: torch.tensor(float("nan")),
    ),
    wrong("loss", "count_negative", "gave the count -1.0", count=lambda self, target: torch.tensor(-1.0)),
    wrong("loss", "count_number", "gave count as int, it must be a Tensor", count=lambda self, target: 3),
    wrong(
        "loss",
        "count_constant",
        "counted 7 in a batch and 14 in its two halves",
        count=lambda self, target: torch.tensor(7.0),
    ),
    wrong("loss", "scope", "announces the scope 'image', it must be one of sample, group, batch", scope="image"),
    wrong("loss", "no_scope", "announces the scope None", scope=None),
    wrong(
        "loss",
        "scope_group",
        "announces the scope 'group', a sum over samples",
        **result(lambda s, o, t, r: LossResult((o[s.name] @ o[s.name].T).exp().sum())),
    ),
    wrong(
        "loss",
        "scope_sample",
        "announces the scope 'sample' and counted 6 in a batch and 12 in its two halves",
        scope="sample",
    ),
    wrong("loss", "per_query", "announces the scope 'batch', a sum over queries", base=Follow, per_query=True),
    wrong("loss", "per_query_scope", "is per_query with the scope 'group'", per_query=True),
    wrong(
        "loss",
        "typo",
        "has a method 'after_steps' that nothing calls; did you mean 'after_step'?",
        after_steps=lambda self: None,
    ),
    wrong("loss", "after_step", "failed in after_step: ZeroDivisionError", after_step=lambda self: 1 / 0),
    wrong("loss", "raises", "failed in forward: RuntimeError", **result(lambda s, o, t, r: o[s.name] @ o[s.name])),
    wrong("loss", "check", "failed in check: AttributeError", check=lambda self, views, label: views.number),
]
OPTIMIZERS = [
    wrong(
        "optimizer",
        "own_rate",
        "moved the weights with a learning rate of 0",
        step=lambda self, closure=None: [
            p.data.sub_(0.05 * p.grad) for g in self.param_groups for p in g["params"] if p.grad is not None
        ],
    ),
    wrong("optimizer", "still", "moved no weight, though there is a gradient", step=lambda self, closure=None: None),
    wrong(
        "optimizer",
        "nan",
        "made weights that are not finite",
        step=lambda self, closure=None: [p.data.div_(0.0).mul_(0.0) for g in self.param_groups for p in g["params"]],
    ),
    wrong("optimizer", "raises", "failed in step: KeyError", step=lambda self, closure=None: self.state["none"]["x"]),
    wrong("optimizer", "no_rate", "has no 'lr' in its groups", __init__=without_rate),
]
SCHEDULES = [
    wrong(
        "schedule",
        "negative",
        "gave -0.5 for step 3 of 3, it must be finite and at least 0",
        value=lambda self, clock: 0.5 - clock.step / 2,
    ),
    wrong("schedule", "nan", "gave nan for step 1 of 3", value=lambda self, clock: float("nan")),
    wrong(
        "schedule",
        "infinite",
        "gave inf for step 2 of 3",
        value=lambda self, clock: 1.0 if clock.step == 0 else float("inf"),
    ),
    wrong("schedule", "none", "failed in value", value=lambda self, clock: 1 / clock.step),
    wrong(
        "schedule",
        "weight",
        "gave nan for step 1 of 3, it must be finite",
        recipe={
            "schedule": None,
            "streams.views.objectives": [{"use": "pull", "head": "main", "weight": {"use": "mine"}}],
        },
        value=lambda self, clock: float("nan"),
    ),
    wrong(
        "schedule",
        "decay",
        "it must be finite and from 0 to 1",
        recipe={"schedule": None, "average": {"decay": {"use": "mine"}}},
        value=lambda self, clock: 1.5,
    ),
]


@pytest.mark.parametrize("case", [*LOSSES, *OPTIMIZERS, *SCHEDULES], ids=str)
def test_what_is_said_of_a_wrong_part_of_learning(case: Wrong, tmp_path, caplog):
    said = said_of(case, tmp_path / "run", caplog)
    assert case.title in said
    assert case.says in said
