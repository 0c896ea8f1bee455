"""A small pool on disk, and clients of its page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from werkzeug.test import Client

from rankhub_active.labeling.pool import Pool
from rankhub_active.labeling.settings import Settings
from rankhub_active.page.app import App
from rankhub_active.page.desk import Desk

TOKEN = "t" * 43
PORT = 8123
HOST = f"http://127.0.0.1:{PORT}"
SIDES = (120, 80)
"""Width and height of the images."""


def pool_in(parent: Path, takes: str = "score", asked: int = 4, images: int = 6, **settings) -> Pool:
    """The pool of ``parent / "labeling"``; its round 1 asks for ``asked`` of the images, the last one first."""
    folder, pictures = parent / "labeling", parent / "images"
    folder.mkdir()
    (pictures / "more").mkdir(parents=True)
    rng = np.random.default_rng(0)
    names = [f"more/{number:02}.png" for number in range(images)]
    for name in names:
        pixels = rng.integers(0, 255, (SIDES[1], SIDES[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(pictures / name)
    pool = Pool.create(folder, Settings(images=str(pictures), takes=takes, **settings), names)
    if asked:
        pool.ask(list(range(images))[::-1][:asked], "random", None, {})
    return pool


def app_of(pool: Pool, by: str = "") -> App:
    """A new application on a pool, as after a restart."""
    return App(Desk(Pool(pool.folder), by), TOKEN, PORT)


class Page:
    """Asks as the page does: with the token, from the right host."""

    def __init__(self, app: App) -> None:
        self.client = Client(app)

    def get(self, path: str, **more):
        return self.client.get(f"/{TOKEN}{path}", base_url=HOST, **more)

    def post(self, id: int, told: object, **more):
        return self.client.post(f"/{TOKEN}/api/images/{id}", json=told, base_url=HOST, **more)

    def version(self, id: int) -> str:
        return self.get(f"/api/images/{id}").json["version"]

    def answer(self, id: int, label: object):
        return self.post(id, {"version": self.version(id), "label": label})
