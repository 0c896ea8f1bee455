"""Images, and views of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
import numpy.typing as npt
import torch

from rankhub.interfaces.batch import View
from rankhub.interfaces.data import DataReport, Dataset, LabelSpec, OpenContext, Sample
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.generator import ViewSpec, WorkerGenerator
from rankhub.interfaces.options import Ge
from rankhub_data.meaning import measured


class Stripes(Dataset):
    """Bright stripes on black.

    Args:
        stripes: Images.
    """

    def __init__(self, *, stripes: Annotated[int, Ge(1)] = 12) -> None:
        self.stripes, self.label = stripes, LabelSpec("score", range=(0.0, 1.0), unit="brightness")

    def open(self, context: OpenContext) -> DataReport:
        self.label = measured(self.label, self.labels())
        return DataReport()

    def __len__(self) -> int:
        return self.stripes

    def __getitem__(self, index: int) -> Sample:
        image = torch.zeros(3, 16, 16, dtype=torch.uint8)
        image[:, : 1 + index % 16] = 200
        return Sample(image, index, float(self.labels()[index]))

    def labels(self) -> npt.NDArray[np.float64]:
        return (1 + np.arange(self.stripes) % 16) / 16


class Faded(WorkerGenerator):
    """The image and a fainter copy.

    Args:
        fading: Factor of its brightness.
    """

    def __init__(self, *, fading: float = 0.5) -> None:
        self.fading = fading

    def plan(self, views: ViewSpec) -> ViewSpec:
        return ViewSpec(2, 1, "ordered", ((2, None),))

    def apply(self, views: Sequence[View], draws: Draws) -> list[View]:
        (view,) = views
        faint = (view.image * self.fading).to(torch.uint8)
        return [replace(view, level=1.0), replace(view, image=faint, view=1, level=0.0)]
