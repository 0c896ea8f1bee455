"""SwAV: swapped assignments between views."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge, Gt, Le
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent
from rankhub_contrastive.checks import no_target
from rankhub_contrastive.prediction import prediction_count, prediction_loss, target_parts, target_rows
from rankhub_ranking.embeddings import unit_rows
from rankhub_ranking.queue import Queue


class SwAV(Loss):
    """Swapped prediction: each view predicts the cluster assignments of the other views of its image.

    With unit-length embeddings z and unit-length prototypes c_1 ... c_K, which belong to this loss:

        codes        q_t = Sinkhorn over the batch of z · c_k / epsilon, for each global view number by itself
        predictions  p_s = softmax_k(z_s · c_k / T)
        L            = -Σ_t Σ_{s != t, same image} Σ_k q_t(k) log p_s(k)

    over the global views t (numbered below ``global_views``: the large crops come first) and all views s. The engine
    divides by the number of such pairs, which gives the published mean. Codes carry no gradient; the prototypes do,
    and are brought back to unit length after each step. The prototypes are in the loss, not in the head, so that
    any head with an embedding will do (the authors': two layers with BatchNorm, 128 columns), and that only
    embeddings pass between processes.

    With ``queue``, the codes of a small batch are balanced together with the last embeddings of the same view number,
    from ``queue_from`` on and once the queue is full.

    For the log: "target_entropy" of the codes, which the loss cannot fall below, and "perplexity", the effective
    number of prototypes in use.

    Source: Caron, Misra, Mairal, Goyal, Bojanowski, Joulin: Unsupervised learning of visual features by contrasting
    cluster assignments, NeurIPS 2020 (arXiv 2006.09882), equations 1 to 4.

    Args:
        prototypes: K. The authors take 3,000 for ImageNet, three for each of its classes.
        temperature: T of the predictions.
        epsilon: Of Sinkhorn; smaller makes sharper codes.
        iterations: Of Sinkhorn.
        global_views: Views numbered below this give codes; all views predict.
        queue: Embeddings kept for each global view; 0 = none. The authors take 3,840 for batches of 256 images.
        queue_from: Share of the phase after which the queue is used; the authors wait 15 of 200 epochs.
        freeze_until: Share of the phase during which the prototypes stand still; the authors hold them for one epoch.
    """

    scope: Scope = "batch"
    per_query: ClassVar[bool] = True

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        prototypes: Annotated[int, Ge(2)] = 3000,
        temperature: Annotated[float, Gt(0)] = 0.1,
        epsilon: Annotated[float, Gt(0)] = 0.05,
        iterations: Annotated[int, Ge(1)] = 3,
        global_views: Annotated[int, Ge(1)] = 2,
        queue: Annotated[int, Ge(0)] = 0,
        queue_from: Annotated[float, Ge(0), Le(1)] = 0.075,
        freeze_until: Annotated[float, Ge(0), Le(1)] = 0.01,
    ) -> None:
        super().__init__()
        self.output = single_output(outputs, "embedding", "swav")
        dim = outputs[self.output].dim
        self.prototypes = nn.Parameter(F.normalize(torch.randn(prototypes, dim), dim=1))
        self.queues = nn.ModuleList(Queue(queue, dim) for _ in range(global_views if queue else 0))
        self.temperature, self.epsilon, self.iterations = temperature, epsilon, iterations
        self.global_views, self.queue_from, self.freeze_until = global_views, queue_from, freeze_until
        self._seen: list[Tensor] | None = None

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if the first views are not the large ones, or if there is no other view to predict them."""
        return no_target("swav", views, self.global_views)

    def count(self, target: RankTarget) -> Tensor:
        """Number of pairs of a global view and another view of its image."""
        return prediction_count(target, self.global_views)

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """Sum of the cross-entropies over all pairs (whose predicting view is in ``context.queries``)."""
        rows = unit_rows(outputs[self.output])
        prototypes = self.prototypes.to(rows.dtype)
        if context.progress < self.freeze_until:
            prototypes = prototypes.detach()
        found = [torch.nonzero(target.on_cpu.view == view).flatten() for view in range(self.global_views)]
        by_view = [sent(members, rows.device) for members in found]
        self._seen = [rows[members].detach() for members in by_view]
        with torch.autocast(rows.device.type, enabled=False):
            scores = rows @ prototypes.T
            codes = scores.new_zeros(scores.shape)
            for view, members in enumerate(by_view):
                codes[members] = self._codes(scores[members].detach(), prototypes.detach(), view, context.progress)
            targets = target_rows(target, self.global_views)
            logits = scores / self.temperature
            total = prediction_loss(codes[targets], targets, logits, target, context.queries)
        return LossResult(total, target_parts(codes[targets]) if context.log else {})

    def _codes(self, scores: Tensor, prototypes: Tensor, view: int, progress: float) -> Tensor:
        """[n, K] codes of the views of one number; the queue takes part in the balance."""
        if len(self.queues) and progress >= self.queue_from:
            queue = self.queues[view]
            assert isinstance(queue, Queue)
            if queue.full:
                earlier = queue.rows.to(prototypes.dtype) @ prototypes.T
                return sinkhorn(torch.cat([scores, earlier]), self.epsilon, self.iterations)[: len(scores)]
        return sinkhorn(scores, self.epsilon, self.iterations)

    @torch.no_grad()
    def after_step(self) -> None:
        """Bring the prototypes back to unit length, and put the step's embeddings into the queues."""
        if self._seen is None:
            return
        self.prototypes.copy_(F.normalize(self.prototypes, dim=1))
        for queue, rows in zip(self.queues, self._seen, strict=False):
            assert isinstance(queue, Queue)
            queue.push(rows)
        self._seen = None


@torch.no_grad()
def sinkhorn(scores: Tensor, epsilon: float, iterations: int) -> Tensor:
    """[n, K] rows that add up to 1: samples assigned so that prototypes are used equally (Cuturi, NeurIPS 2013).

    Starting from exp(scores / epsilon), divide each prototype's column by its sum, then each sample's row by its sum,
    ``iterations`` times. In logarithms, so that no epsilon makes a column vanish.
    """
    logs = scores / epsilon
    for _ in range(iterations):
        logs = logs - logs.logsumexp(0, keepdim=True)
        logs = logs - logs.logsumexp(1, keepdim=True)
    return logs.exp()
