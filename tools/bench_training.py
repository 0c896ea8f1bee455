"""Steps per second of training, end to end, beside the bare network and, in two profiles, lightly's SimCLR.

    python tools/bench_training.py FOLDER                                # all profiles, three turns of 20 s
    python tools/bench_training.py FOLDER --turns 5 --profiles quickstart quality
    python tools/bench_training.py FOLDER --wait passive                 # as with threads that sleep

The bare network is that of the recipe, with its loss and its optimizer, on one batch of views that stays: in the
better of two memory formats (each gets half of the time), without reading, views, checks or a journal. Where views are
made by worker steps (quality, counting), what could be reached is 1 / (1 / bare + 1 / generator), the generator being
measured by itself; elsewhere it is the bare network. lightly trains the same network with AdamW on the same number of
images and views a step, with augmentations of the same parameters, which are printed; `pip install lightly` first.

Each measurement has a process of its own; all have the same wait policy of OpenMP's threads. They take turns, shares
and ratios are taken turn by turn, and the machine's load before each is printed: on an idle one it is small. What comes
before the first step is not counted; reading and decoding during training is.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from measured import in_a_process

IMAGES, WARM_UP, HELD = 128, 10, 3
RARELY = 20
"""Steps after which a GPU is waited for."""

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
channels_last: {channels_last}
predict: {{use: center, size: {size}}}
checkpoint: {{every_epochs: null}}
"""

LONG = ["checkpoint.every_epochs=null", "evaluate=[]", "evaluate_every_epochs=null", "keep_best=null"]
"""Changes by which a recipe that comes along does nothing but train."""


class Profile(NamedTuple):
    """What is trained.

    Attributes:
        recipe: A recipe that comes along; empty: that of this file.
        changes: To it; FOLDER stands for the folder of images.
        model: Of the recipe of this file, and of lightly.
        size: Pixels, of these two.
        generated: Whether worker steps make the views.
    """

    recipe: str = ""
    changes: tuple[str, ...] = ()
    model: str = ""
    size: int = 0
    generated: bool = False


PROFILES = {
    "quickstart": Profile("quickstart", ("epochs=100000",)),
    "folder": Profile(
        "s2r2_folder",
        (
            "data.photos.root=FOLDER",
            "epochs=100000",
            "streams.views.batch_size=16",
            "streams.views.generator.random_views.size=96",
            "predict.size=96",
        ),
    ),
    "quality": Profile("quality_quickstart_ranking", ("steps=1000000",), generated=True),
    "counting": Profile("counting_quickstart", ("steps=1000000",), generated=True),
    "lightly_32": Profile(model="test_resnet", size=32),
    "lightly_64": Profile(model="resnet10t", size=64),
}


def loaded(profile: Profile, folder: Path) -> Any:
    """The recipe of a profile."""
    import rankhub

    if profile.recipe:
        root = str(folder.absolute())
        return rankhub.load_recipe(profile.recipe, [*LONG, *(one.replace("FOLDER", root) for one in profile.changes)])
    root, last = json.dumps(str(folder.absolute())), json.dumps(profile.size >= 64)
    text = RECIPE.format(folder=root, model=profile.model, size=profile.size, images=IMAGES, channels_last=last)
    return rankhub.load_recipe(text)


def ours(profile: Profile, folder: Path, seconds: float) -> dict[str, float]:
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

    with tempfile.TemporaryDirectory() as scratch:
        rankhub.train(loaded(profile, folder), scratch, progress=False, callbacks=[StepTimer()])
    return {"opened": marks[0] - start, "rate": rate(marks[1:])}


def bare(profile: Profile, folder: Path, seconds: float) -> dict[str, float]:
    """The network, its losses and its optimizer for about ``seconds``; then the generator by itself, as long."""
    import torch

    from rankhub.engine.network import train_mode
    from rankhub.engine.objectives import Setting, counts_of, heads_of, weigh
    from rankhub.engine.parts import Resources, build
    from rankhub.engine.training import new_learner, new_optimizer
    from rankhub_train.cost import wait_for

    recipe = loaded(profile, folder)
    parts = build(recipe.recipe, Resources(recipe.catalog, lambda done, total, what: None))
    plan, network, compute = parts.plans[0], parts.network, parts.compute
    new_learner(parts)  # the mode of a phase that begins
    optimizer = new_optimizer(parts, plan).optimizer
    feeds = {name: parts.feeds[plan.phase.name, name] for name in plan.active(0)}

    def made(step: int) -> list[Any]:
        at = {name: feed.in_epoch(step) for name, feed in feeds.items()}
        return [
            feed.chain.on_device(feed.fetch(at[name]).to(compute.device), at[name].epoch)
            for name, feed in feeds.items()
        ]

    streams = [(parts.objectives[plan.phase.name, name], batch) for name, batch in zip(feeds, made(0), strict=True)]
    found = {"views": float(sum(len(batch) for _, batch in streams))}
    for memory_format in (torch.contiguous_format, torch.channels_last):
        network.to(memory_format=memory_format)
        train_mode(network)
        held = [
            (objectives, [stack.contiguous(memory_format=memory_format) for stack in batch.images], batch.target)
            for objectives, batch in streams
        ]

        def step(number: int, held: list[tuple[Any, list[Any], Any]] = held) -> None:
            optimizer.zero_grad(set_to_none=True)
            for objectives, images, target in held:
                with compute.autocast():
                    outputs = network(images, heads_of(objectives))
                setting = Setting(plan.clock_at(0), False, counts_of(objectives, target))
                torch.autograd.backward(weigh(objectives, outputs, None, target, setting).total)
            optimizer.step()

        found[str(memory_format).removeprefix("torch.")] = timed(step, seconds / 2, lambda: wait_for(compute.device))
    found["rate"] = max(found["contiguous_format"], found["channels_last"])
    found["generator"] = timed(lambda number: void(made(number)), seconds, lambda: wait_for(compute.device))
    return found


def void(value: object) -> None:
    """Nothing more is done with it."""


def timed(step: Callable[[int], None], seconds: float, wait: Callable[[], None]) -> float:
    """Steps per second after a warm-up of three; ``wait`` for the device as rarely as rankhub reads its numbers."""
    for number in range(HELD):
        step(number)
    wait()
    start, done = time.perf_counter(), 0
    while done == 0 or time.perf_counter() - start < seconds:
        step(HELD + done)
        done += 1
        if done % RARELY == 0:
            wait()
    wait()
    return done / (time.perf_counter() - start)


def lightly(profile: Profile, folder: Path, seconds: float) -> dict[str, float]:
    """Train lightly's SimCLR as its documentation does, for about ``seconds``."""
    import timm
    import torch
    from lightly.data import LightlyDataset
    from lightly.loss import NTXentLoss
    from lightly.models.modules import SimCLRProjectionHead
    from lightly.transforms import SimCLRTransform

    start = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    dataset = LightlyDataset(str(folder), transform=SimCLRTransform(input_size=profile.size))
    loader = torch.utils.data.DataLoader(
        dataset,
        batch_size=IMAGES,
        shuffle=True,
        drop_last=True,
        num_workers=max(2, len(os.sched_getaffinity(0))),
        persistent_workers=True,
        pin_memory=device.type == "cuda",
    )
    backbone = timm.create_model(profile.model, num_classes=0).to(device)
    head = SimCLRProjectionHead(backbone.num_features, 512, 128, batch_norm=False).to(device)
    loss = NTXentLoss()
    optimizer = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], lr=1e-3)
    opened = time.perf_counter() - start
    marks: list[float] = []
    while len(marks) <= WARM_UP or marks[-1] - marks[WARM_UP - 1] < seconds:
        for (one, two), _, _ in loader:
            z = head(backbone(torch.cat([one, two]).to(device, non_blocking=True)))
            value = loss(*z.chunk(2))
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            if device.type == "cuda" and len(marks) % RARELY == 0:
                torch.cuda.synchronize()
            marks.append(time.perf_counter())
            if len(marks) > WARM_UP and marks[-1] - marks[WARM_UP - 1] > seconds:
                break
    return {"opened": opened, "rate": rate(marks)}


def rate(marks: list[float]) -> float:
    """Steps per second after the warm-up."""
    return (len(marks) - WARM_UP) / (marks[-1] - marks[WARM_UP - 1])


def augmentations(size: int) -> dict[str, object]:
    """The parameters of both."""
    from lightly.transforms import SimCLRTransform

    import rankhub

    own = rankhub.build("generator", {"use": "random_views", "views": 2, "size": size})
    theirs = SimCLRTransform(input_size=size).transforms[0].transform.transforms
    return {**vars(own), "lightly": " | ".join(" ".join(str(step).split()) for step in theirs)}


WAYS = {"rankhub": ours, "bare": bare, "lightly": lightly}


def answer(which: str, profile: str, folder: str, seconds: str) -> None:
    """Measure what another process asks for, and print what came out."""
    print(json.dumps(WAYS[which](PROFILES[profile], Path(folder), float(seconds))))


def each_way(name: str, ways: list[str], folder: Path, seconds: float) -> tuple[dict[str, Any], dict[str, float]]:
    """What each way came to, measured once, and the machine's load before it."""
    found, loads = {}, {}
    for which in ways:
        loads[which] = os.getloadavg()[0]
        found[which] = in_a_process("bench_training", which, which, name, str(folder), str(seconds))
    return found, loads


def turn_of(name: str, ways: list[str], folder: Path, seconds: float) -> dict[str, float]:
    """Measure each way once and print it; what rankhub reaches of what could be reached, and of lightly's."""
    found, loads = each_way(name, ways, folder, seconds)
    own, views = found["rankhub"]["rate"], found["bare"]["views"]
    possible = found["bare"]["rate"]
    said = [f"{which} {found[which]['rate'] * views:,.0f} views/s (load {loads[which]:.2f})" for which in ways]
    formats = [f"{one} {found['bare'][one] * views:,.0f}" for one in ("contiguous_format", "channels_last")]
    said.append(f"bare {', '.join(formats)}; generator alone {found['bare']['generator'] * views:,.0f}")
    if PROFILES[name].generated:
        possible = 1 / (1 / possible + 1 / found["bare"]["generator"])
        said.append(f"possible {possible * views:,.0f}")
    shares = {"of what is possible": own / possible}
    if "lightly" in found:
        shares["times lightly"] = own / found["lightly"]["rate"]
    print("  " + "; ".join(said + [f"{share:.2f} {what}" for what, share in shares.items()]), flush=True)
    return shares


def main() -> None:
    """Measure, and print what came out turn by turn."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a folder of images, nested or flat")
    parser.add_argument("--seconds", type=float, default=20.0, help="of each measurement")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--profiles", nargs="+", choices=PROFILES, default=list(PROFILES))
    parser.add_argument("--wait", choices=["active", "passive"], default="active", help="of OpenMP's threads")
    options = parser.parse_args()
    if not options.folder.is_dir():
        parser.error(f"{options.folder} is no folder")
    beside = [name for name in options.profiles if PROFILES[name].model]
    if beside and importlib.util.find_spec("lightly") is None:
        parser.error(f"lightly is not installed here; pip install lightly, or leave out {' and '.join(beside)}")
    os.environ["OMP_WAIT_POLICY"] = options.wait.upper()
    os.environ["GOMP_SPINCOUNT"] = "1000000" if options.wait == "active" else "0"
    print(f"{os.cpu_count()} cores, threads wait {options.wait}ly, {options.turns} turns of {options.seconds:g} s")
    for name in options.profiles:
        profile = PROFILES[name]
        print(f"{name}: {profile.recipe or f'{profile.model} at {profile.size} px, {IMAGES} images x 2 views'}")
        for option, value in augmentations(profile.size).items() if profile.model else ():
            print(f"    {option:16} {value}")
        ways = ["rankhub", "bare", *(["lightly"] if profile.model else [])]
        turns = [turn_of(name, ways, options.folder, options.seconds) for _ in range(options.turns)]
        for what in turns[0]:
            every = [turn[what] for turn in turns]
            print(f"  median {statistics.median(every):.2f} {what}, from {min(every):.2f} to {max(every):.2f}")


if __name__ == "__main__":
    main()
