"""The same image gets the same answer in any company."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import rankhub
from rankhub.interfaces.model import FeatureSpec
from rankhub_use.answering import answer_files
from rankhub_use.named import NamedFile
from rankhub_use.steady import FixedStacks, stack_rows, steady

FILES = [f"{number:02d}.png" for number in range(12)]
PREDICTS = ["{use: center, size: 24}", "{use: whole, batch: 5}", "{use: whole}", "{use: crops, count: 3, size: 24}"]


def scores(run, place, names, batch_size):
    files = [NamedFile(name, str(place / "photos" / name)) for name in names]
    blocks = answer_files(run, files, batch_size)
    return {name: run.number(answer, "score.score") for block in blocks for name, answer in block.answered}


@pytest.mark.parametrize("predict", PREDICTS)
def test_order_and_number_of_files_change_no_bit_and_batch_size_and_threads_next_to_nothing(place, predict):
    run = rankhub.load_run(place / "run", overrides=[f"predict={predict}"])
    whole = scores(run, place, FILES, 7)
    assert len(set(whole.values())) == 12
    shuffled = np.random.default_rng(1).permutation(FILES).tolist()
    for names in (FILES[::-1], shuffled, FILES[3:4], FILES[5:9], [*FILES[:2], "gone.png", *FILES[2:]]):
        found = scores(run, place, names, 7)
        assert found == {name: whole[name] for name in names if name in whole}
    spread = 110.0
    for threads, batch_size in ((1, 1), (1, 2), (1, 24), (2, 7)):
        torch.set_num_threads(threads)
        found = scores(run, place, FILES, batch_size)
        assert max(abs(found[name] - whole[name]) for name in FILES) <= 1e-5 * spread


class Flat:
    """A linear layer on the pixels of 1 x n views."""

    def __init__(self, width, outputs):
        torch.manual_seed(0)
        self.layer, self.features, self.outputs = nn.Linear(width, outputs), FeatureSpec(width), {}

    @torch.no_grad()
    def __call__(self, images):
        return {"backbone": self.layer(images.flatten(1))}


def as_it_is(images, forward):
    return forward(torch.stack(list(images)).float() / 255)


def one_by_one(images, forward):
    parts = [forward(image[None].float() / 255)["backbone"] for image in images]
    return {"backbone": torch.cat(parts)}


def test_stacks_are_multiples_of_16_where_place_is_nothing_and_single_views_where_it_is():
    image = torch.zeros(3, 8, 8, dtype=torch.uint8)
    plain = Flat(192, 1)
    assert stack_rows(as_it_is, plain, image, 7) == 16
    assert stack_rows(as_it_is, plain, image, 33) == 48
    assert stack_rows(one_by_one, plain, image, 7) is None  # images never mix
    assert stack_rows(as_it_is, plain, image, 1) is None

    class ByPlace(Flat):
        def __call__(self, images):
            said = super().__call__(images)["backbone"]
            return {"backbone": said + 1e-7 * said.abs() * torch.arange(len(said))[:, None]}

    assert stack_rows(as_it_is, ByPlace(192, 1), image, 7) == 1


@pytest.mark.parametrize("count", [1, 15, 16, 17, 40])
def test_stacks_are_filled_up_and_only_what_was_asked_for_comes_back(count):
    seen = []

    class Watched(Flat):
        def __call__(self, images):
            seen.append(len(images))
            return super().__call__(images)

    forward = Watched(192, 3)
    views = torch.rand(count, 3, 8, 8)
    found = FixedStacks(forward, 16)(views)["backbone"]
    assert set(seen) == {16}
    assert found.shape == (count, 3)
    torch.testing.assert_close(found, Flat(192, 3)(views)["backbone"])


def test_a_run_that_is_steady_already_takes_the_new_number(place):
    run = rankhub.load_run(place / "run")
    own = run.predictor
    assert steady(steady(run, 4), 8).predictor.inner is own
    assert run.predictor.batch_size == 8


def test_what_is_wrong_with_answers_is_said_of_the_component_that_gave_them(place):
    run = rankhub.load_run(place / "run")

    class Center(type(run.predictor)):
        def __call__(self, images, forward):
            return {"backbone": super().__call__(images, forward)["backbone"]}

    run.predictor = Center(size=24)
    with pytest.raises(Exception, match=r"gave the answers backbone, they must be backbone, score\.score") as caught:
        scores(run, place, FILES[:1], 4)
    assert "Center" in str(caught.value)
    assert "Steady" not in str(caught.value)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cpu_and_cuda_agree_to_a_thousandth_of_the_range(place):
    found = [
        scores(rankhub.load_run(place / "run", device=device, overrides=["precision=fp32"]), place, FILES, 7)
        for device in ("cpu", "cuda")
    ]
    assert max(abs(found[0][name] - found[1][name]) for name in FILES) <= 1e-3 * 110
