"""A source of features that are given, and the specification's golden matrix."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.evaluate import OutputTable
from rankhub.interfaces.order import RankTarget


@dataclass
class Labels:
    """As much of a data set as evaluators look at."""

    label: LabelSpec
    parts: list[np.ndarray] | None = None

    def folds(self):
        return self.parts


@dataclass
class Given:
    """An EvaluationSource over given tables; it knows the output `backbone` only."""

    row: str = "network after training"
    pictures: bool = False
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    tables: dict[str, OutputTable] = field(default_factory=dict)
    seen: dict[str, OutputTable] = field(default_factory=dict)
    sets: dict[str, Labels] = field(default_factory=dict)
    limits: list[int] = field(default_factory=list)

    def images(self, data, values, labels=None, classes=(), folds=None):
        """Add a data set."""
        self.tables[data] = OutputTable(values if isinstance(values, list) else torch.as_tensor(values), labels)
        self.sets[data] = Labels(LabelSpec(None if labels is None else "class", classes=classes), folds)
        return self

    def shown(self, data, values, index):
        """Add views of a data set."""
        index = torch.as_tensor(index)
        target = RankTarget(index, torch.arange(len(index)), index, torch.ones(len(index)))
        self.seen[data] = OutputTable(torch.as_tensor(values), None, target)
        return self

    def outputs(self, data, output):
        if output != "backbone":
            raise UserError(f"output {output!r} is not there")
        return self.tables[data]

    def views(self, stream, data, output, limit):
        assert (stream, output) == ("stream", "backbone")
        self.limits.append(limit)
        return self.seen[data]

    def dataset(self, data):
        return self.sets[data]


@pytest.fixture(scope="session")
def golden() -> np.ndarray:
    """[12, 5] X of the specification, section 1.5."""
    n, k = np.arange(12)[:, None], np.arange(5)
    return np.cos(1.7 * (n // 4) + 0.9 * k) + 0.8 * np.sin(2.3 * n + 1.1 * k**2)


@pytest.fixture(scope="session")
def rotation() -> Callable[..., np.ndarray]:
    """A random orthogonal [width, width] matrix."""

    def make(width: int, seed: int = 0) -> np.ndarray:
        return np.linalg.qr(np.random.default_rng(seed).normal(size=(width, width)))[0]

    return make


@pytest.fixture(scope="session")
def given() -> Callable[[], Given]:
    """Makes an empty source; of the session, as property tests want their fixtures."""
    return Given
