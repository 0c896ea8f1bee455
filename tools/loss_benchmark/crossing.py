"""From which size on one loss is faster than another."""

from __future__ import annotations

from collections.abc import Mapping

from loss_benchmark.measuring import Case, Found

Results = Mapping[Case, Found]


def overtakes(mine: Mapping[int, float], theirs: Mapping[int, float]) -> int | None:
    """The first N from which on ``mine`` takes less time at every N that both have; None if it is never so.

    Args:
        mine: N -> seconds.
        theirs: N -> seconds.
    """
    first = None
    for rows in sorted(mine.keys() & theirs.keys(), reverse=True):
        if mine[rows] >= theirs[rows]:
            break
        first = rows
    return first


def seconds_of(results: Results, loss: str, views: int) -> dict[int, float]:
    """N -> seconds of one of rankhub's losses in groups of ``views``, where it fitted."""
    return {
        case.rows: found.seconds
        for case, found in results.items()
        if (case.loss, case.views, case.rival) == (loss, views, False) and found.seconds is not None
    }


def crossing_lines(results: Results, fast: str, slow: str) -> list[str]:
    """A sentence for each size of group in which both were measured: from which N on ``fast`` overtakes ``slow``."""
    lines = []
    for views in sorted({case.views for case in results}):
        mine, theirs = seconds_of(results, fast, views), seconds_of(results, slow, views)
        both = sorted(mine.keys() & theirs.keys())
        if not both:
            continue
        first = overtakes(mine, theirs)
        where = f"from N = {first:,} on" if first else f"nowhere up to N = {both[-1]:,}"
        ratio = theirs[both[-1]] / mine[both[-1]]
        lines.append(
            f"{fast} is faster than {slow} in groups of {views}: {where} ({ratio:.2f} times as fast at {both[-1]:,})"
        )
    return lines
