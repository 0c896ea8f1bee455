"""What the process of a job does where an earlier start has left something."""

from __future__ import annotations

import numpy as np
import pytest
from helpers import fakes
from helpers.training import catalog

import rankhub
from rankhub.catalog.catalog import Catalog
from rankhub_study.records import read_record
from rankhub_study.worker import JobTask, beside, execute


@pytest.fixture
def begun(tmp_path, monkeypatch):
    """A job that was stopped after five steps."""
    found = catalog()
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: found))
    (tmp_path / "tiny.yaml").write_text(fakes.RECIPE)
    task = JobTask(tmp_path / "runs" / "job", str(tmp_path / "tiny.yaml"), [], [])
    task.folder.parent.mkdir()
    stopper = rankhub.load_recipe(fakes.RECIPE, {"callbacks": [{"use": "stopper", "after": 5}]})
    assert rankhub.train(stopper, task.folder, progress=False).stopped
    resolved = task.folder / "recipe.resolved.yaml"
    resolved.write_text(resolved.read_text().replace("after: 5", "after: 99"))
    return task


def test_it_goes_on_where_nothing_has_changed(begun, capsys):
    assert execute(begun) == 0
    assert "goes on after step 5" in capsys.readouterr().out
    assert read_record(begun.folder)["steps"] == 12


def test_it_begins_anew_where_the_data_have_changed(begun, capsys, monkeypatch):
    monkeypatch.setattr(fakes.Patches, "labels", lambda self: np.arange(self.count) // 2 % 2)
    assert execute(begun) == 0, beside(begun.folder, "error.txt").read_text()
    said = capsys.readouterr().out
    assert "begins anew:" in said
    assert "data.train has other labels" in said
    assert "goes on" not in said.partition("\n")[2]
    assert read_record(begun.folder)["steps"] == 12
