"""Where NaN or infinity first arose in a step."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import isfinite
from typing import Any

import torch

from rankhub.catalog.blame import ComponentError, title_of
from rankhub.engine.contracts import check_count
from rankhub.engine.learner import Learner, StepInfo, StreamBatch
from rankhub.engine.objectives import LossNotFiniteError
from rankhub.engine.wide import buffers_kept
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.schedule import Schedule

_LOWER = "lower the learning rate, set clip_grad, or use precision: fp32"


def not_finite(
    learner: Learner, portions: Mapping[str, StreamBatch], turn: StepInfo, said: str, again: Callable[..., Any]
) -> LossNotFiniteError:
    """The error of a step whose loss or gradient, as ``said``, is not finite.

    ``again`` passes the views of a stream through network and losses once more. A step is a function of its views and
    of the weights, which have not moved, so what went wrong goes wrong again, now with every part looked at.
    """
    with buffers_kept(*learner.networks):
        where, advice = _first(learner, portions, turn, again)
    return LossNotFiniteError(
        f"{said} at step {turn.number}: {where}; the weights were not changed by it. "
        f"Last good checkpoint: {turn.last_good}. {advice[0].upper()}{advice[1:]}"
    )


def _first(
    learner: Learner, portions: Mapping[str, StreamBatch], turn: StepInfo, again: Callable[..., Any]
) -> tuple[str, str]:
    """The first thing that is not finite, in the order in which a step makes them, and what to do."""
    for name, weight in learner.network.state_dict().items():
        if not torch.isfinite(weight).all():
            return f"{name} of the network is not finite already before it", f"{_LOWER}; or look at the optimizer"
    for stream, portion in portions.items():
        rows = torch.cat([torch.isfinite(stack).flatten(1).all(1) for stack in portion.batch.images])
        if not rows.all():
            index = int(portion.batch.target.index[int(rows.logical_not().nonzero()[0])])
            return f"views of image {index} in stream {stream!r} are not", "look at that image and the generator"
        for objective in portion.objectives:
            weight = objective.weight(turn.clock)
            if not isfinite(weight):
                made = ", ".join(type(one).__name__ for one in objective.weights if isinstance(one, Schedule))
                return f"the weight of {objective.name} is {weight}", f"look at its schedule {made}".rstrip()
    try:
        with learner.guard.thorough():
            for stream, portion in portions.items():
                for objective in portion.objectives:
                    check_count(objective.loss, objective.loss.count(portion.batch.target))
                again(learner, stream, portion, turn, lambda weighed: None)
    except ComponentError as error:
        advice = "tell its author, or look at the labels" if issubclass(error.cls, Loss) else _LOWER
        return f"it first arose where {title_of(error.cls, learner.guard.catalog)} {error.said}", advice
    broken = [name for name, one in learner.network.named_parameters() if _broken(one.grad)]
    first = f"all outputs and losses are finite, the gradient of {broken[-1]} is not" if broken else "in their sum"
    return first, f"{_LOWER}; a root or a logarithm at 0 in the head or the loss does this too"


def _broken(gradient: torch.Tensor | None) -> bool:
    return gradient is not None and not bool(torch.isfinite(gradient).all())
