"""The pass through a network that learns, compiled by ``torch.compile`` where that can be done."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

from rankhub_timm.maps import pass_through

log = logging.getLogger("rankhub")

Pass = Callable[[Any, Tensor, int | None, bool], tuple[Tensor, Tensor | None]]
"""As :func:`~rankhub_timm.maps.pass_through`."""


class Compiler:
    """Passes views through networks by one compiled function, from the first failure on as they are.

    Networks are arguments of that function and stay what they are, so that weights keep their names and copies of a
    network, such as its moving average, are compiled too.
    """

    def __init__(self) -> None:
        self.works = True

    def __call__(self, network: Any, images: Tensor, cut: int | None, maps: bool) -> tuple[Tensor, Tensor | None]:
        """Pooled features and the map; a warning where they can only be had uncompiled."""
        if self.works:
            try:
                return _compiled()(network, images, cut, maps)
            except (RuntimeError, ImportError, OSError) as error:  # torch's own exceptions, no compiler, no Triton
                self.works = False
                lines = str(error).strip().splitlines()
                why = lines[0].rstrip(".") if lines else type(error).__name__
                log.warning(
                    "backbone.compile: torch cannot compile the network here (%s); it goes on uncompiled, which costs "
                    "time only",
                    why,
                )
        return pass_through(network, images, cut, maps)


@cache
def _compiled() -> Pass:
    function: Pass = torch.compile(pass_through)
    return function


compiler = Compiler()
"""That of this process, which says once what cannot be done."""
