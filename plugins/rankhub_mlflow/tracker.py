"""A run in MLflow: parameters, metrics by step, pictures, tables, artifacts."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rankhub import UserError
from rankhub.interfaces.callback import RunInfo
from rankhub_tracking import Numbers, Tracker
from rankhub_tracking.tracker import Status

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARAMETERS, METRICS, LONGEST = 100, 1000, 500
"""What one request of MLflow's may hold, and letters of a parameter's value that every store takes."""
STATUS = {"done": "FINISHED", "stopped": "KILLED", "failed": "FAILED"}


def fitting_name(name: str) -> str:
    """A name of letters that MLflow takes."""
    return re.sub(r"[^/\w.\- ]", "_", name)


class MLflow(Tracker):
    """Tells MLflow of a run. It needs the package mlflow, or mlflow-skinny: `pip install 'rankhub[mlflow]'`.

    Name and password of a server are MLflow's own to find (MLFLOW_TRACKING_USERNAME, MLFLOW_TRACKING_TOKEN, ...).

    Args:
        uri: A server, or a database such as sqlite:///mlflow.db; else what MLFLOW_TRACKING_URI says, else MLflow's
            default, which is on this machine.
        experiment: The experiment, made if it is not there.
        checkpoint: Whether the last checkpoint goes along at the end.
    """

    def __init__(self, *, uri: str | None = None, experiment: str = "rankhub", checkpoint: bool = False) -> None:
        if find_spec("mlflow") is None:
            raise UserError("the callback mlflow needs the package mlflow; pip install 'rankhub[mlflow]'")
        if uri is not None and re.search(r"^https?://[^/]*@", uri):
            raise UserError("uri holds a password, which every run would keep; set MLFLOW_TRACKING_PASSWORD instead")
        place = f"{uri or os.environ.get('MLFLOW_TRACKING_URI', '')} {experiment}"
        super().__init__("mlflow", place, checkpoint=checkpoint)
        self.uri, self.experiment = uri, experiment
        self.id, self.tables = "", list[dict[str, str]]()
        self.client: MlflowClient

    def begin(self, run: RunInfo, known: str) -> str:
        """Make a run in the experiment, or set the known one running again."""
        from mlflow import MlflowClient

        self.client = MlflowClient(self.uri)
        if known and self._is_there(known):
            self.client.update_run(known, "RUNNING")
            self.tables = json.loads(self.client.get_run(known).data.tags.get("mlflow.loggedArtifacts", "[]"))
            self.id = known
            return known
        experiment = self.client.get_experiment_by_name(self.experiment)
        key = self.client.create_experiment(self.experiment) if experiment is None else experiment.experiment_id
        tags = {"rankhub.folder": str(run.folder.absolute()), "rankhub.recipe": run.name}
        self.id = self.client.create_run(key, tags=tags, run_name=run.folder.name).info.run_id
        return self.id

    def _is_there(self, known: str) -> bool:
        from mlflow import MlflowException

        try:
            return bool(self.client.get_run(known).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                raise
            return False

    def last_step(self) -> int:
        """The last step that MLflow has a loss of."""
        return max((metric.step for metric in self.client.get_metric_history(self.id, "loss")), default=0)

    def parameters(self, values: Mapping[str, Any]) -> None:
        """Send them, those that are too long cut."""
        from mlflow.entities import Param

        given = [Param(fitting_name(key), str(value)[:LONGEST]) for key, value in values.items()]
        for first in range(0, len(given), PARAMETERS):
            self.client.log_batch(self.id, params=given[first : first + PARAMETERS], synchronous=True)

    def numbers(self, rows: Sequence[Numbers]) -> None:
        """Send them; what was sent before a failure is the same the second time, so that MLflow keeps it once."""
        from mlflow.entities import Metric

        given = [
            Metric(fitting_name(key), value, round(row.time * 1000), row.step)
            for row in rows
            for key, value in row.values.items()
        ]
        for first in range(0, len(given), METRICS):
            self.client.log_batch(self.id, metrics=given[first : first + METRICS], synchronous=True)

    def picture(self, step: int, name: str, picture: npt.NDArray[np.uint8]) -> None:
        """Send it by its name and step."""
        self.client.log_image(self.id, picture, key=fitting_name(name), step=step, synchronous=True)

    def table(self, step: int, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Send it as JSON, in the form that ``mlflow.load_table`` reads."""
        columns = list(dict.fromkeys(key for row in rows for key in row))
        data = [[row.get(column) for column in columns] for row in rows]
        path = f"tables/{fitting_name(name)}.json"
        self.client.log_dict(self.id, {"columns": columns, "data": data}, path)
        self.tables.append({"path": path, "type": "table"})
        self.client.set_tag(self.id, "mlflow.loggedArtifacts", json.dumps(self.tables), synchronous=True)

    def file(self, path: Path) -> None:
        """Send a file, or a folder as one."""
        if path.is_dir():
            self.client.log_artifacts(self.id, str(path), f"checkpoints/{path.name}")
        else:
            self.client.log_artifact(self.id, str(path))

    def end(self, status: Status) -> None:
        """Say how it ended."""
        self.client.set_terminated(self.id, STATUS[status])

    def hint(self) -> str:
        """The command that shows this run, or its server."""
        uri = self.uri or os.environ.get("MLFLOW_TRACKING_URI")
        if uri is not None and uri.startswith("http"):
            return uri
        return "mlflow ui" + (f" --backend-store-uri {uri}" if uri else "")
