"""Test time, evaluators and callbacks that are wrong on purpose: each is named, with what is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.fakes import Spread, Whole
from helpers.wrong import Wrong, said_of, wrong

SCORES = {
    "streams.views.generator": [],
    "streams.views.objectives": [{"use": "fit", "head": "main"}],
    "data.test.labeled": True,
}


def answers(change):
    """A test time that changes what a good one answers."""
    return {"__call__": lambda self, images, forward: change(self, images, Whole.__call__(self, images, forward))}


def finds(change):
    """An evaluator that changes what a good one finds."""
    return {"__call__": lambda self, source: change(self, source, Spread.__call__(self, source))}


def metrics(**values):
    return finds(lambda s, source, found: replace(found, metrics=values, notes=()))


def writes(spoil):
    """An evaluator that writes into what it is handed."""

    def measure(self, source):
        found = Spread.__call__(self, source)
        spoil(self, source)
        return found

    return {"__call__": measure}


def beside(self, images, said):
    return {name: rows - rows.mean(0, keepdim=True) for name, rows in said.items()}


PREDICTS = [
    wrong("predict", "raises", "failed in __call__: KeyError", __call__=lambda self, images, forward: {}["x"]),
    wrong("predict", "none", "gave its answers as NoneType", **answers(lambda s, i, said: None)),
    wrong(
        "predict",
        "names",
        "gave the answers backbone, they must be backbone, main.arrow, main.rating",
        **answers(lambda s, i, said: {"backbone": said["backbone"]}),
    ),
    wrong(
        "predict",
        "rows",
        " of 3 images, there are 2",
        **answers(lambda s, i, said: {n: torch.cat([r, r[:1]])[:3] for n, r in said.items()}),
    ),
    wrong(
        "predict",
        "columns",
        "gave main.arrow [2, 3], it must be [2, 4]",
        **answers(lambda s, i, said: {**said, "main.arrow": said["main.arrow"][:, :3]}),
    ),
    wrong(
        "predict",
        "score_column",
        "gave main.rating [2, 1], it must be [2]",
        **answers(lambda s, i, said: {**said, "main.rating": said["main.rating"][:, None]}),
    ),
    wrong(
        "predict",
        "integers",
        "of torch.int64, it must be of a floating point type",
        **answers(lambda s, i, said: {n: r.long() for n, r in said.items()}),
    ),
    wrong("predict", "company", "for an image alone than beside another image", **answers(beside)),
    wrong(
        "predict",
        "chance",
        "for an image alone than beside another image",
        **answers(lambda s, i, said: {n: r + torch.randn_like(r) for n, r in said.items()}),
    ),
    wrong(
        "predict",
        "in_place",
        "changed the images that it was handed",
        **answers(lambda s, i, said: (i[0].floor_divide_(2), said)[1]),
    ),
    wrong(
        "predict",
        "by_numpy",
        "changed the images that it was handed",
        **answers(lambda s, i, said: (i[0].numpy().fill(0), said)[1]),
    ),
]
EVALUATORS = [
    wrong("evaluator", "raises", "failed in __call__: KeyError: 'x' ", __call__=lambda self, source: {}["x"]),
    wrong("evaluator", "exits", "failed in __call__: SystemExit: 0", __call__=lambda self, source: exit(0)),
    wrong(
        "evaluator",
        "dict",
        "gave its result as dict, it must be a EvaluationResult",
        **finds(lambda s, source, found: found.metrics),
    ),
    wrong("evaluator", "text", "gave the metric 'spread' as '0.5', it must be a number", **metrics(spread="0.5")),
    wrong("evaluator", "tensor", "gave the metric 'spread' as tensor(1.)", **metrics(spread=torch.ones(()))),
    wrong(
        "evaluator",
        "headline",
        "has the headline 'spred' and gave no such metric; it gave spread",
        headline=lambda self: ["spred"],
    ),
    wrong("evaluator", "headline_text", "has the headline 'spread', it must be a list", headline=lambda self: "spread"),
    wrong("evaluator", "headline_none", "has the headline [], it must be a list", headline=lambda self: []),
    wrong(
        "evaluator", "direction", "has lower_is_better 'spread', it must be a set of names", lower_is_better="spread"
    ),
    wrong(
        "evaluator",
        "notes",
        "gave its notes as one text",
        **finds(lambda s, source, found: replace(found, notes="all is well")),
    ),
    wrong(
        "evaluator",
        "picture",
        "gave the picture 'grey', which is no array [H, W, 3] uint8",
        **finds(lambda s, source, found: replace(found, pictures={"grey": np.zeros((4, 4))})),
    ),
    wrong(
        "evaluator",
        "features",
        "changed what it was handed, which other evaluators share",
        **writes(lambda s, source: source.outputs(s.data, "backbone").values.zero_()),
    ),
    wrong(
        "evaluator",
        "by_numpy",
        "changed what it was handed, which other evaluators share",
        **writes(lambda s, source: source.outputs(s.data, "backbone").values.numpy().sort(0)),
    ),
    wrong(
        "evaluator",
        "labels",
        "failed in __call__: ValueError: ",
        **writes(lambda s, source: source.outputs(s.data, "backbone").labels.sort()),
    ),
    wrong(
        "evaluator",
        "views",
        "changed what it was handed, which other evaluators share",
        **writes(lambda s, source: source.views("views", s.data, "backbone", 4).values.zero_()),
    ),
    wrong(
        "evaluator",
        "unknown_output",
        "output 'main.stars' is not there",
        **writes(lambda s, source: source.outputs(s.data, "main.stars")),
    ),
    wrong(
        "evaluator",
        "unknown_data",
        "failed in __call__: KeyError: 'none'",
        **writes(lambda s, source: source.outputs("none", "backbone")),
    ),
    wrong("evaluator", "check", "failed in check: TypeError", check=lambda self, data: [1 + "x"]),
    wrong(
        "evaluator",
        "typo",
        "has a method 'headlines' that nothing calls; did you mean 'headline'?",
        headlines=lambda self: [],
    ),
]
CALLBACKS = [
    wrong(
        "callback", "raises", "failed and watches no more: KeyError: 1", step_logged=lambda self, step, values: {}[step]
    ),
    wrong(
        "callback", "exits", "failed and watches no more: SystemExit: 0", step_logged=lambda self, step, values: exit(0)
    ),
    wrong(
        "callback",
        "asks",
        "it asked for 'halt', it can ask for stop, save, evaluate",
        step_logged=lambda self, step, values: "halt",
    ),
    wrong("callback", "asks_true", "it asked for True", epoch_ended=lambda self, step, phase, epoch: True),
    wrong(
        "callback",
        "method",
        "has a method 'on_step' that nothing calls; expected one of",
        on_step=lambda self, step: None,
    ),
    wrong(
        "callback",
        "typo",
        "has a method 'step_loged' that nothing calls; did you mean 'step_logged'?",
        step_loged=lambda self, step: None,
    ),
    wrong(
        "callback",
        "changes_values",
        "failed and watches no more: AttributeError",
        step_logged=lambda self, step, values: values.update(loss=0.0),
    ),
    wrong(
        "callback",
        "changes_metrics",
        "failed and watches no more: AttributeError",
        evaluated=lambda self, step, row, results: (
            results["spread"].metrics.clear() or results["spread"].metrics.update(x=1)
        ),
    ),
    wrong(
        "callback",
        "changes_pictures",
        "failed and watches no more: ValueError",
        viewed=lambda self, step, views: {"views": np.frombuffer(bytes(12), np.uint8).reshape(2, 2, 3)},  # read-only
        pictures=lambda self, step, pictures: next(iter(pictures.values())).fill(0),
    ),
]


@pytest.mark.parametrize("case", [*PREDICTS, *EVALUATORS, *CALLBACKS], ids=str)
def test_what_is_said_of_a_wrong_report(case: Wrong, tmp_path, caplog):
    said = said_of(case, tmp_path / "run", caplog)
    assert case.title in said or case.name == "unknown_output"
    assert case.says in said


def test_a_metric_that_is_nan_and_unexplained_gets_a_note(tmp_path, caplog):
    case = wrong("evaluator", "nan", "", **metrics(spread=float("nan")))
    assert "mine gave spread as NaN and does not say why" in said_of(case, tmp_path / "run", caplog)
