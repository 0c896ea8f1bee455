"""The command line ``rankhub``: its verbs, and how a verb ends.

Plugins bring all verbs. Only the one that is called is imported, the others are listed from their records, so that a
slow or broken verb costs the others nothing.
"""

import os
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from pkgutil import resolve_name
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import rankhub
from rankhub import STRAYS, Catalog, Plugin, PluginFailure, UserError, Verb, blamed, guarded, suggestion
from rankhub.interfaces.errors import SWITCH
from rankhub.interfaces.files import REMEDIES, unwritable
from rankhub.interfaces.talk import silence

WRONG, INTERRUPTED, UNREAD = 2, 130, 141
"""Exit codes: the user can mend it (as for wrong usage); ended by Ctrl-C, and by SIGPIPE, as a shell says it."""

FIRST_SPEAKS = 5.0
"""Seconds for which the other processes of a run wait with an error, which the first one mostly has as well."""

LISTING = "plugins"
"""The verb that says which plugins cannot be used. It comes along, and is found before any other plugin is imported."""


def main() -> None:
    """Entry point of the command ``rankhub`` and of ``python -m rankhub``."""
    for stream in filter(None, (sys.stdout, sys.stderr)):  # in UTF-8 whatever the locale
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    code = execute(sys.argv[1:])
    if any(thread.is_alive() for thread in STRAYS):  # the interpreter would wait for them
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def execute(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code. What is not the user's to mend is raised."""
    try:
        with blamed(caller=__package__):
            build(arguments)(args=list(arguments), prog_name="rankhub")
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else int(ending.code is not None)
    except (UserError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in REMEDIES:
            raise
        if os.environ.get(SWITCH):
            traceback.print_exception(error)
        said = unwritable(error.filename or "what this would write", error) if isinstance(error, OSError) else error
        with suppress(OSError):  # nobody may be there to read it
            print(f"error: {_of_process(str(said))}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _of_process(text: str) -> str:
    """An error as one of several processes says it. One that all have is said once: the launcher ends the others."""
    rank = os.environ.get("RANK", "0") if os.environ.get("WORLD_SIZE", "1") != "1" else "0"
    if rank == "0":
        return text
    time.sleep(FIRST_SPEAKS)
    return f"process {rank}: {text}"


class _Group(TyperGroup):
    """Ends on Ctrl-C, and once nobody reads what it prints, with the code that shells expect."""

    def invoke(self, ctx: Any) -> Any:
        """Run the verb."""
        try:
            result = super().invoke(ctx)
            if sys.stdout is not None:
                sys.stdout.flush()
            return result
        except KeyboardInterrupt as error:
            raise typer.Exit(getattr(error, "code", INTERRUPTED)) from error
        except OSError as error:  # what could not be printed must not be tried again at the end
            silence(sys.stdout)
            if isinstance(error, BrokenPipeError):
                raise typer.Exit(UNREAD) from error
            raise
        except SystemExit as ending:  # as rich ends
            if isinstance(ending.__context__, BrokenPipeError):
                raise typer.Exit(UNREAD) from ending
            raise


def build(arguments: Sequence[str]) -> typer.Typer:
    """The app, with the verb that ``arguments`` call and the names of the others."""
    called = next((argument for argument in arguments if not argument.startswith("-")), None)
    app = typer.Typer(
        cls=_Group,
        help="Train networks on orders over images: representations, image quality and counting by ranking.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich" if called else None,  # what draws a list of verbs takes as long as all else
    )
    app.callback()(_options)
    catalog = Catalog.official() if called == LISTING else Catalog.discover()
    verbs = plugin_verbs(catalog)
    if called is not None and called not in verbs and catalog.broken:
        raise UserError(f"no verb is called {called!r}{suggestion(called, verbs)}{catalog.elsewhere()}")
    for name, verb in sorted(verbs.items()):
        if name == called:
            _register(app, name, verb)
        else:
            app.command(name, help=verb.summary)(_listed)
    return app


def plugin_verbs(catalog: Catalog) -> dict[str, Verb]:
    """The verbs of plugins by what is typed: ``OWNER/NAME`` for two of one name, and for a stranger's ``plugins``.

    A verb that comes along with rankhub keeps its name, so that no other plugin changes what is typed every day.
    """
    found = [(plugin, verb) for plugin in catalog.plugins for verb in plugin.verbs]
    own = [verb.name for plugin, verb in found if plugin.official]
    taken = [LISTING, *(verb.name for _, verb in found)]

    def alone(plugin: Plugin, verb: Verb) -> bool:
        return (own if plugin.official else taken).count(verb.name) == 1

    return {verb.name if alone(plugin, verb) else f"{plugin.owner}/{verb.name}": verb for plugin, verb in found}


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"rankhub {rankhub.__version__}")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Options before the verb; what they do is in their callbacks."""


def _listed() -> None:
    """Stands in for a verb that is listed but not called."""


def _register(app: typer.Typer, name: str, verb: Verb) -> None:
    try:
        loaded = guarded(lambda: resolve_name(verb.target))
    except PluginFailure as error:
        raise UserError(f"the verb {name} cannot be imported: {error}; see `rankhub plugins list`") from error
    if not callable(loaded):
        raise UserError(f"the verb {name} cannot be called: {verb.target} is no function; tell its author")
    if isinstance(loaded, typer.Typer):
        app.add_typer(loaded, name=name, short_help=verb.summary)
    else:
        app.command(name, short_help=verb.summary)(loaded)
