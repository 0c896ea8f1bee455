"""Passes what happens in a run on to its callbacks. A callback that fails is left out; it cannot end a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from rankhub.interfaces.callback import Callback

log = logging.getLogger("rankhub")


class Watchers:
    """The callbacks of a run, and what they have asked for.

    Args:
        callbacks: In the order in which they are told.
    """

    def __init__(self, callbacks: Sequence[Callback]) -> None:
        self.callbacks = list(callbacks)
        self.asked: set[str] = set()

    def tell(self, call: Callable[[Callback], Any]) -> list[Any]:
        """Call each callback alone; the answers that are not None. Requests are kept in ``asked``."""
        answers = []
        for callback in list(self.callbacks):
            try:
                answer = call(callback)
            except Exception as error:
                log.warning("callback %s failed and watches no more: %s", type(callback).__name__, error)
                self.callbacks.remove(callback)
                continue
            if answer in ("stop", "save", "evaluate"):
                self.asked.add(answer)
            if answer is not None:
                answers.append(answer)
        return answers

    def take(self, request: str) -> bool:
        """Whether ``request`` was asked for since the last call."""
        asked = request in self.asked
        self.asked.discard(request)
        return asked
