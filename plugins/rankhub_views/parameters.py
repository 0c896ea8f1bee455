"""What is drawn for each view: all parameters of N views at once, on the CPU, from their addresses alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from rankhub.interfaces.draws import ViewDraws
from rankhub_views.geometry import Bools, Boxes, Floats, Ints, Turn, random_boxes

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Parameters:
    """The parameters of N views.

    Attributes:
        boxes: Crop, turn and flip.
        jitter: [N] whether the colours change.
        factors: [N, 4] brightness, contrast, saturation (factors), hue (share of the circle).
        order: [N, k] the changes that the options leave, by column of ``factors``, first to last.
        grey: [N] whether the view becomes grey.
        blur: [N] whether the view is blurred.
        sigma: [N] standard deviation of the blur in pixels.
    """

    boxes: Boxes
    jitter: Bools
    factors: Floats
    order: Ints
    grey: Bools
    blur: Bools
    sigma: Floats

    def __len__(self) -> int:
        return len(self.boxes)

    def rows(self, rows: slice) -> Parameters:
        """The parameters of consecutive views."""
        colours = (self.jitter[rows], self.factors[rows], self.order[rows])
        return Parameters(self.boxes.rows(rows), *colours, self.grey[rows], self.blur[rows], self.sigma[rows])


@dataclass(frozen=True, slots=True)
class Law:
    """How parameters are distributed; the fields are the options of ``random_views``."""

    ratio: Span
    flip: float
    jitter: tuple[float, float, float, float]
    jitter_p: float
    grey: float
    blur: float
    blur_sigma: Span
    rotation: float = 0.0

    def draw(self, draws: ViewDraws, sizes: Ints, scale: Span) -> Parameters:
        """The parameters of N views whose images have the ``sizes`` [N, 2] (height, width)."""
        strength = np.array(self.jitter)
        low = np.array([*np.maximum(0, 1 - strength[:3]), -strength[3]])
        high = np.array([*(1 + strength[:3]), strength[3]])
        active = np.flatnonzero(strength > 0)
        boxes = random_boxes(draws, sizes, scale, self.ratio, self.flip)
        if self.rotation:
            boxes = replace(
                boxes, turn=Turn(np.deg2rad(draws.uniform("rotation", -self.rotation, self.rotation)), sizes)
            )
        return Parameters(
            boxes=boxes,
            jitter=draws.chance("jitter", self.jitter_p),
            factors=low + draws.uniforms("factors", len(strength)) * (high - low),
            order=active[draws.permutations("order", len(active))],
            grey=draws.chance("grey", self.grey),
            blur=draws.chance("blur", self.blur),
            sigma=draws.uniform("sigma", *self.blur_sigma),
        )
