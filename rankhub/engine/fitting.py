"""Whether the images of a data set suit what takes them, asked before any is taken."""

from __future__ import annotations

from collections.abc import Sequence

from rankhub.interfaces.data import Dataset
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.generator import Generator
from rankhub.interfaces.predict import Predict


def check_images(user: str, dataset: Dataset, users: Sequence[Generator | Predict]) -> None:
    """See that all images of a data set can be taken, before any is.

    Args:
        user: What takes them, for the message.
        dataset: Open.
        users: Steps to which images come in their own size.

    Raises:
        UserError: Some cannot; says how many, which one first, and why.
    """
    sizes = dataset.sizes()
    if sizes is None or not len(sizes):
        return
    for step in users:
        objection = step.check_images(sizes)
        if objection is None:
            continue
        why, which = objection
        first = int(which.argmax())
        path, (height, width) = dataset[first].path, sizes[first].tolist()
        raise UserError(
            f"{user}: {int(which.sum())} of {len(sizes)} images {why}; the first is "
            f"{path or f'number {first}'} with {width} x {height} pixels"
        )
