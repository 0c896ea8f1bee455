"""A network as one module: pixels in, answers on the scale and in the direction of the labels out."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from rankhub_export.front import Shown

if TYPE_CHECKING:
    from rankhub import Run


@dataclass(frozen=True, slots=True)
class Output:
    """One output of an exported network.

    Attributes:
        name: In the file.
        source: ``backbone`` or ``HEAD.OUTPUT``.
        kind: What it is, as heads say it; ``features`` for the backbone's.
        sign: -1 where the labels run the other way than the network, which takes higher for better.
        unit: Of a number; "" where it has none.
        direction: ``higher is better``, ``lower is better``, or "".
        scale: What a difference is measured by; 0 where it is the largest value.
        scale_is: That in words.
    """

    name: str
    source: str
    kind: str
    sign: float = 1.0
    unit: str = ""
    direction: str = ""
    scale: float = 0.0
    scale_is: str = "the largest value"


def outputs_of(run: Run) -> list[Output]:
    """All outputs of a run's network, numbers first, under the names of its tables."""
    columns, labels = run.columns, run.labels
    numbers, others = [], []
    for source, spec in run.forward().outputs.items():
        if source not in labels:
            others.append(Output(source, source, spec.kind))
            continue
        label = labels[source]
        scale, said = 0.0, "the largest value"
        if label.range is not None:
            scale, said = label.range[1] - label.range[0], "the range of the labels"
        elif label.kind is not None:
            scale, said = 4 * label.std, "4 standard deviations of the training labels"
        better = ""
        if label.kind in (None, "score"):
            better = "higher is better" if label.kind is None or label.higher_is_better else "lower is better"
        sign = 1.0 if label.higher_is_better else -1.0
        numbers.append(Output(columns[source], source, spec.kind, sign, label.unit, better, scale, said))
    return [*numbers, *others, Output("backbone", "backbone", "features")]


class Answering(nn.Module):
    """What is exported.

    Args:
        run: Whose network; a copy of it is taken, in float32 on the CPU.
        front: What stands before it.
        outputs: What is given, in this order.
    """

    def __init__(self, run: Run, front: Shown, outputs: list[Output]) -> None:
        super().__init__()
        self.front = front
        self.network = copy.deepcopy(run.network).cpu().float().eval().to(memory_format=torch.contiguous_format)
        self.network.requires_grad_(False)
        self._outputs = [(output.source, output.sign) for output in outputs]
        self._heads = list(run.network.heads)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """The outputs of images [n, 3, H, W]."""
        found = self.network([self.front(images)], self._heads)
        return tuple(found[source] if sign == 1.0 else found[source] * sign for source, sign in self._outputs)


def described(outputs: list[Output]) -> list[Mapping[str, str]]:
    """The outputs as a table, for the card and for the file's own notes."""
    return [
        {"name": output.name, "kind": output.kind, "unit": output.unit, "direction": output.direction}
        for output in outputs
    ]
