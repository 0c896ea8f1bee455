"""The gradient of a loss of the whole batch, over parts and processes of a plain loop."""

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.multiprocessing.spawn import spawn
from torch.nn.parallel import DistributedDataParallel

from rankhub_ranking.exact_batch import ExactBatch
from rankhub_ranking.proof import compare_gradients, gradients, main
from rankhub_s2r2.functional import smooth_ap

IMAGES = torch.randn(14, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
GROUPS = torch.arange(14) // 2


def network(*between):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), *between, nn.Tanh(), nn.Linear(8, 4)).double()


def plain(net):
    smooth_ap(net(IMAGES), GROUPS).backward()
    return [gradient.clone() for gradient in gradients(net)]


def exact(net, parts):
    with ExactBatch(net, IMAGES, parts) as batch:
        smooth_ap(batch.outputs, batch.gather(GROUPS)).backward()
    return gradients(net)


@pytest.mark.parametrize("parts", [1, 2, 3, 14])
def test_the_parts_give_the_gradient_of_the_whole(parts):
    torch.testing.assert_close(exact(network(), parts), plain(network()))


def test_gradients_that_were_there_are_added_to():
    net = network()
    first = plain(net)
    torch.testing.assert_close(exact(net, 3), [2 * gradient for gradient in first])


def test_the_second_pass_draws_what_the_first_did_and_buffers_move_once():
    net, drawn = network(nn.Dropout(0.5)), []
    net[2].register_forward_hook(lambda module, given, found: drawn.append(found.detach().clone()))
    exact(net, 2)
    torch.testing.assert_close(drawn[:2], drawn[2:])
    state = torch.get_rng_state()
    exact(net, 2)
    assert not torch.equal(state, torch.get_rng_state())  # and later draws are new
    net = network(nn.BatchNorm1d(8))
    exact(net, 2)
    assert net[1].num_batches_tracked == 2


def test_a_loss_that_was_not_taken_back_is_said_and_an_error_inside_is_not_hidden():
    net = network()
    with pytest.raises(RuntimeError, match="backward"), ExactBatch(net, IMAGES):
        pass
    with pytest.raises(ZeroDivisionError), ExactBatch(net, IMAGES, 2):
        raise ZeroDivisionError
    assert not gradients(net)
    for parts in (0, 15):
        with pytest.raises(ValueError, match=r"parts must be in \[1, 14\]"):
            ExactBatch(net, IMAGES, parts)
    with ExactBatch(net, IMAGES) as batch:
        with pytest.raises(ValueError, match="3 rows to gather"):
            batch.gather(GROUPS[:3])
        batch.outputs.sum().backward()


def test_mixed_precision_ends_in_full_precision():
    net = network().float()
    with torch.autocast("cpu", torch.bfloat16), ExactBatch(net, IMAGES.float(), 2) as batch:
        assert batch.outputs.dtype == torch.float32
        smooth_ap(batch.outputs, GROUPS).backward()
    whole = network().float()
    with torch.autocast("cpu", torch.bfloat16):
        smooth_ap(whole(IMAGES.float()).float(), GROUPS).backward()
    torch.testing.assert_close(gradients(net), gradients(whole), rtol=0.05, atol=1e-4)


def _on_two(rank, store, out):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
    own = slice(0, 5) if rank == 0 else slice(5, 14)  # processes need not hold equally many rows
    found = {}
    for name in ("plain", "ddp"):
        net = network()
        wrapped = DistributedDataParallel(net) if name == "ddp" else net
        if name == "plain":
            net(IMAGES[:1]).sum().backward()  # an earlier gradient, alike on both, is not summed
            earlier = [gradient.clone() for gradient in gradients(net)]
        with ExactBatch(wrapped, IMAGES[own], 1 + 2 * rank) as batch:
            loss = smooth_ap(batch.outputs, batch.gather(GROUPS[own]))
            loss.backward()
        found[name] = gradients(net)
    found["plain"] = [whole - before for whole, before in zip(found["plain"], earlier, strict=True)]
    torch.save((found, loss.detach()), f"{out}.{rank}")
    dist.destroy_process_group()


def test_two_processes_have_the_gradient_of_one(tmp_path):
    spawn(_on_two, (str(tmp_path / "store"), str(tmp_path / "out")), nprocs=2)
    net = network()
    whole, value = plain(net), smooth_ap(network()(IMAGES), GROUPS).detach()
    for rank in range(2):
        found, loss = torch.load(f"{tmp_path}/out.{rank}", weights_only=True)
        torch.testing.assert_close(loss, value)
        torch.testing.assert_close(found["plain"], whole)
        torch.testing.assert_close(found["ddp"], whole)


def test_the_proof_tells_exact_from_averaged_losses(capsys):
    found = compare_gradients("rankhub_s2r2.functional:SmoothAPLoss")
    assert {way: difference < 1e-9 for way, difference in found.items()} == {
        "exact, 4 parts": True,
        "exact, 2 processes": True,
        "exact, 2 processes of 4 parts": True,
        "mean of 4 parts": False,
        "mean of 2 processes": False,
    }
    assert main([]) == main(["no.such:loss"]) == main(["rankhub_s2r2.functional"]) == 2
    said = capsys.readouterr().err
    assert "No module named 'no'" in said
    assert "'rankhub_s2r2.functional' is no loss" in said
