"""Two commands that would train in one folder at once."""

from __future__ import annotations

from helpers.commands import call
from helpers.labeling import images_and_recipe

from rankhub_lock import locked


def test_of_two_trainings_in_a_folder_the_second_is_told(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(images_and_recipe(tmp_path, 4))
    assert call(capsys, "label", "init", "tiny.yaml", "--images", "images").code == 0
    with locked(tmp_path / "labeling" / "train.lock", sentence="held"):
        done = call(capsys, "label", "train")
    assert done.code == 2
    assert f"another `rankhub label train` is at work in {tmp_path / 'labeling'}; let it end" in done.err
