"""Colour jitter and greyscale for many views at once, each view with its own factors and its own order.

Every function agrees with torchvision's on the same parameters; the tests hold them to 2/255. Images are
[n, 3, P] float32 in [0, 1], contiguous, and are changed in place; factors are [n, 1, 1].
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rankhub_views.scratch import Scratch

RED, GREEN, BLUE = 0.2989, 0.587, 0.114
"""Shares of the channels in grey, as in torchvision."""


def brightness_(images: Tensor, factor: Tensor, scratch: Scratch) -> None:
    """Blend with black: x * factor, clamped."""
    images.mul_(factor).clamp_(max=1)


def contrast_(images: Tensor, factor: Tensor, scratch: Scratch) -> None:
    """Blend with the mean of the view's grey: x * factor + mean * (1 - factor), clamped."""
    shares = torch.tensor([RED, GREEN, BLUE], device=images.device)
    mean = (images.mean(dim=2) @ shares)[:, None, None]
    images.mul_(factor).add_(mean * (1 - factor)).clamp_(0, 1)


def saturation_(images: Tensor, factor: Tensor, scratch: Scratch) -> None:
    """Blend with the view's grey: x * factor + grey * (1 - factor), clamped."""
    grey = grey_of(images, scratch).mul_(1 - factor)
    images.mul_(factor).add_(grey).clamp_(0, 1)


def hue_(images: Tensor, shift: Tensor, scratch: Scratch) -> None:
    """Turn the hue by ``shift`` of a full circle, in [-0.5, 0.5]; value and saturation (HSV) stay.

    The angle never has to be found. Let M be the largest and m the smallest channel, and c = M - m. Round the hexagon
    of hues, one side of which is c long, the way from red to the pixel's hue is M - 2m + g + b - r long, and goes
    towards green if g > b. The shift added gives the new hue's place. A channel whose pure colour is d away from there
    is m + 2c - d, clamped to [m, M]. A third of the circle is an exchange of channels and is done first: what then
    remains is at most a sixth, and no way is longer than the hexagon's 6c.
    """
    thirds = torch.round(shift.flatten() * 3)
    rest = (shift[:, :, 0] - thirds[:, None] / 3) * 6
    _exchange_channels_(images, thirds.long())
    red, green, blue = images.unbind(dim=1)
    shape = red.shape

    largest = torch.maximum(red, green, out=scratch.take("largest", *shape))
    smallest = torch.minimum(red, green, out=scratch.take("smallest", *shape))
    torch.maximum(largest, blue, out=largest)
    torch.minimum(smallest, blue, out=smallest)
    chroma = torch.sub(largest, smallest, out=scratch.take("chroma", *shape))
    place = torch.add(green, blue, out=scratch.take("place", *shape))
    place.sub_(red).add_(largest).sub_(smallest, alpha=2)
    other = torch.sub(green, blue, out=scratch.take("other", *shape))
    torch.copysign(place, other, out=place)
    place.add_(torch.mul(chroma, rest, out=other))

    # d = 3c - | |place - centre| - 3c |, since the way round the other side is 6c less this one
    for channel, centre in ((red, 0), (green, 2), (blue, -2)):
        torch.sub(place, chroma, alpha=centre, out=channel)
    base = torch.sub(smallest, chroma, out=other)[:, None]
    images.abs_().sub_(chroma[:, None], alpha=3).abs_().add_(base)
    torch.minimum(images, largest[:, None], out=images)
    torch.maximum(images, smallest[:, None], out=images)


def _exchange_channels_(images: Tensor, thirds: Tensor) -> None:
    turned = thirds.nonzero().flatten()
    if len(turned):
        channels = (torch.arange(3, device=images.device) - thirds[turned, None]) % 3
        images.index_copy_(0, turned, images[turned[:, None], channels])


def grey_of(images: Tensor, scratch: Scratch) -> Tensor:
    """[n, 1, P] the grey of [n, 3, P]."""
    grey = torch.mul(images[:, :1], RED, out=scratch.take("grey", len(images), 1, images.shape[2]))
    return grey.add_(images[:, 1:2], alpha=GREEN).add_(images[:, 2:], alpha=BLUE)


CHANGES: tuple[Callable[[Tensor, Tensor, Scratch], None], ...] = (brightness_, contrast_, saturation_, hue_)
"""The changes in the order of the columns of ``factors``."""


def jitter_(
    images: Tensor, rows: npt.NDArray[np.int64], factors: Tensor, order: npt.NDArray[np.int64], scratch: Scratch
) -> None:
    """Change brightness, contrast, saturation and hue of some views, each in its own order.

    At each place of the order, views are arranged by the change that is due, so that each change is done once for
    all views that wait for it.

    Args:
        images: [n, 3, P], changed in place.
        rows: [k] the views to change.
        factors: [n, 4] brightness, contrast, saturation, hue; on the images' device.
        order: [n, at most 4] a row gives the changes by number, first to last.
        scratch: Memory for what comes between.
    """
    if not order.size:
        return
    held, at = images, rows
    for place in range(order.shape[1]):
        due = order[rows, place]
        arranged = np.argsort(due, kind="stable")
        rows, at, due = rows[arranged], at[arranged], due[arranged]
        target = scratch.take(f"held {place % 2}", len(rows), *images.shape[1:])
        held = torch.index_select(held, 0, torch.from_numpy(at).to(images.device), out=target)
        mine = factors.index_select(0, torch.from_numpy(rows).to(images.device))
        ends = np.searchsorted(due, np.arange(len(CHANGES) + 1))
        for number, change in enumerate(CHANGES):
            part = slice(int(ends[number]), int(ends[number + 1]))
            if part.start < part.stop:
                change(held[part], mine[part, number, None, None], scratch)
        at = np.arange(len(rows))
    images.index_copy_(0, torch.from_numpy(rows).to(images.device), held)


def grey_(images: Tensor, rows: npt.NDArray[np.int64], scratch: Scratch) -> None:
    """Replace some views of [n, 3, P] by their grey, three times."""
    at = torch.from_numpy(rows).to(images.device)
    held = torch.index_select(images, 0, at, out=scratch.take("held 0", len(rows), *images.shape[1:]))
    images.index_copy_(0, at, grey_of(held, scratch).expand(-1, 3, -1))
