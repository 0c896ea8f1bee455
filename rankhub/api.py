"""The public Python door: recipes, runs, components.

Its functions are those of the package itself (``rankhub.train``), which imports this module, and torch, only when one
of them is used. Nothing that belongs to the whole process is left changed: random numbers, threads, signal handlers.
Warnings go to the logger ``rankhub``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rankhub.catalog.catalog import Catalog, ComponentInfo
from rankhub.catalog.nearest import suggestion
from rankhub.interfaces.errors import Interrupted, UserError
from rankhub.recipe.load import LoadedRecipe
from rankhub.recipe.load import load_recipe as read_recipe
from rankhub.recipe.overrides import Change
from rankhub.recipe.reader import read_yaml, write_value, write_yaml
from rankhub.recipe.shipped import Shipped, Source, What, find, listed, read_file, shipped

if TYPE_CHECKING:
    from rankhub.engine.cost import RunPlanned
    from rankhub.engine.run import Ended
    from rankhub.engine.trained import Run
    from rankhub.interfaces.callback import Callback

Progress = Any
"""None: a bar on a terminal and in a notebook, else nothing. False: nothing. Or ``progress(done, total, what)``, or a
:class:`rankhub.Talk`, to which all is said that is logged otherwise."""

Recipe = str | Path | Mapping[str, Any] | LoadedRecipe
"""A recipe's name, a path, its text (more than one line), plain data, or a loaded recipe."""

Overrides = Mapping[str, Any] | Sequence[str | Change]
"""Dotted path -> value, or ``a.b.c=value`` as on the command line, or changes that know the file and the line that ask
for them."""


def load_recipe(
    source: Recipe,
    overrides: Overrides = (),
    *,
    overlays: Sequence[str] = (),
    need_data: bool = False,
    catalog: Catalog | None = None,
) -> LoadedRecipe:
    """Read and check a recipe, as the command line does.

    Args:
        source: See :data:`Recipe`.
        overrides: See :data:`Overrides`.
        overlays: Names or paths of overlays, applied before the overrides.
        need_data: Whether data that are not there are an error.
        catalog: The plugins; None = those that are installed.

    Raises:
        RecipeErrors: All that is wrong with it.
        UserError: There is no such recipe or overlay.
    """
    catalog = catalog or (source.catalog if isinstance(source, LoadedRecipe) else Catalog.discover())
    changes = _overrides(overrides)
    if isinstance(source, LoadedRecipe):
        text = Source(source.resolved_text(), source.document.file)
        again = read_recipe(text, changes, catalog, overlays=overlays, need_data=need_data)
        return replace(again, text=source.text, path=source.path, changes=(*source.changes, *again.changes))
    found = source if isinstance(source, str | Path) else Source(write_yaml(_plain(source)))
    if isinstance(found, str) and "\n" in found:
        found = Source(found)
    return read_recipe(found, changes, catalog, overlays=overlays, need_data=need_data)


def _overrides(overrides: Overrides) -> list[str | Change]:
    """Overrides as the command line has them, or changes."""
    if isinstance(overrides, Mapping):
        return [f"{path}={write_value(_plain(value))}" for path, value in overrides.items()]
    return list(overrides)


def _plain(value: Any) -> Any:
    """A value as plain data: numpy's numbers are numbers, tuples lists, paths text."""
    return json.loads(json.dumps(value, default=lambda other: getattr(other, "tolist", other.__str__)()))


def train(
    recipe: Recipe,
    out: str | Path | None = None,
    data: Mapping[str, Any] | None = None,
    device: str | None = None,
    progress: Progress = None,
    callbacks: Sequence[Callback] = (),
) -> Run:
    """Train a recipe and report what it has learned, as ``rankhub run`` does.

    Args:
        recipe: See :data:`Recipe`.
        out: The run's folder; None = ``runs/<name>/<time>``.
        data: Name of a data set of the recipe -> what is taken in its place: a folder, that is all images below it; a
            :class:`~rankhub.interfaces.data.Dataset`; images, or a pair (images, labels), in the forms that
            the component of the role ``given`` takes. How far images are shrunk when they are read (``resize``),
            and which way, in which range and unit scores are given, is said by the data set that is replaced.
            Evaluators whose data are then not there are left out, with a note.
        device: In place of the recipe's.
        progress: See :data:`Progress`.
        callbacks: Watch the run, beside those of the recipe and of plugins.

    Raises:
        UserError: Whatever the user can mend; one sentence.
        Interrupted: By Ctrl-C; a checkpoint was written, and :func:`resume` goes on.
    """
    _import_engine()
    from rankhub.engine.run import hosted, start

    with hosted(_loaded(recipe, device), data, progress, callbacks) as (loaded, host):
        return _finished(start(loaded, host, None if out is None else Path(out)), loaded.catalog)


def estimate(
    recipe: Recipe, data: Mapping[str, Any] | None = None, device: str | None = None, progress: Progress = None
) -> RunPlanned:
    """What :func:`train` with these arguments would do and cost, from trial steps on copies; nothing is written."""
    _import_engine()
    from rankhub.engine.run import estimate, hosted

    with hosted(_loaded(recipe, device), data, progress) as (loaded, host):
        return estimate(loaded, host)


def resume(
    path: str | Path,
    data: Mapping[str, Any] | None = None,
    device: str | None = None,
    progress: Progress = None,
    callbacks: Sequence[Callback] = (),
    allow_changes: bool = False,
) -> Run:
    """Go on with a run from its last checkpoint; it ends with the same weights bit for bit (CPU, equal threads).

    Args:
        path: The run's folder.
        data: As it was given then: as many images in the same order, with the same labels. A folder need not be given
            again.
        device: As for :func:`train`, as are ``progress`` and ``callbacks``.
        progress: As there.
        callbacks: As there.
        allow_changes: Whether to go on though its recipe or its data have changed since it began. That is noted in its
            folder, and what was measured before is set aside; answers keep the scale of the labels that it began with.

    Raises:
        ChangedError: Something has changed.
        UserError: It is no run, another process trains it, or it does not fit.
    """
    _import_engine()
    from rankhub.engine.data_overrides import data_again
    from rankhub.engine.folder import check_plugins, resolved_recipe
    from rankhub.engine.run import hosted, resume

    catalog = Catalog.discover()
    check_plugins(Path(path), catalog)
    begun = read_recipe(resolved_recipe(Path(path)), [], catalog)
    with hosted(_loaded(begun, device), None, progress, callbacks) as (loaded, host):
        given = replace(host, data=data_again(loaded, data or {}))
        ended = resume(Path(path), loaded, given, allow_changes=allow_changes)
        return _finished(ended, loaded.catalog)


def load_run(path: str | Path, device: str | None = None, overrides: Overrides = ()) -> Run:
    """The network of a run, ready to answer, without the run's data.

    Args:
        path: The run's folder, or one of its checkpoints (``RUN/checkpoints/step_*``).
        device: Where it computes; None = as the recipe has it.
        overrides: Changes to its recipe that need no training, such as ``predict.count=10``.

    Raises:
        UserError: It is no run, has no checkpoint, or does not fit.
    """
    changes = [*map(str, _overrides(overrides)), *([f"device={device}"] if device is not None else [])]
    _import_engine()
    from rankhub.engine.trained import Run

    run = Run(Path(path), Catalog.discover(), changes)
    run.network  # noqa: B018  what is wrong with it is said here
    return run


def list_recipes(what: What = "recipe", catalog: Catalog | None = None) -> list[Shipped]:
    """The recipes that plugins bring, by name; or the overlays, or the blocks that recipes extend."""
    return listed(catalog or Catalog.discover(), what)


def recipe_files(name: str, catalog: Catalog | None = None) -> dict[Path, str]:
    """The file of a recipe that a plugin brings with its text, and then those of the file that it extends.

    Raises:
        UserError: No plugin brings one of that name, or a file cannot be read.
    """
    catalog = catalog or Catalog.discover()
    one = shipped(catalog, name)
    source = read_file(one.path, one.distribution)
    other = read_yaml(source.text, source.file).data.get("extends")
    base = [find(other, catalog, "block", "recipe", beside=source)] if isinstance(other, str) else []
    return {found.path: found.text for found in (source, *base) if found.path is not None}


def list_components(kind: str | None = None, catalog: Catalog | None = None) -> list[ComponentInfo]:
    """The components that recipes can use, of one kind or of all.

    Raises:
        UserError: There is no such kind.
    """
    catalog = catalog or Catalog.discover()
    if kind is not None and kind not in catalog.kinds:
        raise UserError(f"there is no kind of component {kind!r}{suggestion(kind, catalog.kinds)}{catalog.elsewhere()}")
    return [info for each in catalog.kinds if kind in (None, each) for info in catalog.entries(each)]


def build(kind: str, spec: Mapping[str, Any], *wired: Any, catalog: Catalog | None = None) -> Any:
    """Make a component as a recipe would.

    Args:
        kind: Its kind.
        spec: ``use`` and options.
        wired: What the engine hands to every component of the kind; see :func:`rankhub.describe`.
        catalog: The plugins; None = those that are installed.

    Raises:
        UserError: There is none, or its options do not fit.
    """
    return (catalog or Catalog.discover()).build(kind, spec, *wired)


def _import_engine() -> None:
    """Import what runs need; libraries draw random numbers when they are imported, which is taken back."""
    from rankhub.engine.device import preserved

    with preserved():
        import rankhub.engine.run  # noqa: F401


def _loaded(recipe: Recipe, device: str | None) -> LoadedRecipe:
    loaded = recipe if isinstance(recipe, LoadedRecipe) else load_recipe(recipe)
    return loaded if device is None else load_recipe(loaded, [f"device={device}"])


def _finished(ended: Ended, catalog: Catalog) -> Run:
    from rankhub.engine.trained import Run

    run = Run(ended.folder, catalog)
    run.stopped = ended.status == "stopped"
    if ended.signal:
        raise Interrupted(run, ended.signal)
    return run
