"""What a generator makes of one image, to look at."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from rankhub.engine.collate import collate, first_view
from rankhub.engine.feed import Chain
from rankhub.interfaces.batch import Batch
from rankhub.interfaces.data import LabelSpec, Sample
from rankhub.interfaces.generator import Generator, ViewSpec
from rankhub.recipe.assembly import plan_chain


def make_views(generators: Sequence[Generator], image: Tensor, seed: int = 0) -> tuple[Batch, ViewSpec]:
    """The views that a stream's generator makes of one image, as in training.

    Args:
        generators: Its steps.
        image: [3, H, W] uint8, RGB; it is not changed.
        seed: Draws the views.

    Returns:
        The views, floats in [0, 1]; and what they are.

    Raises:
        UserError: The steps do not fit one after the other, or the image does not suit them.
    """
    chain = Chain(generators, plan_chain(generators), seed, "show")
    views = chain.in_worker([first_view(Sample(image.clone(), 0))], 0)
    return chain.on_device(collate(views, chain.views.groups, LabelSpec()), 0), chain.views
