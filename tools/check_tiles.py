"""Checks that a large photo is counted tile by tile within a bounded memory, and as the whole would be.

    python tools/check_tiles.py                              # vgg16, resnet18 and convnextv2_atto; minutes on two cores
    python tools/check_tiles.py resnet18 --width 4000 --height 3000 --threads 2

For each network, cut at a stride of 16, with random weights and a density head: the count by ``predict: tiles`` beside
that by ``predict: whole`` on a photo that is small enough for both (made of noise at several scales), their relative
difference, and what the predict component says of itself; then time and peak memory of a process that counts a photo of
``--width`` x ``--height`` by tiles.
"""

from __future__ import annotations

import argparse
import json
import resource
import time

import numpy as np
import torch
from measured import in_a_process
from torch import Tensor

from rankhub import build
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.model import FeatureSpec

STRIDE = 16
SMALL = (1100, 900)
"""Width and height of the photo that both ways count."""


class Counter:
    """A network that counts, with random weights."""

    def __init__(self, model: str) -> None:
        torch.manual_seed(0)
        self.backbone = build("backbone", {"use": "timm", "model": model, "stride": STRIDE}).eval()
        self.features: FeatureSpec = self.backbone.spec
        label = LabelSpec("points", std=10.0, density=1e-3)
        self.head = build("head", {"use": "density"}, self.features, label).eval()
        self.outputs = {f"density.{name}": spec for name, spec in self.head.outputs.items()}
        with torch.no_grad():  # a head begins with almost the same answer everywhere
            for weight in self.head.parameters():
                weight[weight.abs() < 0.5] *= 10

    @torch.no_grad()
    def __call__(self, images: Tensor) -> dict[str, Tensor]:
        """Name -> [n, ...]."""
        features = self.backbone(images, maps=True)
        named = {f"density.{name}": value for name, value in self.head(features).items()}
        return {"backbone": features.pooled, **named}


def photo(width: int, height: int) -> Tensor:
    """[3, height, width] uint8: noise at several scales, so that every cell sees something else."""
    rng = np.random.default_rng(0)
    total = np.zeros((height, width, 3), np.float32)
    for scale in (1, 4, 16, 64, 256):
        coarse = rng.random((height // scale + 2, width // scale + 2, 3), np.float32)
        total += np.repeat(np.repeat(coarse, scale, axis=0), scale, axis=1)[:height, :width]
    return torch.from_numpy((total * 51).astype(np.uint8).transpose(2, 0, 1).copy())


def compare(model: str) -> str:
    """One line: tiled against whole."""
    counter, image = Counter(model), photo(*SMALL)
    tiles = build("predict", {"use": "tiles", "size": 256})
    whole = float(build("predict", {"use": "whole"})([image], counter)["density.count"][0])
    tiled = float(tiles([image], counter)["density.count"][0])
    said = " ".join(tiles.remarks(counter.outputs, counter.features)) or "exact"
    halo = tiles.halo_for(counter.outputs, counter.features)
    return (
        f"{model}: sees {counter.features.receptive_field or 'not known'}, halo {halo}; whole {whole:.4f}, in tiles of "
        f"256 {tiled:.4f}, relative difference {abs(tiled - whole) / abs(whole):.1e} ({said})"
    )


def answer(model: str, width: str, height: str, threads: str) -> None:
    """Count a large photo; prints seconds, and peak memory of this process in GB before and after."""
    torch.set_num_threads(int(threads))
    counter, image = Counter(model), photo(int(width), int(height))
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    count = float(build("predict", {"use": "tiles"})([image], counter)["density.count"][0])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = time.perf_counter() - begun
    print(json.dumps({"count": count, "seconds": seconds, "before": before / 2**20, "peak": peak / 2**20}))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["vgg16", "resnet18", "convnextv2_atto"])
    parser.add_argument("--width", type=int, default=4000)
    parser.add_argument("--height", type=int, default=3000)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    for model in options.models:
        print(compare(model), flush=True)
        size = (str(options.width), str(options.height), str(options.threads))
        found = in_a_process("check_tiles", f"{model} on a large photo", model, *size)
        print(
            f"    {options.width} x {options.height} by tiles of 1,024: {found['seconds']:.0f} s, peak of the process "
            f"{found['peak']:.2f} GB ({found['before']:.2f} GB with the network and the photo)",
            flush=True,
        )


if __name__ == "__main__":
    main()
