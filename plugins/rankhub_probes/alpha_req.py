"""alpha-ReQ: how fast the spectrum of the features decays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor

from rankhub.interfaces.errors import Objection
from rankhub.interfaces.evaluate import EvaluationResult, EvaluationSource, Evaluator
from rankhub.interfaces.options import DataName, Ge, OutputName
from rankhub_probes.features import ROUNDING, collapsed, matrix, singular_values, some, undefined

_FEWEST = 3
"""Eigenvalues without which a line through them says nothing."""


class AlphaReQ(Evaluator):
    """alpha-ReQ (Agrawal, Mondal, Ghosh, Richards, NeurIPS 2022).

    The eigenvalues lambda_j of the covariance of the features, the largest first, are fitted by
    lambda_j ~ j^-alpha: a line through (ln j, ln lambda_j), weighted by 1/j (Stringer et al., Nature 2019), over
    the ranks ``first`` to ``last``. alpha near 1 is good; above 1 few directions carry all (collapse), below 1
    the spectrum is too flat. ``distance`` is abs(alpha - 1), so that runs can be ranked by it; that rule is
    ours.

    The paper states no ranks: the authors' code leaves out the first 3 to 11 and stops at 50 to 100. Values over
    other ranks, of another number of images or of another width must not be compared; see ``r2`` for how well a
    line fits at all (1 is best).

    Eigenvalues below the rounding of float32 are left out. Where fewer than three remain, the result is ``nan``.

    Args:
        data: Whose images.
        output: ``backbone`` or ``HEAD.OUTPUT``.
        first: First rank of the fit, from 1.
        last: Last rank of the fit.
        limit: Images at most, drawn once.
    """

    needs_labels = False
    judges_training = False
    lower_is_better = frozenset({"distance"})

    def __init__(
        self,
        *,
        data: DataName,
        output: OutputName = "backbone",
        first: Annotated[int, Ge(1)] = 11,
        last: Annotated[int, Ge(3)] = 100,
        limit: Annotated[int, Ge(2)] = 25_600,
    ) -> None:
        if last - first + 1 < _FEWEST:
            raise Objection(f"`first` {first} to `last` {last} are fewer than {_FEWEST} ranks; set `last` higher")
        self.data = data
        self.output = output
        self.first = first
        self.last = last
        self.limit = limit

    def headline(self) -> Sequence[str]:
        """``distance``: alpha itself is neither better high nor low; it stands among the metrics and in a note."""
        return ["distance"]

    def __call__(self, source: EvaluationSource) -> EvaluationResult:
        """Alpha of one row of the report."""
        values = some(matrix(source.outputs(self.data, self.output), self.output, "alpha_req"), self.limit)
        result = undefined(values, ["distance", "alpha", "r2"], "alpha_req", source.row)
        if result is not None:
            return result
        eigenvalues = covariance_values(values, source.device)
        fit = power_law(eigenvalues, self.first, self.last)
        metrics = {"distance": abs(fit.alpha - 1), "alpha": fit.alpha, "r2": fit.r2}
        return EvaluationResult(metrics, {"spectrum": _rows(eigenvalues)}, notes=[self._note(source.row, fit)])

    def _note(self, row: str, fit: PowerLaw) -> str:
        if fit.last < fit.first + _FEWEST - 1:
            return (
                f"alpha_req, {row}: {fit.last} eigenvalues differ from 0, too few for a fit over the ranks "
                f"{self.first} to {self.last}, so there is no result"
            )
        return (
            f"alpha_req, {row}: alpha {fit.alpha:.3f} (best near 1; the line fits with R2 {fit.r2:.3f}) "
            f"over the ranks {fit.first} to {fit.last}"
        )


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """lambda_j ~ j^-alpha over some ranks.

    Attributes:
        alpha: Exponent; ``nan`` with fewer than three eigenvalues.
        r2: Weighted share of the variance of ln lambda that the line explains, at most 1.
        first: First rank that was fitted, from 1.
        last: Last rank that was fitted.
    """

    alpha: float
    r2: float
    first: int
    last: int


def covariance_values(values: Tensor, device: torch.device) -> Tensor:
    """[r] eigenvalues of the covariance of [n, D] (over n - 1) above the rounding of float32, the largest first."""
    if collapsed(values):
        return torch.empty(0, dtype=torch.float64)
    eigenvalues = singular_values(values, device, centre=True).square() / (len(values) - 1)
    return eigenvalues[eigenvalues > ROUNDING * eigenvalues[0]]


def power_law(eigenvalues: Tensor, first: int, last: int) -> PowerLaw:
    """The line through (ln j, ln lambda_j), weighted by 1/j, over ranks j from ``first`` (1 or more) to ``last``."""
    last = min(last, len(eigenvalues))
    if last < first + _FEWEST - 1:
        return PowerLaw(float("nan"), float("nan"), first, last)
    ranks = torch.arange(first, last + 1, dtype=torch.float64)
    weights = (1 / ranks) / (1 / ranks).sum()
    x, y = ranks.log(), eigenvalues[first - 1 : last].double().log()
    x, y = x - weights @ x, y - weights @ y
    slope = float((weights * x) @ y / ((weights * x) @ x))
    spread, left = float(weights @ y.square()), float(weights @ (y - slope * x).square())
    return PowerLaw(-slope, 1 - left / spread if spread > 0 else 1.0, first, last)


def _rows(eigenvalues: Tensor) -> list[dict[str, Any]]:
    return [{"rank": rank, "eigenvalue": value} for rank, value in enumerate(eigenvalues.tolist(), 1)]
