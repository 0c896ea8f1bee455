"""DINO: self-distillation with no labels."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge, Gt, Le, Lt
from rankhub.interfaces.order import RankTarget
from rankhub_contrastive.checks import no_target
from rankhub_contrastive.prediction import prediction_count, prediction_loss, target_parts, target_rows
from rankhub_ranking.embeddings import full_precision


class DINO(Loss):
    """Self-distillation: each view predicts the teacher's scores of the other, large views of its image.

    With g_s the scores of view s, g'_t those of the teacher for view t and c the centre:

        targets      P_t = softmax((g'_t - c) / T_t)
        predictions  p_s = softmax(g_s / T)
        L            = -Σ_t Σ_{s != t, same image} Σ_k P_t(k) log p_s(k)

    over the global views t (numbered below ``global_views``: the large crops come first) and all views s. The engine
    divides by the number of such pairs, which gives the published mean. After each step the centre moves to the
    mean of the teacher's scores, c <- m c + (1 - m) mean_t g'_t; it is part of the checkpoint.

    Needs a head with scores (``dino``) and a teacher, whose decay rises to 1: in the recipe,
    ``average: {decay: {use: cosine, start: 0.996, end: 1.0}, use_for: [teacher]}`` (.996 for batches of 1,024 images,
    .9995 for 256).

    For the log: "target_entropy" of the teacher, which the loss cannot fall below, and "perplexity", the effective
    number of prototypes in use. An entropy of 0 at perplexity 1, or an entropy of log K, is a collapse.

    Source: Caron, Touvron, Misra, Jégou, Mairal, Bojanowski, Joulin: Emerging properties in self-supervised vision
    transformers, ICCV 2021 (arXiv 2104.14294), equations 2 to 4. The authors' clipping of gradients at 3 is
    ``clip_grad`` in a recipe; their standstill of the last layer during the first epoch is left out.

    Args:
        temperature: T of the predictions.
        teacher_temperature: T_t of the teacher, once warm.
        teacher_temperature_start: T_t at the start; lower it if the loss does not fall.
        warmup: Share of the phase over which T_t goes from its start to its end; the authors' 30 of 300 epochs.
        center_momentum: m of the centre.
        global_views: Views numbered below this are shown to the teacher; all views predict.
    """

    scope: Scope = "batch"
    per_query: ClassVar[bool] = True
    center: Tensor

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        temperature: Annotated[float, Gt(0)] = 0.1,
        teacher_temperature: Annotated[float, Gt(0)] = 0.07,
        teacher_temperature_start: Annotated[float, Gt(0)] = 0.04,
        warmup: Annotated[float, Ge(0), Le(1)] = 0.1,
        center_momentum: Annotated[float, Ge(0), Lt(1)] = 0.9,
        global_views: Annotated[int, Ge(1)] = 2,
    ) -> None:
        super().__init__()
        self.output = single_output(outputs, "prototypes", "dino")
        self.temperature = temperature
        self.teacher_temperature, self.teacher_temperature_start = teacher_temperature, teacher_temperature_start
        self.warmup, self.center_momentum, self.global_views = warmup, center_momentum, global_views
        self.teacher_views = global_views
        self.register_buffer("center", torch.zeros(outputs[self.output].dim))
        self._mean: Tensor | None = None

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if the first views are not the large ones, or if there is no other view to predict them."""
        return no_target("dino", views, self.global_views)

    def count(self, target: RankTarget) -> Tensor:
        """Number of pairs of a global view and another view of its image."""
        return prediction_count(target, self.global_views)

    def temperature_at(self, progress: float) -> float:
        """T_t when the share ``progress`` of the phase is done."""
        warm = min(1.0, progress / self.warmup) if self.warmup else 1.0
        return self.teacher_temperature_start + warm * (self.teacher_temperature - self.teacher_temperature_start)

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """Sum of the cross-entropies over all pairs (whose predicting view is in ``context.queries``).

        Raises:
            UserError: There is no teacher.
        """
        if context.teacher is None:
            raise UserError(
                "dino learns from the scores of a teacher, and the recipe has none; "
                "add `average: {decay: {use: cosine, start: 0.996, end: 1.0}, use_for: [teacher]}`"
            )
        scores = full_precision(outputs[self.output])
        rows = target_rows(target, self.global_views)
        taught = full_precision(context.teacher[self.output].detach()[rows])
        self._mean = taught.mean(0) if len(rows) else None
        sharp = (taught - self.center) / self.temperature_at(context.progress)
        targets = torch.softmax(sharp, 1).to(scores.dtype)
        total = prediction_loss(targets, rows, scores / self.temperature, target, context.queries)
        return LossResult(total, target_parts(targets) if context.log else {})

    @torch.no_grad()
    def after_step(self) -> None:
        """Move the centre towards the mean of the teacher's scores in the step."""
        if self._mean is not None:
            self.center.lerp_(self._mean.to(self.center.dtype), 1 - self.center_momentum)
            self._mean = None
