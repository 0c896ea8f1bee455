"""Negative, colour jitter and greyscale for many views at once, each view with its own factors and its own order.

Every function agrees with torchvision's on the same parameters; the tests hold them to 2/255. Images are
[n, 3, P] float32 in [0, 1], contiguous, and are changed in place; factors are [n], on the CPU, where the few numbers of
a view cost least.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from rankhub.interfaces.tensors import sent
from rankhub_views.parameters import Floats, Ints
from rankhub_views.scratch import Scratch

RED, GREEN, BLUE = 0.2989, 0.587, 0.114
"""Shares of the channels in grey, as in torchvision."""


def brightness_(images: Tensor, factor: Floats, scratch: Scratch) -> None:
    """Blend with black: x * factor, clamped."""
    images.mul_(_column(factor, images)).clamp_(max=1)


def contrast_(images: Tensor, factor: Floats, scratch: Scratch) -> None:
    """Blend with the mean of the view's grey: x * factor + mean * (1 - factor), clamped."""
    shares = (1 - factor)[:, None] * np.array([RED, GREEN, BLUE])
    mean = (images.mean(dim=2) * _upload(shares, images.device)).sum(dim=1)[:, None, None]
    images.mul_(_column(factor, images)).add_(mean).clamp_(0, 1)


def saturation_(images: Tensor, factor: Floats, scratch: Scratch) -> None:
    """Blend with the view's grey: x * factor + grey * (1 - factor), clamped."""
    grey = grey_of(images, scratch).mul_(_column(1 - factor, images))
    images.mul_(_column(factor, images)).add_(grey).clamp_(0, 1)


def hue_(images: Tensor, factor: Floats, scratch: Scratch) -> None:
    """Turn the hue by ``factor`` of a full circle, in [-0.5, 0.5]; value and saturation (HSV) stay.

    The angle never has to be found. Let M be the largest and m the smallest channel, and c = M - m. Round the hexagon
    of hues, one side of which is c long, the way from red to the pixel's hue is M - 2m + g + b - r long, and goes
    towards green if g > b. The shift added gives the new hue's place. A channel whose pure colour is d away from there
    is m + 2c - d, clamped to [m, M]. A third of the circle is an exchange of channels and is done first: what then
    remains is at most a sixth, and no way is longer than the hexagon's 6c.
    """
    thirds = np.rint(factor * 3)
    _exchange_channels_(images, thirds.astype(np.int64))
    rest = _column(6 * factor - 2 * thirds, images)[:, 0]
    red, green, blue = images.unbind(dim=1)
    shape = red.shape

    largest = torch.maximum(red, green, out=scratch.take("largest", *shape))
    smallest = torch.minimum(red, green, out=scratch.take("smallest", *shape))
    torch.maximum(largest, blue, out=largest)
    torch.minimum(smallest, blue, out=smallest)
    chroma = torch.sub(largest, smallest, out=scratch.take("chroma", *shape))
    shifted = torch.add(green, blue, out=scratch.take("shifted", *shape))
    shifted.sub_(red).add_(largest).sub_(smallest, alpha=2)
    other = torch.sub(green, blue, out=scratch.take("other", *shape))
    torch.copysign(shifted, other, out=shifted)
    shifted.add_(torch.mul(chroma, rest, out=other))

    # d = 3c - | |shifted - centre| - 3c |, since the way round the other side is 6c less this one
    for channel, centre in ((red, 0), (green, 2), (blue, -2)):
        torch.sub(shifted, chroma, alpha=centre, out=channel)
    base = torch.sub(smallest, chroma, out=other)[:, None]
    images.abs_().sub_(chroma[:, None], alpha=3).abs_().add_(base)
    torch.minimum(images, largest[:, None], out=images)
    torch.maximum(images, smallest[:, None], out=images)


def _exchange_channels_(images: Tensor, thirds: Ints) -> None:
    turned = np.flatnonzero(thirds)
    if len(turned):
        rows = sent(torch.from_numpy(turned), images.device)
        channels = sent(torch.from_numpy((np.arange(3) - thirds[turned, None]) % 3), images.device)
        images.index_copy_(0, rows, images[rows[:, None], channels])


def grey_of(images: Tensor, scratch: Scratch) -> Tensor:
    """[n, 1, P] the grey of [n, 3, P]."""
    grey = torch.mul(images[:, :1], RED, out=scratch.take("grey", len(images), 1, images.shape[2]))
    return grey.add_(images[:, 1:2], alpha=GREEN).add_(images[:, 2:], alpha=BLUE)


def _upload(numbers: Floats, device: torch.device) -> Tensor:
    return sent(torch.from_numpy(numbers.astype(np.float32)), device)


def _column(numbers: Floats, images: Tensor) -> Tensor:
    """[n, 1, 1] on the device of the images."""
    return _upload(numbers[:, None, None], images.device)


CHANGES: tuple[Callable[[Tensor, Floats, Scratch], None], ...] = (brightness_, contrast_, saturation_, hue_)
"""The changes in the order of the columns of ``factors``."""


def jitter_(images: Tensor, rows: Ints, factors: Floats, order: Ints, scratch: Scratch) -> None:
    """Change brightness, contrast, saturation and hue of some views, each in its own order.

    At each step of the order, views are arranged by the change that is due, so that each change is done once for
    all views that wait for it.

    ``images`` [n, 3, P] change in place at ``rows`` [k]; ``factors`` [n, 4] are brightness, contrast, saturation, hue,
    and a row of ``order`` [n, at most 4] gives the changes by number, first to last.
    """
    if not order.size:
        return
    held, at = images, rows
    for step in range(order.shape[1]):
        due = order[rows, step]
        arranged = np.argsort(due, kind="stable")
        rows, at, due = rows[arranged], at[arranged], due[arranged]
        target = scratch.take(f"held {step % 2}", len(rows), *images.shape[1:])
        held = torch.index_select(held, 0, sent(torch.from_numpy(at), images.device), out=target)
        ends = np.searchsorted(due, np.arange(len(CHANGES) + 1))
        for number, change in enumerate(CHANGES):
            part = slice(int(ends[number]), int(ends[number + 1]))
            if part.start < part.stop:
                change(held[part], factors[rows[part], number], scratch)
        at = np.arange(len(rows))
    images.index_copy_(0, sent(torch.from_numpy(rows), images.device), held)


def invert_(images: Tensor, rows: Ints) -> None:
    """Replace some views of [n, 3, P] by their negative: 1 - x."""
    at = sent(torch.from_numpy(rows), images.device)
    images.index_copy_(0, at, 1 - images[at])


def grey_(images: Tensor, rows: Ints, scratch: Scratch) -> None:
    """Replace some views of [n, 3, P] by their grey, three times."""
    at = sent(torch.from_numpy(rows), images.device)
    held = torch.index_select(images, 0, at, out=scratch.take("held 0", len(rows), *images.shape[1:]))
    images.index_copy_(0, at, grey_of(held, scratch).expand(-1, 3, -1))
