"""How often files are entered: made-up files of which it is known, and a run up to its first step."""

from __future__ import annotations

import sys

import count_entries
import pytest
from count_entries import Entries, FirstStep, count, lines, profiled

from rankhub.engine.folder import Journal

FILES = {
    "rankhub_a/one.py": "from rankhub_a import two\n\ndef outer():\n    return inner() + inner() + two.add(1)\n\n"
    "def inner():\n    return 1\n",
    "rankhub_a/two.py": "def add(n):\n    return sum(each for each in range(n))\n",
    "rankhub_a/__init__.py": "",
    "rankhub_a/step.py": "def take_step():\n    pass\n",
    "rankhub_a/training.py": "from rankhub_a.step import take_step\n\ndef train():\n    take_step()\n",
    "rankhub_a/cost.py": "from rankhub_a.step import take_step\n\ndef trial():\n    take_step()\n",
    "other/three.py": "",
}


@pytest.fixture
def made_up(tmp_path, monkeypatch):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield Entries(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] in ("rankhub_a", "other")]:
        del sys.modules[name]


def test_a_call_from_another_file_enters_and_one_from_the_same_does_not(made_up):
    with profiled(made_up):
        import other.three  # noqa: F401

        from rankhub_a import one

        one.outer()
        one.inner()
    one, two, init = "rankhub_a/one.py", "rankhub_a/two.py", "rankhub_a/__init__.py"
    assert made_up.entered == {init: 1, one: 3, two: 2}, "the imports too"
    assert made_up.calls == {init: 1, one: 5, two: 4}, "`sum` lets a generator go on twice"


def test_the_first_step_is_that_of_training_and_no_trial(made_up):
    from rankhub_a import cost, training

    with profiled(made_up):
        cost.trial()
    with pytest.raises(FirstStep), profiled(made_up):
        training.train()
    assert made_up.calls == {"rankhub_a/cost.py": 1, "rankhub_a/step.py": 1, "rankhub_a/training.py": 1}


def test_a_run_is_counted_up_to_its_first_step(monkeypatch, capsys):
    written: list[object] = []
    monkeypatch.setattr(Journal, "write", lambda journal, values: written.append(values))
    found = count(["quickstart", "evaluate=[]", "threads=1", "streams.views.batch_size=4"])
    assert sys.getprofile() is None
    assert found.entered["rankhub/engine/parts.py"] >= 1
    assert found.calls["rankhub/engine/step.py"] >= 2, "the trial steps"
    assert not written
    assert found.entered["plugins/rankhub_data/digits.py"] >= 4, "images of the trial were drawn"
    assert all(name.startswith(("rankhub/", "plugins/")) for name in found.calls)
    assert "run folder" in capsys.readouterr().err
    head, first, *_, total = lines(found, 3)
    assert (head.split(), len(list(lines(found, 3)))) == (["file", "entered", "calls"], 5)
    assert first.split()[1] == f"{max(found.entered.values()):,}"
    assert total.split() == [str(len(found.calls)), "files", f"{found.entered.total():,}", f"{found.calls.total():,}"]


def test_a_run_without_a_step_says_why(capsys):
    with pytest.raises(SystemExit) as ended:
        count_entries.main(["quickstart", "optimiser.lr=1"])
    assert ended.value.code == 2
    assert "did you mean 'optimizer'" in capsys.readouterr().err
    assert sys.getprofile() is None
