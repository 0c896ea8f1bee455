"""What has another version than when a run began; its weights may then differ in the last bits."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version

from pydantic import BaseModel

import rankhub
from rankhub.interfaces.callback import RunInfo
from rankhub.interfaces.data import Dataset
from rankhub.interfaces.files import read_json
from rankhub.interfaces.guard import Guard

log = logging.getLogger("rankhub")


class LockedVersions(BaseModel):
    """Of ``lock.json`` in a run's folder."""

    libraries: dict[str, str]
    plugins: dict[str, str]


class Versions(Guard):
    """Compares libraries and plugins with those that a run began with."""

    def begins(self, run: RunInfo, datasets: Mapping[str, Dataset], changes: Sequence[str]) -> Sequence[str]:
        """Say what has another version now; nothing where the run begins."""
        try:
            then = read_json(run.folder / "lock.json", LockedVersions, "so what has another version now is not known")
        except rankhub.UserError as error:
            log.warning("%s", error)
            return ()
        now = {plugin.owner: plugin.version for plugin in rankhub.Catalog.discover().plugins}
        for name in then.libraries:
            with suppress(PackageNotFoundError):
                now[name] = version(name)
        for name, before in {**then.libraries, **then.plugins}.items():
            if now.get(name, before) != before:
                log.warning("%s is %s now and was %s when the run began", name, now[name], before)
        return ()
