"""The orders that a generator knows: versions of an image of which it is known which is the better one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import rankhub
from rankhub import UserError
from rankhub.interfaces.batch import View
from rankhub.interfaces.draws import Draws, seeded
from rankhub.interfaces.files import readable
from rankhub.interfaces.generator import Generator, ViewSpec, WorkerGenerator
from rankhub_data.decode import Pixels
from rankhub_ranking.pairs import ordered_pairs
from rankhub_use.scorers import Picture

if TYPE_CHECKING:
    from rankhub import Run


@dataclass(frozen=True, slots=True)
class Orders:
    """A generator's steps up to the one that orders its views.

    Attributes:
        steps: Them.
        spec: What they make of an image.
        about: The same as a recipe has it.
    """

    steps: Sequence[WorkerGenerator]
    spec: ViewSpec
    about: Sequence[Mapping[str, Any]]

    def kind(self, number: int) -> str:
        """The name of a kind of change."""
        return self.spec.kinds[number] if self.spec.kinds else f"{self.about[-1]['use'].rpartition('/')[2]}"

    def views(self, image: Pixels, name: str, seed: int) -> list[tuple[int, tuple[float, ...], Picture]]:
        """Kind, level and pixels of each version of an image [3, H, W]; a function of image, name and seed alone."""
        views = [View(torch.from_numpy(image.copy()), 0)]
        for number, step in enumerate(self.steps):
            views = step.apply(views, Draws(seeded(seed, readable(name)), "audit", 0, number))
        return [
            (
                view.kind,
                tuple(float(value) for value in np.atleast_1d(view.level)),
                np.ascontiguousarray(view.image.numpy().transpose(1, 2, 0)),
            )
            for view in views
        ]


def orders_of(specs: Sequence[Mapping[str, Any]]) -> Orders:
    """The steps of a generator up to the first after which views are ordered.

    Args:
        specs: As a recipe has them.

    Raises:
        UserError: None of them orders views.
    """
    steps: list[Generator] = []
    spec = ViewSpec()
    for given in specs:
        steps.append(rankhub.build("generator", given))
        spec = steps[-1].plan(spec)
        if spec.levels != "equal":
            break
    worker = [step for step in steps if isinstance(step, WorkerGenerator)]
    if spec.levels == "equal" or len(worker) < len(steps):
        names = ", ".join(str(given["use"]) for given in specs)
        raise UserError(
            f"{names} puts no order among whole images; name a generator that does: --generator distortions"
        )
    return Orders(worker, spec, [dict(given) for given in specs[: len(steps)]])


def orders_of_run(run: Run, stream: str | None) -> Orders:
    """Those of a run's recipe: of the stream that is named, else of the first that knows an order.

    Raises:
        UserError: There is none.
    """
    streams = run.recipe.resolved()["streams"]
    if stream is not None and stream not in streams:
        raise UserError(f"--stream: the recipe has no stream {stream!r}; there are {', '.join(streams)}")
    for name in [stream] if stream is not None else [*streams]:
        if stream is not None or run.assembly.streams()[name].views.levels != "equal":
            return orders_of(streams[name]["generator"])
    raise UserError(
        "no stream of this run's recipe knows an order; name a generator that does: --generator distortions"
    )


Pair = tuple[int, tuple[float, ...], tuple[float, ...]]
"""Kind, the level of the better one, that of the other."""


def judged(
    kinds: Sequence[int], levels: Sequence[tuple[float, ...]], scores: Sequence[float], higher_is_better: bool = True
) -> Iterator[tuple[Pair, int]]:
    """Each pair of one image's versions that the generator orders: 1 where the scores agree, 0 at a tie, -1 else."""
    sign = 1 if higher_is_better else -1
    level = torch.tensor(np.array(levels, dtype=np.float64).reshape(len(levels), -1))
    for above, below in ordered_pairs(torch.tensor(kinds, dtype=torch.int64), level):
        for a, b in zip(above.tolist(), below.tolist(), strict=True):
            ahead = sign * (scores[a] - scores[b])
            yield (kinds[a], levels[a], levels[b]), (ahead > 0) - (ahead < 0)
