"""Official plugin: writes every run to TensorBoard."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import rankhub

if TYPE_CHECKING:
    from rankhub.interfaces.callback import Callback, RunInfo


@rankhub.hookimpl
def rankhub_observers(run: RunInfo) -> Iterable[Callback]:
    """One writer for each run, into ``tensorboard/`` of its folder."""
    from rankhub_tensorboard.writer import TensorBoard

    return [TensorBoard(run)]
