"""Images and labels that tests hand over in Python, and a recipe that takes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import yaml
from helpers import fakes
from PIL import Image

import rankhub
import rankhub_data
import rankhub_guards
import rankhub_train
from rankhub.catalog.catalog import Catalog

STACK = np.random.default_rng(0).integers(0, 256, (24, 8, 8, 3), dtype=np.uint8)
LABELS = [number % 2 for number in range(24)]
SHORT = {"phases.first.epochs": 1}


def installed(monkeypatch) -> Catalog:
    """Install the fakes, the plugin whose data set takes what is handed over, and the guards, and nothing else."""
    official = {"rankhub_data": rankhub_data, "rankhub_guards": rankhub_guards, "rankhub_train": rankhub_train}
    found = Catalog.of({"fakes": fakes, **official})
    monkeypatch.setattr(Catalog, "discover", classmethod(lambda cls: found))
    return found


def photos(folder: Path) -> list[Path]:
    """The images as files of a new folder, in order."""
    folder.mkdir()
    for number, image in enumerate(STACK):
        Image.fromarray(image).save(folder / f"{number:02}.png")
    return sorted(folder.iterdir())


class Made(torch.utils.data.Dataset):
    """As torch has them."""

    def __init__(self, images=STACK, labels=None):
        self.images, self.given = images, labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, number):
        image = torch.from_numpy(self.images[number]).permute(2, 0, 1)
        return image if self.given is None else (image, self.given[number])


def labeled(**changes):
    """A recipe whose stream needs labels."""
    recipe = yaml.safe_load(fakes.RECIPE)
    recipe["streams"]["views"] |= {"generator": [{"use": "dimmer"}], "objectives": [{"use": "fit", "head": "main"}]}
    return rankhub.load_recipe(recipe, {**SHORT, **changes})
