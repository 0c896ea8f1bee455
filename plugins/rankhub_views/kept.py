"""Keeps the pictures of a run's views, so that a person sees what the network is shown."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from rankhub.interfaces.callback import Callback
from rankhub.interfaces.files import whole


class Pictures(Callback):
    """Writes each as ``NAME_step_STEP.png`` to a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def pictures(self, step: int, pictures: Mapping[str, npt.NDArray[np.uint8]]) -> None:
        """Write them."""
        for name, picture in pictures.items():
            with whole(self.folder / f"{name}_step_{step}.png", make=True) as beside:
                Image.fromarray(picture).save(beside, "PNG")
