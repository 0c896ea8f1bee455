"""Losses that depend on the whole global batch: their gradient over micro-batches and processes, exactly.

The loss is taken on the outputs of *all* views as if they were its parameters. Its gradient there is what the network's
backward pass starts from, whatever the parts in which the views pass the network:

1. every process embeds its views, over several micro-batches without a graph;
2. outputs and targets are gathered, in the order of rows that one process would have;
3. each process takes its own queries' terms of the loss (or its part of a loss that is no sum over queries); the
   gradients at the outputs are summed over the processes;
4. over several micro-batches each passes the network once more, now with a graph, and takes up its rows' gradient.

For networks whose outputs do not depend on the other views this is the gradient of one process and one batch. Source:
Gao, Zhang, Han, Callan: Scaling deep contrastive learning batch size under memory limited setup, 2021 (arXiv
2101.06983), and the three-stage training of Revaud et al., ICCV 2019.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor, nn

from rankhub.engine.network import Outputs
from rankhub.engine.objectives import Objective
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.order import Label, MovingLabels, RankTarget
from rankhub.interfaces.processes import Processes
from rankhub.interfaces.tensors import sent


@dataclass(frozen=True, slots=True)
class Micro:
    """A micro-batch: some views of a process's batch that pass the network together."""

    rows: Tensor  # [n] int64 on the CPU, ascending: which views of the batch
    batch: Batch  # those views


def split_by_sample(batch: Batch, parts: int) -> list[Micro]:
    """A batch in ``parts`` micro-batches that hold whole samples, and so whole groups."""
    if parts == 1:
        return [Micro(torch.arange(len(batch)), batch)]
    index = batch.target.on_cpu.index
    samples = torch.unique(index)
    rows = [torch.isin(index, chunk).nonzero().flatten() for chunk in torch.tensor_split(samples, parts)]
    return [Micro(some, batch.rows(some)) for some in rows]


def used_of(outputs: Outputs, objectives: Iterable[Objective]) -> Outputs:
    """Those of the outputs that the objectives use."""
    names = dict.fromkeys(f"{objective.head}.{name}" for objective in objectives for name in objective.outputs)
    return {name: outputs[name] for name in names}


def assembled(parts: Sequence[tuple[Tensor, Outputs]]) -> Outputs:
    """The outputs of micro-batches, each with its rows, as those of the batch they were cut from; without a graph."""
    order = torch.argsort(torch.cat([rows for rows, _ in parts]))
    keys = parts[0][1]
    device = next(iter(keys.values())).device
    return {key: torch.cat([values[key].detach() for _, values in parts])[sent(order, device)] for key in keys}


@dataclass(frozen=True, slots=True)
class Gathering:
    """How the rows of all processes are put in the order that one process would have them in.

    A batch holds one stack of views after the other; processes take equal shares of the samples in order. So in the
    one-process order the processes' shares of the first stack come first, then those of the second.
    """

    processes: Processes
    order: Tensor  # [count * n] int64 on the CPU: row of the gathered tensor -> row by rank
    own: Tensor  # [n] int64 on the CPU: where this process's rows are in the gathered tensor

    @classmethod
    def of(cls, batch: Batch, processes: Processes) -> Self:
        """For the views of this process; a UserError if the processes have stacks of different lengths."""
        lengths = [len(stack) for stack in batch.images]
        held = processes.gather(torch.tensor([lengths])).tolist() if processes.count > 1 else []
        if any(one != lengths for one in held):
            views = ", ".join(str(sum(one)) for one in held)
            raise UserError(
                f"the processes have unequal numbers of views ({views}), which a loss of the whole batch cannot take; "
                "use larger images, so that no level is dropped, or one process"
            )
        stack = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
        order = torch.argsort(stack.repeat(processes.count), stable=True)
        own = (order // len(stack) == processes.rank).nonzero().flatten()
        return cls(processes, order, own)

    @property
    def queries(self) -> Tensor | None:
        """[N] bool on the CPU, this process's rows; None on one process."""
        if self.processes.count == 1:
            return None
        return torch.isin(torch.arange(len(self.order)), self.own)

    def rows(self, rows: Tensor) -> Tensor:
        """This process's rows -> those of all, without a graph."""
        return self.processes.gather(rows)[sent(self.order, rows.device)]

    def target(self, target: RankTarget) -> RankTarget:
        """What the views of all processes are."""
        return target.on_cpu.each(self._part).to(target.index.device)

    def _part(self, part: Label) -> Label:
        return part.each(self._uneven).rows(self.order) if isinstance(part, MovingLabels) else self.rows(part)

    def _uneven(self, rows: Tensor) -> Tensor:
        if rows.dtype == torch.bool:
            return self._uneven(rows.to(torch.uint8)).bool()
        return self.processes.gather(rows, even=False)

    def gradient(self, leaves: Outputs) -> Outputs:
        """The gradient at this process's rows, summed over the processes' parts of the loss."""
        own = {key: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for key, leaf in leaves.items()}
        return {key: self.processes.sum(gradient)[sent(self.own, gradient.device)] for key, gradient in own.items()}


def leaf(rows: Tensor) -> Tensor:
    """Outputs as what a gradient is taken at. Half precision is raised, so that sums over processes lose nothing."""
    rows = rows if rows.dtype == torch.float64 else rows.float()
    return rows.detach().requires_grad_()


@contextlib.contextmanager
def buffers_kept(*modules: nn.Module) -> Iterator[None]:
    """Undo at the end what the block does to buffers, such as the running statistics of BatchNorm."""
    kept = [(buffer, buffer.clone()) for module in modules for buffer in module.buffers()]
    try:
        yield
    finally:
        for buffer, before in kept:
            buffer.copy_(before)
