"""What accumulation over micro-batches asks of a batch."""

from __future__ import annotations


def division_objection(batch_size: int, accumulate: int) -> str | None:
    """The sentence against a batch that cannot be cut into equal micro-batches; None if it can."""
    if batch_size % accumulate:
        near = next(n for n in range(accumulate, 0, -1) if batch_size % n == 0)
        return f"batch_size {batch_size} cannot be cut into {accumulate} equal micro-batches; {near} would do"
    return None
