"""RankMe: the smooth rank of the features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.options import DataName, Ge, OutputName
from rankhub_probes.features import collapsed, matrix, singular_values, smooth_rank, some, undefined
from rankhub_ranking.embeddings import unit_rows


class RankMe(Evaluator):
    """RankMe (Garrido, Balestriero, Najman, LeCun, ICML 2023), equations 1 and 2.

    With sigma_k the singular values of the N x K matrix of features, neither centred nor normalized:
    p_k = sigma_k / sum_j sigma_j + eps; RankMe = exp(-sum_k p_k ln p_k), between 1 and min(N, K).

    It chooses among runs of *one* method, on the output of the projection and on the images trained on: the
    highest value, and on a plateau the most extreme hyper-parameter that reaches it. A high value is necessary
    for good features, not sufficient: random weights can have one. Values of other methods, of another K
    (raw pixels, say), of another N, or with ``normalize`` set otherwise must not be compared.

    Features that are all zero have RankMe 0; features that are all equal have RankMe 1.

    Args:
        data: Whose images; the authors take those that were trained on.
        output: ``backbone`` or ``HEAD.OUTPUT``; the authors choose runs by the output of the projection.
        normalize: Divide each row by its length first.
        limit: Images at most, drawn once; the authors find 25,600 enough.
        eps: Added to each share of the spectrum.
    """

    needs_labels = False
    judges_training = False

    def __init__(
        self,
        *,
        data: DataName,
        output: OutputName = "backbone",
        normalize: bool = False,
        limit: Annotated[int, Ge(2)] = 25_600,
        eps: Annotated[float, Ge(0)] = 1e-7,
    ) -> None:
        self.data = data
        self.output = output
        self.normalize = normalize
        self.limit = limit
        self.eps = eps

    def headline(self) -> Sequence[str]:
        """``rankme``."""
        return ["rankme"]

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        """RankMe of one row of the report."""
        values = some(matrix(source.outputs(self.data, self.output), self.output, "rankme"), self.limit)
        result = undefined(values, self.headline(), "rankme", source.row)
        if result is not None:
            return result
        if self.normalize:
            values = unit_rows(values.double())
        rank = smooth_rank(singular_values(values, source.device), self.eps)
        form = " of unit length" if self.normalize else ""
        notes = [
            f"rankme: {len(values):,} images x {values.shape[1]:,} numbers of {self.output}{form}; "
            "compare it only within one method, at the same two figures"
        ]
        if collapsed(values):
            notes.append(f"rankme, {source.row}: the features of all images are equal (collapsed)")
        return EvaluationResult({"rankme": rank}, notes=notes)
