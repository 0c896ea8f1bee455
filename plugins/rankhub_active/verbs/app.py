"""``rankhub label``: label in rounds, the images first from which a network would learn most."""

from __future__ import annotations

from importlib import import_module

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="Label in rounds: choose images, take answers, train, and choose again.",
    epilog="Order: init, then next, serve or ingest, train, and next again.",
)

for _verb in ("init", "next", "serve", "ingest", "train", "status", "export", "move"):
    app.command(_verb)(getattr(import_module(f"rankhub_active.verbs.{_verb}"), _verb))
