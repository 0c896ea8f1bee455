"""Images with a score and a prediction."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rankhub.interfaces.evaluate import EvaluationSource
from rankhub_ranking.labeled import Labeled, labeled, without_rounding


def scored(source: EvaluationSource, data: str, output: str) -> Labeled:
    """Predictions and labels of the images of ``data`` that have a score, higher = better on both sides.

    Raises:
        UserError: No image has a score, or the output is not one number an image.
    """
    found = labeled(source, data, output, ("has a score", "have no score and are"))
    predicted = found.predicted
    if not found.finite:
        bad = int((~np.isfinite(predicted)).sum())
        said = f"{bad} of {len(found)} predictions for {data!r} are not finite, so there is no result"
        return replace(found, notes=(*found.notes, said))
    found = replace(found, predicted=without_rounding(predicted))
    if len(found) > 1 and found.predicted.min() == found.predicted.max():
        said = f"all images of {data!r} get the same prediction (collapsed), which correlates with nothing"
        return replace(found, notes=(*found.notes, said))
    return found
