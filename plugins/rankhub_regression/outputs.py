"""Which output of a head a loss on one number takes."""

from __future__ import annotations

from collections.abc import Mapping

from rankhub.interfaces.loss import single_output
from rankhub.interfaces.model import OutputSpec


def one_number(outputs: Mapping[str, OutputSpec], owner: str) -> str:
    """The name of the one score; of the one count where there is no score.

    Raises:
        Objection: There is none, or more than one.
    """
    kinds = {spec.kind for spec in outputs.values()}
    return single_output(outputs, "count" if "count" in kinds and "score" not in kinds else "score", owner)
