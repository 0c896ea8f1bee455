"""tools/bench_guards.py"""

from __future__ import annotations

from types import SimpleNamespace

import pytest


def test_what_guards_call_counts_with_them_and_others_of_their_name_do_not(load_tool):
    tool = load_tool("bench_guards")

    def entry(cumulative):
        return (1, 1, 0.0, cumulative, {})

    stats = SimpleNamespace(
        total_tt=10.0,
        stats={
            ("/x/plugins/rankhub_guards/watch.py", 30, "before"): entry(0.02),
            ("/x/plugins/rankhub_guards/watch.py", 31, "before"): entry(0.01),
            ("/x/rankhub/engine/step.py", 90, "_norm"): entry(0.05),
            ("/x/torch/engine.py", 1, "before"): entry(3.0),
            ("/x/elsewhere/watch.py", 1, "after"): entry(3.0),
            ("/x/plugins/rankhub_guards/watch.py", 60, "watch"): entry(3.0),
        },
    )
    assert tool.share(stats) == {"total": 10.0, "before": pytest.approx(0.03), "_norm": 0.05}


def test_the_guards_that_are_counted_are_there(load_tool, repo):
    for file, functions in load_tool("bench_guards").GUARDS.items():
        (path,) = [*repo.glob(f"plugins/{file}"), *repo.glob(f"rankhub/{file}")]
        text = path.read_text()
        assert all(f"def {name}(" in text for name in functions)
