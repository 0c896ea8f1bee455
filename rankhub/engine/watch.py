"""Passes what happens in a run on to its callbacks."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, get_args

from rankhub.catalog.blame import title_of
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.callback import Callback, Request
from rankhub.interfaces.errors import brief

log = logging.getLogger("rankhub")


class Watchers:
    """The callbacks of a run in the order in which they are told, and what they have asked for.

    A callback that fails, or asks for what there is not, is left out; it cannot end a run.
    """

    def __init__(self, callbacks: Sequence[Callback], catalog: Catalog | None = None) -> None:
        self.callbacks, self.catalog = list(callbacks), catalog
        self.asked: set[str] = set()

    def tell(self, call: Callable[[Callback], Any], asks: bool = True) -> list[Any]:
        """Call each callback alone; the answers that are not None, requests if it ``asks``, kept in ``asked`` too."""
        answers = []
        for callback in list(self.callbacks):
            try:
                answer = call(callback)
                if asks and answer not in (None, *get_args(Request)):
                    raise ValueError(f"it asked for {answer!r}, it can ask for {', '.join(get_args(Request))}")
            except (Exception, SystemExit) as error:
                title = title_of(type(callback), self.catalog)
                log.warning("%s failed and watches no more: %s; tell its author", title, brief(error))
                log.debug("%s", title, exc_info=error)
                self.callbacks.remove(callback)
                continue
            if answer is not None:
                answers.append(answer)
                self.asked.update([answer] if asks else [])
        return answers

    def take(self, request: str) -> bool:
        """Whether ``request`` was asked for since the last call."""
        asked = request in self.asked
        self.asked.discard(request)
        return asked
