"""Losses and measures on plain tensors: equal to slow references, to the engine's losses and to another library's."""

import math

import pytest
import torch
from helpers.exactness import Case, batch, built, gradients

import rankhub_contrastive.functional as contrastive
import rankhub_s2r2.functional as s2r2
from rankhub.interfaces.processes import ALONE
from rankhub_ranking.functional import margin_ranking
from rankhub_retrieval.functional import retrieval

RETRIEVAL = [s2r2.smooth_ap, s2r2.ramp_ap, s2r2.sup_ap, s2r2.pnp, s2r2.fast_ap, s2r2.histogram_ap, s2r2.blackbox_ap]
GROUPS = torch.tensor([0, 3, 3, 0, -7, 0, 3, 5, 5, 3])  # of 3, 4, 1 and 2


def embeddings(rows=10, columns=6, seed=0):
    return torch.randn(rows, columns, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def slow_smooth_ap(z, groups, tau):
    z = z / z.norm(dim=1, keepdim=True)
    found = []
    for q in range(len(z)):
        positives = [i for i in range(len(z)) if i != q and groups[i] == groups[q]]
        terms = []
        for i in positives:
            gaps = {j: torch.sigmoid((z[q] @ z[j] - z[q] @ z[i]) / tau) for j in range(len(z)) if j not in (q, i)}
            among = 1 + sum(gap for j, gap in gaps.items() if j in positives)
            terms.append(among / (1 + sum(gaps.values())))
        if terms:
            found.append(sum(terms) / len(terms))
    return 1 - sum(found) / len(found)


def test_smooth_ap_is_the_definition_and_so_is_its_gradient():
    z, other = embeddings().requires_grad_(), embeddings().requires_grad_()
    value, slow = s2r2.smooth_ap(z, GROUPS, tau=0.1), slow_smooth_ap(other, GROUPS, 0.1)
    torch.testing.assert_close(value, slow)
    torch.testing.assert_close(*(torch.autograd.grad(one, rows)[0] for one, rows in ((value, z), (slow, other))))


@pytest.mark.parametrize("loss", [*RETRIEVAL, contrastive.nt_xent], ids=lambda loss: loss.__name__)
def test_a_module_takes_labels_and_the_order_of_rows_is_nothing(loss):
    name = {"pnp": "PNP", "nt_xent": "NTXent"}.get(loss.__name__) or "".join(
        part.capitalize() if part != "ap" else "AP" for part in loss.__name__.split("_")
    )
    module = getattr(contrastive if loss.__name__ == "nt_xent" else s2r2, f"{name}Loss")()
    z, order = embeddings(), torch.randperm(10, generator=torch.Generator().manual_seed(1))
    value = loss(z, GROUPS)
    assert value.shape == ()
    assert math.isfinite(value)
    torch.testing.assert_close(module(z[order], GROUPS[order].int()), value)


@pytest.mark.parametrize("loss", [*RETRIEVAL, contrastive.nt_xent], ids=lambda loss: loss.__name__)
def test_without_pairs_it_is_zero_with_a_graph_and_what_is_not_finite_stays_so(loss):
    z = embeddings().requires_grad_()
    loss(z, torch.arange(10)).backward()
    assert z.grad.abs().max() == 0
    for broken in (math.nan, math.inf):
        rows = embeddings()
        rows[4, 2] = broken  # a row alone in its group: an order could pass over it
        assert math.isnan(loss(rows, GROUPS))


@pytest.mark.parametrize(
    ("z", "groups", "said"),
    [
        (torch.zeros(4), torch.zeros(4).long(), r"embeddings are \[N, d\]"),
        (torch.zeros(4, 2).long(), torch.zeros(4).long(), r"embeddings are \[N, d\]"),
        (torch.zeros(4, 2), torch.zeros(4), r"groups are \[4\] integers"),
        (torch.zeros(4, 2), torch.zeros(4, 1).long(), r"groups are \[4\] integers"),
        (torch.zeros(4, 2), torch.zeros(3).long(), r"groups are \[4\] integers"),
    ],
)
def test_other_shapes_and_types_are_refused(z, groups, said):
    for loss in (s2r2.smooth_ap, contrastive.nt_xent, s2r2.mean_average_precision):
        with pytest.raises(ValueError, match=said):
            loss(z, groups)


def test_an_option_that_a_loss_does_not_have_is_refused_where_it_is_written():
    with pytest.raises(TypeError, match="temperature"):
        s2r2.SmoothAPLoss(temperature=0.1)
    assert repr(s2r2.SmoothAPLoss(tau=0.1)) == "SmoothAPLoss(tau=0.1)"


@pytest.mark.parametrize("options", [{"queue": 3}, {"tau_end": 0.01}])
def test_what_needs_the_steps_of_a_run_is_refused(options):
    said = f"{next(iter(options))} needs the steps of a training run"
    with pytest.raises(ValueError, match=said):
        s2r2.SmoothAPLoss(**options)
    with pytest.raises(ValueError, match=said):
        s2r2.pnp(embeddings(), GROUPS, **options)


def test_graded_ap_of_equal_levels_is_smooth_ap():
    z = embeddings()
    torch.testing.assert_close(s2r2.graded_ap(z, GROUPS, torch.ones(10)), s2r2.smooth_ap(z, GROUPS))
    with pytest.raises(ValueError, match=r"levels in \[0, 1\]"):
        s2r2.graded_ap(z, GROUPS, torch.full((10,), 2.0))


def test_margin_ranking_is_the_mean_over_pairs():
    scores, levels, groups = embeddings(10, 1)[:, 0], torch.arange(10) % 4, GROUPS
    pairs = [(a, b) for a in range(10) for b in range(10) if groups[a] == groups[b] and levels[a] > levels[b]]
    slow = sum((0.5 - (scores[a] - scores[b])).clamp(min=0) for a, b in pairs) / len(pairs)
    torch.testing.assert_close(margin_ranking(scores, levels, groups), slow)
    every = [(a, b) for a in range(10) for b in range(10) if levels[a] > levels[b]]
    smooth = sum(torch.log1p(torch.exp(0.2 - (scores[a] - scores[b]))) for a, b in every) / len(every)
    torch.testing.assert_close(margin_ranking(scores, levels, margin=0.2, shape="logistic"), smooth)
    with pytest.raises(ValueError, match=r"scores are \[N\]"):
        margin_ranking(scores[:, None], levels)


def test_two_views_are_paired_row_by_row():
    first, second = embeddings(8, 4), embeddings(8, 4, 1)
    a, b = ((z - z.mean(0)) / z.std(0, unbiased=False) for z in (first, second))
    crossed = a.T @ b / 8
    slow = (1 - crossed.diagonal()).square().sum() + (crossed - torch.diag(crossed.diagonal())).square().sum() / 128
    # batch_norm's epsilon of 1e-5 stands in the loss as in the authors' code
    torch.testing.assert_close(contrastive.barlow_twins(first, second), slow, rtol=1e-4, atol=0)
    value = contrastive.vicreg(first, second, variance=0.0, covariance=0.0)
    torch.testing.assert_close(value, 25 * (first - second).square().mean())
    with pytest.raises(ValueError, match="same shape"):
        contrastive.vicreg(first, second[:4])


def test_exact_measures_give_ties_their_chance():
    z, same = torch.eye(6).repeat_interleave(2, 0), torch.ones(12, 3)
    groups = torch.arange(12) // 2
    assert s2r2.mean_average_precision(z, groups) == (1, 1)
    assert [float(part) for part in s2r2.mean_average_precision(same, groups)] == pytest.approx([1 / 6, 0])
    assert retrieval(z, groups, ks=[1]) == pytest.approx(
        {
            "mAP": 1,
            "mAP@1": 1,
            "recall@1": 1,
            "mAP_chance": 0.2745,
        },
        abs=1e-4,
    )
    tied = retrieval(same, groups, ks=[3])
    assert tied["mAP"] == pytest.approx(tied["mAP_chance"])
    assert tied["recall@3"] == pytest.approx(3 / 11)


def test_retrieval_in_a_gallery_is_the_definition():
    queries, gallery = embeddings(5, 4), embeddings(30, 4, 1)
    asked, known = torch.arange(5), torch.arange(30) % 7
    values = []
    for q, label in zip(queries, asked, strict=True):
        order = torch.nn.functional.cosine_similarity(q[None], gallery).argsort(descending=True)
        hits = (known[order] == label).double()
        values.append(float((hits.cumsum(0) / torch.arange(1, 31) * hits).sum() / hits.sum()))
    found = retrieval(queries, asked, gallery, known)
    assert found["mAP"] == pytest.approx(sum(values) / 5, abs=1e-6)
    for bad in ({"gallery": gallery}, {"gallery": gallery[:, :3], "gallery_labels": known}, {"ks": [0]}):
        with pytest.raises(ValueError, match=r"."):
            retrieval(queries, asked // 2, **bad)


def test_values_agree_with_pytorch_metric_learning():
    losses = pytest.importorskip("pytorch_metric_learning.losses")
    z = embeddings(36)
    sixes, pairs = torch.arange(36) // 6, torch.arange(36) // 2
    for theirs, ours in [
        (losses.SmoothAPLoss(temperature=0.05)(z, sixes), s2r2.smooth_ap(z, sixes, include_self=True)),
        (losses.FastAPLoss(num_bins=10)(z, sixes), s2r2.fast_ap(z, sixes)),
        (losses.NTXentLoss(temperature=0.5)(z, pairs), contrastive.nt_xent(z, pairs)),
    ]:
        torch.testing.assert_close(theirs.double(), ours, rtol=1e-6, atol=0)
    # Theirs takes rows of wrong classes as positives unless there are as many classes as rows of each.
    fours, smooth = torch.arange(24) // 4, losses.SmoothAPLoss(temperature=0.05)
    assert abs(smooth(z[:24], fours) - s2r2.smooth_ap(z[:24], fours, include_self=True)) > 0.04


@pytest.mark.parametrize("loss", [*RETRIEVAL, contrastive.nt_xent], ids=lambda loss: loss.__name__)
def test_the_gradient_is_that_of_a_step_of_the_engine(loss):
    engines = gradients(Case(loss.__name__))[0]
    network, _, output, views = built(Case(loss.__name__))
    shown = batch(views, 0, ALONE)
    said = network(list(shown.images), ["both"])
    loss(said[f"both.{output}"], shown.target.index).backward()
    ours = torch.cat([one.grad.flatten() for one in network.parameters() if one.grad is not None])
    assert ours.norm() > 1e-6
    torch.testing.assert_close(ours, engines, rtol=1e-10, atol=1e-12)
