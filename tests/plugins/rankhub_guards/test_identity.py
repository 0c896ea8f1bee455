"""By what a data set is known again."""

from __future__ import annotations

import time

import numpy as np

from rankhub.interfaces.data import Dataset, LabelSpec
from rankhub_guards.identity import differences, identity


class Many(Dataset):
    """A million images that nobody can decode."""

    label = LabelSpec("score")

    def __init__(self, count=1_000_000, last=0.0):
        self.values = np.random.default_rng(0).normal(size=count)
        self.values[-1] = last

    def open(self, context):
        raise AssertionError

    def __len__(self):
        return len(self.values)

    def __getitem__(self, index):
        raise AssertionError

    def labels(self):
        return self.values

    def facts(self, name):
        return [f"folder/{number:07}.jpg" for number in range(len(self))] if name == "path" else None

    def sizes(self):
        return np.full((len(self), 2), 640)

    def digests(self):
        return np.arange(len(self), dtype=np.uint64)


def test_a_million_images_are_told_apart_cheaply():
    since = time.process_time()
    one = identity(Many())
    assert time.process_time() - since < 10
    other = identity(Many(last=1.0))
    assert list(differences(one, other)) == ["has other labels"]


def test_accents_written_in_two_ways_are_one_name():
    class Named(Many):
        def facts(self, name):
            return [self.name] * len(self) if name == "path" else None

    one, other = Named(3), Named(3)
    one.name, other.name = "caf\u00e9.png", "cafe\u0301.png"
    assert identity(one) == identity(other)


def test_a_record_that_is_not_whole_is_said():
    now = identity(Many(3))
    then = {key: value for key, value in now.items() if key != "labels"}
    assert list(differences(then, now)) == ["is not described whole in the run's folder, labels is not there"]
