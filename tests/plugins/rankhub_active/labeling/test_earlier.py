"""Folders of labeling that an earlier version made: work in them goes on."""

from __future__ import annotations

import shutil

import pytest
import torch
import yaml
from helpers.labeling import QUIET, answer_round, quiet
from safetensors.torch import load_file, save_file

import rankhub
from rankhub_active.labeling.choose import Request, choose
from rankhub_active.labeling.earlier import bring_up
from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.setup import pool_recipe
from rankhub_active.labeling.summary import advice
from rankhub_active.labeling.train import train


def as_before(text):
    """A resolved recipe of one phase in the form that it had before streams stood at the top."""
    recipe = yaml.safe_load(text)
    streams = recipe.pop("streams")
    for stream in streams.values():
        stream["objectives"] = [
            {name: one.pop(name) for name in ("head", "output", "weight")} | {"loss": one}
            for one in stream["objectives"]
        ]
    recipe["phases"][0]["streams"] = streams
    return yaml.safe_dump(recipe, sort_keys=False).replace("use: rankhub_timm/", "use: rankhub_gone/")


@pytest.fixture
def now(learned, tmp_path):
    """It, and it as an earlier version would have made it."""
    for name in ("now", "old"):
        shutil.copytree(learned[0].folder, tmp_path / name)
    for file in [tmp_path / "old/recipe.yaml", *(tmp_path / "old/runs").glob("*/recipe.resolved.yaml")]:
        stat = file.stat()
        file.write_text(as_before(file.read_text()))
        shutil.os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return Pool(tmp_path / "now")


@pytest.fixture
def old(now):
    return Pool(now.folder.with_name("old"))


def test_it_goes_on_with_the_same_choice_and_training(now, old, caplog):
    assert all(name in (old.folder / "recipe.yaml").read_text() for name in ("loss:", "rankhub_gone/timm"))
    found = [choose(pool, Request(3, changes=["acquire.draws=2"]), quiet) for pool in (now, old)]
    (note,) = [record.getMessage() for record in caplog.records if "earlier version" in record.getMessage()]
    assert note.endswith("as NAME.before: runs/001/recipe.resolved.yaml, recipe.yaml")
    assert found[0].rows == found[1].rows
    assert found[0].notes == found[1].notes
    for pool in (now, old):
        answer_round(pool)
    runs = [train(pool, [], QUIET).run for pool in (now, old)]
    one, other = (load_file(next(run.glob("checkpoints/step_*3/model.safetensors"))) for run in runs)
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())
    assert rankhub.load_run(runs[1]).recipe.resolved()["start_from"]["run"] == str(old.folder / "runs/001")


def test_each_file_is_kept_as_it_was_and_only_once(old, caplog):
    before = {file: file.read_bytes() for file in old.folder.rglob("recipe*.yaml") if b"loss:" in file.read_bytes()}
    assert len(before) == 2
    bring_up(old.folder)
    bring_up(old.folder)
    assert len(caplog.records) == 1
    for file, text in before.items():
        assert file.with_name(file.name + ".before").read_bytes() == text
        assert b"loss:" not in file.read_bytes()
    assert not list(old.folder.rglob("*.partial"))


def test_what_was_answered_since_the_run_began_is_still_new(old, monkeypatch):
    said = advice(old)
    assert "train on" not in said
    row = old.rows(state="unlabeled", part="pool")[0]
    monkeypatch.setattr("rankhub_active.labeling.pool.now", lambda: "2100-01-01T00:00:00+00:00")
    old.answer({row.id: "7.0"}, "page")
    assert "train on the one new label" in advice(old)
    times = [(old.folder / "runs/001/recipe.resolved.yaml").stat().st_mtime_ns]
    bring_up(old.folder)
    assert [(old.folder / "runs/001/recipe.resolved.yaml").stat().st_mtime_ns] == times


def test_an_edited_recipe_that_is_wrong_is_named_by_its_line(old):
    file = old.folder / "recipe.yaml"
    file.write_text(file.read_text().replace("steps: 3", "steps: -3"))
    with pytest.raises(rankhub.UserError, match=r"recipe\.yaml:\d+ +phases\.0\.steps"):
        pool_recipe(old.folder)


@pytest.mark.parametrize("content", [b"\xff loss", b"phases: [loss"])
def test_what_cannot_be_read_is_said_where_it_is_loaded(old, content):
    (old.folder / "recipe.yaml").write_bytes(content)
    with pytest.raises(rankhub.UserError, match=r"recipe\.yaml"):
        pool_recipe(old.folder)
    assert (old.folder / "recipe.yaml").read_bytes() == content


def test_parameters_of_losses_get_their_new_names_in_every_file_of_a_checkpoint(old):
    checkpoint = max((old.folder / "runs/001/checkpoints").glob("step_*"))
    plain = load_file(checkpoint / "model.safetensors")
    state = torch.load(checkpoint / "optimizer.pt", weights_only=True)
    for number, stream in enumerate(("labeled", "ranked")):
        plain[f"losses.train.{stream}.0.queue"] = torch.full((2,), float(number))
        state["optimizer"]["state"][f"losses.train.{stream}.0.queue"] = {"step": torch.tensor(float(number))}
    for name in ("model", "average"):
        save_file(plain, checkpoint / f"{name}.safetensors")
    torch.save(state, checkpoint / "optimizer.pt")
    for _ in range(2):  # as after a kill between the weights and the recipe
        bring_up(old.folder)
        shutil.move(old.folder / "runs/001/recipe.resolved.yaml.before", old.folder / "runs/001/recipe.resolved.yaml")
    new = {"losses.labeled.mse.queue": 0.0, "losses.ranked.margin_ranking.queue": 1.0}
    for name in ("model", "average"):
        found = load_file(checkpoint / f"{name}.safetensors")
        assert {key: float(value[0]) for key, value in found.items() if key.startswith("losses")} == new
        assert found.keys() - new.keys() == {key for key in plain if not key.startswith("losses")}
    moved = torch.load(checkpoint / "optimizer.pt", weights_only=True)["optimizer"]["state"]
    assert {key: float(value["step"]) for key, value in moved.items() if key.startswith("losses")} == new


def test_what_cannot_be_written_is_one_sentence(old, monkeypatch):
    def full(*files):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copy2", full)
    with pytest.raises(rankhub.UserError, match=r"recipe\.resolved\.yaml has the form of an earlier .*No space left"):
        choose(old, Request(2), quiet)
    assert "loss:" in (old.folder / "recipe.yaml").read_text()


def test_an_old_run_elsewhere_is_one_sentence(now, old, tmp_path):
    shutil.copytree(old.folder / "runs/001", tmp_path / "elsewhere")
    with pytest.raises(rankhub.UserError, match="elsewhere was begun by an earlier version of rankhub"):
        choose(now, Request(2, tmp_path / "elsewhere"), quiet)
    assert len(now.rounds()) == 2


def test_code_in_a_checkpoint_is_not_run_and_is_one_sentence_without_advice_to_run_it(old, tmp_path):
    class Code:
        def __reduce__(self):
            return (open, (str(tmp_path / "code_ran"), "w"))

    checkpoint = max((old.folder / "runs/001/checkpoints").glob("step_*"))
    torch.save({"optimizer": {"state": Code()}}, checkpoint / "optimizer.pt")
    with pytest.raises(rankhub.UserError, match="cannot be brought into today's: it is damaged, or holds") as caught:
        bring_up(old.folder)
    assert "weights_only" not in str(caught.value)
    assert not (tmp_path / "code_ran").exists()
