"""All that can be set for a run of counting, in one place; what is measured with it stands in ``study.py``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

Overrides = dict[str, Any]
"""Dotted path of a recipe -> value."""


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Attributes:
        title: In table and figure.
        recipe: The shipped recipe it starts from.
        uses_labels: Whether it has a labeled stream.
        uses_ranks: Whether it has a ranked stream.
        after_ranking: Whether it starts from the weights of the ranking run of its seed and does the remaining steps.
        alternates: Whether its streams take turns.
    """

    title: str
    recipe: str
    uses_labels: bool = True
    uses_ranks: bool = False
    after_ranking: bool = False
    alternates: bool = False


RANKING = Method("ranking only (no label)", "counting_ranking", uses_labels=False, uses_ranks=True)
METHODS: Mapping[str, Method] = {
    "supervised": Method("supervised only", "counting_supervised"),
    "finetune": Method("ranking, then fine-tuning", "counting_supervised", after_ranking=True),
    "alternating": Method("alternating", "counting_alternating", uses_ranks=True, alternates=True),
    "multitask": Method("multi-task", "counting_multitask", uses_ranks=True),
}


@dataclass(frozen=True)
class Settings:
    """The network, the crops, the losses and the steps. Everything that a run does not take from its recipe.

    Attributes:
        backbone: Component and options.
        head: Options of the density head.
        size: Side in pixels of all views that train.
        labeled_crops: Options of ``scaled_crops``, ``size`` apart.
        labeled_images: Labeled images a step, at most the smallest number that is measured.
        sigma: Standard deviation of the Gaussians in pixels.
        adaptive: As a share of the distance to the neighbours instead; None = ``sigma`` everywhere.
        cut: Side in pixels of a random crop of the photo in which nested crops are made; None = the photo itself.
        nested_crops: Options of ``nested_crops``, ``size`` apart.
        ranked_images: Images of the ranked stream a step, beside a labeled stream.
        ranked_statistics: Whether batch statistics learn from the ranked stream beside a labeled one. A mixture of both
            fits neither: with it, multi-task counted 34 cells wrong of 180 where supervised training counted 4.
        unlabeled: Images of the ranked stream: ``all`` to train on, or the ``labeled`` ones alone.
        output: What is ranked beside labels: the count or its mean over the map.
        weight: Of the ranking loss beside labels.
        margin: Of the ranking loss beside labels, in standardised units; 0 as published.
        alone_output: What is ranked where there are no labels.
        alone_margin: Margin there, above 0 as the constant map is a minimum otherwise.
        alone_images: Images a step there.
        steps: Optimiser steps of every method, those of the ranking phase that it starts from included.
        ranking_steps: Steps of that phase.
        alternate: Steps before the other stream takes over; divides ``steps`` into an even number of turns.
        lr: Peak learning rate of AdamW.
        weight_decay: Its weight decay.
        clip_grad: Largest norm of the gradient.
        warmup: Share of the steps in which the learning rate rises; then it falls along a cosine.
        finetune_lr: Factor on the backbone's learning rate after ranking.
        predict: How whole images are counted.
    """

    backbone: Overrides = field(default_factory=lambda: {"use": "timm", "model": "test_resnet", "stride": 8})
    head: Overrides = field(default_factory=dict)
    size: int = 96
    labeled_crops: Overrides = field(default_factory=lambda: {"count": 2, "smallest": 64, "largest": 128, "flip": 0.5})
    labeled_images: int = 4
    sigma: float = 4.0
    adaptive: float | None = None
    cut: int | None = None
    nested_crops: Overrides = field(default_factory=lambda: {"crops": 4, "scale": 0.6, "flip": 0.5})
    ranked_images: int = 2
    ranked_statistics: bool = False
    unlabeled: Literal["all", "labeled"] = "all"
    output: Literal["count", "pooled"] = "pooled"
    weight: float = 0.1
    margin: float = 0.0
    alone_output: Literal["count", "pooled"] = "pooled"
    alone_margin: float = 0.1
    alone_images: int = 4
    steps: int = 300
    ranking_steps: int = 100
    alternate: int = 10
    lr: float = 3e-3
    weight_decay: float = 1e-2
    clip_grad: float = 5.0
    warmup: float = 0.05
    finetune_lr: float = 1.0
    predict: Overrides = field(default_factory=lambda: {"use": "whole"})

    def changed(self, changes: Sequence[str]) -> Settings:
        """With changes of the form ``steps=100``, the value as JSON.

        Raises:
            ValueError: There is no such setting, or the value cannot be read; one sentence.
        """
        known = {one.name for one in fields(self)}
        values: dict[str, Any] = {}
        for change in changes:
            name, equals, text = change.partition("=")
            if name not in known or not equals:
                raise ValueError(f"{change!r} changes no setting; expected NAME=VALUE of {', '.join(sorted(known))}")
            try:
                values[name] = json.loads(text)
            except ValueError as error:
                raise ValueError(f"the value of {change!r} is no JSON ({error})") from error
        settings = replace(self, **values)
        if not 0 < settings.ranking_steps < settings.steps:
            raise ValueError("ranking_steps must be at least 1 and below steps")
        return settings

    def steps_of(self, method: Method) -> int:
        """Optimiser steps of a run of the method, without those of a run that it starts from."""
        if not method.uses_labels:
            return self.ranking_steps
        return self.steps - self.ranking_steps * method.after_ranking

    def views_of(self, method: Method) -> int:
        """Views that pass the network in a run."""
        crops = int(self.nested_crops.get("crops", 5)) * int(self.nested_crops.get("sets", 1))
        labeled = self.labeled_images * int(self.labeled_crops.get("count", 1)) * method.uses_labels
        ranked = crops * (self.ranked_images if method.uses_labels else self.alone_images) * method.uses_ranks
        return self.steps_of(method) * (labeled + ranked) // (2 if method.alternates else 1)

    def overrides(self, method: Method, seed: int) -> Overrides:
        """What a run changes in its recipe, but for the data and where things are kept."""
        steps = self.steps_of(method)
        return {
            "backbone": self.backbone,
            "heads": {"density": {"use": "density", **self.head}},
            "optimizer": {"use": "adamw", "lr": self.lr, "weight_decay": self.weight_decay},
            "clip_grad": self.clip_grad,
            "schedule": {"use": "cosine", "warmup_steps": max(1, round(self.warmup * steps))},
            **self._learned(method, steps),
            "predict": self.predict,
            "evaluate": [_COUNTING if method.uses_labels else _RANKING_ACCURACY],
            "checkpoint": {"every_epochs": None, "keep": 1},
            "seed": seed,
        }

    def _learned(self, method: Method, steps: int) -> Overrides:
        """Streams, and the phase that learns from them."""
        # Turns follow the order of the streams, so the last one is labeled.
        streams: Overrides = {}
        if method.uses_ranks:
            streams["ranked"] = self._ranked(method)
        if method.uses_labels:
            streams["labeled"] = self._labeled()
        phase: Overrides = {"name": "learn", "steps": steps, "streams": list(streams)}
        if method.alternates:
            phase["mix"] = {"alternate": self.alternate}
        if method.after_ranking:
            phase["lr_scale"] = {"backbone": self.finetune_lr}
        return {"streams": streams, "phases": [phase]}

    def _labeled(self) -> Overrides:
        objective = {"use": "density_mse", "head": "density", "sigma": self.sigma, "adaptive": self.adaptive}
        return {
            "data": "labeled",
            "batch_size": self.labeled_images,
            "generator": [{"use": "scaled_crops", "size": self.size, **self.labeled_crops}],
            "objectives": [objective],
        }

    def _ranked(self, method: Method) -> Overrides:
        beside = method.uses_labels
        objective = {
            "use": "margin_ranking",
            "head": "density",
            "output": self.output if beside else self.alone_output,
            "margin": self.margin if beside else self.alone_margin,
            "weight": self.weight if beside else 1.0,
        }
        cut = [] if self.cut is None else [{"use": "random_crops", "size": self.cut}]
        return {
            "data": "labeled" if beside and self.unlabeled == "labeled" else "unlabeled",
            "batch_size": self.ranked_images if beside else self.alone_images,
            "generator": [*cut, {"use": "nested_crops", "size": self.size, **self.nested_crops}],
            "objectives": [objective],
            "statistics": self.ranked_statistics or not beside,
        }


_COUNTING = {"use": "counting", "data": "test", "train": "labeled", "game": [], "pictures": 0}
_RANKING_ACCURACY = {"use": "ranking_accuracy", "stream": "ranked", "data": "test", "output": "density.count"}
