"""Time, memory and agreement of the two ways."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from measured import in_a_process, is_of_memory, limit_memory, status

from siamese_benchmark.layouts import LAYOUTS, Layout

if TYPE_CHECKING:
    from torch import Tensor

    from siamese_benchmark.ways import Subject


@dataclass(frozen=True)
class SiameseCase:
    """What is measured: one of ``LAYOUTS``, by the options of ``bench_siamese.py``."""

    layout: str
    model: str
    stem: str
    side: int
    at_once: int
    repeats: int
    threads: int
    memory_gb: float

    @property
    def of(self) -> Layout:
        """The layout itself."""
        return LAYOUTS[self.layout]

    def way(self, name: str) -> Callable[[Subject], Tensor]:
        """``one_pass`` or ``two_branches``, as a function of network, loss and images."""
        from siamese_benchmark.ways import one_pass, two_branches

        return one_pass if name == "one_pass" else lambda subject: two_branches(subject, self.at_once)


WAYS = ("one_pass", "two_branches")


@dataclass(frozen=True)
class Agreement:
    """How well the gradients of the two ways, and their losses, agree.

    Attributes:
        difference: Norm of the difference of the gradients to that of the gradient, in float64.
        loss_difference: Of the losses, relative, in float64.
        cosine: Between the gradients in float32, as they are timed.
        active: Share of pairs closer than the margin, which alone have a gradient.
    """

    difference: float
    loss_difference: float
    cosine: float
    active: float


def prepared(case: SiameseCase) -> Subject:
    """The case's network, loss and images."""
    import torch

    from siamese_benchmark.ways import prepare

    torch.set_num_threads(case.threads)
    return prepare(case.of, case.model, case.stem, case.side)


def gradient(subject: Subject, way: Callable[[Subject], Tensor]) -> tuple[float, Tensor]:
    """The loss, and all gradients in one row."""
    import torch

    subject.network.zero_grad(set_to_none=True)
    loss = float(way(subject))
    gradients = [parameter.grad for parameter in subject.network.parameters()]
    return loss, torch.cat([each.flatten() for each in gradients if each is not None])


def agreement(case: SiameseCase, subject: Subject) -> Agreement:
    """Compute both gradients in both precisions; leaves the subject in float32."""
    import torch

    found = {}
    for dtype in (torch.float64, torch.float32):
        subject = subject.to(dtype)
        found[dtype] = [gradient(subject, case.way(way)) for way in WAYS]
    (loss, one), (other_loss, other) = found[torch.float64]
    (_, short_one), (_, short_other) = found[torch.float32]
    with torch.no_grad():
        scores = torch.cat([subject.scores(image) for image in subject.images.split(8)])
    upper, lower = subject.layout.pairs()
    return Agreement(
        difference=float((one - other).norm() / other.norm()),
        loss_difference=abs(loss - other_loss) / abs(other_loss),
        cosine=float(torch.cosine_similarity(short_one.double(), short_other.double(), dim=0)),
        active=float((scores[upper] - scores[lower] < subject.layout.options["margin"]).float().mean()),
    )


def take_turns(case: SiameseCase, subject: Subject) -> dict[str, list[float]]:
    """Way -> seconds of forward and backward of each repeat; one after the other, so that noise hits both."""
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(case.repeats):
        for way in WAYS:
            subject.network.zero_grad(set_to_none=True)
            gc.collect()
            start = time.perf_counter()
            case.way(way)(subject)
            seconds[way].append(time.perf_counter() - start)
    return seconds


def peak(case: SiameseCase, way: str) -> float | None:
    """MB that one gradient takes above network, images and gradients; None if over the limit.

    To be called in a fresh process. Not ``getrusage``: what Linux gives there for a new process may be the peak of the
    one that started it, since the count survives ``exec``.
    """
    subject = prepared(case)
    few = replace(case.of, sources=1, kinds=1, levels=2)
    case.way(way)(replace(subject, layout=few, images=subject.images[:2]))  # libraries warm, gradients there
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew at what is held now (proc(5))
    held = limit_memory(case.memory_gb)
    try:
        case.way(way)(subject)
    except (RuntimeError, MemoryError) as error:
        if not is_of_memory(error):
            raise
        return None
    return (status("VmHWM") - held) / 2**20


def peak_in_a_process(case: SiameseCase, way: str) -> float | None:
    """:func:`peak` in a process of its own."""
    what = f"the memory of {way} in {case}"
    megabytes: float | None = in_a_process("siamese_benchmark.measuring", what, json.dumps(asdict(case)), way)
    return megabytes


def answer(request: str, way: str) -> None:
    """Measure what another process asks for, and print what came out."""
    print(json.dumps(peak(SiameseCase(**json.loads(request)), way)))
