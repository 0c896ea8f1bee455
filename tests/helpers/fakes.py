"""A complete set of small components, under names that no official plugin uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
from torch import Tensor, nn

import rankhub
from rankhub import Component
from rankhub.interfaces.batch import Batch, View
from rankhub.interfaces.callback import Callback
from rankhub.interfaces.data import DataReport, Dataset, LabelSpec, OpenContext, Sample
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.generator import DeviceGenerator, ViewSpec, WorkerGenerator
from rankhub.interfaces.loss import Loss, LossContext, LossResult, single_output
from rankhub.interfaces.model import Backbone, Features, FeatureSpec, Head, OutputSpec
from rankhub.interfaces.optim import Optimizer
from rankhub.interfaces.options import DataName, Ge, Gt, Scheduled
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.predict import Forward, Predict
from rankhub.interfaces.schedule import Clock, Schedule


class Patches(Dataset):
    """Seeded noise with a class-dependent stripe.

    Args:
        count: Images.
        side: Pixels.
        labeled: Whether classes are given.
    """

    def __init__(self, *, count: Annotated[int, Ge(1)] = 24, side: Annotated[int, Ge(1)] = 8, labeled: bool = True):
        self.count, self.side = count, side
        self.label = LabelSpec("class", classes=("a", "b")) if labeled else LabelSpec()

    def open(self, context: OpenContext) -> DataReport:
        context.progress(self.count, self.count, "patches")
        return DataReport(notes=("patches are made up",), tables={"made": [{"count": self.count}]})

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Sample:
        image = torch.from_numpy(np.random.default_rng(index).integers(0, 256, (3, self.side, self.side), np.uint8))
        image[:, index % 2 :: 2] //= 4
        labels = self.labels()
        return Sample(image, index, None if labels is None else int(labels[index % len(labels)]))

    def labels(self):
        return np.arange(self.count) % 2 if self.label.kind else None


class Dimmer(WorkerGenerator):
    """Ranked copies: each is darker than the one before.

    Args:
        levels: Copies, the original among them.
    """

    def __init__(self, *, levels: Annotated[int, Ge(2)] = 3):
        self.levels = levels

    def plan(self, views: ViewSpec) -> ViewSpec:
        return ViewSpec(views.views * self.levels, 1, "ordered", ((views.views * self.levels, None),))

    def apply(self, views: Sequence[View], draws: Draws) -> list[View]:
        out = []
        for view in views:
            for level in range(self.levels):
                number = view.view * self.levels + level
                shift = int(draws.at(view.index, number).integers("shift", 3)[0])
                image = torch.roll(view.image, shift, 1) // (level + 1)
                out.append(replace(view, image=image, view=number, level=1 - level / self.levels))
        return out


class Jitter(DeviceGenerator):
    """Noisy views.

    Args:
        views: Views of each.
    """

    def __init__(self, *, views: Annotated[int, Ge(1)] = 2):
        self.views = views

    def plan(self, views: ViewSpec) -> ViewSpec:
        return replace(views, views=views.views * self.views, sizes=tuple((n * self.views, s) for n, s in views.sizes))

    def apply(self, batch: Batch, draws: Draws) -> Batch:
        rows = torch.arange(len(batch)).repeat_interleave(self.views)
        batch = batch.rows(rows)
        view = batch.target.view * self.views + torch.arange(self.views).repeat(len(rows) // self.views)
        target = replace(batch.target, view=view)
        light = draws.at(target.index.numpy(), view.numpy()).uniform("light", 0.5, 1.5)
        stack = batch.images[0].float() / 255 * torch.from_numpy(light).float()[:, None, None, None]
        return Batch((stack.clamp(0, 1),), batch.sizes, batch.maps, target)


class Flat(Backbone):
    """One convolution and a mean.

    Args:
        width: Channels.
        norm: Whether BatchNorm follows.
        dropout: Share of features dropped in training.
    """

    def __init__(self, *, width: Annotated[int, Ge(1)] = 8, norm: bool = False, dropout: float = 0.0):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width) if norm else nn.Identity()
        self.drop = nn.Dropout(dropout)
        self.spec = FeatureSpec(width, width, 1)

    def forward(self, images: Tensor, maps: bool = False) -> Features:
        cells = torch.tanh(self.norm(self.conv(images)))
        return Features(self.drop(cells.mean((2, 3))), [cells] if maps else None)


class Arrow(Head):
    """A linear embedding and a score.

    Args:
        dim: Columns of the embedding.
    """

    def __init__(self, features: FeatureSpec, label: LabelSpec, /, *, dim: Annotated[int, Ge(1)] = 4):
        super().__init__()
        self.embed, self.rate, self.dim = nn.Linear(features.width, dim), nn.Linear(features.width, 1), dim

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        return {"arrow": OutputSpec("embedding", self.dim), "rating": OutputSpec("score")}

    def forward(self, features: Features) -> Mapping[str, Tensor]:
        return {"arrow": self.embed(features.pooled), "rating": self.rate(features.pooled)[:, 0]}


class Pull(Loss):
    """Draws views of a group together: a sum over groups.

    Args:
        strength: Factor.
    """

    scope = "group"

    def __init__(self, outputs: Mapping[str, OutputSpec], /, *, strength: Annotated[float, Gt(0)] = 1.0):
        super().__init__()
        self.name, self.strength = single_output(outputs, "embedding", "pull"), strength

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        if views.views == 1:
            yield "pull needs at least two views of an image, the generator makes 1"

    def count(self, target: RankTarget) -> Tensor:
        return torch.tensor(float(len(torch.unique(target.group))))

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        z, total = outputs[self.name], outputs[self.name].sum() * 0
        for group in torch.unique(target.group):
            mine = z[target.group == group]
            total = total + self.strength * ((mine - mine.mean(0)) ** 2).sum() - 0.1 * mine.norm(dim=1).sum()
        return LossResult(total, {"norm": z.norm(dim=1).mean().detach()} if context.log else {})


class Fit(Loss):
    """Squared error of a score to the class number; missing labels are left out.

    Args:
        blow_up_at: Progress from which on the loss is not a number.
    """

    scope = "sample"

    def __init__(self, outputs: Mapping[str, OutputSpec], /, *, blow_up_at: float = 2.0):
        super().__init__()
        self.name, self.blow_up_at = single_output(outputs, "score", "fit"), blow_up_at

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        if label.kind is None:
            yield "fit needs labels, the data have none"

    def count(self, target: RankTarget) -> Tensor:
        return (target.label >= 0).sum().float()

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        kept = target.label >= 0
        error = (outputs[self.name] - target.label)[kept]
        factor = float("nan") if context.progress >= self.blow_up_at else 1.0
        return LossResult((error**2).sum() * factor)


class Follow(Loss):
    """Distance to the teacher, with a learned bias: a loss with parameters and a buffer."""

    scope = "batch"

    def __init__(self, outputs: Mapping[str, OutputSpec], /):
        super().__init__()
        self.name = single_output(outputs, "embedding", "follow")
        self.bias = nn.Parameter(torch.zeros(outputs[self.name].dim))
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def count(self, target: RankTarget) -> Tensor:
        return torch.tensor(float(len(target)))

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        taught = context.teacher[self.name] if context.teacher is not None else 0.0
        return LossResult(((outputs[self.name] + self.bias - taught) ** 2).sum())

    def after_step(self) -> None:
        self.steps += 1


class Descent(Optimizer, torch.optim.SGD):
    """Gradient descent.

    Args:
        lr: Learning rate.
        momentum: Momentum.
    """

    def __init__(self, params, /, *, lr: Annotated[Scheduled, Gt(0)] = 0.05, momentum: Scheduled = 0.9):
        torch.optim.SGD.__init__(self, params, lr=lr, momentum=momentum)


class Ramp(Schedule):
    """A straight line.

    Args:
        start: First value.
        end: Last value.
    """

    def __init__(self, *, start: float = 1.0, end: float = 0.5):
        self.start, self.end = start, end

    def value(self, clock: Clock) -> float:
        return self.start + (self.end - self.start) * clock.progress


class Whole(Predict):
    """The image as it is."""

    def __call__(self, images: Sequence[Tensor], forward: Forward) -> dict[str, Tensor]:
        return dict(forward(torch.stack(list(images)).float() / 255))


class Spread(Evaluator):
    """Standard deviation of the features.

    Args:
        data: Which data set.
        labeled: Whether labels are needed.
    """

    def __init__(self, *, data: DataName, labeled: bool = False):
        self.data, self.needs_labels = data, labeled

    def check(self, data: Mapping[str, LabelSpec]) -> Iterable[str]:
        if self.needs_labels and data[self.data].kind is None:
            yield f"data set {self.data!r} has no labels"

    def headline(self) -> Sequence[str]:
        return ["spread"]

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        values = source.outputs(self.data, "backbone").values
        picture = np.zeros((4, 4, 3), np.uint8)
        tables = {"rows": [{"row": n, "norm": float(v.norm())} for n, v in enumerate(values)]}
        return EvaluationResult({"spread": float(values.std())}, tables, {"black": picture}, ["spread says little"])


class Stopper(Callback):
    """Asks to stop.

    Args:
        after: Steps.
    """

    def __init__(self, *, after: Annotated[int, Ge(1)] = 5):
        self.after = after

    def step_logged(self, step, values):
        return "stop" if step >= self.after else None

    def at_once(self, step):
        return step >= self.after


_ROWS = {
    "dataset": {"patches": Patches},
    "generator": {"dimmer": Dimmer, "jitter": Jitter},
    "backbone": {"flat": Flat},
    "head": {"arrow": Arrow},
    "loss": {"pull": Pull, "fit": Fit, "follow": Follow},
    "optimizer": {"descent": Descent},
    "schedule": {"ramp": Ramp},
    "predict": {"as_it_is": Whole},
    "evaluator": {"spread": Spread},
    "callback": {"stopper": Stopper},
}


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    return [
        Component(kind, name, f"{__name__}:{cls.__name__}", cls.__doc__.splitlines()[0])
        for kind, rows in _ROWS.items()
        for name, cls in rows.items()
    ]


RECIPE = """
name: fake
data:
  train: {use: patches, count: 24}
  test: {use: patches, count: 10}
backbone: {use: flat}
heads:
  main: {use: arrow}
optimizer: {use: descent, lr: 0.05}
schedule: {use: ramp}
streams:
  views:
    data: train
    batch_size: 6
    generator: [{use: jitter, views: 2}]
    objectives:
    - {use: pull, head: main}
phases:
- {name: first, epochs: 3, streams: [views]}
predict: {use: as_it_is}
evaluate:
- {use: spread, data: test}
checkpoint: {every_steps: 5, keep: 3}
log: {every_steps: 3}
"""
