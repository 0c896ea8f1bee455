"""Tiny sets of scored images in the layouts of the released ones, and what stands in for their sizes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

SIZES = {
    "rankhub_quality.data.live.Live.counts": {"jp2k": 20, "jpeg": 20},
    "rankhub_quality.data.live.Live.originals": 0,
    "rankhub_quality.data.live.Live.references": 10,
    "rankhub_quality.data.tid.Tid2013.references": 10,
    "rankhub_quality.data.tid.Tid2013.kind_count": 2,
    "rankhub_quality.data.tid.Tid2013.levels": 2,
    "rankhub_quality.data.kadid.Kadid10k.images": 40,
    "rankhub_quality.data.kadid.Kadid10k.references": 10,
    "rankhub_quality.data.koniq.Koniq10k.count": 40,
}
"""Attribute -> value that makes the readers take sets as small as these."""


def live(root: Path) -> None:
    """Forty images of ten references."""
    _images(root, (f"{kind}/img{number}.bmp" for kind in ("jp2k", "jpeg") for number in range(1, 21)))
    scores = np.linspace(5, 95, 40)[None]
    savemat(root / "dmos_realigned.mat", {"dmos_new": scores, "dmos_std": scores, "orgs": np.zeros((1, 40), np.uint8)})
    names = np.empty((1, 40), dtype=object)
    names[0, :] = [f"ref{number % 10}.bmp" for number in range(40)]
    savemat(root / "refnames_all.mat", {"refnames_all": names})


def tid2013(root: Path) -> None:
    """Ten references, two kinds, two levels."""
    names = [f"I{r:02}_{k:02}_{level}.bmp" for r in range(1, 11) for k in (1, 2) for level in (1, 2)]
    _images(root / "distorted_images", names)
    lines = [f"{1 + number % 7}.5 {name}" for number, name in enumerate(names)]
    (root / "mos_with_names.txt").write_text("\n".join(lines) + "\n")


def kadid10k(root: Path) -> None:
    """Ten references, two kinds, two levels."""
    names = [
        (f"I{r:02}_{k:02}_{level:02}.png", f"I{r:02}.png") for r in range(1, 11) for k in (1, 10) for level in (1, 5)
    ]
    _images(root / "images", (name for name, _ in names))
    lines = [f"{name},{reference},{1 + number % 4},0.5" for number, (name, reference) in enumerate(names)]
    (root / "dmos.csv").write_text("\n".join(["dist_img,ref_img,dmos,var", *lines]) + "\n")


def koniq10k(root: Path) -> None:
    """Forty photos with the official split."""
    _images(root / "1024x768", (f"{number}.jpg" for number in range(40)))
    header = "image_name,c1,c2,c3,c4,c5,c_total,MOS,SD,set"
    lines = [
        f"{number}.jpg,0,0,25,73,7,105,{2 * number + 5},0.5,{'test' if number % 4 == 0 else 'training'}"
        for number in range(40)
    ]
    (root / "koniq10k_distributions_sets.csv").write_text("\n".join([header, *lines]) + "\n")


def scored_csv(root: Path) -> None:
    """Forty images of ten references and a table."""
    _images(root, (f"{number}.png" for number in range(40)))
    lines = [f"{number}.png,{number % 13},{number % 10}" for number in range(40)]
    (root / "labels.csv").write_text("\n".join(["path,score,reference", *lines]) + "\n")


def _images(root: Path, names: Iterable[str]) -> None:
    for seed, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(root / name)
