"""What is measured: a recipe, the acquirers, the seeds, and how many labels a round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

CHANCE = "random"
"""The acquirer that the others are compared with."""


@dataclass(frozen=True)
class Plan:
    """An experiment.

    Attributes:
        recipe: File or name of the recipe.
        overrides: Changes to it, the same for all.
        acquirers: Name in the table -> ``{use: ..., option: ...}``.
        seeds: Each with a first set of labels that all acquirers share.
        start: Labels of the first round, drawn at random.
        step: Labels of each further round.
        budget: Labels at the end.
        metric: ``EVALUATOR.METRIC``.
        scratch: Whether each round begins with untrained weights, in place of those of the round before.
        later: Changes to the rounds after the first.
        patches: Side in pixels, and how many of each image: the pool is of patches in place of whole images, and what
            is labeled at a time is one of them. None = whole images.

    Raises:
        ValueError: No round would choose; one sentence.
    """

    recipe: str
    overrides: tuple[str, ...]
    acquirers: Mapping[str, Mapping[str, Any]]
    seeds: tuple[int, ...]
    start: int
    step: int
    budget: int
    metric: str
    scratch: bool = True
    later: tuple[str, ...] = ()
    patches: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if min(self.start, self.step, *(self.patches or (1,))) < 1:
            raise ValueError("--start, --step and --patches must be at least 1")
        if self.budget <= self.start:
            raise ValueError(f"--budget {self.budget} leaves nothing to choose after --start {self.start}; raise it")

    @property
    def labels(self) -> list[int]:
        """Labels after each round."""
        return [*range(self.start, self.budget, self.step), self.budget]

    @property
    def pieces(self) -> str:
        """What the pool is made of, as a plural."""
        return "images" if self.patches is None else "patches"

    def text(self) -> str:
        """As JSON, but for what may grow in a later start: acquirers and seeds."""
        facts = {name: value for name, value in asdict(self).items() if name not in ("acquirers", "seeds", "metric")}
        if self.patches is None:
            del facts["patches"]
        return json.dumps(facts, indent=1)

    def keep(self, out: Path) -> None:
        """Write it beside the results.

        Raises:
            ValueError: Another plan's results are there; one sentence.
        """
        file = out / "plan.json"
        if file.is_file() and file.read_text() != self.text():
            raise ValueError(f"{file} is of another experiment; name another --out, or give the same options")
        out.mkdir(parents=True, exist_ok=True)
        file.write_text(self.text())


def read_acquirer(text: str) -> tuple[str, dict[str, Any]]:
    """An acquirer as it stands on the command line: a name, or ``NAME={use: ..., option: ...}``.

    Raises:
        ValueError: It is neither; one sentence.
    """
    name, _, options = text.partition("=")
    if not options:
        return name, {"use": name}
    read = yaml.safe_load(options)
    if not isinstance(read, dict) or "use" not in read:
        raise ValueError(f"--acquirer {text}: expected NAME, or NAME={{use: ..., option: ...}}")
    return name, read
