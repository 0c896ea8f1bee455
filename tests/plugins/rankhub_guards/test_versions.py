"""A run that goes on says what has another version than when it began."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pytest

from rankhub.catalog.catalog import Catalog
from rankhub.interfaces.callback import RunInfo
from rankhub_guards.versions import Versions


@pytest.mark.parametrize(
    ("lock", "said"),
    [
        (
            {"libraries": {"numpy": "0.1"}, "plugins": {}},
            [f"numpy is {np.__version__} now and was 0.1 when the run began"],
        ),
        ({"libraries": {}, "plugins": {"mine": "1"}}, ["mine is 2 now and was 1 when the run began"]),
        ({"libraries": {"numpy": np.__version__, "not-installed": "1"}, "plugins": {"mine": "2", "gone": "3"}}, []),
    ],
)
def test_another_version_is_said_and_one_that_is_gone_is_not(tmp_path, monkeypatch, caplog, lock, said):
    (tmp_path / "lock.json").write_text(json.dumps(lock))
    found = SimpleNamespace(plugins=[SimpleNamespace(owner="mine", version="2")])
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: found))
    assert Versions().begins(RunInfo("name", tmp_path, {}, 3, 10), {}, []) == ()
    assert caplog.messages == said


def test_a_lock_that_is_damaged_is_said(tmp_path, caplog):
    (tmp_path / "lock.json").write_text("{")
    assert Versions().begins(RunInfo("name", tmp_path, {}, 3, 10), {}, []) == ()
    (said,) = caplog.messages
    assert "lock.json is damaged" in said
    assert said.endswith("so what has another version now is not known")
