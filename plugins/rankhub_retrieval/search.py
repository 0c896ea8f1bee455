"""Nearest neighbours by faiss."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

_DISTRIBUTIONS = ("faiss-cpu", "faiss-gpu", "faiss-gpu-cu11", "faiss-gpu-cu12", "faiss-gpu-cu13")
_GPU_NEIGHBOURS = 2048
"""The most neighbours that faiss finds on a GPU."""


def faiss_problem() -> str | None:
    """One sentence if faiss cannot be used; None if it is there once. faiss is not imported."""
    there = []
    for name in _DISTRIBUTIONS:
        try:
            there.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    if len(there) > 1:
        return (
            f"{' and '.join(there)} are both installed and overwrite each other; uninstall them and keep one: "
            "`pip install 'rankhub[cpu]'` or `pip install 'rankhub[gpu]'`"
        )
    if not there and importlib.util.find_spec("faiss") is None:
        return "faiss is not installed; `pip install 'rankhub[cpu]'` brings it (on a CUDA machine 'rankhub[gpu]')"
    return None


def nearest(
    queries: npt.NDArray[np.float32],
    gallery: npt.NDArray[np.float32],
    count: int,
    device: torch.device,
    own: npt.NDArray[np.int64] | None = None,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """The gallery rows of largest inner product, exactly, by ``faiss.IndexFlatIP``.

    The search runs on ``device`` if that is a GPU and faiss was built for one, else on as many CPU threads as torch
    uses. Which of equal similarities come first, or at all, is up to faiss.

    Args:
        queries: [n, d] C-contiguous.
        gallery: [g, d] C-contiguous.
        count: Neighbours of each query, at most g (g - 1 with ``own``).
        device: Where the network runs.
        own: [n] the gallery row that is the query itself and no neighbour of it; None = the gallery holds no query.

    Returns:
        [n, count] similarities, largest first, and [n, count] row numbers in the gallery.
    """
    import faiss

    wanted = count + (own is not None)
    with _threads_of_torch(faiss):
        index: Any = faiss.IndexFlatIP(gallery.shape[1])
        if device.type == "cuda" and hasattr(faiss, "StandardGpuResources") and wanted <= _GPU_NEIGHBOURS:
            resources = faiss.StandardGpuResources()  # must outlive the index
            index = faiss.index_cpu_to_gpu(resources, device.index or 0, index)
        index.add(gallery)
        similarities, rows = index.search(queries, wanted)
    if own is None:
        return similarities, rows
    others = rows != own[:, None]
    others[others.all(axis=1), -1] = False  # the query is not in its own list (it has many equals): drop the last
    return similarities[others].reshape(-1, count), rows[others].reshape(-1, count)


@contextmanager
def _threads_of_torch(faiss: Any) -> Iterator[None]:
    """Let faiss use torch's number of threads. Both may share one OpenMP, so the setting is put back."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(torch.get_num_threads())
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
