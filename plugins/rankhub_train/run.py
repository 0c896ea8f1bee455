"""`rankhub run`: train a recipe, or go on with a run."""

from pathlib import Path
from typing import Annotated

import typer

from rankhub import UserError
from rankhub_console.speech import talking
from rankhub_train.arguments import RECIPE_HELP, Overlays, Overrides
from rankhub_train.waiting import spinning

AUTO = Path("auto")
"""In place of a folder: that of ``--out``, whether a run is in it or not. One of this name needs its whole path."""


def run(
    recipe: Annotated[str | None, typer.Argument(help=RECIPE_HELP)] = None,
    overrides: Overrides = None,
    overlay: Overlays = None,
    out: Annotated[Path | None, typer.Option(help="The run's folder, instead of runs/RECIPE/TIME.")] = None,
    resume: Annotated[
        Path | None, typer.Option(help="Go on with the run in this folder; auto: with that in --out, or begin it.")
    ] = None,
    allow_changes: Annotated[
        bool, typer.Option("--allow-changes", help="With --resume: though recipe or data have changed since it began.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done and cost, and stop.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Check all that components give, in every step.")] = False,
) -> None:
    """Train a recipe on its data and report what it has learned.

    Ctrl-C, SIGTERM and SIGHUP end it with a checkpoint, by the codes 130, 143 and 129; --resume goes on. SIGUSR1 does
    so with 75, by which a queue may start it again. With --out FOLDER --resume auto the same call begins the run, goes
    on with it, or says that it is finished.

    Example: rankhub run s2r2_folder data.photos.root=~/photos optimizer.lr=0.002
    """
    auto = resume == AUTO
    if auto:
        if recipe is None or out is None or dry_run:
            raise UserError(
                "--resume auto takes a recipe and --out FOLDER: rankhub run RECIPE --out FOLDER --resume auto"
            )
    elif resume is not None:
        if recipe is not None or overlay or out is not None or dry_run:
            raise UserError("--resume takes only the run's folder: recipe and overrides are those the run began with")
    elif allow_changes:
        raise UserError("--allow-changes goes with --resume; a run that begins has nothing that could have changed")
    elif recipe is None:
        raise UserError(
            "name a recipe: rankhub run RECIPE [a.b.c=value ...] (rankhub recipes lists those that come along)"
        )
    import rankhub

    if resume is not None and not auto:
        if strict:
            raise UserError(f"a run goes on as strict as it is: set `strict: true` in {resume}/recipe.resolved.yaml")
        with spinning():
            import torch  # noqa: F401
        ended = rankhub.resume(resume, progress=talking(), allow_changes=allow_changes)
    else:
        changes = [*(overrides or []), *(["strict=true"] if strict else [])]
        with spinning():
            loaded = rankhub.load_recipe(str(recipe), changes, overlays=overlay or [], need_data=True)
        talk = talking(catalog=loaded.catalog)
        if dry_run:
            rankhub.estimate(loaded, progress=talk)
            return talk.line("Dry run: nothing was trained or written.")
        if auto and out is not None:
            from rankhub_train.going_on import begin_or_go_on

            found = begin_or_go_on(loaded, out, talk, allow_changes=allow_changes)
            if found is None:
                return None
            ended = found
        else:
            ended = rankhub.train(loaded, out, progress=talk)
    if ended.stopped:
        raise typer.Exit(130)
