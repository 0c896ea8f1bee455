"""MoCo v2: a moving teacher and a queue of its embeddings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.options import Ge, Gt
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent
from rankhub_contrastive.checks import no_pair
from rankhub_contrastive.partition import log_partition
from rankhub_contrastive.partners import pairs
from rankhub_ranking.embeddings import unit_rows
from rankhub_ranking.pairs import has_partner
from rankhub_ranking.queue import Queue


class MoCo(Loss):
    """InfoNCE of a view against the teacher's embedding of another view and a queue of earlier ones.

    With z the unit-length embedding of the network, k that of the teacher, P_q the other views of q's group and Q
    the queue:

        L_q = 1/|P_q| Σ_{p in P_q} -log( exp(z_q · k_p / T) / (exp(z_q · k_p / T) + Σ_{j in Q} exp(z_q · k_j / T)) )

    summed over the queries. Every view is a query and every view's teacher embedding enters the queue after the step:
    the symmetric form, since both networks see all views anyway (the paper's one direction leaves half of that
    unused). The queue starts with random unit vectors and is part of the checkpoint.

    Needs a teacher: ``average: {decay: 0.999, use_for: [teacher]}`` in the recipe (.999 in the paper; shorter runs on
    small data take .99 to .996). With BatchNorm, a query shares the batch's statistics with its positive but not with
    the queue, a shortcut that the authors close by shuffling over devices; here, prefer a network without BatchNorm.

    For the log: "positive_cosine" of the pairs, "negative_cosine" with the queue.

    Source: He, Fan, Wu, Xie, Girshick: Momentum contrast, CVPR 2020 (arXiv 1911.05722), equation 1; Chen, Fan,
    Girshick, He: Improved baselines with momentum contrastive learning, 2020 (arXiv 2003.04297).

    Args:
        temperature: T; .2 in MoCo v2, .07 in MoCo v1.
        queue: Embeddings in the queue; the paper's 65,536 suits 100,000 images and more.
    """

    scope: Scope = "batch"
    per_query: ClassVar[bool] = True

    def __init__(
        self,
        outputs: Mapping[str, OutputSpec],
        /,
        *,
        temperature: Annotated[float, Gt(0)] = 0.2,
        queue: Annotated[int, Ge(1)] = 65536,
    ) -> None:
        super().__init__()
        self.output = single_output(outputs, "embedding", "moco")
        self.temperature = temperature
        self.queue = Queue(queue, outputs[self.output].dim)
        self._keys: Tensor | None = None

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if no group can hold two views."""
        return no_pair("moco", views)

    def count(self, target: RankTarget) -> Tensor:
        """Number of queries: views that share their group with another view."""
        return has_partner(target.group).sum()

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """Sum of L_q over the queries that have a positive (and are in ``context.queries``).

        Raises:
            UserError: There is no teacher.
        """
        if context.teacher is None:
            raise UserError(
                "moco compares with the embeddings of a teacher, and the recipe has none; "
                "add `average: {decay: 0.999, use_for: [teacher]}`"
            )
        rows = unit_rows(outputs[self.output])
        keys = unit_rows(context.teacher[self.output].detach())
        self._keys = keys
        query, key = pairs(target.on_cpu.group)  # on the CPU, where nobody has to wait for them
        if context.queries is not None:
            kept = context.queries.cpu()[query]
            query, key = query[kept], key[kept]
        found = torch.unique(query, return_inverse=True, return_counts=True)
        query, key, picked, inverse, positives = (sent(one, rows.device) for one in (query, key, *found))
        queue = self.queue.rows.to(rows.dtype)
        cosine = (rows[query] * keys[key]).sum(1)
        negatives = log_partition(rows[picked], queue, self.temperature)[inverse]
        terms = -F.logsigmoid(cosine / self.temperature - negatives)
        parts = {}
        if context.log:
            parts["positive_cosine"] = cosine.detach().sum() / max(1, len(cosine))
            parts["negative_cosine"] = rows.detach().sum(0) @ queue.mean(0) / max(1, len(rows))
        return LossResult((terms / positives[inverse]).sum(), parts)

    def after_step(self) -> None:
        """Put the teacher's embeddings of the step into the queue."""
        if self._keys is not None:
            self.queue.push(self._keys)
            self._keys = None
