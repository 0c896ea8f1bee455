"""Outputs of a network for single images: numbers on the scale of the labels, pictures, vectors."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from rankhub.interfaces.data import LabelSpec


@dataclass(frozen=True, slots=True)
class Prediction:
    """The numbers that a trained network predicts for one image.

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
    """One image of a data set with all outputs of the network for it."""

    index: int  # its position in its data set
    image: Tensor  # [3, H, W] uint8
    outputs: Mapping[str, Tensor]  # HEAD.OUTPUT or backbone -> [...] float32 on the CPU; of a map [1, h, w]


def direction_of(label: LabelSpec) -> str:
    """Whether higher or lower is better; "" for counts and class numbers."""
    if label.kind not in (None, "score"):
        return ""
    return "higher is better" if label.kind is None or label.higher_is_better else "lower is better"
