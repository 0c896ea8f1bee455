"""Gradients summed over the processes while the backward pass is still under way, by torch's own reducer.

:class:`torch.nn.parallel.DistributedDataParallel` wraps a network's forward pass and sums what one backward pass gives.
A step of rankhub has several passes, and losses with parameters of their own. So what is wrapped here is not a network
but the tensors from which the last backward pass of a step starts, by a module that has the parameters and hands these
tensors through. The reducer finds in their graph which parameters the pass will reach, and sends the gradients of these
bucket by bucket as they come; those that earlier passes have left go with them.

Buckets follow the order of the parameters and are not built anew in the course of training: the sums of a run that goes
on are those of one that was not interrupted, bit for bit.

Source: Li et al.: PyTorch distributed: experiences on accelerating data parallel training, VLDB 2020 (arXiv
2006.15704).
"""

from collections.abc import Iterator, Sequence

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.graph import Node
from torch.nn.parallel import DistributedDataParallel

import rankhub
from rankhub_torchrun.peers import PeerLostError, call, is_of_peers

APART = ("CheckpointFunctionBackward", "SyncBatchNormBackward")
"""Nodes that go back through a graph of their own, in which the reducer does not see the parameters (torch's reentrant
checkpoints), or that talk to the other processes themselves, maybe between two buckets here and after them there."""


class Reducer:
    """Does the last backward pass of each step, and sums the gradients over the processes.

    Args:
        parameters: Those that the steps move, in the order in which the network uses them.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        starts = _Starts(self.parameters)
        self._beside = starts.beside
        self._lost: list[RuntimeError] = []  # by what the sum of a bucket has failed
        self._reduced = call(
            lambda: DistributedDataParallel(starts, find_unused_parameters=True, gradient_as_bucket_view=True)
        )
        self._reduced.register_comm_hook(self._lost, _sum)

    def serves(self, parameters: Sequence[nn.Parameter]) -> bool:
        """Whether it was made for these parameters."""
        same = len(parameters) == len(self.parameters)
        return same and all(one is other for one, other in zip(parameters, self.parameters, strict=True))

    def backward(self, tensors: Sequence[Tensor], gradients: Sequence[Tensor | None] | None = None) -> None:
        """As :func:`torch.autograd.backward`; afterwards each parameter has the sum over passes and processes.

        One that no pass of any process has reached stays without a gradient.

        Raises:
            PeerLostError: Another process is gone.
            UserError: The network cannot be trained on several processes.
        """
        nothing = torch.zeros_like(self._beside)
        if is_overlapped(tensors):
            # Once its hook has run, no process waits to be told whether another one has used what is beside.
            torch.autograd.backward(self._beside, nothing)
        else:
            torch.autograd.backward(tensors, gradients)
            tensors, gradients = [self._beside.clone()], [nothing]  # a pass in which all is sent
        try:
            torch.autograd.backward(self._reduced(*tensors), gradients)
        except RuntimeError as error:
            if self._lost or is_of_peers(error):
                raise PeerLostError(self._lost[0] if self._lost else error) from error
            if "mark a variable ready only once" in str(error):
                raise rankhub.UserError(
                    "a part of the network or of a loss goes back through a graph of its own, as reentrant checkpoints "
                    "do, which only one process can; use checkpoints with use_reentrant=False, or one process"
                ) from error
            raise


def is_overlapped(tensors: Sequence[Tensor]) -> bool:
    """Whether gradients may be sent while a backward pass that starts from these tensors is under way."""
    return any(tensor.requires_grad for tensor in tensors) and not any(node.name() in APART for node in _nodes(tensors))


def _nodes(tensors: Sequence[Tensor]) -> Iterator[Node]:
    """All nodes of the graph of some tensors, each once."""
    waiting = [tensor.grad_fn for tensor in tensors]
    seen = set(waiting)
    while waiting:
        node = waiting.pop()
        if node is not None:
            yield node
            fresh = {one for one, _ in node.next_functions} - seen
            seen |= fresh
            waiting += fresh


class _Starts(nn.Module):
    """Has parameters, and hands through the tensors from which their backward pass starts."""

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        super().__init__()
        self.moved = nn.ParameterList(parameters)
        # No loss reaches it. Where nothing is unused, the reducer advises not to look for that, which is wrong here.
        self.beside = nn.Parameter(parameters[0].detach().new_zeros(1))

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        return tensors


def _sum(
    lost: list[RuntimeError],
    bucket: dist.GradBucket,  # type: ignore[name-defined]
) -> torch.futures.Future[Tensor]:
    """The sum of a bucket over the processes; torch would take the mean, but losses have global counts already."""
    work = dist.all_reduce(bucket.buffer(), async_op=True)
    assert work is not None

    def summed(done: torch.futures.Future[list[Tensor]]) -> Tensor:
        try:
            return done.value()[0]
        except RuntimeError as error:
            lost.append(error)
            raise

    return work.get_future().then(summed)
