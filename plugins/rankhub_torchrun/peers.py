"""The other processes of a run, and that one of them is gone."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch.distributed as dist

T = TypeVar("T")


class PeerLostError(Exception):
    """Another process of the run is gone."""

    def __init__(self, error: RuntimeError) -> None:
        super().__init__(str(error).strip().splitlines()[0])


def call(collective: Callable[[], T]) -> T:
    """Do a collective operation; a PeerLostError if another process did not take part."""
    try:
        return collective()
    except RuntimeError as error:  # gloo's, and torch's DistBackendError, which is one
        raise PeerLostError(error) from error


def is_of_peers(error: Any) -> bool:
    """Whether an error that may be anybody's comes from the connection to the other processes."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)
