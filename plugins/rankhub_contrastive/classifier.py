"""A linear head that tells classes apart."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import Objection
from rankhub.interfaces.model import Features, FeatureSpec, Head, OutputSpec
from rankhub_ranking.embeddings import full_precision


class Classifier(Head):
    """From the pooled features to one logit a class, by a linear map. Output ``logits`` [N, classes].

    The classes are those of the labels that it is trained on.
    """

    def __init__(self, features: FeatureSpec, label: LabelSpec, /) -> None:
        super().__init__()
        if label.kind != "class":
            have = f"labels of kind {label.kind}" if label.kind else "no labels"
            raise Objection(f"classifier tells classes apart, but the data that it is trained on has {have}")
        classes = max(1, len(label.classes))  # a folder's are known once it is open
        self._outputs = {"logits": OutputSpec("logits", classes)}
        self.linear = nn.Linear(features.width, classes)

    @property
    def outputs(self) -> Mapping[str, OutputSpec]:
        """The logits."""
        return self._outputs

    def forward(self, features: Features) -> Mapping[str, Tensor]:
        """``logits`` [N, classes]."""
        return {"logits": full_precision(self.linear(features.pooled))}
