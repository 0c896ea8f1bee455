"""The levels of the paper's ranked sets (supplement, section 3), mild to strong."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Levels:
    """The degrees of one kind of distortion.

    Attributes:
        kind: A name in `rankhub_quality.distortion.kinds.KINDS`.
        strengths: In the kind's unit, mild to strong; the undistorted image is no member.
    """

    kind: str
    strengths: tuple[float, ...]


LIVE: tuple[Levels, ...] = (
    Levels("gaussian_blur", (1.2, 2.5, 6.5, 15.2, 33.2)),
    Levels("gaussian_noise", (0.001, 0.006, 0.022, 0.088, 1.0)),
    Levels("jpeg", (43, 12, 7, 4, 0)),
    Levels("jpeg2000", (52, 150, 343, 600, 1200)),
)
"""The four kinds of LIVE and CSIQ that the paper makes, at 5 levels; LIVE's fifth, fast fading, is not made."""

TID2013: tuple[Levels, ...] = (
    Levels("gaussian_noise", (0.001, 0.005, 0.01, 0.05)),
    Levels("colour_noise", (0.0140, 0.0198, 0.0343, 0.0524)),
    Levels("high_frequency_noise", (0.001, 0.005, 0.01, 0.05)),
    Levels("impulse_noise", (0.005, 0.01, 0.05, 0.1)),
    Levels("quantisation", (27, 39, 55, 76)),
    Levels("gaussian_blur", (1.2, 2.5, 6.5, 15.2)),
    Levels("denoising", (0.001, 0.005, 0.01, 0.05)),
    Levels("jpeg", (43, 12, 7, 4)),
    Levels("jpeg2000", (52, 150, 343, 600)),
    Levels("pattern_noise", (30, 70, 150, 300)),
    Levels("colour_blocks", (2, 4, 8, 16)),
    Levels("mean_shift_up", (15, 30, 45, 60)),
    Levels("mean_shift_down", (-15, -30, -45, -60)),
    Levels("contrast_up", (1.2, 1.4, 1.6, 1.8)),
    Levels("contrast_down", (0.85, 0.7, 0.55, 0.4)),
    Levels("saturation", (0.4, 0, -0.4, -0.8)),
    Levels("multiplicative_noise", (0.05, 0.09, 0.13, 0.2)),
    Levels("colour_quantisation", (64, 32, 16, 8)),
    Levels("chromatic_aberration", (2, 6, 10, 14)),
)
"""The 17 of TID2013's 24 types that the paper makes, at 4 levels.

They are 19 kinds here: mean shift and contrast change run in two directions each, and levels are comparable within one
direction only. The released ranking list has 18 classes, these without the high-frequency noise. TID2013's types 3
(spatially correlated noise), 4 (masked noise), 12 and 13 (transmission errors of JPEG and JPEG 2000), 20 (comfort
noise), 21 (compression of noisy images) and 24 (sparse sampling) are not made.
"""

MLIVE_BLUR = Levels("gaussian_blur", (1.2, 2.5, 6.5))
"""First stage of both halves of MLIVE."""
MLIVE_JPEG = Levels("jpeg", (43, 12, 7))
"""Second stage of MLIVE's first half: blurred, then compressed."""
MLIVE_NOISE = Levels("gaussian_noise", (0.001, 0.006, 0.022))
"""Second stage of MLIVE's second half: blurred, then noisy."""
