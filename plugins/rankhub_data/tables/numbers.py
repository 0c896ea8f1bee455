"""Scores that are written as text."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rankhub.interfaces.errors import UserError
from rankhub_data.wording import some


def numbers(source: Path, column: str, texts: Iterable[tuple[str, str]]) -> list[float]:
    """Texts as numbers; ``nan`` and ``inf`` are numbers here, the caller refuses those that it cannot use.

    Args:
        source: The file, for the sentence.
        column: What is read, for the sentence.
        texts: (where it stands, text).

    Raises:
        UserError: Some are no numbers; the sentence says where the first few stand.
    """
    values: list[float] = []
    wrong: list[str] = []
    for place, text in texts:
        try:
            values.append(float(text))
        except ValueError:
            wrong.append(f"{place} ({text!r})" if text else f"{place} (empty)")
    if wrong:
        point = "; decimals take a point" if any("," in text for text in wrong) else ""
        raise UserError(f"{source}: `{column}` is no number on {some(wrong)}{point}; mend these rows or take them out")
    return values
