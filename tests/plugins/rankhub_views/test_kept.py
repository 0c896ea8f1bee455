"""The pictures of a run's views, as the plugin keeps them."""

import numpy as np
from helpers import fakes
from helpers.recipes import load_text
from helpers.training import catalog
from PIL import Image

import rankhub_views
from rankhub.engine import run as engine
from rankhub.interfaces.callback import Callback, RunInfo
from rankhub.interfaces.talk import Talk


class Told(Callback):
    """What a callback is told."""

    def __init__(self):
        self.found = {}

    def pictures(self, step, pictures):
        self.found |= {f"{name}_step_{step}.png": picture for name, picture in pictures.items()}


def test_a_run_keeps_what_callbacks_are_told(tmp_path):
    folder, told = tmp_path / "run", Told()
    (keeps,) = rankhub_views.rankhub_observers(RunInfo("fake", folder, {}, 0, 12))
    host = engine.Host(catalog(), Talk(), {}, [keeps, told])
    engine.start(load_text(fakes.RECIPE, [], catalog()), host, folder)
    assert "views_views_step_0.png" in told.found
    assert {path.name for path in (folder / "pictures").iterdir()} == set(told.found)
    for name, picture in told.found.items():
        np.testing.assert_array_equal(np.asarray(Image.open(folder / "pictures" / name)), picture)


def test_without_one_who_draws_there_is_nothing_to_keep(tmp_path):
    told = Told()
    engine.start(load_text(fakes.RECIPE, [], catalog()), engine.Host(catalog(), Talk(), {}, [told]), tmp_path / "run")
    assert told.found == {}
