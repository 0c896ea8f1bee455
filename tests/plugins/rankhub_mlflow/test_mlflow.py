"""Against the real package, on a database of SQLite."""

import json
import shutil
from pathlib import Path

import mlflow
import numpy as np
import pytest
from helpers import fakes
from mlflow import MlflowClient

import rankhub
import rankhub_guards
import rankhub_mlflow
import rankhub_train
from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.callback import Callback

SMALL = {"phases.first.epochs": 1, "threads": 1, "device": "cpu", "checkpoint.every_steps": 2}


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    """An empty database; MLflow takes seconds to make one, so it is made once."""
    file = tmp_path_factory.mktemp("mlflow") / "empty.db"
    MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def uri(database, tmp_path, monkeypatch):
    found = Catalog.of(
        {
            "fakes": fakes,
            "rankhub_guards": rankhub_guards,
            "rankhub_train": rankhub_train,
            "rankhub_mlflow": rankhub_mlflow,
        }
    )
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: found))
    monkeypatch.chdir(tmp_path)  # where MLflow keeps artifacts
    shutil.copy(database, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def recipe(uri, **options):
    callback = {"use": "mlflow", "uri": uri, "experiment": "fakes", **options}
    return rankhub.load_recipe(fakes.RECIPE, {**SMALL, "callbacks": [callback]})


def told(uri):
    """The client and the only run of the experiment."""
    client = MlflowClient(uri)
    (run,) = client.search_runs([client.get_experiment_by_name("fakes").experiment_id])
    return client, run


def losses(folder):
    lines = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss"]) for line in lines]


def history(client, run, key="loss"):
    return [(metric.step, pytest.approx(metric.value)) for metric in client.get_metric_history(run.info.run_id, key)]


def artifacts(client, run, folder=""):
    return {Path(file.path).name for file in client.list_artifacts(run.info.run_id, folder)}


class StopAt(Callback):
    def __init__(self, step):
        self.step = step

    def step_logged(self, step, values):
        return "stop" if step == self.step else None


def test_all_of_a_run_is_there(uri, tmp_path):
    ended = rankhub.train(recipe(uri, checkpoint=True), tmp_path / "run", progress=False)
    client, run = told(uri)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "run"
    assert run.data.params["optimizer.use"].endswith("descent")
    assert float(run.data.params["optimizer.lr"]) == 0.05
    assert history(client, run) == losses(ended.path)
    assert run.data.metrics["spread/spread"] == pytest.approx(ended.metrics["spread.spread"])
    assert {"spread/spread/raw pixels", "spread/spread/before training"} <= set(run.data.metrics)
    assert artifacts(client, run) >= {"recipe.yaml", "recipe.resolved.yaml", "results.csv", "images", "tables"}
    assert any("spread~black" in name for name in artifacts(client, run, "images"))
    results = client.download_artifacts(run.info.run_id, "tables/results.json", str(tmp_path))
    table = json.loads(Path(results).read_text())
    assert [row[0] for row in table["data"]] == ["raw pixels", "before training", "after training"]
    assert {"path": "tables/results.json", "type": "table"} in json.loads(run.data.tags["mlflow.loggedArtifacts"])
    (checkpoint,) = client.list_artifacts(run.info.run_id, "checkpoints")
    assert "model.safetensors" in artifacts(client, run, checkpoint.path)


def test_a_run_that_goes_on_is_the_same_one_with_each_step_once(uri, tmp_path):
    rankhub.train(recipe(uri), tmp_path / "run", progress=False, callbacks=[StopAt(3)])
    client, run = told(uri)
    assert run.info.status == "KILLED"
    assert [step for step, _ in history(client, run)] == [1, 2, 3]
    shutil.rmtree(sorted((tmp_path / "run" / "checkpoints").iterdir())[-1])  # as if it was killed after step 3
    rankhub.resume(tmp_path / "run", progress=False)
    client, again = told(uri)
    assert (again.info.run_id, again.info.status) == (run.info.run_id, "FINISHED")
    assert history(client, again) == losses(tmp_path / "run")
    assert len(history(client, again, "spread/spread/raw pixels")) == 1


def test_what_a_failing_server_lacked_is_told_when_the_run_goes_on(uri, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("rankhub_tracking.tracker.AGAIN", 0.01)

    def gone(*arguments, **options):
        raise ConnectionError("the server is gone")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_batch", gone)
        ended = rankhub.train(recipe(uri), tmp_path / "run", progress=False, callbacks=[StopAt(3)])
    assert ended.stopped
    said = [record.getMessage() for record in caplog.records if "mlflow" in record.getMessage()]
    assert [text.split(" ", 2)[1] for text in said] == ["fails:", "lacks"], said
    assert "the server is gone" in said[0]
    client, run = told(uri)
    assert history(client, run) == []
    assert run.data.params == {}
    whole = rankhub.resume(tmp_path / "run", progress=False)
    client, again = told(uri)
    assert again.info.run_id == run.info.run_id
    assert history(client, again) == losses(whole.path)
    assert "optimizer.lr" in again.data.params


def test_a_run_that_was_deleted_there_is_told_anew_from_the_first_step(uri, tmp_path):
    rankhub.train(recipe(uri), tmp_path / "run", progress=False, callbacks=[StopAt(3)])
    client, run = told(uri)
    client.delete_run(run.info.run_id)
    rankhub.resume(tmp_path / "run", progress=False)
    client, again = told(uri)
    assert again.info.run_id != run.info.run_id
    assert history(client, again) == losses(tmp_path / "run")


def test_a_full_disk_does_not_end_the_training(tmp_path, uri, caplog, monkeypatch):
    monkeypatch.setattr("rankhub_tracking.tracker.AGAIN", 0.01)
    monkeypatch.setattr(MlflowClient, "log_image", _full)
    ended = rankhub.train(recipe(uri), tmp_path / "run", progress=False)
    assert np.isfinite(ended.metrics["spread.spread"])
    assert sum("No space left" in record.getMessage() for record in caplog.records) == 2


def _full(*arguments, **options):
    raise OSError(28, "No space left on device")


def test_nothing_is_told_of_a_run_that_does_not_ask(uri, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    rankhub.train(rankhub.load_recipe(fakes.RECIPE, SMALL), tmp_path / "run", progress=False)
    assert MlflowClient(uri).get_experiment_by_name("fakes") is None
    assert mlflow.active_run() is None
    assert not (tmp_path / "run" / "trackers").exists()


def test_a_password_is_refused():
    with pytest.raises(rankhub.UserError, match="MLFLOW_TRACKING_PASSWORD"):
        rankhub.build("callback", {"use": "rankhub_mlflow/mlflow", "uri": "https://me:secret@host"})


def test_without_the_package_a_recipe_is_refused_in_one_sentence(uri, monkeypatch):
    monkeypatch.setattr("rankhub_mlflow.tracker.find_spec", lambda name: None)
    with pytest.raises(rankhub.UserError, match=r"pip install 'rankhub\[mlflow\]'"):
        recipe(uri)
