"""What a network says of single images: numbers on the scale of the labels, pictures, vectors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rankhub.engine.source import ImageOutputs, blocks
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.embeddings import unit_rows


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a trained network says of one image.

    Attributes:
        path: The image, as it was given; "" where it has no name.
        values: Output -> number, on the scale of the labels that it was trained on.
        unit: Output -> what it measures or counts; "" where it has no unit.
        direction: Output -> ``higher is better``, ``lower is better``, or "" where neither is.
    """

    path: str
    values: Mapping[str, float]
    unit: Mapping[str, str]
    direction: Mapping[str, str]

    @property
    def value(self) -> float:
        """The number, where there is one.

        Raises:
            ValueError: There are several, or none.
        """
        if len(self.values) != 1:
            raise ValueError(f"there are {len(self.values)} values ({', '.join(self.values)}); take one from `values`")
        return next(iter(self.values.values()))


@dataclass(frozen=True, slots=True)
class Answer:
    """One image and all that was said of it."""

    index: int  # its position in its data set
    image: Tensor  # [3, H, W] uint8
    outputs: Mapping[str, Tensor]  # HEAD.OUTPUT or backbone -> [...] float32 on the CPU; of a map [1, h, w]


def answers(outputs: ImageOutputs, block: int) -> Iterator[Answer]:
    """What is said of each image, so many at a time, so that memory does not grow with their number."""
    for part in blocks(range(len(outputs.dataset)) if outputs.rows is None else outputs.rows, block):
        images = [outputs.dataset[index].image for index in part]
        said = outputs.of(images)
        for row, (index, image) in enumerate(zip(part, images, strict=True)):
            yield Answer(index, image, {name: rows[row] for name, rows in said.items()})


def column_of(output: str, outputs: Mapping[str, LabelSpec]) -> str:
    """The column of ``HEAD.OUTPUT`` in a table: the output's own name where that is unique."""
    own = output.partition(".")[2]
    return own if sum(name.partition(".")[2] == own for name in outputs) == 1 else output


def direction_of(label: LabelSpec) -> str:
    """Which way a number runs."""
    if label.kind is None:
        return "higher is better"
    if label.kind != "score":
        return ""
    return "higher is better" if label.higher_is_better else "lower is better"


def scale_of(label: LabelSpec) -> str:
    """One phrase on the scale of a number: its unit, and which way it runs."""
    if label.kind == "points":
        return f"number of {label.unit or 'points'}"
    if label.kind is None:
        return f"learned from an order alone: no unit, {direction_of(label)}"
    return f"{label.unit or 'score'}, {direction_of(label)}" if label.kind == "score" else "a number"


def stacked(rows: Sequence[Tensor], normalize: bool) -> Tensor:
    """Vectors as [n, d] float32, of length 1 if wanted."""
    table = torch.stack([row.flatten() for row in rows])
    return unit_rows(table) if normalize else table
