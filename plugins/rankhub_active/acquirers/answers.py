"""Tables of a pool as acquirers take them: one finite number, or one finite vector, a row."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub import UserError
from rankhub.interfaces.acquire import PoolSource, Rows
from rankhub.interfaces.embeddings import full_precision
from rankhub.interfaces.evaluate import OutputTable

Floats = npt.NDArray[np.float64]


def quoted(names: Iterable[str]) -> str:
    """Names for a sentence: 'a', 'b'."""
    return ", ".join(repr(name) for name in names)


def number_problem(output: str, numbers: Mapping[str, float]) -> str | None:
    """A sentence if ``output`` is not one number an image; None if it is."""
    if output in numbers:
        return None
    known = f"those that are: {quoted(numbers)}" if numbers else "this recipe has no such output"
    return f"output {output!r} is not one number an image; {known}"


def one_number(table: OutputTable, output: str) -> Floats:
    """[n] of a table [n] or [n, 1].

    Raises:
        UserError: There are more numbers a row, or some are not finite.
    """
    values = table.values
    if not isinstance(values, Tensor) or values.shape[1:] not in ((), (1,)):
        raise UserError(f"output {output!r} is more than one number a row; name the output of a head such as `score`")
    found: Floats = values.flatten().double().numpy()
    _check_finite(np.isfinite(found), output)
    return found


def embeddings(source: PoolSource, output: str, rows: Rows) -> Tensor:
    """[n, d] float32 on the CPU, one row an image.

    Raises:
        UserError: The output is a map, or some values are not finite.
    """
    if not len(rows):
        return torch.empty((0, 0))
    values = source.outputs(output, rows).values
    if not isinstance(values, Tensor):
        raise UserError(f"output {output!r} is a map, but distances need one vector an image, such as `backbone`")
    values = full_precision(values.reshape(len(values), -1))
    _check_finite(torch.isfinite(values).all(dim=1).numpy(), output)
    return values


def _check_finite(finite: npt.NDArray[np.bool_], output: str) -> None:
    bad = int((~finite).sum())
    if bad:
        raise UserError(
            f"{bad:,} of {len(finite):,} values of output {output!r} are not finite; the network's weights have "
            "diverged: lower the learning rate and train again"
        )
