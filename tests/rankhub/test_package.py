"""`import rankhub`: light, lazy, and its names seen by mypy; and it leaves the process as it was."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import rankhub

HEAVY = {"torch", "torchvision", "numpy", "scipy", "PIL", "pydantic", "yaml", "typer", "rich", "timm", "sklearn"}


def fresh(code, cwd):
    """What a process of its own prints."""
    command = [sys.executable, "-c", textwrap.dedent(code)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_importing_it_loads_nothing_heavy_and_says_nothing(tmp_path):
    loaded, handlers, level, root = fresh(
        """
        import json, logging, sys
        import rankhub
        log = logging.getLogger("rankhub")
        handlers = [type(handler).__name__ for handler in log.handlers]
        print(json.dumps([list(sys.modules), handlers, log.level, len(logging.getLogger().handlers)]))
        """,
        tmp_path,
    )
    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    assert {name for name in loaded if name.startswith("rankhub.")} <= {
        "rankhub.catalog",
        "rankhub.catalog.hookspecs",
        "rankhub.interfaces",
        "rankhub.interfaces.component",
        "rankhub.interfaces.errors",
        "rankhub.interfaces.kinds",
    }
    assert (handlers, level, root) == (["NullHandler"], 0, 0)


def test_names_are_resolved_when_they_are_used(tmp_path):
    before, after = fresh(
        """
        import json, sys
        import rankhub
        from rankhub import Component, UserError, hookimpl
        before = "rankhub.api" in sys.modules
        rankhub.list_components
        print(json.dumps([before, "rankhub.api" in sys.modules and "torch" not in sys.modules]))
        """,
        tmp_path,
    )
    assert (before, after) == (False, True)


def test_every_name_is_there_and_no_other():
    for name in rankhub.__all__:
        assert getattr(rankhub, name) is not None
    assert rankhub.__all__ == sorted(set(rankhub.__all__))
    assert set(rankhub.__dir__()) == set(rankhub.__all__)
    with pytest.raises(AttributeError, match="module 'rankhub' has no attribute 'trane'"):
        rankhub.trane  # noqa: B018
    with pytest.raises(ImportError):
        exec("from rankhub import trane")


def test_mypy_sees_every_name(tmp_path, repo):
    """None is of type Any, as names behind a module's ``__getattr__`` are."""
    asked = "".join(f"reveal_type(rankhub.{name})\n" for name in rankhub.__all__)
    used = 'run = rankhub.train("r")\nreveal_type(run.metrics)\nreveal_type(run.embed([]))\nrankhub.train(3)\n'
    (tmp_path / "asked.py").write_text(f"import rankhub\n{asked}{used}")
    command = [sys.executable, "-m", "mypy", "--config-file", repo / "pyproject.toml", "asked.py"]
    command += ["--cache-dir", repo / ".mypy_cache"]
    found = {**os.environ, "MYPYPATH": str(Path(rankhub.__file__).parents[1])}  # an editable install is not searched
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=tmp_path, env=found)
    revealed = re.findall(r'asked.py:\d+: note: Revealed type is "(.*)"', done.stdout)
    assert len(revealed) == len(rankhub.__all__) + 2, done.stdout + done.stderr
    plain = [type_.replace("builtins.", "") for type_ in revealed]  # which some versions of mypy leave out
    types = dict(zip([*rankhub.__all__, "metrics", "vectors"], plain, strict=True))
    assert not [name for name, type_ in types.items() if type_ in ("Any", "object")]
    assert "rankhub.engine.trained.Run" in types["train"]
    assert types["metrics"] == "dict[str, float]"
    assert "float32" in types["vectors"] or "floating" in types["vectors"]
    (error,) = re.findall(r"asked.py:\d+: error: (.*)", done.stdout)
    assert 'Argument 1 to "train" has incompatible type "int"' in error


def test_mistakes_are_raised_and_end_no_process(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for call in (
        lambda: rankhub.load_recipe("nowhere.yaml"),
        lambda: rankhub.train("nowhere"),
        lambda: rankhub.load_run("nowhere"),
        lambda: rankhub.resume("nowhere"),
        lambda: rankhub.describe("loss", "nothing"),
        lambda: rankhub.list_components("los"),
    ):
        with pytest.raises(rankhub.UserError) as caught:
            call()
        assert str(caught.value)
    assert capsys.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())
