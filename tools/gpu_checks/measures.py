"""What is measured: training end to end beside the bare network and lightly, and the losses' time and memory."""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import bench_training
import numpy as np
import torch
from loss_benchmark.losses import FUNCTIONAL, OURS, ours, unfit
from PIL import Image

from gpu_checks.findings import Bench, Skipped

PHOTOS = 512
"""Made photos that are trained on, each many times."""

DIM, VIEWS, REPEATS = 128, 4, 3


def training(bench: Bench) -> dict[str, Any]:
    """Views per second of rankhub, of the bare network with loss and optimizer, and of lightly with workers."""
    if torch.cuda.is_available() != bench.cuda:
        raise Skipped("what is measured takes the GPU where there is one; measure on it, or hide it from torch")
    folder = bench.folder / "photos" / "all"
    folder.mkdir(parents=True)
    draw = np.random.default_rng(0)
    for number in range(PHOTOS):
        coarse = Image.fromarray(draw.integers(0, 256, (9, 12, 3), np.uint8))
        coarse.resize((128, 96), Image.Resampling.BICUBIC).save(folder / f"{number:04}.jpg", quality=90)
    theirs = ["lightly"] if importlib.util.find_spec("lightly") else []
    seconds, figures = (2.0 if bench.short else 12.0), dict[str, Any]()
    for name in ("lightly_32",) if bench.short else ("lightly_32", "lightly_64", "folder"):
        if time.monotonic() > bench.until:
            break
        ways = ["rankhub", "bare", *(theirs if name != "folder" else [])]
        found, _ = bench_training.each_way(name, ways, folder.parent, seconds)
        views = found["bare"]["views"]
        for way in ways:
            figures[f"{name}: {way} views/s"] = round(found[way]["rate"] * views)
        figures[f"{name}: of the bare network"] = round(found["rankhub"]["rate"] / found["bare"]["rate"], 3)
    return figures


def losses(bench: Bench) -> dict[str, Any]:
    """Seconds of forward and backward of each loss, and MB above the embeddings (CUDA), by N in groups of 4."""
    figures: dict[str, Any] = {}
    for rows in (512,) if bench.short else (1024, 4096, 16384, 32768) if bench.cuda else (1024, 4096):
        for name in OURS:
            if time.monotonic() > bench.until:
                return figures
            views = 2 if unfit(name, VIEWS) else VIEWS
            if name != FUNCTIONAL:
                figures[f"{name}, N = {rows:,}"] = _time(bench, name, rows, views)
    return figures


def _time(bench: Bench, name: str, rows: int, views: int) -> str:
    torch.manual_seed(0)
    loss, best = ours(name, rows, views, DIM, device=bench.device), float("inf")
    z = torch.randn(rows, DIM, generator=torch.Generator().manual_seed(1)).to(bench.device).requires_grad_()
    loss(z).backward()  # libraries choose and allocate
    if bench.cuda:
        torch.cuda.reset_peak_memory_stats(bench.device)
    held = torch.cuda.memory_allocated(bench.device) if bench.cuda else 0
    for _ in range(1 if bench.short else REPEATS):
        z.grad = None
        bench.wait()
        start = time.perf_counter()
        loss(z).backward()
        bench.wait()
        best = min(best, time.perf_counter() - start)
        if best > 5:
            break
    memory = f", {(torch.cuda.max_memory_allocated(bench.device) - held) / 2**20:,.0f} MB" if bench.cuda else ""
    return f"{best:.4f} s{memory}"
