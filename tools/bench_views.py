"""Random views per second, stage by stage, beside torchvision's transforms (v2) on the same machine in one run.

    python tools/bench_views.py                          # 64 px to 32 px, 128 images x 4 views, two threads
    python tools/bench_views.py --source 96 --size 96
    python tools/bench_views.py --device cuda

Both make the same views: crop and resize with antialiasing, flip, colour jitter, grey, blur, with the defaults of
`random_views`. torchvision takes one uint8 image at a time, as it does inside a data set. The two take turns; the
best of all turns counts for each, since whatever else the machine does only ever adds time.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from torch.utils.benchmark.utils.timer import timer
from torchvision.transforms import v2

from rankhub.interfaces.batch import IDENTITY, Batch
from rankhub.interfaces.draws import Draws
from rankhub.interfaces.order import RankTarget
from rankhub_views.blur import kernel_for
from rankhub_views.random_views import RandomViews

OFF = {"jitter_p": 0.0, "grey": 0.0, "blur": 0.0}
Step = Callable[[], object]


def stages(size: int, views: int) -> dict[str, tuple[RandomViews, v2.Transform]]:
    """Name -> ours and theirs; each stage after the first comes on top of the first."""
    crop = [v2.RandomResizedCrop(size, scale=(0.08, 1.0), antialias=True), v2.RandomHorizontalFlip()]
    jitter = v2.RandomApply([v2.ColorJitter(0.8, 0.8, 0.8, 0.2)], p=0.8)
    grey = v2.RandomGrayscale(0.2)
    blur = v2.RandomApply([v2.GaussianBlur(kernel_for(size), (0.1, 2.0))], p=0.5)
    unit = v2.ToDtype(torch.float32, scale=True)
    ours: dict[str, dict[str, float]] = {
        "crop, flip, resize": OFF,
        "+ jitter": {**OFF, "jitter_p": 0.8},
        "+ grey": {**OFF, "grey": 0.2},
        "+ blur": {**OFF, "blur": 0.5},
        "all": {},
    }
    theirs = [[*crop, unit], [*crop, jitter, unit], [*crop, grey, unit], [*crop, blur, unit]]
    theirs.append([*crop, jitter, grey, blur, unit])
    made = {name: RandomViews(views=views, size=size, **options) for name, options in ours.items()}  # type: ignore[arg-type]
    return {name: (made[name], v2.Compose(steps)) for name, steps in zip(ours, theirs, strict=True)}


def make_batch(images: int, source: int, device: torch.device) -> Batch:
    """Images of noise: what is in them does not change what they cost."""
    stack = torch.randint(0, 256, (images, 3, source, source), dtype=torch.uint8)
    ids = torch.arange(images)
    target = RankTarget(ids, torch.zeros_like(ids), ids, torch.ones(images))
    sizes = torch.full((images, 2), source, dtype=torch.int64)
    return Batch((stack,), sizes, torch.from_numpy(IDENTITY).repeat(images, 1, 1), target).to(device)


def seconds(step: Step) -> float:
    """Time of one call, the device's work included."""
    start = timer()
    step()
    return timer() - start


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=128, help="images a batch")
    parser.add_argument("--views", type=int, default=4, help="views of an image")
    parser.add_argument("--source", type=int, default=64, help="side of the images, px")
    parser.add_argument("--size", type=int, default=32, help="side of the views, px")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    batch, draws = make_batch(options.images, options.source, device), Draws(0, "bench", 0)
    few = list(batch.images[0][: max(1, options.images // 8)])  # torchvision's time grows with their number
    count, their_count = options.images * options.views, len(few) * options.views

    print(
        f"{options.source} px -> {options.size} px, {options.images} images x {options.views} views, "
        f"{options.device}, {options.threads} threads, torch {torch.__version__}"
    )
    print(f"{'':20} {'random_views':>24} {'torchvision v2':>24} {'ratio':>7}")
    for name, (ours, theirs) in stages(options.size, options.views).items():
        steps: tuple[Step, Step] = (
            lambda ours=ours: ours.apply(batch, draws),  # type: ignore[misc]
            lambda theirs=theirs: [theirs(image) for image in few for _ in range(options.views)],  # type: ignore[misc]
        )
        for step in steps:
            step()
        turns = [[seconds(step) for step in steps] for _ in range(options.turns)]
        mine, other = (
            min(times) / views for times, views in zip(zip(*turns, strict=True), (count, their_count), strict=True)
        )
        cells = [f"{1 / each:9,.0f}/s {each * 1e6:8.1f} us" for each in (mine, other)]
        print(f"{name:20} {cells[0]:>24} {cells[1]:>24} {other / mine:7.1f}")


if __name__ == "__main__":
    main()
