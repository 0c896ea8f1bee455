"""A million images in a Lance table: packing, opening, training, memory; rows a second; an object store that goes away.

    python tools/bench_lance.py                               # 10^6 rows, 5,000 steps; below the temporary folder
    python tools/bench_lance.py --rows 20000 --steps 200 --only table rows store

- `table`: JPEGs of 32 x 32 pixels are made on the spot by spawned processes and packed, as `rankhub pack` packs files.
  Then, each in a process of its own, test_resnet is trained on two views of 16 images a step: on the first 1,000 rows
  (the empty run) and on all. `opens` is the data set's opening alone, `first step` all from the call of
  `rankhub.train` to the end of step 1; memory is what the process holds less the empty run, during the steps.
- `rows`: images a second from 256 rows at a time, in any order and in blocks of 4,096: the table of JPEGs, the table
  of pixels, and the decoded store (`image_folder`, memory-mapped) of the same images; and the JPEG files, read and
  decoded.
- `store`: rows of a local S3 server (moto, in this process), cold and from the blocks on the disk; with 50 ms a
  request; and while the server is stopped for 20 s. Every batch is compared with the local table's by a digest.

CPU seconds are those of the process; on a machine that others use they say more than the time that went by.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from measured import in_a_process, status
from PIL import Image

from rankhub import Talk
from rankhub.interfaces.data import Dataset, OpenContext
from rankhub_lance import Store
from rankhub_pack.layout import About
from rankhub_pack.packing import Packing
from rankhub_pack.sources import in_spawned
from rankhub_pack.worker import Row, row_of

SIDE, TASK, BATCH, BLOCK = 32, 512, 256, 4096
EMPTY = 1000

RECIPE = """
name: bench_lance
data:
  photos: {{use: lance, uri: {uri}, labels: class{options}}}
backbone: {{use: timm, model: test_resnet, stem: small}}
heads: {{embedding: {{use: projection, dim: 16, hidden: 16}}}}
optimizer: {{use: adamw, lr: 0.001}}
streams:
  views:
    data: photos
    batch_size: 16
    generator: [{{use: random_views, views: 2, size: 32}}]
    objectives: [{{use: smooth_ap, head: embedding}}]
steps: {steps}
device: cpu
predict: {{use: center, size: 32}}
evaluate: []
checkpoint: {{every_epochs: null}}
"""


def jpeg(number: int) -> bytes:
    """An image that is like no other: coarse noise made smooth, as photos are."""
    pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, "JPEG", quality=90)
    return file.getvalue()


@dataclass(frozen=True)
class Making:
    """Rows of images that are made on the spot."""

    numbers: Sequence[int]
    pixels: bool

    def __call__(self) -> list[Row]:
        """Them."""
        from rankhub_data.decode import decode

        made = []
        for number in self.numbers:
            content = jpeg(number)
            row = row_of(f"{number:08d}.jpg", decode(content)[0], None if self.pixels else content)
            made.append(row | {"label": number % 10})
        return made


class Made:
    """So many images, as what is packed."""

    def __init__(self, count: int, pixels: bool = False) -> None:
        self.count, self.pixels = count, pixels
        self.about = About("class", classes=tuple("0123456789"), pixels=pixels, resize=SIDE if pixels else None)
        self.said = f"{count} images made by bench_lance"

    def names(self) -> Sequence[str]:
        """Numbers."""
        return [f"{number:08d}.jpg" for number in range(self.count)]

    def rows(self, which: Sequence[int], processes: int) -> Iterator[Row]:
        """Made by spawned processes."""
        return in_spawned((Making(which[at : at + TASK], self.pixels) for at in range(0, len(which), TASK)), processes)


def pack(count: int, uri: str, pixels: bool = False, options: dict[str, str] | None = None) -> float:
    """Pack so many; returns seconds."""
    begun = time.perf_counter()
    Packing(Made(count, pixels), Store.of(uri, options), processes=2 if pixels or count > EMPTY else 1).run(Talk())
    return time.perf_counter() - begun


def opened(folder: Path, **options: Any) -> Dataset:
    """An open data set."""
    import rankhub

    dataset: Dataset = rankhub.build("dataset", options)
    dataset.open(OpenContext(folder / "cache", 10**6, lambda done, total, what: None))
    return dataset


def answer(uri: str, rows: str, steps: str) -> None:
    """In a process of its own: open and train, and print what it took."""
    import rankhub
    from rankhub.interfaces.callback import Callback

    where = f""", where: "id < '{EMPTY:08d}.jpg'\"""" if int(rows) == EMPTY else ""
    said: dict[str, Any] = {"held": {}}
    begun = time.perf_counter()
    dataset = opened(Path(tempfile.gettempdir()), use="lance", uri=uri, labels="class")
    said["opens"] = time.perf_counter() - begun
    del dataset
    marks = {1, int(steps) // 10, int(steps) // 2, int(steps)}

    class Marks(Callback):
        def step_logged(self, step: int, values: Any) -> None:
            if step == 1:
                said["first"] = time.perf_counter() - begun
            if step in marks:
                said["held"][step] = status("VmRSS")

    with tempfile.TemporaryDirectory() as out:
        begun = time.perf_counter()
        recipe = RECIPE.format(uri=uri, options=where, steps=steps)
        rankhub.train(recipe, Path(out) / "run", progress=False, callbacks=[Marks()])
        said["views_per_s"] = int(steps) * 32 / (time.perf_counter() - begun - said["first"])
    print(json.dumps(said))


def bench_table(folder: Path, rows: int, steps: int) -> None:
    """Packing, opening, training."""
    uri = str(folder / "photos.lance")
    seconds = pack(rows, uri)
    size = sum(path.stat().st_size for path in Path(uri).rglob("*.lance"))
    print(
        f"packed {rows:,} JPEGs in {seconds:.0f} s (made on the way), {rows / seconds:,.0f} a second; "
        f"{size / 1e6:,.0f} MB, {size / rows:,.0f} bytes a row"
    )
    empty = in_a_process("bench_lance", "the empty run", uri, str(EMPTY), str(steps))
    whole = in_a_process("bench_lance", "the run", uri, str(rows), str(steps))
    for name, said in (("empty run", empty), ("all rows", whole)):
        print(
            f"{name}: opens {said['opens']:.2f} s, first step {said['first']:.1f} s, {said['views_per_s']:,.0f} views/s"
        )
    for step, held in whole["held"].items():
        above = (held - empty["held"][step]) / 1e6
        print(f"after step {step}: {held / 1e6:,.0f} MB, {above:+,.0f} MB beside the empty run")


def rate(read: Callable[[Any], Any], count: int, block: int) -> tuple[float, float]:
    """Images a second, and CPU microseconds each, of batches in blocks."""
    generator, done = np.random.default_rng(0), 0
    begun, cpu = time.perf_counter(), time.process_time()
    while time.perf_counter() - begun < 8:
        start = int(generator.integers(0, max(1, count - block)))
        order = start + generator.permutation(min(block, count))
        for at in range(0, min(len(order), 4 * BATCH), BATCH):
            read(order[at : at + BATCH].tolist())
            done += BATCH
    return done / (time.perf_counter() - begun), 1e6 * (time.process_time() - cpu) / done


def bench_rows(folder: Path, rows: int) -> None:
    """Images a second, by where they come from."""
    from rankhub_data.decode import decode

    count = min(rows, 50_000)
    files = folder / "files"
    for number in range(count):
        path = files / f"{number // 1000:03d}" / f"{number:08d}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number))
    pack(count, str(folder / "few.lance"))
    pack(count, str(folder / "pixels.lance"), pixels=True)
    ways: dict[str, Callable[[Any], Any]] = {
        "decoded store, mapped": opened(folder, use="image_folder", root=str(files), cache="always").batch,
        "table of pixels": opened(folder, use="lance", uri=str(folder / "pixels.lance"), labels="class").batch,
        "table of JPEGs": opened(folder, use="lance", uri=str(folder / "few.lance"), labels="class").batch,
        "files, read and decoded": lambda which: [
            decode((files / f"{one // 1000:03d}" / f"{one:08d}.jpg").read_bytes()) for one in which
        ],
    }
    for name, read in ways.items():
        read([0])
        for how, block in (("any order", count), ("in blocks", BLOCK)):
            speed, cpu = rate(read, count, block)
            print(f"{name}, {how}: {speed:,.0f} images/s, {cpu:.0f} us CPU each", flush=True)


def digest(images: Any) -> int:
    """Of a batch."""
    return zlib.crc32(np.ascontiguousarray(images).tobytes())


def bench_store(folder: Path) -> None:
    """An object store: rows cold and kept, slow, and away for 20 s."""
    from local_s3 import KEYS, LocalS3

    os.environ.update(KEYS)
    server, count = LocalS3(), 20_000
    local = str(folder / "near.lance")
    pack(count, local)
    print(
        f"store: packed {count:,} in {pack(count, 's3://photos/far.lance', options=server.options):.1f} s, "
        f"{server.requests} requests"
    )
    far = {"use": "lance", "uri": "s3://photos/far.lance", "labels": "class", "storage_options": server.options}
    near = opened(folder, use="lance", uri=local, labels="class")
    order = np.random.default_rng(0).permutation(BLOCK)

    def walk(dataset: Dataset, block: int, batches: int = BLOCK // BATCH) -> tuple[float, list[float]]:
        before, each = server.requests, list[float]()
        for at in range(batches):
            rows = (block * BLOCK + order[at * BATCH : (at + 1) * BATCH]).tolist()
            begun = time.perf_counter()
            found = dataset.batch(rows)
            each.append(time.perf_counter() - begun)
            assert digest(found) == digest(near.batch(rows)), "other rows"
        return (server.requests - before) / batches, each

    for name, delay, options in (
        ("rows one by one", 0.0, {"cache": "never"}),
        ("blocks, cold", 0.0, {}),
        ("blocks, from the disk", 0.0, {}),
        ("rows one by one, 50 ms a request", 0.05, {"cache": "never"}),
        ("blocks, cold, 50 ms a request", 0.05, {"block": 255}),
        ("blocks, from the disk, 50 ms a request", 0.05, {"block": 255}),
    ):
        dataset = opened(folder, **far, **options)
        server.delay = delay
        requests, each = walk(dataset, 1)
        print(f"{name}: {BATCH * len(each) / sum(each):,.0f} images/s, {requests:.1f} requests a batch of {BATCH}")
    server.delay = 0.0
    dataset = opened(folder, **far, cache="never")
    walk(dataset, 2, 2)
    server.stop_for(20)
    _, each = walk(dataset, 3)
    others = np.median(each)
    print(f"stopped for 20 s: the batch under way took {max(each):.1f} s, the others {others:.3f} s; all rows alike")


def main() -> None:
    """Measure what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--at", type=Path, help="where to work; default: the temporary folder")
    parser.add_argument("--only", nargs="+", choices=("table", "rows", "store"), default=("table", "rows", "store"))
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench_lance_", dir=given.at))
    try:
        if "table" in given.only:
            bench_table(folder, given.rows, given.steps)
        if "rows" in given.only:
            bench_rows(folder, given.rows)
        if "store" in given.only:
            bench_store(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
