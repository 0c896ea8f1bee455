"""A checkpoint is there whole or not at all."""

import json
import logging
import re
import shutil

import pytest
import torch
from safetensors.torch import save_file

from rankhub.engine import checkpoint
from rankhub.engine.checkpoint import Checkpoints, State
from rankhub.interfaces.errors import UserError


def state(step, weight=1.0):
    weights = {"w": torch.full((2, 3), weight), "n": torch.tensor(4)}
    optimizer = {"state": {"w": {"m": torch.ones(2, 3), "step": torch.tensor(3.0)}}, "groups": [{"lr": 0.1}]}
    return State(step, weights, None, optimizer, {}, {"views": 12})


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
    tied = State(1, {"a": base, "b": base, "c": base.t()}, {"a": base}, {}, {}, {})
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
    with pytest.raises(UserError, match=r"optimizer\.pt is not as it was written"):
        checkpoint.load(path)
    facts = checkpoint.verified(path, "model.safetensors")
    facts["files"]["optimizer.pt"] = checkpoint.digest_of(path / "optimizer.pt")
    (path / "state.json").write_text(json.dumps({**facts, "digest": checkpoint._digest(facts)}))
    with pytest.raises(UserError, match="cannot be read") as caught:
        checkpoint.load(path)
    assert not re.search("weights_only|trust|\n", str(caught.value)), "advice to read it all the same"
    assert not (tmp_path / "owned").exists()


def flip(file, path, bit=0):
    """One bit of a file, at a share of its length."""
    content = bytearray(file.read_bytes())
    content[int(path * (len(content) - 1))] ^= 1 << bit
    file.write_bytes(content)


FILES = ["model.safetensors", "average.safetensors", "optimizer.pt", "state.json"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("path", [0, 0.13, 0.3, 0.5, 0.62, 0.87, 1])
@pytest.mark.parametrize("bit", [0, 6])
def test_a_flipped_bit_is_seen_and_the_one_before_is_taken(tmp_path, caplog, name, path, bit):
    run = Checkpoints(tmp_path / "checkpoints", 2)
    for step in (1, 2):
        weights = {"w": torch.full((20, 3), float(step))}
        run.save(State(step, weights, weights, {"state": {}, "groups": []}, {}, {"views": 1}))
    last = tmp_path / "checkpoints" / "step_000000002"
    flip(last / name, path, bit)
    with pytest.raises(UserError, match=r"cannot be read|is a checkpoint of format"):
        checkpoint.load(last)
    with caplog.at_level(logging.WARNING, "rankhub"):
        for average in (False, True):
            if name in (FILES[average], "state.json"):  # what is not needed is not looked at
                weights, file = checkpoint.read_weights(tmp_path, average=average)
                assert file.parent.name == "step_000000001"
                assert weights["w"].unique().tolist() == [1.0]
                with pytest.raises(UserError, match="name another checkpoint"):
                    checkpoint.read_weights(last, average=average)
        assert run.last_whole().step == 1
    assert caplog.messages[-1].endswith("it is set aside as step_000000002.damaged")
    assert run.save(state(2)).is_dir()


def test_the_state_of_another_step_is_seen(tmp_path):
    run = Checkpoints(tmp_path, 2)
    one, two = run.save(state(1)), run.save(state(2))
    shutil.copy(one / "state.json", two / "state.json")
    with pytest.raises(UserError, match=r"step_000000002 cannot be read: state\.json is not as it was written"):
        checkpoint.load(two)
    assert run.last_whole().step == 1


def test_the_state_of_the_same_step_of_another_run_is_seen(tmp_path):
    mine, other = Checkpoints(tmp_path / "a", 2).save(state(1)), Checkpoints(tmp_path / "b", 2).save(state(1, 2.0))
    shutil.copy(other / "state.json", mine / "state.json")
    with pytest.raises(UserError, match=r"model\.safetensors is not as it was written"):
        checkpoint.load(mine)


def test_a_copy_under_another_name_is_read(tmp_path):
    path = Checkpoints(tmp_path, 2).save(state(3))
    assert checkpoint.load(path.rename(tmp_path / "the_good_one")).step == 3


def test_where_none_is_whole_all_stay_as_they_are(tmp_path):
    run = Checkpoints(tmp_path, 2)
    for step in (1, 2):
        flip(run.save(state(step)) / "optimizer.pt", 0.5)
    with pytest.raises(
        UserError, match=f"optimizer.pt is not as it was written, nor can one before it; remove {tmp_path}"
    ):
        run.last_whole()
    assert [path.name for path in run.all()] == ["step_000000001", "step_000000002"]


def test_a_damaged_best_one_is_set_aside(tmp_path, caplog):
    run = Checkpoints(tmp_path, 2)
    run.save(state(4))
    checkpoint.write(tmp_path / "best_step_000000003", state(3))
    flip(tmp_path / "best_step_000000003" / "model.safetensors", 0.9)
    assert run.last_whole().step == 4
    assert caplog.messages[0].endswith("it is set aside as best_step_000000003.damaged")
    assert not list(tmp_path.glob("best_step_000000003"))


def test_checkpoints_of_before_there_were_digests_are_read(tmp_path):
    run = Checkpoints(tmp_path / "checkpoints", 2)
    for step in (1, 2):
        path = run.save(state(step))
        facts = {"format": 1, "step": step, "facts": {"views": 12}}
        (path / "state.json").write_text(json.dumps(facts))
    assert checkpoint.load(path).step == 2
    assert checkpoint.read_weights(tmp_path, average=False)[1].parent == path
    save_file({}, path / "model.safetensors")
    (path / "optimizer.pt").write_bytes(b"half")
    assert run.last_whole().step == 1
