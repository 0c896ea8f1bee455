"""`rankhub validate`. What it says of wrong recipes is in test_wrong_recipes.py."""

from __future__ import annotations

import pytest
from helpers.commands import call
from helpers.recipes import shipped_names


@pytest.mark.parametrize("name", shipped_names())
def test_every_recipe_that_comes_along_is_fine(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    called = call(capsys, "validate", name)
    assert called.code == 0, called.err
    assert f"{name}.yaml is fine." in called.out


def test_missing_data_are_a_note_or_with_data_an_error(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    called = call(capsys, "validate", "s2r2_folder", "data.photos.root=nowhere")
    assert called.code == 0
    assert f"data.photos: there is no folder {tmp_path}/nowhere" in called.out
    assert "\nnote: " in called.out
    called = call(capsys, "validate", "s2r2_folder", "data.photos.root=nowhere", "--data")
    assert called.code == 2
    assert "data.photos: there is no folder" in called.err
    assert called.err.rstrip().endswith("s2r2_folder.yaml")


def test_options_may_stand_before_and_after_overrides(capsys):
    assert call(capsys, "validate", "--data", "quickstart", "seed=3").code == 0
    assert call(capsys, "validate", "quickstart", "--data", "seed=3").code == 0


def test_overlays(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("optimizer.lr: -1\n")
    assert call(capsys, "validate", "quickstart", "--overlay", "mine.yaml", "optimizer.lr=1").code == 0
    called = call(capsys, "validate", "s2r2_stl10", "--overlay", "stl10_64px", "--overlay", "mine.yaml")
    assert called.code == 2
    assert "mine.yaml:1  optimizer.lr: got -1; expected a number above 0" in called.err
    called = call(capsys, "validate", "quickstart", "--overlay", "stl10_65px")
    assert called.err == ("error: no overlay that comes along is called 'stl10_65px'; did you mean 'stl10_64px'?\n")


def test_a_recipe_that_is_nowhere(capsys):
    called = call(capsys, "validate", "quikstart")
    assert (called.code, called.out) == (2, "")
    assert called.err == ("error: no recipe that comes along is called 'quikstart'; did you mean 'quickstart'?\n")
