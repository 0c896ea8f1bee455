"""Checks what only a GPU can break, and measures what it gives, in at most nine minutes.

    python tools/check_gpu.py                          # all checks and measures on the first GPU
    python tools/check_gpu.py --short                  # the checks in a smaller form, few measures
    python tools/check_gpu.py --device cpu --short     # the same code on the CPU; CI runs it
    python tools/check_gpu.py --only views losses      # some of them
    python tools/check_gpu.py --wheels                 # what to bring along to a machine without an index

Writes ``OUT/check_gpu.json`` and a table, ``OUT/check_gpu.md``, for the README of rankhub_s2r2. A check that fails
stops no other; the exit code is 1 if one did, and the list says which. What has not begun after ``--minutes`` is left
out and said. On the CPU "against the CPU" compares it with itself, waiting is looked for on torch's ``meta`` device,
and the peak of memory is not measured; all else is the same.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from gpu_checks import components, measures, runs
from gpu_checks.findings import Bench, Check, Finding, attempt
from gpu_checks.wheels import needed

CHECKS: dict[str, Check] = {
    "golden": components.golden_losses,
    "losses": components.losses_against_cpu,
    "views": components.views_against_cpu,
    "waits": runs.waits_for_nothing,
    "bf16": runs.trains_in_bf16,
    "resume": runs.resumes,
    "memory": runs.estimates_memory,
    "compile": components.compiled,
    "faiss": components.faiss_beside_torch,
    "recipes": runs.all_recipes,
    "training": measures.training,
    "times": measures.losses,
}


def machine(device: torch.device) -> dict[str, Any]:
    """Where this ran."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() or platform.machine()
    return {
        "device": name,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }


def table(found: Sequence[Finding], about: dict[str, Any]) -> str:
    """The findings in Markdown."""
    where = f"{about['device']}, torch {about['torch']}"
    lines = [
        f"`python tools/check_gpu.py` on {where}:",
        "",
        "| check | outcome | seconds | figures |",
        "|---|---|---:|---|",
    ]
    for one in found:
        shown = "; ".join(f"{name} {value}" for name, value in one.figures.items() if name != "traceback")
        lines.append(f"| {one.name} | {one.outcome} | {one.seconds:.1f} | {one.said or shown} |".replace("\n", " "))
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, measure, write; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="cuda, cuda:1, cpu")
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--only", nargs="+", choices=CHECKS, default=list(CHECKS))
    parser.add_argument("--minutes", type=float, default=8.0, help="after which nothing more is begun")
    parser.add_argument("--out", type=Path, default=Path("runs/check_gpu"))
    parser.add_argument("--wheels", action="store_true", help="print what torch and timm do not bring, and stop")
    options = parser.parse_args(arguments)
    if options.wheels:
        print("\n".join(needed(extra="gpu")))
        return 0
    device = torch.device(options.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no CUDA device here; --device cpu runs the same checks on the CPU")
    about, found = machine(device), list[Finding]()
    with tempfile.TemporaryDirectory() as scratch:
        until = time.monotonic() + 60 * options.minutes
        for name in options.only:
            folder = Path(scratch, name)
            folder.mkdir()
            found.append(attempt(name, CHECKS[name], Bench(device, options.short, folder, until)))
            one = found[-1]
            print(f"{one.name:10} {one.outcome:8} {one.seconds:6.1f} s  {one.said or dict(one.figures)}", flush=True)
    options.out.mkdir(parents=True, exist_ok=True)
    whole = {"machine": about, "findings": [one.plain() for one in found]}
    (options.out / "check_gpu.json").write_text(json.dumps(whole, indent=1, default=str) + "\n")
    (options.out / "check_gpu.md").write_text(table(found, about))
    failed = [one for one in found if one.outcome == "failed"]
    for one in failed:
        print(f"FAILED {one.name}: {one.said}\n{one.figures.get('traceback', '')}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
