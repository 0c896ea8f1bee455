"""A stream's batches are a function of their position alone."""

import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.fakes import Dimmer, Jitter, Patches

from rankhub.engine.feed import Chain, EpochPosition, Feed
from rankhub.interfaces.data import LabelSpec, Sample
from rankhub.interfaces.errors import UserError
from rankhub.interfaces.order import RankTarget
from rankhub.recipe.assembly import plan_chain
from rankhub.recipe.schema import Loader
from rankhub_points import PointLabels, Points


def feed(batch_size=5, steps=None, seed=3, data=None, **loader):
    steps = [Dimmer(levels=3)] if steps is None else steps
    return Feed(data or Patches(count=23), Chain(steps, plan_chain(steps), seed, "p/s"), batch_size, Loader(**loader))


def test_each_image_occurs_once_an_epoch():
    ours = feed()
    seen = torch.cat([torch.from_numpy(ours.indices(EpochPosition(1, n))) for n in range(ours.batches_per_epoch)])
    assert len(seen) == 20
    assert len(set(seen.tolist())) == 20


def test_epochs_and_seeds_shuffle_differently():
    orders = {tuple(feed(seed=s).indices(EpochPosition(e, 0)).tolist()) for s in (1, 2) for e in (0, 1)}
    assert len(orders) == 4


def test_any_start_gives_the_same_batches():
    whole = [batch for _, batch in feed().batches(0, 9)]
    late = [batch for _, batch in feed().batches(6, 9)]
    for one, other in zip(whole[6:], late, strict=True):
        assert torch.equal(one.images[0], other.images[0])
        assert torch.equal(one.target.index, other.target.index)


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_worker_processes_change_nothing(start):
    here = [batch for _, batch in feed().batches(2, 7)]
    there = [batch for _, batch in feed(workers=2 if start == "fork" else 1, start=start).batches(2, 7)]
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one.images[0], other.images[0])
        assert torch.equal(one.target.level, other.target.level)


@pytest.mark.parametrize(("threads", "apart", "ahead"), [(2, False, False), (1, False, True), (2, True, True)])
def test_a_thread_fetches_ahead_where_torch_leaves_a_core_or_a_gpu_computes(monkeypatch, threads, apart, ahead):
    monkeypatch.setattr("torch.get_num_threads", lambda: threads)
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    fetched, ours = set(), feed()

    def noted(at):
        fetched.add(threading.current_thread() is threading.main_thread())
        return Feed.fetch(ours, at)

    monkeypatch.setattr(ours, "fetch", noted)
    found = [batch.target.index for _, batch in ours.batches(0, 4, apart=apart)]
    assert fetched == {not ahead}
    assert torch.equal(torch.cat(found), torch.cat([feed().fetch(EpochPosition(0, n)).target.index for n in range(4)]))


def test_views_of_an_image_do_not_depend_on_the_batch():
    def views(batch_size):
        ours = feed(batch_size, steps=[Dimmer(levels=2), Jitter(views=2)])
        found = {}
        for at, batch in ours.batches(0, 20 // batch_size):
            done = ours.chain.on_device(batch, at.epoch)
            for row, (index, view) in enumerate(zip(done.target.index, done.target.view, strict=True)):
                found[int(index), int(view)] = done.images[0][row]
        return found

    small, large = views(5), views(10)
    assert set(small) == set(large)
    assert all(torch.equal(small[key], large[key]) for key in small)


def test_groups_and_levels_come_through():
    batch = next(batch for _, batch in feed().batches(0, 1))
    assert len(batch) == 15
    assert torch.equal(batch.target.group, batch.target.index)
    torch.testing.assert_close(batch.target.level[:3], torch.tensor([1, 2 / 3, 1 / 3]))


def test_views_come_again_after_so_many_draws_and_evaluation_draws_its_own():
    steps = [Dimmer(levels=2), Jitter(views=2)]
    chain = Chain(steps, plan_chain(steps), 3, "p/s")
    samples = [Patches(count=23)[index] for index in range(5)]

    def views(of, epoch):
        return of.on_device(of.batch(samples, epoch, LabelSpec()), epoch).images[0]

    again = replace(chain, repeat=3)
    for epoch in range(7):
        assert torch.equal(views(again, epoch), views(chain, epoch % 3))
    assert not torch.equal(views(chain, 3), views(chain, 0))
    assert torch.equal(views(again.drawn("evaluate"), 5), views(chain.drawn("evaluate"), 5))
    shuffled = [
        Feed(Patches(count=23), again, 5, Loader()).indices(EpochPosition(epoch, 0)).tolist() for epoch in (0, 3)
    ]
    assert shuffled[0] != shuffled[1]


class Lit(Patches):
    """Cannot be copied to another process."""

    def __init__(self, **options):
        super().__init__(**options)
        self.lamp = lambda: None


def test_data_that_cannot_be_copied_to_spawned_workers_are_one_sentence():
    assert len(list(feed(data=Lit(count=23), workers=1).batches(0, 2))) == 2
    with pytest.raises(UserError, match=r"as Lit and what makes its views .*; set loader.start=fork or loader.work"):
        next(feed(data=Lit(count=23), workers=1, start="spawn").batches(0, 2))


class Gathered(Patches):
    """Serves batches: one stack, or a list of images of several sizes; counts what is asked for one by one."""

    def __init__(self, *, kind="class", sizes=(8,), stacked=True):
        super().__init__(count=23)
        self.label = PointLabels() if kind == "points" else LabelSpec(kind)
        self.stacked, self.asked, self.gathered = stacked, 0, 0
        self.sides = [sizes[index % len(sizes)] for index in range(23)]

    def __getitem__(self, index):
        self.asked += 1
        return Sample(self.image(index), index, self.of(index))

    def image(self, index):
        side = self.sides[index]
        return torch.from_numpy(np.random.default_rng(index).integers(0, 256, (3, side, side), np.uint8))

    def of(self, index):
        """The label; the fourth of eight is missing."""
        if self.label.kind == "points":
            return np.random.default_rng(index).uniform(0, 8, (index % 3, 2))
        if self.label.kind == "class":
            return -1 if index % 8 == 3 else index % 5
        return None if self.label.kind is None else float("nan") if index % 8 == 3 else index / 7

    def batch(self, indices):
        self.gathered += 1
        images = [self.image(index) for index in indices]
        return torch.stack(images) if self.stacked else images

    def labels(self):
        return None if self.label.kind in (None, "points") else np.array([self.of(index) for index in range(23)])

    def points(self):
        return [self.of(index) for index in range(23)] if self.label.kind == "points" else None


class OneByOne(Gathered):
    """Serves other images than the class that it is derived from."""

    def __getitem__(self, index):
        return super().__getitem__(index)


@pytest.mark.parametrize("kind", [None, "class", "score", "points"])
@pytest.mark.parametrize(("sizes", "stacked"), [((8,), True), ((8,), False), ((8, 5, 11), False)])
def test_reading_in_batches_changes_nothing(kind, sizes, stacked):
    ours, theirs = (cls(kind=kind, sizes=sizes, stacked=stacked) for cls in (Gathered, OneByOne))
    both = [list(feed(data=data, steps=[Jitter(views=2)]).batches(1, 6)) for data in (ours, theirs)]
    assert (ours.asked, ours.gathered) == (0, 5)
    assert (theirs.asked, theirs.gathered) == (25, 0)
    for (_, one), (_, other) in zip(*both, strict=True):
        assert same(one.images, other.images)
        assert same([one.sizes, one.maps], [other.sizes, other.maps])
        for name in RankTarget.__slots__:
            mine, its = getattr(one.target, name), getattr(other.target, name)
            assert same(parts(mine), parts(its)), name


def parts(value):
    return [getattr(value, name) for name in Points.__slots__] if isinstance(value, Points) else [value]


def same(ones, others):
    return all(
        one is other or (one.dtype == other.dtype and torch.equal(one.nan_to_num(7), other.nan_to_num(7)))
        for one, other in zip(ones, others, strict=True)
    )


def test_worker_steps_and_guards_get_single_images():
    data = Gathered()
    list(feed(data=data).batches(0, 2))
    list(feed(data=data, steps=[Jitter(views=2)]).guarded().batches(0, 2))
    assert data.gathered == 0


def test_data_that_know_no_labels_beforehand_are_read_one_by_one():
    class Shy(Gathered):
        def labels(self):
            return None

    data = Shy()
    list(feed(data=data, steps=[Jitter(views=2)]).batches(0, 2))
    assert data.gathered == 0
