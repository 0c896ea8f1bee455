"""Where NaN or infinity first arose in a step."""

from __future__ import annotations

from math import isfinite, prod

import torch

from rankhub.interfaces.errors import ComponentError
from rankhub.interfaces.guard import BrokenStep, Guard
from rankhub.interfaces.loss import Loss
from rankhub.interfaces.schedule import Schedule, value_at
from rankhub_guards.contracts import check_count

_LOWER = "lower the learning rate, set clip_grad, or use precision: fp32"


def _broken(gradient: torch.Tensor | None) -> bool:
    return gradient is not None and not bool(torch.isfinite(gradient).all())


class FirstPlace(Guard):
    """Does a broken step again and looks at everything in it."""

    def not_finite(self, step: BrokenStep) -> tuple[str, str] | None:
        """The first thing that is not finite, in the order in which a step makes them, and what to do.

        A step is a function of its views and of the weights, which have not moved, so what went wrong goes wrong again.
        """
        for name, weight in step.network.state_dict().items():
            if not torch.isfinite(weight).all():
                return f"{name} of the network is not finite already before it", f"{_LOWER}; or look at the optimizer"
        for stream, batch in step.batches.items():
            rows = torch.cat([torch.isfinite(stack).flatten(1).all(1) for stack in batch.images])
            if not rows.all():
                index = int(batch.target.index[int(rows.logical_not().nonzero()[0])])
                return f"views of image {index} in stream {stream!r} are not", "look at that image and the generator"
        for name, factors in step.weights.items():
            value = prod(value_at(factor, step.clock) for factor in factors)
            if not isfinite(value):
                made = ", ".join(type(one).__name__ for one in factors if isinstance(one, Schedule))
                return f"the weight of {name} is {value}", f"look at its schedule {made}".rstrip()
        try:
            for loss, stream in step.losses:
                check_count(loss, loss.count(step.batches[stream].target))
            step.again()
        except ComponentError as error:
            advice = "tell its author, or look at the labels" if issubclass(error.cls, Loss) else _LOWER
            return f"it first arose where {step.title(error.cls)} {error.said}", advice
        broken = [name for name, one in step.network.named_parameters() if _broken(one.grad)]
        first = f"all outputs and losses are finite, the gradient of {broken[-1]} is not" if broken else "in their sum"
        return first, f"{_LOWER}; a root or a logarithm at 0 in the head or the loss does this too"
