"""The reducer gives the sum over passes and processes, whatever these use, and the same one every time."""

import pytest
import torch
from helpers.reduced import COUNT, PARTS, STEPS, Parts, on_processes
from torch import nn

from rankhub.interfaces.processes import Processes


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return on_processes(tmp_path_factory.mktemp("reduced"))


@pytest.mark.parametrize("kind", ["passes", "reentrant", "without_start", "again"])
def test_each_gradient_is_the_sum_over_passes_and_processes(found, kind):
    for step in range(STEPS):
        for name, _ in Parts().named_parameters():
            own = [process[kind][step][0][name] for process in found]
            reached = [gradient for gradient in own if gradient is not None]
            for process in found:
                shared = process[kind][step][1][name]
                if not reached:
                    assert shared is None, name
                else:
                    near = 1e-12 if shared.dtype == torch.float64 else 1e-6
                    torch.testing.assert_close(shared, torch.stack(reached).sum(0), rtol=near, atol=near)


def test_what_was_compared_is_of_every_kind(found):
    """Parts that all, some or none of the processes have reached, and one that is reached in some steps only."""
    users = {
        name: [sum(process["passes"][step][0][f"{name}.weight"] is not None for process in found) for step in range(2)]
        for name in (*PARTS, "conv", "frozen")
    }
    both = ("twice", "early", "late", "conv")
    assert users == {name: [3, 3] for name in both} | {
        "one": [1, 1],
        "other": [1, 1],
        "odd": [0, 3],
        "never": [0, 0],
        "frozen": [0, 0],
    }


def test_buckets_are_sent_while_the_pass_is_under_way(found):
    for process in found:
        assert process["events"].index("sent") < process["events"].index("first layer")
        assert process["events"].count("sent") > 1
        assert process["events after"].index("sent") > process["events after"].index("first layer")


def test_sums_after_the_pass_are_the_same(found):
    for process in found:
        for one, other in zip(process["whole"], process["after"], strict=True):
            torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-4)


def test_the_sums_of_a_run_that_goes_on_are_the_same_bit_for_bit(found):
    for process in found:
        assert len(process["whole"]) == STEPS
        for one, other in zip(process["whole"][2:], process["resumed"], strict=True):
            assert torch.equal(one, other)
        assert torch.equal(process["whole"][-1], found[0]["whole"][-1])


def test_what_cannot_be_reduced_is_said(found):
    for process in found:
        assert process["own"].startswith(
            "UserError: a part of the network or of a loss goes back through a graph of its own"
        )


def test_a_process_that_is_gone_is_noticed_in_the_pass(found):
    assert [process.get("lost", "").partition(":")[0] for process in found] == [*["PeerLostError"] * (COUNT - 1), ""]


class Doubled(Processes):
    """Two processes that find the same, but for what only the other one reaches."""

    def sum(self, values):
        return values.mul_(2)

    def any(self, flags):
        return [True, *flags[1:]]


def test_a_launcher_that_has_no_reducer_sums_after_the_pass():
    parameters = [nn.Parameter(torch.ones(2)) for _ in range(3)]
    Doubled(0, 2).last_backward(parameters)([(parameters[1] * torch.tensor([1.0, 2.0])).sum()])
    assert [None if p.grad is None else p.grad.tolist() for p in parameters] == [[0.0, 0.0], [2.0, 4.0], None]
