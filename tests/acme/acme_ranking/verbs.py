"""The plugin's verb."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import rankhub
from rankhub_console.speech import talking


def rate(
    run: Annotated[Path, typer.Argument(help="A run's folder.")],
    images: Annotated[Path, typer.Argument(help="A folder of images.")],
) -> None:
    """Say the score of each image."""
    talk = talking()
    with rankhub.load_run(run) as trained:
        for prediction in trained.predict(images):
            talk.line(f"{prediction.path} {prediction.value:.3f} {prediction.unit['stars']}")
