"""One check or measurement, and what came of it."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from rankhub_train.cost import wait_for


@dataclass(frozen=True)
class Bench:
    """Where and how much is checked."""

    device: torch.device
    short: bool
    folder: Path  # for what is made on the way
    until: float = float("inf")  # of time.monotonic(): what has not begun by then is left out

    @property
    def cuda(self) -> bool:
        """Whether there is a GPU."""
        return self.device.type == "cuda"

    def wait(self) -> None:
        """For the device."""
        wait_for(self.device)


class Skipped(Exception):
    """What cannot be checked here, and why."""


class Failed(Exception):
    """What is not as it must be."""


@dataclass
class Finding:
    """What came of one check: ``passed``, ``failed`` or ``skipped``; figures by name; a sentence."""

    name: str
    outcome: str
    seconds: float
    figures: Mapping[str, Any] = field(default_factory=dict)
    said: str = ""

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


Check = Callable[[Bench], Mapping[str, Any]]
"""Gives figures; raises :class:`Failed` or :class:`Skipped`."""


def must(fine: bool, said: str) -> None:
    """Fail unless it is fine."""
    if not fine:
        raise Failed(said)


def attempt(name: str, check: Check, bench: Bench) -> Finding:
    """Do one check; whatever it raises is its failure, not that of the others."""
    begun = time.monotonic()
    if begun > bench.until:
        return Finding(name, "skipped", 0.0, said="no time was left")
    try:
        figures = check(bench)
        bench.wait()  # what a kernel did wrong is said at the latest here
        return Finding(name, "passed", time.monotonic() - begun, figures)
    except Skipped as why:
        return Finding(name, "skipped", time.monotonic() - begun, said=str(why))
    except Failed as why:
        return Finding(name, "failed", time.monotonic() - begun, said=str(why))
    except (Exception, SystemExit) as error:
        where = traceback.format_exc(limit=-3)
        return Finding(
            name, "failed", time.monotonic() - begun, {"traceback": where}, f"{type(error).__name__}: {error}"
        )
