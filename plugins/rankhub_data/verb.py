"""`rankhub data`: get the data sets that can be downloaded."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated

import typer

import rankhub
from rankhub import UserError

if TYPE_CHECKING:
    from rankhub_data.fetchable import Fetchable

app = typer.Typer(no_args_is_help=True, help="Get data sets.")


@app.callback()
def _group() -> None:
    """Keep `fetch` a verb of its own while it is the only one."""


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="A data set, as a recipe names it after `use:`.")],
    to: Annotated[Path | None, typer.Option(help="Folder to put it in, instead of the usual one.")] = None,
    mirror: Annotated[str | None, typer.Option(help="Address of the archive, instead of the usual one.")] = None,
) -> None:
    """Download a data set, check it and unpack it; goes on where an earlier call stopped.

    Example: rankhub data fetch stl10 --to ~/data
    """
    source = _fetchable(name)
    with _Bars() as bars:
        try:
            folder = source.fetch(to, mirror, bars)
        except KeyboardInterrupt:
            typer.echo("stopped; what came is kept, the same command goes on from there", err=True)
            raise typer.Exit(130) from None
    said = "is ready in" if bars.called else "is already complete in"
    typer.echo(f"{name} {said} {folder}")


def _fetchable(name: str) -> type[Fetchable]:
    """The data set ``name``.

    Raises:
        UserError: There is no such data set, or it cannot be downloaded.
    """
    from rankhub_data.fetchable import Fetchable

    cls = _class_of(name)
    if issubclass(cls, Fetchable):
        return cls
    can = []
    for component in rankhub.list_components("dataset"):
        try:
            if issubclass(_class_of(component.name), Fetchable):
                can.append(component.name)
        except UserError:  # a broken one cannot be fetched either
            continue
    listed = f"those that can: {', '.join(can)}" if can else "no installed one can"
    raise UserError(f"the data set {name!r} has nothing to download; {listed}")


def _class_of(name: str) -> type:
    """The class of a data set; a UserError if there is none of that name, or it cannot be imported."""
    cls: type = resolve_name(rankhub.describe("dataset", name).target)
    return cls


class _Bars:
    """Progress on the terminal: one bar for each thing that is done, with rate and time left.

    Plain lines, one for each tenth, where the output is no terminal.

    Attributes:
        called: Whether there was any progress at all.
    """

    def __init__(self) -> None:
        from rich import progress

        self.called = False
        self._tasks: dict[str, progress.TaskID] = {}
        self._tenths: dict[str, int] = {}
        amounts = (progress.DownloadColumn(), progress.TransferSpeedColumn(), progress.TimeRemainingColumn())
        self._progress = progress.Progress("{task.description}", progress.BarColumn(), *amounts)
        self._progress.disable = not self._progress.console.is_terminal

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, done: int, total: int, what: str) -> None:
        """Show that ``done`` of ``total`` bytes of ``what`` are done."""
        self.called = True
        if self._progress.disable:
            tenth = 10 * done // max(total, 1)
            if tenth != self._tenths.get(what):
                self._tenths[what] = tenth
                typer.echo(f"{what}: {done / 1e6:,.0f} of {total / 1e6:,.0f} MB")
            return
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)
