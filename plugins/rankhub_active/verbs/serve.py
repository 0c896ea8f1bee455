"""`rankhub label serve`: a page to label on."""

from __future__ import annotations

import os
import sys
import webbrowser
from typing import Annotated

import typer

from rankhub_active.verbs.folder_option import DEFAULT, Folder


def serve(
    folder: Folder = DEFAULT,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on this machine; 0 = as last time, or any free one.")
    ] = 0,
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the browser.")] = True,
    by: Annotated[str, typer.Option(metavar="NAME", help="Who labels; noted with each label.")] = "",
) -> None:
    """Open a page on which people label the images that were asked for, by mouse and keyboard.

    The page is there for this machine only, at an address with a secret in it. Each answer is saved at once; close
    the page or end the command at any time, and go on later. From another machine, forward the same port:
    ssh -L PORT:127.0.0.1:PORT HOST, and open the address as it is printed.

    Example: rankhub label serve
    """
    from rankhub import UserError
    from rankhub_active.labeling.pool import Pool
    from rankhub_active.labeling.summary import advice
    from rankhub_active.page.desk import Desk
    from rankhub_active.page.server import served

    desk = Desk(Pool(folder), by)
    sheet = desk.sheet()
    if not sheet.waiting:
        raise UserError(f"no image of {folder.absolute()} waits for a label; next: {advice(desk.pool)}")
    with served(desk, folder, port) as (server, address):
        typer.echo(address.url)
        typer.echo(
            f"{sheet.waiting} of the {len(sheet.rows)} images of round {sheet.number} wait. "
            "Ctrl-C ends; every answer is saved."
        )
        sys.stdout.flush()
        try:
            if browser and _has_screen():
                webbrowser.open(address.url)
            server.serve_forever()  # returns on Ctrl-C
        except KeyboardInterrupt:
            pass
    sheet = desk.sheet()
    answered = len(sheet.rows) - sheet.waiting
    typer.echo(f"{answered} of the {len(sheet.rows)} images of round {sheet.number} are answered.")
    typer.echo(f"Next: {advice(desk.pool)}")


def _has_screen() -> bool:
    """Whether a browser would have a window; without one, Python opens a text browser, which takes the terminal."""
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
