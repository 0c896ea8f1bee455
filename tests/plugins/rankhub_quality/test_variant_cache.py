"""Distorted images kept on disk."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import pickle
import time

import numpy as np
import pytest
import torch

from rankhub.interfaces.batch import View
from rankhub.interfaces.draws import Draws
from rankhub_quality import distortions, variant_cache
from rankhub_quality.distortions import Distortions
from rankhub_quality.ranked_sets import KindLevels

DRAWS = Draws(3, "ranked", 5, 0)
OWN = (KindLevels("gaussian_blur", (1, 2, 4)), KindLevels("gaussian_noise", (0.01, 0.05, 0.2)))


def photo(seed=0, size=(24, 31)):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (3, *size), np.uint8))


def made(step, image=None, index=7, draws=DRAWS):
    return step.apply([View(photo() if image is None else image, index)], draws)


def same(a, b):
    return len(a) == len(b) and all(
        torch.equal(x.image, y.image) and (x.view, x.kind, x.level) == (y.view, y.kind, y.level)
        for x, y in zip(a, b, strict=True)
    )


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def counted(monkeypatch):
    """How often versions were made."""
    calls = []

    def counting(*arguments):
        calls.append(1)
        return kept(*arguments)

    kept = distortions.make_variants
    monkeypatch.setattr(distortions, "make_variants", counting)
    return calls


def test_a_cache_changes_no_pixel_and_works_once(tmp_path, counted):
    plain = made(Distortions(set=OWN, fresh=False))
    step = Distortions(set=OWN, cache=str(tmp_path))
    counted.clear()
    assert same(made(step), plain)
    assert len(counted) == len(files(tmp_path)) == 1
    assert same(made(step, draws=Draws(1, "other", 9)), plain)
    assert same(made(Distortions(set=OWN, cache=str(tmp_path)), index=3), plain)
    assert len(counted) == 1


def test_images_sets_and_sizes_have_files_of_their_own(tmp_path):
    flat = torch.zeros((3, 4, 6), dtype=torch.uint8)
    for chosen in (OWN, OWN[:1]):
        step = Distortions(set=chosen, cache=str(tmp_path))
        for image in (photo(), photo(1), flat, flat.reshape(3, 6, 4)):
            assert same(made(step, image), made(Distortions(set=chosen, fresh=False), image))
    assert len(files(tmp_path)) == 8


def test_repeated_degrees_are_remembered(tmp_path, caplog):
    flat = torch.full((3, 9, 9), 70, dtype=torch.uint8)
    step = Distortions(set=OWN, cache=str(tmp_path))
    assert [view.level for view in made(step, flat) if view.kind == 0] == [1]
    again = Distortions(set=OWN, cache=str(tmp_path))
    with caplog.at_level(logging.WARNING, "rankhub"):
        assert same(made(again, flat), made(step, flat))
    assert "changes no pixel" in caplog.text


@pytest.mark.parametrize("damage", ["empty", "short", "long", "noise", "zeros", "other shape"])
def test_a_damaged_file_is_made_again(tmp_path, damage, counted):
    plain = made(Distortions(set=OWN, fresh=False))
    step = Distortions(set=OWN, cache=str(tmp_path))
    made(step)
    (path,) = files(tmp_path)
    content = path.read_bytes()
    if damage == "other shape":
        np.save(path, np.load(path)[:-1])
    else:
        changed = {
            "empty": b"",
            "short": content[:-1],
            "long": content[:60] + content,
            "noise": bytes(reversed(content)),
            "zeros": content[:300] + bytes(len(content) - 300),
        }[damage]
        path.write_bytes(changed)
    counted.clear()
    assert same(made(step), plain)
    assert len(counted) == 1
    assert path.read_bytes() == content
    assert same(made(step), plain)
    assert len(counted) == 1


def _fill(folder, start, seeds):
    start.wait()
    for seed in seeds:
        made(Distortions(set=OWN, cache=str(folder)), photo(seed))


def test_processes_may_write_at_once(tmp_path):
    context = multiprocessing.get_context("fork")
    start = context.Event()
    workers = [context.Process(target=_fill, args=(tmp_path, start, range(6))) for _ in range(3)]
    for worker in workers:
        worker.start()
    start.set()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert [path.suffix for path in files(tmp_path)] == [".npy"] * 6
    for seed in range(6):
        expected = made(Distortions(set=OWN, fresh=False), photo(seed))
        assert same(made(Distortions(set=OWN, cache=str(tmp_path)), photo(seed)), expected)


def test_views_may_be_written_to_without_harm_to_the_file(tmp_path):
    step = Distortions(set=OWN, cache=str(tmp_path))
    made(step)
    for view in made(step)[1:]:
        view.image.fill_(0)
    assert same(made(step), made(Distortions(set=OWN, fresh=False)))


def test_only_some_kinds_are_drawn_from_a_file_of_all(tmp_path):
    step = Distortions(set=OWN, kinds_per_image=1, cache=str(tmp_path))
    everything = {view.view: view.image for view in made(Distortions(set=OWN, fresh=False))}
    kinds = set()
    for epoch in range(8):
        views = made(step, draws=Draws(0, "s", epoch))
        kinds.update(view.kind for view in views)
        assert all(torch.equal(view.image, everything[view.view]) for view in views)
    assert kinds == {0, 1}
    assert len(files(tmp_path)) == 1


def test_a_disk_without_room_is_said_once_and_the_run_goes_on(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(variant_cache.os, "fsync", full)
    step = Distortions(set=OWN, cache=str(tmp_path))
    with caplog.at_level(logging.WARNING, "rankhub"):
        assert same(made(step), made(Distortions(set=OWN, fresh=False)))
        made(step, photo(1))
    assert not files(tmp_path)
    (record,) = caplog.records
    assert "No space left on device" in record.getMessage()
    assert str(tmp_path) in record.getMessage()


def test_what_killed_processes_left_is_removed(tmp_path):
    step = Distortions(set=OWN, cache=str(tmp_path))
    made(step)
    (path,) = files(tmp_path)
    old, young = path.with_name("old.part"), path.with_name("young.part")
    for part in (old, young):
        part.write_bytes(b"half")
    hours = time.time() - 7200
    os.utime(old, (hours, hours))
    made(Distortions(set=OWN, cache=str(tmp_path)), photo(1))
    assert not old.exists()
    assert young.exists()


def test_the_usual_folder_is_the_users_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    step = Distortions(set=OWN, cache=True)
    assert tmp_path / ".cache" / "rankhub" / "distortions" in step.cache.folder.parents


def test_a_generator_with_a_cache_goes_to_other_processes(tmp_path):
    step = Distortions(set=OWN, cache=str(tmp_path))
    plain = made(step)
    assert same(made(pickle.loads(pickle.dumps(step))), plain)


def test_a_file_is_a_plain_array_of_records(tmp_path):
    made(Distortions(set=OWN, cache=str(tmp_path)))
    (path,) = files(tmp_path)
    records = np.load(path)
    assert records.shape == (6,)
    assert records["pixels"].shape == (6, 3, 24, 31)
