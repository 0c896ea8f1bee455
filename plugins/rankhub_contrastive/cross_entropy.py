"""Cross-entropy of class labels: what a network learns that is told the classes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import ViewSpec
from rankhub.interfaces.loss import Loss, LossContext, LossResult, Scope, single_output
from rankhub.interfaces.model import OutputSpec
from rankhub.interfaces.order import RankTarget
from rankhub.interfaces.tensors import sent
from rankhub_ranking.embeddings import full_precision


class CrossEntropy(Loss):
    """Mean over the views with a label y of -ln softmax(f)[y]; a missing label (-1) costs nothing.

    It uses the labels, so that a representation learned without them can be held against what they teach the same
    network in as many steps: a bound, not a rival.

    For the log: "accuracy", the share of the labeled views whose class has the largest logit.
    """

    scope: Scope = "sample"

    def __init__(self, outputs: Mapping[str, OutputSpec], /) -> None:
        super().__init__()
        self.output = single_output(outputs, "logits", "cross_entropy")
        self.classes = outputs[self.output].dim

    def check(self, views: ViewSpec, label: LabelSpec) -> Iterable[str]:
        """One sentence if the stream's labels are no classes, or more of them than the head knows."""
        if label.kind != "class":
            have = f"are of kind {label.kind}" if label.kind else "have no labels"
            yield f"cross_entropy needs classes as labels, but the stream's data {have}"
        elif len(label.classes) > self.classes:
            yield (
                f"the stream's data have {len(label.classes)} classes, but the head that cross_entropy takes was made "
                f"for the {self.classes} of another stream; give each stream a head of its own"
            )

    def count(self, target: RankTarget) -> Tensor:
        """Number of views with a label."""
        return (_classes(target) >= 0).sum()

    def forward(self, outputs: Mapping[str, Tensor], target: RankTarget, context: LossContext) -> LossResult:
        """The sum over the views with a label."""
        logits, classes = full_precision(outputs[self.output]), _classes(target.on_cpu)
        rows = (classes >= 0).nonzero().flatten()
        known, classes = (sent(one, logits.device) for one in (rows, classes[rows]))
        logits = logits[known]
        parts = {}
        if context.log and len(classes):
            parts["accuracy"] = (logits.detach().argmax(1) == classes).to(torch.float32).mean()
        return LossResult(F.cross_entropy(logits, classes, reduction="sum"), parts)


def _classes(target: RankTarget) -> Tensor:
    """[N] the labels."""
    if not isinstance(target.label, Tensor) or target.label.is_floating_point():
        raise UserError("cross_entropy needs classes as labels, but this batch has none; name a data set with classes")
    return target.label
