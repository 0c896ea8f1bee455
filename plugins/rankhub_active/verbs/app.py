"""``rankhub label``: label in rounds, the images first from which a network would learn most."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import rankhub
from rankhub import UserError
from rankhub_active.verbs.folder_option import DEFAULT, Folder
from rankhub_active.verbs.serve import serve
from rankhub_active.verbs.status import status
from rankhub_console.speech import talking
from rankhub_lock import locked
from rankhub_train.waiting import spinning

if TYPE_CHECKING:
    from rankhub_active.labeling.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    help="Label in rounds: choose images, take answers, train, and choose again.",
    epilog="Order: init, then next, serve or ingest, train, and next again.",
)

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
    from rankhub_active.labeling.settings import LabelingOptions
    from rankhub_active.labeling.setup import set_up
    from rankhub_active.labeling.summary import advice

    talk = talking()
    loaded = rankhub.load_recipe(recipe, overrides or [], overlays=overlay or [])
    wishes = LabelingOptions(
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
    what = {"score": f"a score{_scale(settings)}", "count": "a count", "points": "points"}[settings.takes]
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


def _scale(settings: Settings) -> str:
    """Range, unit and direction of the scores that are asked for, and how to have others."""
    unit = f" ({settings.unit})" if settings.unit else ""
    way = f"{'higher' if settings.higher_is_better else 'lower'} is better{unit}"
    if settings.low is None or settings.high is None:
        return f", any number, {way}; bounds by --low and --high"
    return f" from {settings.low:g} to {settings.high:g}, {way}; others by --low and --high"


def next(
    run: Annotated[
        str | None,
        typer.Argument(help="A run's folder, or one of its checkpoints; without it, that of the last `label train`."),
    ] = None,
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes to the run's recipe, such as acquire.draws=20.")
    ] = None,
    count: Annotated[int, typer.Option(min=1, help="Images to choose.")] = 50,
    among: Annotated[
        int | None, typer.Option(min=1, help="Look at so many images at the most, drawn at random; all by default.")
    ] = None,
    more: Annotated[bool, typer.Option("--more", help="Begin another round though one has open images.")] = False,
    copy: Annotated[bool, typer.Option("--copy/--no-copy", help="Copy the images into the round's folder.")] = True,
    folder: Folder = DEFAULT,
) -> None:
    """Choose the images to label next, and write them out: a list, a form for answers, copies, a contact sheet.

    While images of a round are open, the same round is written out again.

    Example: rankhub label next --count 50 acquire.draws=20
    """
    changes = overrides or []
    if run is not None and "=" in run and not Path(run).exists():  # an override where no run is named
        run, changes = None, [str(run), *changes]
    from rankhub_active.labeling.pool import Pool

    with spinning():
        from rankhub_active.labeling.choose import Request, choose
    from rankhub_active.labeling.handout import hand_out
    from rankhub_active.labeling.summary import advice

    talk, pool = talking(), Pool(folder)
    path = None if run is None else Path(run)
    if path is not None and not path.is_dir():
        raise UserError(f"{path.absolute()} is no run's folder; leave it out to take the last run of `label train`")
    chosen = choose(pool, Request(count, path, changes, among, more), talk.work)
    talk.finish()
    number, rows = chosen.round.number, chosen.rows
    files = hand_out(pool.folder / "rounds" / f"{number:03d}", chosen, pool.settings, copy=copy, progress=talk.work)
    talk.finish()
    for note in chosen.notes:
        talk.note(note)
    waiting = sum(row.state == "asked" for row in rows)
    if chosen.resumed:
        talk.line(
            f"Round {number} is not over: {waiting} of {len(rows)} images wait for an answer (--more begins another)."
        )
    else:
        talk.line(f"Round {number}: {len(rows)} images, chosen by {chosen.round.by}")
    for file in files:
        talk.line(f"  {file}")
    talk.line(f"Next: {advice(pool)}")


def ingest(
    answers: Annotated[
        Path, typer.Argument(help="CSV with path and score, count or label; of points path, x and y. Or JSON.")
    ],
    folder: Folder = DEFAULT,
    amend: Annotated[bool, typer.Option("--amend", help="Let answers replace labels that are there.")] = False,
) -> None:
    """Take the answers of a file, all of them or, where a row is wrong, none.

    A row with an empty label, or with ?, is left open; skip says that nobody can tell. Of points, a row is a point,
    and an image without one stands once with x and y left empty.

    Example: rankhub label ingest labeling/rounds/001/answers.csv
    """
    from rankhub_active.labeling.answers import ingest as take
    from rankhub_active.labeling.pool import Pool
    from rankhub_active.labeling.summary import advice

    pool = Pool(folder)
    done = take(pool, answers, amend=amend)
    typer.echo(f"{answers.name}: {done.sentence()}")
    typer.echo(f"next: {advice(pool)}")


def train(
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes to the recipe, such as steps=500; later runs keep them.")
    ] = None,
    scratch: Annotated[
        bool, typer.Option("--scratch", help="Begin with untrained weights, not the last run's.")
    ] = False,
    anew: Annotated[bool, typer.Option("--anew", help="Train once more on labels that were trained on.")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Leave out the changes that runs before were given.")
    ] = False,
    folder: Folder = DEFAULT,
) -> None:
    """Train the recipe on all labels of the pool, from where the last run's network stands.

    A run that was interrupted goes on.

    Example: rankhub label train steps=500
    """
    from rankhub_active.labeling.pool import Pool
    from rankhub_active.labeling.summary import advice

    with spinning():
        from rankhub_active.labeling.train import train as learn

    talk, pool = talking(), Pool(folder)
    waiting = len(pool.rows(state="asked"))
    if waiting:
        talk.note(f"images that were asked for and have no answer yet: {waiting}; the run learns from the others")
    sentence = f"another `rankhub label train` is at work in {folder.absolute()}; let it end"
    with locked(folder / "train.lock", sentence=sentence):
        trained = learn(pool, overrides or [], talk, scratch=scratch, anew=anew, forget=forget)
    if trained.stopped:
        talk.line(f"Or, so that the round is noted as trained: {advice(pool)}")
        raise typer.Exit(trained.code)
    talk.line(f"Next: {advice(pool)}")


def export(
    file: Annotated[Path, typer.Argument(help="CSV file to write.")],
    folder: Folder = DEFAULT,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    safe_csv: Annotated[
        bool, typer.Option("--safe-csv", help="Write ' before names that a spreadsheet would take for a formula.")
    ] = False,
) -> None:
    """Write the whole table as CSV: path, part, state, label, round, score, source and time of each image.

    Example: rankhub label export labels.csv
    """
    from rankhub_active.labeling.export import write_table
    from rankhub_active.labeling.pool import Pool

    pool = Pool(folder)
    if file.exists() and not (force and file.is_file()):
        remedy = "name another file, or --force to replace it" if file.is_file() else "it is no plain file; name one"
        raise UserError(f"{file} is there already; {remedy}")
    if not file.absolute().parent.is_dir():
        raise UserError(f"{file}: there is no folder {file.absolute().parent}; make it first")
    typer.echo(f"{write_table(pool, file, safe=safe_csv):,} images, {file}")


def move(
    images: Annotated[Path, typer.Argument(help="Where the images lie now, under the same paths below it.")],
    incomplete: Annotated[bool, typer.Option("--incomplete", help="Go on though some images are missing.")] = False,
    folder: Folder = DEFAULT,
) -> None:
    """Tell the pool that its images have moved, or lie elsewhere on this machine; nothing is copied.

    The folder of labeling itself can be moved without being told.

    Example: rankhub label move /data/photos
    """
    from rankhub_active.labeling.moved import move
    from rankhub_active.labeling.pool import Pool
    from rankhub_active.labeling.summary import advice

    pool = Pool(folder)
    missing = move(pool, images, incomplete=incomplete)
    if missing:
        typer.echo(f"{missing:,} images are missing there; they keep their labels, but are not chosen or learned from.")
    typer.echo(f"Images: {Pool(folder).settings.images}")
    typer.echo(f"Next: {advice(pool)}")


for _verb in (init, next, serve, ingest, train, status, export, move):
    app.command(_verb.__name__)(_verb)
