"""What TensorBoard is told is what it shows, each step once."""

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import rankhub_tensorboard
from rankhub.interfaces.callback import RunInfo
from rankhub.interfaces.evaluate import EvaluationResult
from rankhub_tensorboard.writer import TensorBoard, tag


def info(folder, step=0):
    return RunInfo("r", folder, {"name": "r", "data": {}}, step, 10)


def shown(folder):
    events = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    return events


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("loss", "train/loss"),
        ("lr", "train/lr"),
        ("views_per_s", "train/views_per_s"),
        ("views.0", "views/0"),
        ("views.0.mAP", "views/0/mAP"),
    ],
)
def test_tags(name, expected):
    assert tag(name) == expected


def test_numbers_pictures_and_metrics(tmp_path):
    (watcher,) = rankhub_tensorboard.rankhub_observers(info(tmp_path))
    watcher.run_started(info(tmp_path))
    watcher.step_logged(1, {"step": 1.0, "loss": 0.5, "views.0.mAP": 0.25})
    watcher.pictures(1, {"views": np.zeros((4, 6, 3), np.uint8)})
    watcher.evaluated(1, "network after training", {"knn": EvaluationResult({"accuracy": 0.75})})
    watcher.run_ended(1, "done")
    events = shown(tmp_path)
    assert events.Scalars("train/loss")[0].value == 0.5
    assert events.Scalars("views/0/mAP")[0].value == 0.25
    assert events.Scalars("knn/accuracy/network_after_training")[0].value == 0.75
    assert events.Images("views")[0].width == 6
    assert "train/step" not in events.Tags()["scalars"]
    assert watcher.hint() == f"tensorboard --logdir {tmp_path / 'tensorboard'}"


def test_a_resumed_run_shows_each_step_once(tmp_path):
    first = TensorBoard(info(tmp_path))
    for step in range(1, 6):
        first.step_logged(step, {"loss": 1.0})
    first.run_ended(5, "failed")
    again = TensorBoard(info(tmp_path, step=3))
    for step in range(4, 7):
        again.step_logged(step, {"loss": 2.0})
    again.run_ended(6, "done")
    scalars = shown(tmp_path).Scalars("train/loss")
    assert [(scalar.step, scalar.value) for scalar in scalars] == [(1, 1), (2, 1), (3, 1), (4, 2), (5, 2), (6, 2)]
