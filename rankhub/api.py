"""The public Python door: recipes, runs, components.

Its functions are those of the package itself (``rankhub.train``), which imports this module, and torch, only when one
of them is used. Nothing that belongs to the whole process is left changed: random numbers, threads, signal handlers.
Warnings go to the logger ``rankhub``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhub.catalog.catalog import Catalog
from rankhub.catalog.nearest import suggestion
from rankhub.catalog.page import ComponentInfo, ComponentPage, info_of, page_of
from rankhub.interfaces.errors import Interrupted, UserError
from rankhub.interfaces.kinds import KINDS
from rankhub.recipe.load import LoadedRecipe
from rankhub.recipe.load import load_recipe as read_recipe
from rankhub.recipe.reader import read
from rankhub.recipe.scalars import write_value, write_yaml
from rankhub.recipe.shipped import Source, listed, names, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rankhub.engine.console import Talk
    from rankhub.engine.run import Ended, Host
    from rankhub.engine.trained import Run
    from rankhub.interfaces.callback import Callback
    from rankhub.interfaces.data import DataReport, Dataset

Progress = Any
"""None: a bar on a terminal and in a notebook, else nothing. False: nothing. Or ``progress(done, total, what)``."""

Overrides = Mapping[str, Any] | Sequence[str]


def load_recipe(
    source: str | Path | Mapping[str, Any] | LoadedRecipe,
    overrides: Overrides = (),
    *,
    overlays: Sequence[str] = (),
    need_data: bool = False,
    catalog: Catalog | None = None,
) -> LoadedRecipe:
    """Read and check a recipe, as the command line does.

    Args:
        source: A recipe's name, a path, its text (more than one line), plain data, or a loaded recipe.
        overrides: Dotted path -> value, or ``a.b.c=value`` as on the command line.
        overlays: Names or paths of overlays, applied before the overrides.
        need_data: Whether data that are not there are an error.
        catalog: The plugins; None = those that are installed.

    Raises:
        RecipeErrors: All that is wrong with it.
        UserError: There is no such recipe or overlay.
    """
    catalog = catalog or (source.catalog if isinstance(source, LoadedRecipe) else Catalog.discover())
    changes = as_overrides(overrides)
    if isinstance(source, LoadedRecipe):
        text = Source(source.resolved_text(), source.document.file)
        again = read_recipe(text, changes, catalog, overlays=overlays, need_data=need_data)
        return replace(again, text=source.text, path=source.path, changes=(*source.changes, *again.changes))
    found: str | Path | Source
    if isinstance(source, Mapping):
        found = Source(write_yaml(_plain(source)))
    else:
        found = Source(source) if isinstance(source, str) and "\n" in source else source
    return read_recipe(found, changes, catalog, overlays=overlays, need_data=need_data)


def as_overrides(overrides: Overrides) -> list[str]:
    """Overrides as the command line has them."""
    if isinstance(overrides, Mapping):
        return [f"{path}={write_value(_plain(value))}" for path, value in overrides.items()]
    return list(overrides)


def _plain(value: Any) -> Any:
    """A value as plain data: numpy's numbers are numbers, tuples lists, paths text."""
    return json.loads(json.dumps(value, default=lambda other: getattr(other, "tolist", other.__str__)()))


def train(
    recipe: str | Path | Mapping[str, Any] | LoadedRecipe,
    out: str | Path | None = None,
    data: Mapping[str, Any] | None = None,
    device: str | None = None,
    progress: Progress = None,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Train a recipe and report what it has learned, as ``rankhub run`` does.

    Args:
        recipe: Loaded, or what :func:`load_recipe` takes.
        out: The run's folder; None = ``runs/<name>/<time>``.
        data: Name of a data set of the recipe -> what is taken in its place: a folder, that is all images below it; a
            :class:`~rankhub.interfaces.data.Dataset`; images, or a pair (images, labels), see
            :meth:`rankhub.interfaces.data.GivenData.give`. How far images are shrunk when they are read (``resize``),
            and which way, in which range and unit scores are given, is said by the data set that is replaced.
            Evaluators whose data are then not there are left out, with a note.
        device: In place of the recipe's.
        progress: See :data:`Progress`.
        callbacks: Watch the run, beside those of the recipe and of plugins.

    Returns:
        The run.

    Raises:
        UserError: Whatever the user can mend; one sentence.
        Interrupted: By Ctrl-C; a checkpoint was written, and :func:`resume` goes on.
    """
    loaded = recipe if isinstance(recipe, LoadedRecipe) else load_recipe(recipe)
    with _hosted(loaded, data, device, progress, callbacks) as (loaded, host):
        from rankhub.engine.run import start

        return _finished(start(loaded, host, None if out is None else Path(out)), loaded.catalog)


def estimate(
    recipe: str | Path | Mapping[str, Any] | LoadedRecipe,
    data: Mapping[str, Any] | None = None,
    device: str | None = None,
    progress: Progress = None,
) -> dict[str, str]:
    """What training a recipe would do and cost, from trial steps on copies; nothing is trained or written.

    Returns:
        Lines by name: device, data, network, each phase, expected memory and time.

    Raises:
        UserError: As for :func:`train`, whose arguments these are.
    """
    loaded = recipe if isinstance(recipe, LoadedRecipe) else load_recipe(recipe)
    with _hosted(loaded, data, device, progress, ()) as (loaded, host):
        from rankhub.engine.run import estimate

        return estimate(loaded, host)


def resume(
    path: str | Path,
    data: Mapping[str, Any] | None = None,
    device: str | None = None,
    progress: Progress = None,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Go on with a run from its last checkpoint; it ends with the same weights bit for bit (CPU, equal threads).

    Args:
        path: The run's folder.
        data: As it was given to :func:`train`: as many images in the same order, with the same labels. A folder need
            not be given again.
        device: In place of the recipe's.
        progress: See :data:`Progress`.
        callbacks: As for :func:`train`.

    Raises:
        UserError: It is no run's folder, or its data are not there, or not those that it began with.
        Interrupted: As for :func:`train`.
    """
    from rankhub.engine.folder import resolved_recipe

    catalog = Catalog.discover()
    loaded = read_recipe(resolved_recipe(Path(path)), [], catalog)
    with _hosted(loaded, None, device, progress, callbacks) as (loaded, host):
        from rankhub.engine.given import data_again
        from rankhub.engine.run import resume

        return _finished(resume(Path(path), loaded, replace(host, data=data_again(loaded, data or {}))), catalog)


def load_run(path: str | Path, device: str | None = None, overrides: Overrides = ()) -> Run:
    """The network of a run, ready to answer, without the run's data.

    Args:
        path: The run's folder, or one of its checkpoints (``RUN/checkpoints/step_*``).
        device: Where it computes; None = as the recipe has it.
        overrides: Changes to its recipe that need no training, such as ``predict.count=10``.

    Raises:
        UserError: It is no run, has no checkpoint, or does not fit.
    """
    from rankhub.engine.preserved import preserved

    changes = [*as_overrides(overrides), *([f"device={device}"] if device is not None else [])]
    with preserved():
        from rankhub.engine.trained import Run

        run = Run(Path(path), Catalog.discover(), changes)
        run.network  # noqa: B018  what is wrong with it is said here
        return run


@dataclass(frozen=True, slots=True)
class RecipeInfo:
    """A recipe that a plugin brings.

    Attributes:
        name: What it is run by.
        description: One line.
        owner: The plugin.
        path: The file.
    """

    name: str
    description: str
    owner: str
    path: Path


def list_recipes(catalog: Catalog | None = None) -> list[RecipeInfo]:
    """The recipes that plugins bring, by name."""
    catalog = catalog or Catalog.discover()
    found = []
    for name, one in zip(names(catalog), listed(catalog), strict=True):
        found.append(RecipeInfo(name, _description(one.path), one.owner, one.path))
    return found


def _description(path: Path) -> str:
    """What a recipe says of itself; one that cannot be read must not hide the others."""
    try:
        return str(read(read_file(path).text, str(path)).data.get("description", ""))
    except UserError as error:
        return f"cannot be read: {error}"


def list_components(kind: str | None = None, catalog: Catalog | None = None) -> list[ComponentInfo]:
    """The components that recipes can use, of one kind or of all.

    Raises:
        UserError: There is no such kind.
    """
    if kind is not None and kind not in KINDS:
        raise UserError(f"there is no kind of component {kind!r}{suggestion(kind, KINDS)}")
    catalog = catalog or Catalog.discover()
    return [info_of(catalog, entry) for each in KINDS if kind in (None, each) for entry in catalog.entries(each)]


def describe(kind: str, name: str, catalog: Catalog | None = None) -> ComponentPage:
    """A component with its options, read from the component itself.

    Raises:
        UserError: There is no such component, or it cannot be imported.
    """
    return page_of(catalog or Catalog.discover(), kind, name)


def build(kind: str, spec: Mapping[str, Any], *wired: Any, catalog: Catalog | None = None) -> Any:
    """Make a component as a recipe would.

    Args:
        kind: Its kind.
        spec: ``use`` and options.
        wired: What the engine hands to every component of the kind; see :func:`describe`.
        catalog: The plugins; None = those that are installed.

    Raises:
        UserError: There is none, or its options do not fit.
    """
    return (catalog or Catalog.discover()).build(kind, spec, *wired)


def in_role(kind: str, role: str, catalog: Catalog | None = None) -> str:
    """The full name of the component that a plugin offers for a role; see :class:`rankhub.Component`.

    Raises:
        UserError: No plugin offers one.
    """
    return (catalog or Catalog.discover()).in_role(kind, role)


def component_class(kind: str, name: str, catalog: Catalog | None = None) -> type:
    """The class of a component, imported.

    Raises:
        UserError: There is no such component, or it cannot be imported.
    """
    catalog = catalog or Catalog.discover()
    return catalog.load(catalog.find(kind, name))


def talking(*, stderr: bool = False) -> Talk:
    """Where a verb speaks to people: lines, notes, tables, progress of long work.

    Warnings of engine and plugins are shown there as notes. Of several processes only the first one speaks.

    Args:
        stderr: Whether it speaks beside standard output, which then belongs to a table.
    """
    import os

    from rich.console import Console

    from rankhub.engine.console import Talk, listening

    if os.environ.get("RANK", "0") != "0":
        return listening(Talk(Console(quiet=True)))
    return listening(Talk(Console(stderr=stderr, highlight=False, soft_wrap=True)))


def open_data(
    data: Mapping[str, Any] | Dataset, recipe: LoadedRecipe, progress: Callable[[int, int, str], None]
) -> tuple[Dataset, DataReport]:
    """Open a data set with the loader of a recipe (its cache, its limit of memory).

    Args:
        data: ``use`` and options, or a data set that is not open yet.
        recipe: Whose loader it is.
        progress: Told now and then.

    Returns:
        The data set, and what it found while it opened.

    Raises:
        UserError: The data are not there, or cannot be used.
    """
    from rankhub.engine.parts import context_for

    dataset: Dataset = recipe.catalog.build("dataset", data) if isinstance(data, Mapping) else data
    if (missing := dataset.missing()) is not None:
        raise UserError(missing)
    return dataset, dataset.open(context_for(recipe.recipe, progress))


@contextmanager
def _hosted(
    loaded: LoadedRecipe,
    data: Mapping[str, Any] | None,
    device: str | None,
    progress: Progress,
    callbacks: Sequence[Callback],
) -> Iterator[tuple[LoadedRecipe, Host]]:
    """What training needs beside its recipe, while what belongs to the process is kept."""
    from rankhub.engine.preserved import preserved

    with preserved():  # libraries that are imported below draw random numbers too
        from rankhub.engine.console import talk_for
        from rankhub.engine.given import put_data
        from rankhub.engine.run import Host

        talk: Talk = talk_for(progress)
        if device is not None:
            loaded = load_recipe(loaded, [f"device={device}"])
        given: dict[str, Dataset] = {}
        if data:
            loaded, given, left_out = put_data(loaded, data)
            for sentence in left_out:
                talk.note(sentence)
        yield loaded, Host(loaded.catalog, talk, given, callbacks)


def _finished(ended: Ended, catalog: Catalog) -> Run:
    from rankhub.engine.trained import Run

    run = Run(ended.folder, catalog)
    run.stopped = ended.status == "stopped"
    if ended.interrupted:
        raise Interrupted(run)
    return run
