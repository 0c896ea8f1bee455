"""tools/bench_index.py"""

from __future__ import annotations

import json

import numpy as np
import pytest


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_ours_and_faiss_are_measured_alike(load_tool, capsys, kind):
    tool = load_tool("bench_index")
    tool.answer(kind, "500", "8", "10", "1")
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"ours", "faiss"}
    for own in found.values():
        assert own["build"] > 0
        assert own["together"] > 0
        assert own["recall"] > 0.95
    assert found["ours"]["disk"] > 500 * 8 * 4


def test_vectors_lie_around_the_same_centres(load_tool):
    tool = load_tool("bench_index")
    one = tool.drawn(300, 16, 1)
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1, atol=1e-6)
    assert not np.array_equal(one, tool.drawn(300, 16, 2))
    np.testing.assert_array_equal(one, tool.drawn(300, 16, 1))
