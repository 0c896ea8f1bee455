"""Acquirers against chance on a set whose labels are all known: how many labels each needs.

    python tools/simulate_labeling.py quality_quickstart --out OUT --start 8 --step 8 --budget 48
    python tools/simulate_labeling.py RECIPE OVERRIDE ... --out OUT --acquirer random \
        --acquirer 'wrong_pairs={use: ranking_uncertainty, draws: 10}' --acquirer coreset

The recipe's own labeled data are the pool. Each seed begins with the same labels for every acquirer, drawn at random;
then each round chooses, is given the true labels, and trains, all by the code of ``rankhub label``. What is there is
not done again: the same command goes on, with more seeds or acquirers if they are added. Written to OUT: ``table.md``,
``results.csv``, ``figure.png``, a folder of labeling for each acquirer and seed, and their logs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from labeling_study.chain import Chain
from labeling_study.figure import draw
from labeling_study.plan import CHANCE, Plan, read_acquirer
from labeling_study.report import write_report
from labeling_study.results import FINISHED, Found, read
from labeling_study.truth import write_truth

import rankhub
from rankhub import UserError
from rankhub.interfaces.evaluate import Evaluator
from rankhub.recipe.labels import labels_of

DEFAULT = (CHANCE, "ranking_uncertainty")


def main() -> int:
    """Read the command line, do the rounds, report."""
    arguments = _parser().parse_args()
    try:
        acquirers = dict(read_acquirer(text) for text in arguments.acquirer or DEFAULT)
        plan = Plan(
            recipe=arguments.recipe,
            overrides=tuple(arguments.overrides),
            acquirers=acquirers,
            seeds=tuple(range(arguments.first_seed, arguments.first_seed + arguments.seeds)),
            start=arguments.start,
            step=arguments.step,
            budget=arguments.budget,
            metric=arguments.metric or _headline(arguments.recipe, arguments.overrides),
            scratch=not arguments.go_on,
            later=tuple(arguments.later),
            patches=None if arguments.patches is None else tuple(arguments.patches),
        )
        sign = _sign(plan)
        plan.keep(arguments.out)
        images = write_truth(plan, arguments.out)
        if not arguments.only_report:
            _work(plan, arguments.out, arguments.jobs, arguments.threads)
        found = read(plan, arguments.out, sign)
    except (UserError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    _report(found, images, arguments.out, arguments.title or f"{arguments.recipe}: labels chosen in rounds")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recipe", help="file or name of a recipe with labeled data and an evaluation")
    parser.add_argument("overrides", nargs="*", help="changes to it, such as steps=300")
    parser.add_argument("--out", type=Path, required=True, help="made if it is not there")
    parser.add_argument(
        "--acquirer", action="append", help=f"NAME or NAME={{use: ...}}; default: {' and '.join(DEFAULT)}"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0, help="settings are better chosen on other seeds")
    parser.add_argument("--start", type=int, default=8, help="labels of the first round, drawn at random")
    parser.add_argument("--step", type=int, default=8, help="labels of each further round")
    parser.add_argument("--budget", type=int, default=48, help="labels at the end")
    parser.add_argument("--metric", help="EVALUATOR.METRIC; default: the headline of the recipe's first evaluator")
    parser.add_argument("--go-on", action="store_true", help="each round goes on with the last one's weights")
    parser.add_argument("--later", nargs="*", default=[], help="changes to the rounds after the first: steps=100")
    parser.add_argument(
        "--patches",
        nargs=2,
        type=int,
        metavar=("SIDE", "NUMBER"),
        help="points are given for patches: NUMBER squares of SIDE pixels of each image are the pool",
    )
    parser.add_argument("--jobs", type=int, default=2, help="chains at a time")
    parser.add_argument("--threads", type=int, default=1, help="CPU threads of each")
    parser.add_argument("--title", help="of the figure")
    parser.add_argument("--only-report", action="store_true", help="do nothing but write table and figure")
    return parser


def _headline(recipe: str, overrides: list[str]) -> str:
    evaluators = _evaluators(recipe, overrides)
    if not evaluators:
        raise ValueError(f"{recipe} evaluates nothing, so there is no error to plot")
    label, evaluator = next(iter(evaluators.items()))
    return f"{label}.{evaluator.headline()[0]}"


def _evaluators(recipe: str, overrides: Sequence[str]) -> dict[str, Evaluator]:
    """Those of a recipe, by label."""
    loaded = rankhub.load_recipe(recipe, overrides)
    specs, options = loaded.resolved()["evaluate"], loaded.recipe.evaluate
    return {
        label: rankhub.build("evaluator", {"use": spec.use, **spec.options})
        for label, spec in zip(labels_of(specs), options, strict=True)
    }


def _sign(plan: Plan) -> float:
    """Which way the metric runs."""
    name, _, metric = plan.metric.partition(".")
    evaluators = _evaluators(plan.recipe, plan.overrides)
    if name not in evaluators:
        raise ValueError(f"--metric {plan.metric}: the recipe has the evaluators {', '.join(evaluators)}")
    return evaluators[name].sign(metric)


def _work(plan: Plan, out: Path, jobs: int, threads: int) -> None:
    """All chains: the first round of every seed, which acquirers share, then the acquirers one by one."""
    begun = time.monotonic()
    chains = [Chain(plan, out, name, seed, threads) for seed in plan.seeds for name in plan.acquirers]
    rounds = len(chains) * len(plan.labels)
    there = sum(len(list((chain.place / FINISHED).glob("*.json"))) for chain in chains)
    print(f"{len(chains)} chains of {len(plan.labels)} rounds, {there} of {rounds} rounds are there", flush=True)
    # A fresh interpreter for each worker: torch does not survive a fork. A worker takes the chains of one seed at a
    # time in the order of the acquirers, so that nobody trains a shared first round twice.
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), initializer=end_with_parent) as pool:
        waiting: list[Future[int]] = [
            pool.submit(_seed, [chain for chain in chains if chain.seed == seed]) for seed in plan.seeds
        ]
        for number, future in enumerate(as_completed(waiting), 1):
            minutes = (time.monotonic() - begun) / 60
            left = minutes / number * (len(waiting) - number)
            print(f"seed {future.result()}: over  [{minutes:.0f} min, about {left:.0f} min left]", flush=True)


def end_with_parent() -> None:
    """End this worker when the tool is killed: it would go on, beside the one that the next start gives its chain."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _seed(chains: list[Chain]) -> int:
    """The chains of a seed; one that fails leaves the others be."""
    for chain in chains:
        begun = time.monotonic()

        def said(labels: int, chain: Chain = chain, begun: float = begun) -> None:
            seconds = time.monotonic() - begun
            print(f"  seed {chain.seed} {chain.name}: {labels} labels, {seconds:.0f} s since it began", flush=True)

        try:
            chain.run(said)
        except UserError as error:
            print(f"  seed {chain.seed} {chain.name} failed, the others go on: {error}", flush=True)
    return chains[0].seed


def _report(found: Found, images: int, out: Path, title: str) -> None:
    print(write_report(found, images, out))
    if any(found.whole(name) for name in found.plan.acquirers):
        draw(found, images, title, out / "figure.png")
        print(f"{out / 'table.md'}, {out / 'figure.png'}, {out / 'results.csv'}")


if __name__ == "__main__":
    sys.exit(main())
