"""The option that all verbs of ``rankhub label`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

DEFAULT = Path("labeling")

Folder = Annotated[Path, typer.Option("--folder", help="The folder of labeling that `rankhub label init` made.")]
