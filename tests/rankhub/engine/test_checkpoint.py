"""A checkpoint is there whole or not at all."""

import json
import re

import pytest
import torch

from rankhub.engine import checkpoint
from rankhub.engine.checkpoint import Checkpoints, State
from rankhub.interfaces.errors import UserError


def state(step, weight=1.0):
    weights = {"w": torch.full((2, 3), weight), "n": torch.tensor(4)}
    optimizer = {"state": {"w": {"m": torch.ones(2, 3), "step": torch.tensor(3.0)}}, "groups": [{"lr": 0.1}]}
    return State(step, weights, None, optimizer, checkpoint.random_state(), {}, {"views": 12})


def test_round_trip(tmp_path):
    path = Checkpoints(tmp_path, 2).save(state(7))
    back = checkpoint.load(path)
    assert back.step == 7
    assert back.facts == {"views": 12}
    assert torch.equal(back.weights["w"], state(7).weights["w"])
    assert torch.equal(back.optimizer["state"]["w"]["m"], torch.ones(2, 3))
    assert back.average is None


def test_tied_and_transposed_weights_are_kept(tmp_path):
    base = torch.arange(6.0).reshape(2, 3)
    tied = State(1, {"a": base, "b": base, "c": base.t()}, {"a": base}, {}, checkpoint.random_state(), {}, {})
    back = checkpoint.load(Checkpoints(tmp_path, 1).save(tied))
    assert torch.equal(back.weights["b"], base)
    assert torch.equal(back.weights["c"], base.t())
    assert torch.equal(back.average["a"], base)


def test_only_the_newest_stay(tmp_path):
    checkpoints = Checkpoints(tmp_path, 2)
    for step in (1, 2, 3):
        checkpoints.save(state(step))
    assert [path.name for path in checkpoints.all()] == ["step_000000002", "step_000000003"]


def test_a_half_written_checkpoint_is_not_seen(tmp_path):
    checkpoints = Checkpoints(tmp_path, 2)
    good = checkpoints.save(state(1))
    (tmp_path / "step_000000002.partial").mkdir()
    assert checkpoints.last() == good
    assert checkpoints.save(state(2)).name == "step_000000002"


def test_weights_that_are_not_finite_are_not_written(tmp_path):
    checkpoints = Checkpoints(tmp_path, 2)
    good = checkpoints.save(state(1))
    with pytest.raises(UserError, match="not finite after step 2") as error:
        checkpoints.save(state(2, float("nan")))
    assert str(good) in str(error.value)
    assert checkpoints.all() == [good]


def test_broken_files_are_one_sentence(tmp_path):
    path = Checkpoints(tmp_path, 2).save(state(1))
    (path / "model.safetensors").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="cannot be read"):
        checkpoint.load(path)
    (path / "model.safetensors").unlink()
    with pytest.raises(UserError, match=r"model\.safetensors"):
        checkpoint.load(path)


def test_another_format_is_refused(tmp_path):
    path = Checkpoints(tmp_path, 2).save(state(1))
    facts = json.loads((path / "state.json").read_text())
    (path / "state.json").write_text(json.dumps({**facts, "format": 99}))
    with pytest.raises(UserError, match="format 99"):
        checkpoint.load(path)


def test_the_optimizer_file_executes_nothing(tmp_path):
    path = Checkpoints(tmp_path, 2).save(state(1))

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "owned"), "w"))

    torch.save({"optimizer": Evil(), "random": {}, "scaler": {}}, path / "optimizer.pt")
    with pytest.raises(UserError, match="cannot be read") as caught:
        checkpoint.load(path)
    assert not re.search("weights_only|trust|\n", str(caught.value)), "advice to read it all the same"
    assert not (tmp_path / "owned").exists()


def test_random_state_comes_back():
    kept = checkpoint.random_state()
    first = torch.rand(3)
    checkpoint.set_random_state(kept)
    assert torch.equal(torch.rand(3), first)
