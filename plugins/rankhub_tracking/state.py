"""What a tracker has been told of a run, kept in the run's folder, so that a resumed run goes on with it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ValidationError

from rankhub.interfaces.files import write_text


class TrackerState(BaseModel):
    """What a tracker has been told: ``step`` is the last one whose numbers it has, ``things`` name what else it has."""

    id: str = ""
    step: int = 0
    things: list[str] = []

    @classmethod
    def read(cls, path: Path) -> TrackerState:
        """What was kept; nothing where there is no such file, or it is damaged."""
        with suppress(OSError, ValidationError):
            return cls.model_validate_json(path.read_bytes())
        return cls()

    def write(self, path: Path) -> None:
        """Keep it."""
        write_text(path, self.model_dump_json(indent=1) + "\n", make=True)


def state_file(folder: Path, name: str, place: str) -> Path:
    """Where it is kept: a file for each tracker and place that a run is told to."""
    return folder / "trackers" / f"{name}_{zlib.crc32(place.encode()):08x}.json"


def journaled(file: Path, after: int, until: int) -> Iterator[tuple[int, dict[str, float]]]:
    """Steps and numbers that a run's ``metrics.jsonl`` has, of the steps ``after`` < step <= ``until``."""
    with suppress(FileNotFoundError), file.open(encoding="utf-8") as lines:
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                values = json.loads(line)
                if after < values["step"] <= until:
                    yield int(values["step"]), {key: float(v) for key, v in values.items() if type(v) in (int, float)}
