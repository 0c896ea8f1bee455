"""A run in Weights & Biases: configuration, metrics by step, pictures, tables, artifacts."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from rankhub import UserError
from rankhub.interfaces.callback import RunInfo
from rankhub_tracking import Numbers, Tracker
from rankhub_tracking.tracker import Status


class Wandb(Tracker):
    """Tells Weights & Biases of a run. It needs the package wandb: `pip install 'rankhub[wandb]'`.

    The key is wandb's own to find (`wandb login`, WANDB_API_KEY). Neither code nor output nor figures of the machine
    are sent.

    Args:
        project: The project.
        entity: The user or the team whose it is; else wandb's default.
        mode: `online` sends all at once; `offline` keeps it in `wandb/` of the run's folder, for `wandb sync`; else as
            WANDB_MODE says, else online.
        checkpoint: Whether the last checkpoint goes along at the end.
    """

    def __init__(
        self,
        *,
        project: str = "rankhub",
        entity: str | None = None,
        mode: Literal["online", "offline"] | None = None,
        checkpoint: bool = False,
    ) -> None:
        if find_spec("wandb") is None:
            raise UserError("the callback wandb needs the package wandb; pip install 'rankhub[wandb]'")
        self.project, self.entity = project, entity
        self.mode: Any = mode or os.environ.get("WANDB_MODE", "online")
        super().__init__("wandb", f"{entity or ''} {project} {self.mode}", checkpoint=checkpoint)
        self.tracked: Any = None

    def begin(self, run: RunInfo, known: str) -> str:
        """Begin a run of the project, or go on with the known one."""
        import wandb

        if self.mode == "online" and not wandb.login(prompt=False):
            raise UserError("there is no key of Weights & Biases; `wandb login`, or mode: offline")
        settings = wandb.Settings(
            console="off", silent=True, save_code=False, disable_git=True, x_disable_meta=True, x_disable_stats=True
        )
        key = known or secrets.token_hex(4)
        self.tracked = wandb.init(
            id=key,
            project=self.project,
            entity=self.entity,
            name=run.folder.name,
            group=run.name,
            dir=run.folder,
            mode=self.mode,
            resume="allow",
            reinit="create_new",
            settings=settings,
        )
        return key

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Send them as the run's configuration."""
        self.tracked.config.update(dict(values), allow_val_change=True)

    def numbers(self, rows: Sequence[Numbers]) -> None:
        """Hand them to wandb's own process."""
        for row in rows:
            self.tracked.log(dict(row.values), step=row.step)

    def picture(self, step: int, name: str, picture: npt.NDArray[np.uint8]) -> None:
        """Send it by its name and step."""
        import wandb

        self.tracked.log({name: wandb.Image(picture)}, step=step)

    def table(self, step: int, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Send it by its name."""
        import wandb

        columns = list(dict.fromkeys(key for row in rows for key in row))
        data = [[row.get(column) for column in columns] for row in rows]
        self.tracked.log({f"tables/{name}": wandb.Table([*columns], data, allow_mixed_types=True)}, step=step)

    def file(self, path: Path) -> None:
        """Keep a file with the run, a checkpoint as an artifact of the type ``model``."""
        import wandb

        if path.is_dir():
            artifact = wandb.Artifact(re.sub(r"[^\w.-]", "_", f"{self.run.name}_{self.tracked.id}"), type="model")
            for file in sorted(path.iterdir()):
                artifact.add_file(str(file))
            self.tracked.log_artifact(artifact)
        else:
            copy = shutil.copy(path, self.tracked.dir)
            self.tracked.save(copy, base_path=self.tracked.dir, policy="now")

    def end(self, status: Status) -> None:
        """Say how it ended, and wait until wandb has written or sent all."""
        self.tracked.finish(exit_code=1 if status == "failed" else 0)

    def hint(self) -> str | None:
        """The page of this run, or the command that sends it."""
        if self.mode == "offline":
            return f"wandb sync {self.run.folder / 'wandb'}/offline-run-*"
        return getattr(self.tracked, "url", None)
