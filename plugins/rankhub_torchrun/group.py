"""Processes connected by torch.distributed: what they say to each other."""

import contextlib
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from rankhub.interfaces.processes import Backward, Processes
from rankhub_torchrun.lost import ended_with_launcher, try_connections
from rankhub_torchrun.peers import PeerLostError, call
from rankhub_torchrun.reducer import Reducer

T = TypeVar("T")

_set_timeout: Callable[[timedelta], None] = getattr(dist, "set_timeout", None) or dist.distributed_c10d._set_pg_timeout
"""Public in newer versions of torch only."""

PATIENCE, JOINING = timedelta(days=2), timedelta(minutes=10)
"""How long a process waits for the others, who may be decoding a large data set; and for them to come at the beginning,
when there is no connection yet that would close. One that dies later is noticed at once: its connection closes, or the
launcher ends the others."""

TOLD_BY_LAUNCHER = 10.0
"""Seconds that a process waits for the launcher's SIGTERM once another is gone, so that its report names the one that
failed and not the one that noticed; not if it is the launcher's only one."""


@dataclass(frozen=True, slots=True)
class TorchProcesses(Processes):
    """This process among several; torch.distributed connects them."""

    _reducers: list[Reducer] = field(default_factory=list, init=False, compare=False, repr=False)  # at most one

    @contextlib.contextmanager
    def joined(self, device: torch.device) -> Iterator[None]:
        """Connect the processes; tensors on the CPU go by gloo, on CUDA by NCCL. Inside, they are connected already.

        Once another process is lost, this one says so, waits for the launcher to end it, and ends with code 1.
        """
        if dist.is_initialized():
            yield
            self._reducers.clear()
            return
        backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"
        try:
            with ended_with_launcher():
                call(lambda: dist.init_process_group(backend, timeout=JOINING))
                _set_timeout(PATIENCE)
                try_connections()
                yield
        except PeerLostError as lost:
            print(f"process {self.rank}: ends because another process is gone ({lost})", file=sys.stderr, flush=True)
            if os.environ.get("LOCAL_WORLD_SIZE") != "1":
                if threading.current_thread() is threading.main_thread():
                    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # there is no step left to finish
                time.sleep(TOLD_BY_LAUNCHER)
            os._exit(1)  # a communicator whose peer is gone may never end by itself
        self._reducers.clear()
        dist.destroy_process_group()

    def gather(self, rows: Tensor, even: bool = True) -> Tensor:
        """The rows of all processes by rank; where they may be uneven, their numbers go first."""
        rows = rows.detach().contiguous()
        if even:
            parts = [torch.empty_like(rows) for _ in range(self.count)]
            call(lambda: dist.all_gather(parts, rows))
            return torch.cat(parts)
        counts = self.gather(torch.tensor([len(rows)], device=rows.device)).tolist()
        if not any(counts):
            return rows
        padded = rows.new_zeros((max(counts), *rows.shape[1:]))
        padded[: len(rows)] = rows
        found = torch.split(self.gather(padded), max(counts))
        return torch.cat([part[:count] for part, count in zip(found, counts, strict=True)])

    def sum(self, values: Tensor) -> Tensor:
        """The sum over the processes, in place."""
        call(lambda: dist.all_reduce(values))
        return values

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """For each flag whether some process has set it."""
        return [bool(number) for number in self.sum(torch.tensor(flags, dtype=torch.int64)).tolist()]

    def from_first(self, value: T) -> T:
        """The value that the first process has; the others' are not looked at."""
        box: list[Any] = [value if self.first else None]
        call(lambda: dist.broadcast_object_list(box, src=0, device=torch.device("cpu")))
        return box[0]  # type: ignore[no-any-return]

    def first_before_others(self, work: Callable[[], T]) -> T:
        """Let the first process do ``work``, then the others, who find what it has left (a cache)."""
        if not self.first:
            self.from_first(None)
        result = work()
        if self.first:
            self.from_first(None)
        return result

    def last_backward(self, parameters: Sequence[torch.nn.Parameter]) -> Backward:
        """Torch's reducer sums the gradients, while the pass is under way wherever that is exact."""
        if not (self._reducers and self._reducers[0].serves(parameters)):
            self._reducers[:] = [Reducer(parameters)]
        return self._reducers[0].backward

    def same_weights(self, module: torch.nn.Module) -> None:
        """Give every process the first one's parameters and buffers."""
        for tensor in module.state_dict().values():
            sent = tensor.contiguous()
            call(functools.partial(dist.broadcast, sent, src=0))
            tensor.copy_(sent)
