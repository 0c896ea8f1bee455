"""Views per second of training, end to end, beside lightly's SimCLR on the same folder of images.

    python tools/bench_training.py FOLDER            # test_resnet at 32 px, resnet10t at 64 px
    python tools/bench_training.py FOLDER --seconds 60

Both train the same network (timm backbone, two linear layers) with AdamW on the same number of images and views a
step, with augmentations of the same parameters, which are printed side by side. Each measurement has a process of
its own; the two take turns, and the ratio is taken turn by turn. What comes before the first step (decoding the
folder into memory and trial steps here, listing it there) is printed but not counted; reading and decoding during
training is. lightly is not a dependency of rankhub: `pip install lightly` first.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Literal

from measured import in_a_process

SETTINGS = {"test_resnet at 32 px": ("test_resnet", 32), "resnet10t at 64 px": ("resnet10t", 64)}
IMAGES, WARM_UP = 128, 10

RECIPE = """
name: bench
data: {{photos: {{use: image_folder, root: {folder}}}}}
backbone: {{use: timm, model: {model}, stem: standard}}
heads: {{embedding: {{use: projection, dim: 128, hidden: 512}}}}
optimizer: {{use: adamw, lr: 0.001}}
streams:
  views:
    data: photos
    batch_size: {images}
    generator: [{{use: random_views, views: 2, size: {size}}}]
    objectives: [{{use: smooth_ap, head: embedding}}]
steps: 1000000
predict: {{use: center, size: {size}}}
checkpoint: {{every_epochs: null}}
"""


def ours(folder: Path, model: str, size: int, seconds: float) -> dict[str, float]:
    """Train with rankhub for about ``seconds``."""
    import rankhub
    from rankhub.interfaces.callback import Callback

    start, marks = time.perf_counter(), [0.0]

    class StepTimer(Callback):
        def run_started(self, run: object) -> None:
            marks[0] = time.perf_counter()

        def step_logged(self, step: int, values: object) -> Literal["stop"] | None:
            marks.append(time.perf_counter())
            return "stop" if step > WARM_UP and marks[-1] - marks[WARM_UP] > seconds else None

    recipe = RECIPE.format(folder=json.dumps(str(folder.absolute())), model=model, size=size, images=IMAGES)
    with tempfile.TemporaryDirectory() as scratch:
        rankhub.train(recipe, scratch, progress=False, callbacks=[StepTimer()])
    return {"opened": marks[0] - start, "rate": rate(marks[1:])}


def lightly(folder: Path, model: str, size: int, seconds: float) -> dict[str, float]:
    """Train lightly's SimCLR as its documentation does, for about ``seconds``."""
    import timm
    import torch
    from lightly.data import LightlyDataset
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform

    start = time.perf_counter()
    dataset = LightlyDataset(str(folder), transform=SimCLRTransform(input_size=size))
    loader = torch.utils.data.DataLoader(
        dataset, batch_size=IMAGES, shuffle=True, drop_last=True, num_workers=2, persistent_workers=True
    )
    backbone = timm.create_model(model, num_classes=0)
    head = SimCLRProjectionHead(backbone.num_features, 512, 128, batch_norm=False)
    loss = NTXentLoss()
    optimizer = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], lr=1e-3)
    opened = time.perf_counter() - start
    marks: list[float] = []
    while len(marks) <= WARM_UP or marks[-1] - marks[WARM_UP - 1] < seconds:
        for (one, two), _, _ in loader:
            z = head(backbone(torch.cat([one, two])))
            value = loss(*z.chunk(2))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            marks.append(time.perf_counter())
            if len(marks) > WARM_UP and marks[-1] - marks[WARM_UP - 1] > seconds:
                break
    return {"opened": opened, "rate": rate(marks)}


def rate(marks: list[float]) -> float:
    """Views per second after the warm-up."""
    return (len(marks) - WARM_UP) * 2 * IMAGES / (marks[-1] - marks[WARM_UP - 1])


def augmentations(size: int) -> dict[str, object]:
    """The parameters of both."""
    from lightly.transforms import SimCLRTransform

    import rankhub

    own = rankhub.build("generator", {"use": "random_views", "views": 2, "size": size})
    theirs = SimCLRTransform(input_size=size).transforms[0].transform.transforms
    return {**vars(own), "lightly": " | ".join(" ".join(str(step).split()) for step in theirs)}


def answer(which: str, folder: str, model: str, size: str, seconds: str) -> None:
    """Measure what another process asks for, and print what came out."""
    print(json.dumps({"ours": ours, "lightly": lightly}[which](Path(folder), model, int(size), float(seconds))))


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder of images, nested or flat")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--turns", type=int, default=3)
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    if importlib.util.find_spec("lightly") is None:
        parser.error("lightly is not installed here; pip install lightly")
    for name, (model, size) in SETTINGS.items():
        print(f"{name}, {IMAGES} images x 2 views a step, AdamW")
        for option, value in augmentations(size).items():
            print(f"  {option:16} {value}")
        ratios = []
        for turn in range(options.turns):
            words = (str(options.folder), model, str(size), str(options.seconds))
            one, other = (in_a_process("bench_training", which, which, *words) for which in ("ours", "lightly"))
            ratios.append(one["rate"] / other["rate"])
            print(
                f"  turn {turn + 1}: rankhub {one['rate']:,.0f} views/s (opened in {one['opened']:.1f} s), "
                f"lightly {other['rate']:,.0f} views/s, ratio {ratios[-1]:.2f}",
                flush=True,
            )
        print(f"  median ratio {statistics.median(ratios):.2f}\n", flush=True)


if __name__ == "__main__":
    main()
