"""An index of vectors: build time, memory, time a query and recall, beside faiss called directly.

    python tools/bench_index.py                 # 1,000,000 x 128, all kinds; about an hour on two cores
    python tools/bench_index.py --rows 50000    # in a few minutes

Each kind is measured in processes of its own, ours and faiss with the same structure and the same parameters (for ivfpq
with faiss's own refinement by the whole vectors). Vectors are drawn around 1,000 centres, as images of classes lie;
queries are drawn anew from the same. Queries are asked all at once and one by one. Recall@10 is the share of the ten
nearest by an exact search that are found. Memory is what the process holds above the vectors, and its peak while
building. The order of ours and faiss's calls is shuffled by turns, and the best of several repeats counts. Figures to
keep are taken on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from measured import in_a_process, status
from rich.console import Console
from rich.table import Table

Floats = npt.NDArray[np.float32]

K, CENTRES, ALONE = 10, 1000, 100
"""Neighbours that are asked for; centres of the vectors; queries that are asked one by one."""

REPEATS = 5


def drawn(rows: int, dim: int, seed: int) -> Floats:
    """Unit vectors around the same centres for every seed."""
    centres = np.random.default_rng(0).normal(size=(CENTRES, dim)).astype(np.float32)
    rng = np.random.default_rng(seed)
    out = np.empty((rows, dim), np.float32)
    for first in range(0, rows, 2**16):
        part = out[first : first + 2**16]
        part[:] = centres[rng.integers(0, CENTRES, len(part))] + rng.normal(size=part.shape).astype(np.float32)
    out /= np.linalg.norm(out, axis=1, keepdims=True)
    return out


class Ours:
    """rankhub_find.Index."""

    def __init__(self, kind: str, vectors: Floats) -> None:
        from rankhub_find import Index

        self.index = Index.build([str(row) for row in range(len(vectors))], vectors, kind)  # type: ignore[arg-type]

    def search(self, queries: Floats) -> npt.NDArray[np.int64]:
        """[q, 10] rows."""
        return self.index.nearest(queries, K)[1]


class Direct:
    """The same by faiss alone."""

    def __init__(self, kind: str, vectors: Floats) -> None:
        import faiss

        from rankhub_find.kinds import LINKS, plan
        from rankhub_find.structures import Graph, Lists

        rows, dim = vectors.shape
        lib: Any = faiss
        metric, self.options = lib.METRIC_INNER_PRODUCT, None
        self.index: Any
        if kind == "flat":
            self.index = lib.IndexFlatIP(dim)
        elif kind == "hnsw":
            self.index = lib.IndexHNSWFlat(dim, LINKS, metric)
            self.index.hnsw.efConstruction = Graph.CONSTRUCTION
            self.options = lib.SearchParametersHNSW(efSearch=Graph.SEARCH)
        else:
            ours = plan("ivfpq", rows, dim)
            self.coarse = lib.IndexFlatIP(dim)
            self.base = lib.IndexIVFPQ(self.coarse, dim, ours.lists, dim // 4, 8, metric)
            taken = np.random.default_rng(0).choice(rows, ours.training, replace=False)
            self.base.train(vectors[np.sort(taken)])
            self.index = lib.IndexRefineFlat(self.base)
            inner = lib.SearchParametersIVF(nprobe=min(ours.lists, max(16, ours.lists // 32)))
            self.options = lib.IndexRefineSearchParameters(k_factor=Lists.LEAST_REFINED / K, base_index_params=inner)
        self.index.add(vectors)

    def search(self, queries: Floats) -> npt.NDArray[np.int64]:
        """[q, 10] rows."""
        return np.asarray(self.index.search(queries, K, params=self.options)[1])


MAKERS: dict[str, Callable[[str, Floats], Any]] = {"ours": Ours, "faiss": Direct}


def answer(kind: str, rows: str, dim: str, queries: str, threads: str) -> None:
    """Measure one kind, ours and faiss directly; prints JSON. Runs in a process of its own."""
    import faiss

    import rankhub_find.index  # noqa: F401  what it brings is no part of an index

    faiss.omp_set_num_threads(int(threads))
    vectors, asked = drawn(int(rows), int(dim), 1), drawn(int(queries), int(dim), 2)
    exact = np.concatenate(
        [faiss.knn(part, vectors, K, metric=faiss.METRIC_INNER_PRODUCT)[1] for part in np.array_split(asked, 8)]
    )
    found: dict[str, dict[str, float]] = {}
    made: dict[str, Any] = {}
    Ours("flat", vectors[:64]).search(asked[:4])
    for name, maker in MAKERS.items():
        before = status("VmRSS")
        start = time.perf_counter()
        made[name] = maker(kind, vectors)
        seconds = time.perf_counter() - start
        held, peak = status("VmRSS") - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        hits = made[name].search(asked)
        recall = np.mean([len(set(one) & set(other)) / K for one, other in zip(hits, exact, strict=True)])
        found[name] = {"build": seconds, "held": held, "peak": peak, "recall": float(recall)}
    for turn in range(REPEATS):
        for name in list(made) if turn % 2 else list(made)[::-1]:
            start = time.perf_counter()
            made[name].search(asked)
            together = (time.perf_counter() - start) / len(asked)
            start = time.perf_counter()
            for query in asked[:ALONE]:
                made[name].search(query[None])
            alone = (time.perf_counter() - start) / min(ALONE, len(asked))
            own = found[name]
            own["together"] = min(together, own.get("together", together))
            own["alone"] = min(alone, own.get("alone", alone))
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        made["ours"].index.save(folder)
        found["ours"]["save"] = time.perf_counter() - start
        found["ours"]["disk"] = sum(path.stat().st_size for path in Path(folder).iterdir())
        start = time.perf_counter()
        type(made["ours"].index).open(folder)
        found["ours"]["open"] = time.perf_counter() - start
    print(json.dumps(found))


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=128)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2, help="of faiss")
    parser.add_argument("--kinds", nargs="*", default=["flat", "hnsw", "ivfpq"], choices=["flat", "hnsw", "ivfpq"])
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    title = f"{options.rows:,} x {options.dim}, {options.queries:,} queries, {options.threads} threads of faiss"
    table = Table(title=title)
    heads = ["kind", "by", "build s", "held MB", "peak MB", "ms a query", "alone ms", f"recall@{K}", "save s", "open s"]
    for column in [*heads, "disk MB"]:
        table.add_column(column, justify="right")
    lines = []
    for kind in options.kinds:
        numbers = [str(number) for number in (options.rows, options.dim, options.queries, options.threads)]
        found = in_a_process("bench_index", kind, kind, *numbers)
        if found is None:
            lines.append(f"{kind}: there was not enough memory")
            continue
        for name, own in found.items():
            cells = [own["build"], own["held"] / 1e6, own["peak"] / 1e6, 1000 * own["together"], 1000 * own["alone"]]
            texts = [f"{cell:,.2f}" for cell in cells]
            rest = [f"{own[key]:,.2f}" if key in own else "" for key in ("save", "open")]
            disk = f"{own['disk'] / 1e6:,.0f}" if "disk" in own else ""
            table.add_row(kind, name, *texts, f"{own['recall']:.3f}", *rest, disk)
        ours, theirs = found["ours"], found["faiss"]
        over = {key: 100 * (ours[key] / theirs[key] - 1) for key in ("build", "together", "alone")}
        lines.append(f"{kind}: over faiss " + ", ".join(f"{key} {value:+.1f} %" for key, value in over.items()))
    console.print(table)
    for line in lines:
        console.print(line)


if __name__ == "__main__":
    main()
