"""Features as an evaluator compares them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from rankhub.interfaces.embeddings import unit_rows
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable

Unit = npt.NDArray[np.float32]
"""[n, d] rows of unit length (or zero), C-contiguous."""


def unit_features(table: OutputTable, data: str) -> Unit:
    """One row an image, flattened and divided by its length.

    Args:
        table: Features of the images.
        data: Name of the data set, for the sentence.

    Raises:
        UserError: There are no rows, or a value is not finite.
    """
    values = table.values.flatten(1).float()
    if not len(values):
        raise UserError(f"data set {data!r} holds no images to evaluate on")
    broken = int((~values.isfinite()).any(dim=1).sum())
    if broken:
        raise UserError(
            f"{broken} of {len(values)} features of data set {data!r} are not finite; the network's weights have "
            "diverged: lower the learning rate and train again"
        )
    return np.ascontiguousarray(unit_rows(values).numpy())


def collapsed(features: Unit, data: str) -> str | None:
    """A sentence if all features point the same way, so that nothing can be told apart."""
    if len(features) > 1 and np.linalg.norm(features - features[:1], axis=1).max() < 1e-3:
        return (
            f"the features of all {len(features)} images of {data!r} are the same: the network has collapsed, and the "
            "figures are chance"
        )
    return None
