"""Races three ways to train on ranked views at equal wall-clock: all pairs, random pairs, the hardest of random pairs.

    python tools/compare_pairs.py PHOTOS --out OUT                      # 3 seeds of 3 x 120 s, 20 minutes on one core
    python tools/compare_pairs.py PHOTOS --out OUT --only-report        # from what is there
    python tools/compare_pairs.py PHOTOS --out OUT optimizer.lr=0.0003  # any override of the recipe

PHOTOS is a folder of good photos. A quarter of them is held out; of every photo the distorted versions are made once
and kept, so that in training each method has only crops to cut. "All pairs": every version of a few photos passes once
and all pairs are formed on the outputs. "Random pairs": both members of random pairs pass, as many views a step.
"Hardest": several times as many random pairs pass without a gradient, then the hardest once more with one (Simo-Serra
et al., ICCV 2015). Random pairs are drawn so that their mean loss is that of all pairs. All methods start from the same
weights, with the same optimizer, and train in turns of a few seconds; at the same marks of their own clocks, which
stand still meanwhile, they are judged on the held-out photos. This is figure 2 of Liu, van de Weijer, Bagdanov (ICCV
2017, supplement), with seconds in place of iterations.

OUT gets a JSON file for each seed and method, points.csv and pairs.png. Start it again after Ctrl-C: seeds that are
there are not repeated; one that was interrupted is begun anew. Figures to keep are taken on an idle machine.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import torch
from pairs_comparison import report
from pairs_comparison.methods import TITLES
from pairs_comparison.race import Ground, Point, Rules, load, racers, run
from pairs_comparison.records import Records
from rich.console import Console

from rankhub import UserError
from rankhub.recipe.schema import phase_streams

RECIPE = Path(__file__).parent / "pairs_comparison" / "live.yaml"


def marks(seconds: float, count: int) -> tuple[float, ...]:
    """Marks that grow as squares up to ``seconds``: close together while the loss falls fast."""
    return tuple(round(seconds * (number / count) ** 2, 3) for number in range(1, count + 1))


def race(records: Records, seeds: range, console: Console) -> None:
    """Run the seeds that are not there, and write the report after each."""
    rules, ground = records.rules, None
    for seed in seeds:
        names = records.missing(list(TITLES), seed)
        if not names:
            continue
        if ground is None:
            with console.status("opening") as status:
                ground = Ground.of(rules, lambda n, total, what: status.update(f"{what}: {n} of {total}"))
        begun = time.perf_counter()
        points: dict[str, list[Point]] = {name: [] for name in names}
        for mark, found in run(rules, ground, racers(rules, ground, seed, names)):
            said = []
            for name, point in found.items():
                points[name].append(point)
                said.append(f"{name} loss {point.score.loss:.4f} accuracy {100 * point.score.accuracy:.1f} %")
            clock = time.perf_counter() - begun
            console.print(f"seed {seed}, {mark:6.1f} s [{clock:.0f} s in all]: {'; '.join(said)}", soft_wrap=True)
        for name, each in points.items():
            records.write(name, seed, each)
        write_report(records, seeds, console)


def write_report(records: Records, seeds: range, console: Console) -> None:
    """Write CSV file and figure from what is there, and print the table."""
    results = records.all(seeds)
    if not results:
        console.print("no seed is there yet")
        return
    report.write_csv(records.folder / "points.csv", results)
    recipe = records.rules.recipe.recipe
    ((*_, stream),) = phase_streams(recipe)
    network, optimizer = (spec.use.rpartition("/")[2] for spec in (recipe.backbone, recipe.optimizer))
    note = (
        f"{recipe.backbone.options.get('model', network)}, {optimizer} at a learning rate of "
        f"{recipe.optimizer.options.get('lr')}, {stream.batch_size} photos a step of all pairs, hardest 1 of "
        f"{records.rules.mining}"
    )
    report.draw(records.folder / "pairs.png", results, note)
    console.print(report.table(results))
    console.print(f"{records.folder / 'pairs.png'}, {records.folder / 'points.csv'}", soft_wrap=True)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path, help="a folder of good photos, larger than the crop")
    parser.add_argument("overrides", nargs="*", metavar="KEY=VALUE", help="changes of the recipe")
    parser.add_argument("--out", type=Path, default=Path("runs/pairs"), help="default: %(default)s")
    parser.add_argument("--recipe", type=Path, default=RECIPE, help="its data sets are photos and test")
    parser.add_argument("--seconds", type=float, default=120.0, help="of training of each; default: %(default)s")
    parser.add_argument("--marks", type=int, default=12, help="times at which they are judged; default: %(default)s")
    parser.add_argument("--seeds", type=int, default=3, help="default: %(default)s")
    parser.add_argument("--turn", type=float, default=2.0, help="seconds of a turn; default: %(default)s")
    parser.add_argument(
        "--mining", type=int, default=4, help="random pairs looked at for each of the hardest; default: %(default)s"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads; default: %(default)s")
    parser.add_argument("--only-report", action="store_true", help="write CSV file and figure from what is there")
    options = parser.parse_intermixed_args()
    if not options.photos.is_dir():
        parser.error(f"{options.photos.absolute()} is no folder")
    if min(options.marks, options.seeds, options.mining, options.threads) < 1:
        parser.error("--marks, --seeds, --mining and --threads are at least 1")
    if min(options.seconds, options.turn) <= 0:
        parser.error("--seconds and --turn are above 0")
    torch.set_num_threads(options.threads)
    console = Console(width=None if sys.stdout.isatty() else 140)
    roots = [f"data.{name}.root={options.photos.absolute()}" for name in ("photos", "test")]
    try:
        recipe = load(options.recipe, [*roots, *options.overrides])
        rules = Rules(recipe, marks(options.seconds, options.marks), options.turn, options.mining)
        records = Records(options.out, rules)
        if options.only_report:
            write_report(records, range(options.seeds), console)
        else:
            race(records, range(options.seeds), console)
    except UserError as error:
        print(f"{error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
