"""A metric that is NaN or infinite is named in the notes, and is never best."""

from __future__ import annotations

import csv
import io
import math

import pytest
from helpers import fakes
from helpers.recipes import load_text
from helpers.training import catalog

from rankhub import Talk
from rankhub.engine import run as engine
from rankhub.interfaces.evaluate import EvaluationResult


def trained(folder, monkeypatch, values):
    """What a run says of three epochs whose metric has these values, after the two reference rows."""
    measured = iter([1.0, 1.0, *values])

    def measure(self, source):
        return EvaluationResult({"spread": next(measured)})

    monkeypatch.setattr(fakes.Spread, "__call__", measure)
    out = io.StringIO()
    host = engine.Host(catalog(), Talk(out))
    recipe = load_text(fakes.RECIPE, ["evaluate_every_epochs=1", "keep_best=spread"], catalog())
    assert engine.start(recipe, host, folder).status == "done"
    return out.getvalue(), sorted(path.name for path in (folder / "checkpoints").glob("best_step_*"))


@pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    ("path", "best"), [(0, "best_step_000000008"), (1, "best_step_000000012"), (2, "best_step_000000008")]
)
def test_the_best_is_the_best_of_the_numbers(tmp_path, monkeypatch, strange, path, best):
    values = [0.5, 0.9, 0.7]
    values[path] = strange
    said, kept = trained(tmp_path / "run", monkeypatch, values)
    assert kept == [best]
    row = ("step 4", "step 8", "after training")[path]
    assert f"note: spread spread is no finite number ({row}); that is never best" in said


def test_a_metric_that_never_was_a_number_keeps_nothing_and_says_so(tmp_path, monkeypatch):
    said, kept = trained(tmp_path / "run", monkeypatch, [math.nan] * 3)
    assert kept == []
    assert "note: keep_best keeps nothing: spread spread was never a finite number" in said
    with open(tmp_path / "run/results.csv", newline="") as file:
        assert list(csv.reader(file))[-1] == ["after training", "nan"]
