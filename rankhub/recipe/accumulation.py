"""What accumulation over micro-batches can and cannot do."""

from __future__ import annotations

from rankhub.interfaces.loss import Loss


def accumulation_objection(loss: Loss, accumulate: int) -> str | None:
    """The sentence against accumulating ``loss`` over several micro-batches; None if it is exact."""
    if accumulate > 1 and loss.scope == "batch":
        return (
            f"the loss depends on the whole batch, so over {accumulate} micro-batches its gradient would be another; "
            "set accumulate: 1, and a smaller batch_size if memory is short"
        )
    return None


def division_objection(batch_size: int, accumulate: int) -> str | None:
    """The sentence against a batch that cannot be cut into equal micro-batches; None if it can."""
    if batch_size % accumulate:
        near = next(n for n in range(accumulate, 0, -1) if batch_size % n == 0)
        return f"batch_size {batch_size} cannot be cut into {accumulate} equal micro-batches; {near} would do"
    return None
