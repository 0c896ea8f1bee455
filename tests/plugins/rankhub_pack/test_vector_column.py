"""Tables that an index has a column of: packing, training's data set and conditions are as before."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.packed import pack_folder, write_photos
from helpers.vector_columns import Indexed

from rankhub_pack.packing import Packing

lance = pytest.importorskip("lance")


def indexed(packed, tmp_path):
    made = Indexed(tmp_path / "photos.index", packed)
    made.create()
    made.append(lance.dataset(str(packed)).to_table(columns=["id"])["id"].to_pylist())
    made.save()
    return made


def served(opened, packed, **how):
    found = opened(use="lance", uri=str(packed), labels="class", **how)
    return [(sample.image.numpy().tobytes(), sample.label) for sample in map(found.__getitem__, range(len(found)))]


def test_the_data_set_and_its_conditions_are_as_before(packed, tmp_path, opened):
    asked = {"where": "height = 16 and id like 'dog%'"}
    before, some = served(opened, packed), served(opened, packed, **asked)
    version = lance.dataset(str(packed)).version
    indexed(packed, tmp_path)
    assert served(opened, packed) == before
    assert served(opened, packed, **asked) == some
    assert served(opened, packed, version=version) == before
    assert 0 < len(some) < len(before) == 24


def test_images_are_appended_and_an_interrupted_packing_goes_on(packed, photos, tmp_path, opened, monkeypatch):
    made = indexed(packed, tmp_path)
    write_photos(photos, 24, 60)
    whole, calls = Packing._add, []

    def killed(self, rows, portion):
        calls.append(rows)
        if len(calls) == 3:
            raise KeyboardInterrupt
        whole(self, rows, portion)

    monkeypatch.setattr(Packing, "_add", killed)
    with pytest.raises(KeyboardInterrupt):
        pack_folder(photos, packed, append=True)
    monkeypatch.undo()
    half = lance.dataset(str(packed)).to_table(columns=["id"])["id"].to_pylist()
    assert len(half) == 44
    made.reopen()
    made.check(0.5)
    made.append([one for one in half if one not in made.known])
    made.save()  # while it is not whole
    assert pack_folder(photos, packed, resume=True).rows == 60
    assert len(served(opened, packed)) == 60
    made.reopen()
    made.check(0.5)
    every = lance.dataset(str(packed)).to_table(columns=["id"])["id"].to_pylist()
    made.append([one for one in every if one not in made.known])
    made.save()
    made.check(0.5)
    assert len(np.unique(every)) == len(made.ours) == 60
