"""faiss: found once, left alone, and equal to a plain product."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

import numpy as np
import pytest
import torch

from rankhub_retrieval import search
from rankhub_retrieval.knn import KNearest
from rankhub_retrieval.retrieval import Retrieval
from rankhub_retrieval.search import faiss_problem, nearest

CPU = torch.device("cpu")


def pretend(monkeypatch, *installed: str, importable: bool = True) -> None:
    def version(name: str) -> str:
        if name in installed:
            return "1.9.0"
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(search.metadata, "version", version)
    monkeypatch.setattr(search.importlib.util, "find_spec", lambda name: object() if importable else None)


def test_one_faiss_is_fine(monkeypatch):
    for name in ("faiss-cpu", "faiss-gpu-cu12"):
        pretend(monkeypatch, name)
        assert faiss_problem() is None


def test_a_faiss_that_pip_does_not_know_is_fine(monkeypatch):
    pretend(monkeypatch, importable=True)
    assert faiss_problem() is None


def test_no_faiss_is_one_sentence(monkeypatch):
    pretend(monkeypatch, importable=False)
    assert "pip install 'rankhub[cpu]'" in faiss_problem()
    assert KNearest(train="a", test="b").requires() == Retrieval(queries="a").requires() == faiss_problem()


def test_two_faiss_are_one_sentence(monkeypatch):
    pretend(monkeypatch, "faiss-cpu", "faiss-gpu-cu12")
    said = faiss_problem()
    assert "faiss-cpu 1.9.0 and faiss-gpu-cu12 1.9.0" in said
    assert "\n" not in said


def test_the_entry_module_imports_no_torch_and_the_evaluators_no_faiss():
    code = (
        "import sys, rankhub_retrieval as r; assert r.rankhub_components(); assert 'torch' not in sys.modules;"
        "import rankhub_retrieval.knn, rankhub_retrieval.retrieval; assert 'faiss' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def vectors(count: int, seed: int, dim: int = 16) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)
    return values / np.linalg.norm(values, axis=1, keepdims=True)


def test_neighbours_are_those_of_the_whole_product():
    queries, gallery = vectors(30, 0), vectors(200, 1)
    similarity, rows = nearest(queries, gallery, 7, CPU)
    product = queries @ gallery.T
    np.testing.assert_array_equal(rows, np.argsort(-product, axis=1)[:, :7])
    np.testing.assert_allclose(similarity, -np.sort(-product, axis=1)[:, :7], atol=1e-6)


def test_a_query_is_not_its_own_neighbour():
    gallery = vectors(50, 0)
    own = np.array([3, 40, 7])
    similarity, rows = nearest(gallery[own], gallery, 49, CPU, own)
    assert similarity.shape == rows.shape == (3, 49)
    for row, itself in zip(rows, own, strict=True):
        assert sorted(row) == sorted(set(range(50)) - {itself})


def test_a_query_with_many_copies_still_gets_its_number_of_neighbours():
    gallery = np.repeat(vectors(1, 0), 40, axis=0)
    _, rows = nearest(gallery, gallery, 5, CPU, np.arange(40))
    assert rows.shape == (40, 5)
    assert not (rows == np.arange(40)[:, None]).any()
    assert all(len(set(row)) == 5 for row in rows.tolist())


@pytest.mark.parametrize("threads", [1, 2])
def test_faiss_leaves_the_threads_and_results_of_torch_alone(threads):
    torch.set_num_threads(threads)
    a = torch.randn(300, 200, generator=torch.Generator().manual_seed(0))
    before = a @ a.T
    nearest(vectors(100, 0), vectors(300, 1), 5, CPU)
    assert torch.get_num_threads() == threads
    assert torch.equal(a @ a.T, before)
