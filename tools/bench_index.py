"""An index of vectors: build time, memory, time a query and recall, beside faiss called directly.

    python tools/bench_index.py                 # 1,000,000 x 128, all kinds; about an hour on two cores
    python tools/bench_index.py --rows 50000    # in a few minutes
    python tools/bench_index.py --rows 2000000 --kinds flat ivfpq --stores faiss lance --repeats 1

Each kind is measured in processes of its own, ours and faiss with the same structure and the same parameters (for ivfpq
with faiss's own refinement by the whole vectors). Vectors are drawn around 1,000 centres, as images of classes lie;
queries are drawn anew from the same. Queries are asked all at once and one by one. Recall@10 is the share of the ten
nearest by an exact search that are found. Memory is what the process holds above the vectors, and its peak while
building. The order of ours and faiss's calls is shuffled by turns, and the best of several repeats counts. Figures to
keep are taken on an idle machine. With `--stores lance` the same vectors lie in a Lance table, and the process that
measures never holds them; its peak is then of building and searching, and flat is asked for three queries alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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


def portions(rows: int, dim: int, seed: int) -> Iterator[Floats]:
    """Unit vectors around the same centres for every seed, 65,536 at a time."""
    centres = np.random.default_rng(0).normal(size=(CENTRES, dim)).astype(np.float32)
    rng = np.random.default_rng(seed)
    for first in range(0, rows, 2**16):
        size = min(2**16, rows - first)
        part = centres[rng.integers(0, CENTRES, size)] + rng.normal(size=(size, dim)).astype(np.float32)
        yield part / np.linalg.norm(part, axis=1, keepdims=True)


def drawn(rows: int, dim: int, seed: int) -> Floats:
    """The same as one array."""
    out, first = np.empty((rows, dim), np.float32), 0
    for part in portions(rows, dim, seed):
        out[first : first + len(part)] = part
        first += len(part)
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


def exact_of(rows: int, dim: int, asked: Floats) -> npt.NDArray[np.int64]:
    """[q, 10] the nearest of the vectors, which are drawn and not held."""
    import faiss

    best, at = np.full((len(asked), K), -np.inf, np.float32), np.zeros((len(asked), K), np.int64)
    first = 0
    for part in portions(rows, dim, 1):
        near, found = faiss.knn(asked, part, min(K, len(part)), metric=faiss.METRIC_INNER_PRODUCT)
        best, at = np.concatenate([best, near], 1), np.concatenate([at, found + first], 1)
        order = np.argsort(-best, axis=1, kind="stable")[:, :K]
        best, at = np.take_along_axis(best, order, 1), np.take_along_axis(at, order, 1)
        first += len(part)
    return at


def answer_lance(kind: str, rows: str, dim: str, queries: str, memory_gb: str) -> None:
    """Measure an index in Lance, without ever holding the vectors; prints JSON. Runs in a process of its own."""
    from rankhub_find.store import KnownNetwork
    from rankhub_find.stores import make_store

    count, width, asked = int(rows), int(dim), drawn(int(queries), int(dim), 2)
    exact = exact_of(count, width, asked)
    with tempfile.TemporaryDirectory() as name:
        place, store = Path(name), make_store("lance", {"memory_gb": float(memory_gb)})
        warm = Path(name, "warm")
        small: Any = store.create(warm, width, KnownNetwork(), "flat")
        small.add([str(row) for row in range(64)], drawn(64, width, 3))
        small.search(asked[:4], K)
        before, cpu, start = status("VmRSS"), time.process_time(), time.perf_counter()
        made: Any = store.create(place, width, KnownNetwork(), kind)  # type: ignore[arg-type]
        first = 0
        for part in portions(count, width, 1):
            made.append([str(row) for row in range(first, first + len(part))], part)
            first += len(part)
        made.settle()
        made.save(place)
        own: dict[str, float] = {"build": time.perf_counter() - start, "cpu": time.process_time() - cpu}
        own["held"] = status("VmRSS") - before
        own["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        start = time.perf_counter()
        index: Any = store.open(place, lambda *_: None)
        own["open"] = time.perf_counter() - start
        hits = index.nearest(asked, K)[1]
        own["recall"] = float(np.mean([len(set(one) & set(other)) / K for one, other in zip(hits, exact, strict=True)]))
        alone = ALONE if kind != "flat" else 3  # flat reads the whole table for each
        for key, parts in (("together", [asked]), ("alone", [query[None] for query in asked[:alone]])):
            cpu, start = time.process_time(), time.perf_counter()
            for part in parts:
                index.nearest(part, K)
            asks = sum(map(len, parts))
            own[key], own[f"{key}_cpu"] = (time.perf_counter() - start) / asks, (time.process_time() - cpu) / asks
        own["searching"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        own["disk"] = sum(path.stat().st_size for path in place.rglob("*") if path.is_file())
    print(json.dumps({"lance": own}))


def answer(kind: str, rows: str, dim: str, queries: str, threads: str, repeats: str = str(REPEATS)) -> None:
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
        cpu, start = time.process_time(), time.perf_counter()
        made[name] = maker(kind, vectors)
        seconds, spent = time.perf_counter() - start, time.process_time() - cpu
        held, peak = status("VmRSS") - before, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
        hits = made[name].search(asked)
        recall = np.mean([len(set(one) & set(other)) / K for one, other in zip(hits, exact, strict=True)])
        found[name] = {"build": seconds, "cpu": spent, "held": held, "peak": peak, "recall": float(recall)}
    for turn in range(int(repeats)):
        for name in list(made) if turn % 2 else list(made)[::-1]:
            own = found[name]
            for key, parts in (("together", [asked]), ("alone", [query[None] for query in asked[:ALONE]])):
                cpu, start, asks = time.process_time(), time.perf_counter(), sum(map(len, parts))
                for part in parts:
                    made[name].search(part)
                took, spent = (time.perf_counter() - start) / asks, (time.process_time() - cpu) / asks
                own[key], own[f"{key}_cpu"] = min(took, own.get(key, took)), min(spent, own.get(f"{key}_cpu", spent))
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
    parser.add_argument("--stores", nargs="*", default=["faiss"], choices=["faiss", "lance"], help="lance has no hnsw")
    parser.add_argument("--memory-gb", type=float, default=2.0, help="of the store lance")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of the queries, for faiss")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 180)
    title = f"{options.rows:,} x {options.dim}, {options.queries:,} queries, {options.threads} threads of faiss"
    table = Table(title=title)
    heads = ["kind", "by", "build s", "cpu s", "held MB", "peak MB", "ms a query", "cpu ms", "alone ms", "cpu ms"]
    for column in [*heads, f"recall@{K}", "save s", "open s", "disk MB"]:
        table.add_column(column, justify="right")
    lines = []
    size = [str(number) for number in (options.rows, options.dim, options.queries)]
    for kind, store in [(kind, store) for kind in options.kinds for store in options.stores]:
        if store == "lance" and kind == "hnsw":
            continue
        if store == "lance":
            found = in_a_process("bench_index", kind, kind, *size, str(options.memory_gb), answer="answer_lance")
        else:
            found = in_a_process("bench_index", kind, kind, *size, str(options.threads), str(options.repeats))
        if found is None:
            lines.append(f"{kind}, {store}: there was not enough memory")
            continue
        for name, own in found.items():
            cells = [own["build"], own["cpu"], own["held"] / 1e6, max(own["peak"], own.get("searching", 0)) / 1e6]
            cells += [1000 * own[key] for key in ("together", "together_cpu", "alone", "alone_cpu")]
            texts = [f"{cell:,.2f}" for cell in cells]
            rest = [f"{own[key]:,.2f}" if key in own else "" for key in ("save", "open")]
            disk = f"{own['disk'] / 1e6:,.0f}" if "disk" in own else ""
            table.add_row(kind, name, *texts, f"{own['recall']:.3f}", *rest, disk)
        if store == "faiss":
            ours, theirs = found["ours"], found["faiss"]
            over = {key: 100 * (ours[key] / theirs[key] - 1) for key in ("build", "together", "alone")}
            lines.append(f"{kind}: over faiss " + ", ".join(f"{key} {value:+.1f} %" for key, value in over.items()))
    console.print(table)
    for line in lines:
        console.print(line)


if __name__ == "__main__":
    main()
