"""Which output of a head a loss on one number takes."""

from __future__ import annotations

from collections.abc import Mapping

from rankhub.interfaces.loss import single_output
from rankhub.interfaces.model import OutputSpec


def one_number(outputs: Mapping[str, OutputSpec], owner: str) -> str:
    """The name of the one score; where there is none of the one count, and else of the one mean of a map.

    Raises:
        Objection: There is none, or more than one.
    """
    kinds = {spec.kind for spec in outputs.values()}
    kind = next((kind for kind in ("score", "count", "pooled") if kind in kinds), "score")
    return single_output(outputs, kind, owner)
