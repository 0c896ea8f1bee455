"""`rankhub label init`: a pool of images, and the recipe that is to learn from its labels."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated

import typer

import rankhub
from rankhub import UserError
from rankhub_active.verbs.place import DEFAULT

OVERLAY = "A file of changes, or the name of one that comes along; applied before other changes. May be repeated."


def init(
    recipe: Annotated[str, typer.Argument(help="A recipe's file, or the name of one that comes along.")],
    overrides: Annotated[list[str] | None, typer.Argument(help="Changes to it, such as optimizer.lr=0.3.")] = None,
    images: Annotated[Path, typer.Option(help="Folder of the images to label, nested or flat.")] = ...,  # type: ignore[assignment]
    folder: Annotated[Path, typer.Option("--folder", help="Folder of labeling to make.")] = DEFAULT,
    test: Annotated[int, typer.Option(min=0, help="Draw so many images to be test images, never trained on.")] = 0,
    answers: Annotated[Path | None, typer.Option(help="Labels that are known already, as for `ingest`.")] = None,
    takes: Annotated[str | None, typer.Option(help="What is asked of people: score, count or points.")] = None,
    low: Annotated[float | None, typer.Option(help="Lowest score.")] = None,
    high: Annotated[float | None, typer.Option(help="Highest score.")] = None,
    higher_is_better: Annotated[
        bool | None, typer.Option("--higher-is-better/--lower-is-better", help="Which way scores run.")
    ] = None,
    unit: Annotated[str | None, typer.Option(help="What a score measures, or what is counted.")] = None,
    labeled: Annotated[str | None, typer.Option(help="Data set of the recipe that the labels stand in for.")] = None,
    unlabeled: Annotated[str | None, typer.Option(help="Data set of the recipe that the images stand in for.")] = None,
    test_data: Annotated[str | None, typer.Option(help="Data set that the test images stand in for.")] = None,
    overlay: Annotated[list[str] | None, typer.Option(help=OVERLAY)] = None,
    seed: Annotated[int, typer.Option(min=0, help="Draws the test images and the first round.")] = 0,
) -> None:
    """Set up labeling in rounds: a pool of images, and the recipe that is to learn from their labels.

    Example: rankhub label init counting_multitask --images ~/crowds --test 50
    """
    if takes not in (None, "score", "count", "points"):
        raise UserError(f"--takes {takes}: expected score, count or points")
    from rankhub_active.labeling.settings import Wishes
    from rankhub_active.labeling.setup import set_up
    from rankhub_active.labeling.summary import advice

    talk = rankhub.talking()
    loaded = rankhub.load_recipe(recipe, overrides or [], overlays=overlay or [])
    wishes = Wishes(
        images=images,
        test=test,
        takes=takes,  # type: ignore[arg-type]
        low=low,
        high=high,
        higher_is_better=higher_is_better,
        unit=unit,
        labeled=labeled,
        unlabeled=unlabeled,
        test_data=test_data,
        seed=seed,
    )
    made = set_up(folder, loaded, wishes, talk.work)
    talk.finish()
    for note in [*made.report.notes, *made.notes]:
        talk.note(note)
    settings = made.pool.settings
    what = {"score": "a score", "count": "a count", "points": "points"}[settings.takes]
    talk.line(f"{len(made.pool.ids())} images of {settings.images}, each of which may get {what}: {folder}")
    if answers is not None:
        from rankhub_active.labeling.answers import ingest

        try:
            taken = ingest(made.pool, answers)
        except UserError:  # with better answers, the same command is to work
            shutil.rmtree(folder)
            raise
        talk.line(f"{answers.name}: {taken.sentence()}")
    talk.line(f"Next: {advice(made.pool)}")
