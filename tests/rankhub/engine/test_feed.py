"""A stream's batches are a function of their position alone."""

from dataclasses import replace

import torch
from helpers.fakes import Dimmer, Jitter, Patches

from rankhub.engine.feed import Chain, EpochPosition, Feed
from rankhub.interfaces.data import LabelSpec
from rankhub.recipe.assembly import plan_chain


def feed(batch_size=5, workers=0, steps=None, seed=3):
    steps = [Dimmer(levels=3)] if steps is None else steps
    return Feed(Patches(count=23), Chain(steps, plan_chain(steps), seed, "p/s"), batch_size, workers)


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


def test_worker_processes_change_nothing():
    here = [batch for _, batch in feed().batches(2, 7)]
    there = [batch for _, batch in feed(workers=2).batches(2, 7)]
    for one, other in zip(here, there, strict=True):
        assert torch.equal(one.images[0], other.images[0])
        assert torch.equal(one.target.level, other.target.level)


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
    shuffled = [Feed(Patches(count=23), again, 5, 0).indices(EpochPosition(epoch, 0)).tolist() for epoch in (0, 3)]
    assert shuffled[0] != shuffled[1]
