"""Losses, views, the compiled network and faiss on the device, against golden values and against the CPU."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from loss_benchmark.losses import OURS, ours, unfit
from torch import Tensor

from gpu_checks.findings import Bench, Failed, Skipped, must
from gpu_checks.golden import LOSSES, golden

LEAST = {torch.float64: 1e-9, torch.float32: 5e-6}
"""By how much a loss may differ from its golden value, by precision."""


def golden_losses(bench: Bench) -> dict[str, Any]:
    """Every golden value, in both precisions, and through autocast to bf16, which losses must not follow."""
    from rankhub import build
    from rankhub.interfaces.loss import LossContext
    from rankhub.interfaces.model import OutputSpec
    from rankhub.interfaces.order import RankTarget

    vectors, group = golden()
    target = RankTarget(group, torch.arange(12), group, torch.ones(12)).to(bench.device)
    worst: dict[str, float] = {}
    for name, options, wanted in LOSSES:
        loss = build("loss", {"use": name, **options}, {"embedding": OutputSpec("embedding", 5)}).to(bench.device)
        for dtype, most in LEAST.items():
            z = vectors.to(bench.device, dtype)
            with torch.autocast(bench.device.type, dtype=torch.bfloat16, enabled=dtype == torch.float32):
                found = float(loss({"embedding": z}, target, LossContext()).total) / 12
            worst[str(dtype)] = max(worst.get(str(dtype), 0.0), abs(found - wanted))
            must(abs(found - wanted) <= most, f"{name} {options} in {dtype} is {found:.9f}, golden {wanted:.9f}")
    return {"losses": len(LOSSES), **{f"largest difference in {name}": worst[name] for name in worst}}


def losses_against_cpu(bench: Bench) -> dict[str, Any]:
    """Value and gradient of every loss, on 256 rows in groups of 2, in float32 against the CPU's."""
    worst, where = 0.0, ""
    for name in OURS:
        if unfit(name, 2):
            continue
        found: list[Tensor] = []
        for device in (torch.device("cpu"), bench.device):
            torch.manual_seed(3)
            loss = ours(name, 256, 2, 32, device=device)
            z = torch.randn(256, 32, generator=torch.Generator().manual_seed(1)).to(device).requires_grad_()
            value = loss(z)
            value.backward()
            assert z.grad is not None
            found.append(torch.cat([value.detach()[None].cpu().double(), z.grad.cpu().double().flatten()]))
        difference = float((found[0] - found[1]).norm() / found[0].norm())
        worst, where = max((worst, where), (difference, name))
        must(difference < 2e-3, f"{name} differs by {difference:.1e} of its value and gradient from the CPU's")
    return {"largest difference": worst, "of": where}


VIEWS: dict[str, dict[str, Any]] = {
    "as S2R2": {"views": 4, "size": 32},
    "bicubic": {"views": 2, "size": 40, "interpolation": "bicubic"},
    "turned": {"views": 2, "size": 32, "rotation": 40.0, "invert": 0.3},
    "small crops": {"views": 2, "size": 48, "crops": [{"views": 3, "size": 16, "scale": (0.05, 0.3)}]},
}


def views_against_cpu(bench: Bench) -> dict[str, Any]:
    """Random views on the device and on the CPU: same shapes, order and maps, pixels to 2/255."""
    from rankhub import build
    from rankhub.interfaces.batch import IDENTITY, Batch
    from rankhub.interfaces.draws import Draws
    from rankhub.interfaces.order import RankTarget

    coarse = torch.rand(12, 3, 9, 9, generator=torch.Generator().manual_seed(2))
    photos = torch.nn.functional.interpolate(coarse, size=(72, 90), mode="bicubic").clamp(0, 1)
    stack, ids = (photos * 255).round().to(torch.uint8), torch.arange(12)
    target = RankTarget(ids, torch.zeros_like(ids), ids, torch.ones(12))
    sizes = torch.tensor([[72, 90]]).repeat(12, 1)
    batch = Batch((stack,), sizes, torch.from_numpy(IDENTITY).repeat(12, 1, 1), target)
    worst = 0.0
    for title, options in VIEWS.items():
        generator = build("generator", {"use": "random_views", **options})
        there = generator.apply(batch.to(bench.device), Draws(1, "check", 0))
        here = generator.apply(batch, Draws(1, "check", 0))
        must(there.target.index.device.type == bench.device.type, f"{title}: the target stayed behind")
        for name in ("index", "view", "group", "level"):
            same = torch.equal(getattr(there.target, name).cpu(), getattr(here.target, name))
            must(same, f"{title}: {name} differs from the CPU's")
        must(torch.equal(there.maps, here.maps), f"{title}: maps differ from the CPU's")
        for one, other in zip(there.images, here.images, strict=True):
            difference = float((one.cpu() - other).abs().max())
            worst = max(worst, difference)
            must(difference <= 2 / 255, f"{title}: a pixel differs by {difference * 255:.2f} of 255 from the CPU's")
    return {"largest difference of 255": round(worst * 255, 4), "sets of options": len(VIEWS)}


def compiled(bench: Bench) -> dict[str, Any]:
    """The compiled network gives what the plain one gives, to 1e-4, and trains; how long a pass of each takes."""
    from rankhub import build
    from rankhub_timm.compiled import compiler

    model = "test_resnet" if bench.short or not bench.cuda else "resnet18"
    plain, other = (build("backbone", {"use": "timm", "model": model, "compile": on}) for on in (False, True))
    other.load_state_dict(plain.state_dict())
    images = torch.rand(16 if bench.short else 128, 3, 64, 64, generator=torch.Generator().manual_seed(4))
    images, found, seconds = images.to(bench.device), list[list[Tensor]](), list[float]()
    for backbone in (plain, other):
        backbone.to(bench.device).train()
        for _ in range(3):  # in the first it is compiled
            backbone.zero_grad()
            bench.wait()
            start = time.perf_counter()
            pooled = backbone(images).pooled
            pooled.square().mean().backward()
            bench.wait()
            took = time.perf_counter() - start
        seconds.append(took)
        gradient = torch.cat([p.grad.flatten() for p in backbone.parameters() if p.grad is not None])
        found.append([pooled.detach(), gradient])
    if not compiler.works:
        raise Skipped("torch cannot compile here; the run says so and goes on uncompiled")
    differences = [float((one - two).norm() / one.norm()) for one, two in zip(*found, strict=True)]
    must(max(differences) < 1e-3, f"features and gradient differ by {differences} from the plain network's")
    names = set(plain.state_dict()) == set(other.state_dict())
    must(names, "the compiled network's weights have other names")
    return {
        "model": model,
        "plain s": round(seconds[0], 5),
        "compiled s": round(seconds[1], 5),
        "differ by": differences,
    }


def faiss_beside_torch(bench: Bench) -> dict[str, Any]:
    """Faiss is imported in the process that uses torch, on the GPU if there is one, and finds the nearest rows."""
    torch.ones(8, device=bench.device).sum().item()  # torch's CUDA libraries are loaded first
    try:
        import faiss
    except ImportError as error:
        raise Skipped(f"faiss is not here ({error}); pip install 'rankhub[gpu]' or [cpu]") from error
    draw = np.random.default_rng(0)
    rows = draw.standard_normal((4000, 32)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    wanted = np.argsort(-(rows[:50] @ rows.T), axis=1)[:, 0]
    figures: dict[str, Any] = {"version": faiss.__version__, "GPUs that faiss sees": _gpus(faiss)}
    for where, index in _indices(faiss, rows.shape[1]):
        index.add(rows)
        _, found = index.search(rows[:50], 3)
        must(bool((found[:, 0] == wanted).all()), f"faiss on the {where} found other rows than numpy")
        figures[where] = "finds the nearest"
    torch.ones(8, device=bench.device).sum().item()
    if bench.cuda and figures["GPUs that faiss sees"] == 0 and hasattr(faiss, "StandardGpuResources"):
        raise Failed("this build of faiss is for GPUs and sees none, though torch does")
    return figures


def _gpus(faiss: Any) -> int:
    return int(faiss.get_num_gpus()) if hasattr(faiss, "get_num_gpus") else 0


def _indices(faiss: Any, dim: int) -> Iterator[tuple[str, Any]]:
    yield "CPU", faiss.IndexFlatIP(dim)
    if _gpus(faiss) and hasattr(faiss, "StandardGpuResources"):
        yield "GPU", faiss.index_cpu_to_gpu(faiss.StandardGpuResources(), 0, faiss.IndexFlatIP(dim))
