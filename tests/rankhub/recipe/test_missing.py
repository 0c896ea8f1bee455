"""What a recipe reads and is not there is an error of a run, and a note of a check."""

import pytest
from helpers import fakes
from helpers.training import catalog

from rankhub.recipe.load import load_recipe
from rankhub.recipe.report import RecipeErrors
from rankhub.recipe.shipped import Source

SOURCE = Source(fakes.RECIPE, "file.yaml")


def test_weights_that_are_not_there(monkeypatch):
    load_recipe(SOURCE, [], catalog(), need_data=True)
    monkeypatch.setattr(fakes.Flat, "missing", lambda self: "its weights are gone")
    said = "file.yaml:6  backbone: its weights are gone"
    load_recipe(SOURCE, [], catalog())
    with pytest.raises(RecipeErrors, match=said) as caught:
        load_recipe(SOURCE, [], catalog(), need_data=True)
    assert len(caught.value.problems) == 1


def test_data_and_weights_come_together_each_once(monkeypatch):
    monkeypatch.setattr(fakes.Flat, "missing", lambda self: "it is gone")
    monkeypatch.setattr(fakes.Patches, "missing", lambda self: "it is gone")
    with pytest.raises(RecipeErrors) as caught:
        load_recipe(SOURCE, [], catalog(), need_data=True)
    (problem,) = caught.value.problems
    assert str(problem) == "file.yaml:4  data.train: it is gone (so for data.test, backbone)"


def test_data_that_nothing_uses_need_not_be_there(monkeypatch):
    monkeypatch.setattr(fakes.Patches, "missing", lambda self: "it is gone" if self.count == 7 else None)
    load_recipe(SOURCE, ["data.backbone={use: patches, count: 7}"], catalog(), need_data=True)
