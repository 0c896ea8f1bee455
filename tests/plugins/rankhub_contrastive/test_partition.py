"""The streamed denominator against torch on the whole matrix."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.autograd.graph import saved_tensors_hooks

from rankhub_contrastive.partition import log_partition


def whole(queries, keys, temperature, skip):
    logits = queries @ keys.T / temperature
    if skip is not None:
        logits = logits.scatter(1, skip[:, None], -torch.inf)
    return logits.logsumexp(1)


def drawn(count, items, seed):
    generator = torch.Generator().manual_seed(seed)
    queries, keys = (torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in (count, items))
    skip = torch.randint(items, (count,), generator=generator)
    return queries.requires_grad_(), keys.requires_grad_(), skip, torch.randn(count, generator=generator).double()


@settings(deadline=None)
@given(st.integers(0, 9), st.integers(2, 9), st.sampled_from([0.05, 0.5, 3.0]), st.booleans(), st.integers(0, 99))
def test_value_and_gradient_for_any_block(count, items, temperature, skipping, seed):
    queries, keys, skip, weights = drawn(count, items, seed)
    chosen = skip if skipping else None
    expected = whole(queries, keys, temperature, chosen)
    gradients = torch.autograd.grad(expected @ weights, (queries, keys))
    for block_bytes in (1, 3 * items * 8, None):
        value = log_partition(queries, keys, temperature, chosen, block_bytes)
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(torch.autograd.grad(value @ weights, (queries, keys)), gradients)


def test_gradcheck():
    queries, keys, skip, _ = drawn(5, 4, 1)
    assert torch.autograd.gradcheck(lambda q, k: log_partition(q, k, 0.3, skip, 70), (queries, keys))


def test_between_the_passes_only_inputs_and_one_number_a_query_are_kept():
    rows = torch.randn(300, 4, requires_grad=True)
    kept = {}

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.numel()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        log_partition(rows, rows, 0.2, torch.arange(300))
    assert sum(kept.values()) <= 300 * (4 + 1 + 1)


def test_large_logits_do_not_overflow():
    rows = torch.eye(3).requires_grad_()
    value = log_partition(rows, rows, 1e-3)
    value.sum().backward()
    torch.testing.assert_close(value, torch.full((3,), 1000.0))
    assert rows.grad.isfinite().all()
