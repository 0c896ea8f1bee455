"""``rankhub report``: what runs did and learned, as one file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer

from rankhub import UserError
from rankhub.interfaces.files import write_text
from rankhub_report.kept import Kept, read_run
from rankhub_use.shell import ForceOption, JsonOption, number_option, paced, say, talk_beside

LIMIT = 15_000_000
"""Bytes of a report at most."""
MOST_RUNS = 24


def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("report.html"),
    layout: Annotated[
        str, typer.Option("--map", help="How features are laid out: pca, tsne, or none for no map.")
    ] = "pca",
    images: Annotated[int, number_option("--images", int, 3, 5000, help="Test images on a map at most.")] = 1000,
    data: Annotated[
        bool,
        typer.Option("--data/--no-data", help="Whether to read the runs' data and networks for map and thumbnails."),
    ] = True,
    force: ForceOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write one HTML file, at most 15 MB, that opens without a network: recipe, curves, results, pictures, map.

    Several runs stand side by side. What needs a run's data is left out where they are gone.

    Example: rankhub report runs/quickstart/2026-01-31_12-00-00 --out report.html
    """
    if out.is_dir():
        raise UserError(f"--out {out} is a folder; name a file, such as {out / 'report.html'}")
    if out.exists() and not force:
        raise UserError(f"--out {out} is there already; name another file, or --force to replace it")
    if layout not in ("pca", "tsne", "none"):
        raise UserError(f"--map {layout} is not one of pca, tsne, none")
    if len(runs) > MOST_RUNS:
        raise UserError(f"these are {len(runs)} runs; a report holds at most {MOST_RUNS}")
    from rankhub_report.page import charting
    from rankhub_report.parts import RunPage, worst_of
    from rankhub_report.seen import How, Seen, see

    charting()  # is said before any work
    talk = talk_beside(as_json)
    kept = _named([read_run(run) for run in runs])
    how: How = "pca" if layout == "pca" else "tsne" if layout == "tsne" else "none"
    seen = []
    for run in kept:
        if not data:
            seen.append(Seen(notes=["Data were not read (--no-data): there is no map and there are no thumbnails"]))
            continue
        seen.append(see(run.path, [one.image for one in worst_of(run)], how, images, paced(talk)))
    talk.finish()
    text, words = fitted(RunPage(kept, seen).html)
    write_text(out, text, make=True)
    for note in [f"{run.name}: {note}" for run, one in zip(kept, seen, strict=True) for note in one.notes]:
        talk.note(note)
    if words:
        talk.note(words)
    size = len(text.encode())
    if as_json:
        say(
            {
                "out": str(out),
                "bytes": size,
                "runs": [str(run) for run in runs],
                "notes": [n for s in seen for n in s.notes],
            }
        )
    else:
        talk.line(f"{out}: {size / 1e6:.1f} MB, {len(kept)} run{'s' * (len(kept) > 1)}")


def fitted(html: Callable[..., str]) -> tuple[str, str]:
    """The page with the most detail that is within the limit, and what was left out for that.

    Raises:
        UserError: It is too large even with the least.
    """
    from rankhub_report.parts import DETAILS

    for detail in DETAILS:
        text = html(detail)
        if len(text.encode()) <= LIMIT:
            return text, detail.words
    raise UserError(
        f"the report would be over {LIMIT // 10**6} MB even without pictures; name fewer runs, or --no-data"
    )


def _named(runs: Sequence[Kept]) -> list[Kept]:
    """Runs of one name are numbered, so that they can be told apart."""
    names = [run.name for run in runs]
    for number, run in enumerate(runs, 1):
        if names.count(run.name) > 1:
            run.name = f"{run.name} [{number}]"
    return list(runs)
