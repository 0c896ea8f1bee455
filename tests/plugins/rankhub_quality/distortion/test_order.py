"""Each kind of distortion against measures that must fall with its level, over 20 photos."""

from __future__ import annotations

import numpy as np
from scipy import fft
from skimage.color import rgb2ycbcr
from skimage.metrics import structural_similarity

from rankhub_quality.distortion.kinds import KINDS
from rankhub_quality.distortion.pixels import luma
from rankhub_quality.distortion.sets import LIVE, TID2013

INVERSIONS = 0.05
WITHIN_LIVE = ("gaussian_blur", "jpeg", "jpeg2000")


def psnr(image, variant):
    """dB; the image itself has 78."""
    return 10 * np.log10(255**2 / (np.mean((variant.astype(np.float32) - image) ** 2) + 1e-3))


def ssim(image, variant):
    return structural_similarity(luma(image), luma(variant), data_range=255)


def chroma_psnr(image, variant):
    return psnr(rgb2ycbcr(image)[..., 1:], rgb2ycbcr(variant)[..., 1:])


def calm(image, variant):
    """Negative energy of what was added above a quarter cycle per pixel."""
    added = fft.fft2(luma(variant) - luma(image), norm="ortho")
    radius = np.hypot(fft.fftfreq(image.shape[0])[:, None], fft.fftfreq(image.shape[1]))
    return -float((np.abs(added[radius > 0.25]) ** 2).mean())


def sharpness(image, variant):
    """Mean squared difference of neighbouring pixels."""
    values = luma(variant)
    return float((np.diff(values, axis=0) ** 2).mean() + (np.diff(values, axis=1) ** 2).mean())


def untouched(image, variant):
    """Share of pixels that are as they were."""
    return float((image == variant).all(axis=-1).mean())


def tones(image, variant):
    return sum(len(np.unique(variant[..., channel])) for channel in range(3))


def colours(image, variant):
    return len(np.unique(variant.astype(np.int32) @ (1 << 16, 1 << 8, 1)))


def lightness(image, variant):
    return float(luma(variant).mean())


def darkness(image, variant):
    return -lightness(image, variant)


def contrast(image, variant):
    return float(luma(variant).std())


def flatness(image, variant):
    return -contrast(image, variant)


def own_colour(image, variant):
    """Chroma along that of the original, which counts as 1."""
    before, after = rgb2ycbcr(image)[..., 1:] - 128, rgb2ycbcr(variant)[..., 1:] - 128
    return float((before * after).sum() / (before**2).sum())


def red_in_place(image, variant):
    """Correlation of red with what it was."""
    return float(np.corrcoef(image[..., 0].ravel(), variant[..., 0].ravel())[0, 1])


FALLS = {
    "gaussian_noise": (psnr, ssim),
    "colour_noise": (chroma_psnr, psnr),
    "high_frequency_noise": (calm, psnr),
    "impulse_noise": (untouched, psnr),
    "multiplicative_noise": (psnr, ssim),
    "quantisation": (tones, psnr),
    "gaussian_blur": (sharpness, psnr),
    "denoising": (psnr, ssim),
    "jpeg": (psnr, ssim),
    "jpeg2000": (psnr, ssim),
    "pattern_noise": (untouched, ssim),
    "colour_blocks": (untouched, ssim),
    "mean_shift_up": (darkness, psnr),
    "mean_shift_down": (lightness, psnr),
    "contrast_up": (flatness, psnr),
    "contrast_down": (contrast, psnr),
    "saturation": (own_colour, chroma_psnr),
    "colour_quantisation": (colours, psnr),
    "chromatic_aberration": (red_in_place, ssim),
}
"""Kind -> what must fall from the pristine image to the strongest level: its own measure, and a general one."""

SETS = {
    "LIVE": LIVE,
    # Of TID2013, blur and both codecs have the first four levels of LIVE.
    "TID2013": [levels for levels in TID2013 if levels.kind not in WITHIN_LIVE],
}
OWN, GENERAL = 0, 1


def measured(levels, photos, pristine):
    """Measure -> [photo, level] from the pristine image on.

    Each level has draws of its own: the order must not rest on shared noise. ``pristine`` keeps what was measured of
    the photos themselves, for the next kind.
    """
    measures = FALLS[levels.kind]
    values = {measure: np.empty((len(photos), 1 + len(levels.strengths))) for measure in measures}
    for row, photo in enumerate(photos):
        for measure in measures:
            key = measure, row, photo.shape
            if key not in pristine:
                pristine[key] = measure(photo, photo)
            values[measure][row, 0] = pristine[key]
        for column, strength in enumerate(levels.strengths):
            variant = KINDS[levels.kind].apply(photo, strength, np.random.default_rng([row, column]))
            for measure in measures:
                values[measure][row, 1 + column] = measure(photo, variant)
    return values


def check_order(pieces_for):
    """All kinds of both sets, over the photos that ``pieces_for`` gives for a kind.

    - In the mean over the photos, each measure falls at every step.
    - Of a kind's steps on all photos, that from the pristine image included, at most 5 % do not fall, by each measure.
    - Of a single photo's steps between neighbouring levels, at most 5 % do not fall: by the kinds' own measures in each
      set alone, by the general ones over both sets. A stricter reading has no meaning, since one kind has but 3 or 4
      such steps, and all kinds of LIVE together 16.
    """
    wrong, pristine = [], {}
    inversions = {(name, which): [] for name in SETS for which in (OWN, GENERAL)}
    for name, levels in ((name, levels) for name, members in SETS.items() for levels in members):
        photos = pieces_for(levels.kind)
        assert len(photos) == 20
        for which, (measure, table) in enumerate(measured(levels, photos, pristine).items()):
            title = f"{measure.__name__} of {levels.kind} ({name})"
            means = table.mean(axis=0)
            if not (np.diff(means) < 0).all():
                wrong.append(f"{title} in the mean: {means}")
            inverted = np.diff(table, axis=1) >= 0
            if inverted.mean() > INVERSIONS:
                wrong.append(f"{title}: {inverted.mean():.1%} of the steps do not fall")
            inversions[name, which].append(inverted[:, 1:])
    both = [*inversions["LIVE", GENERAL], *inversions["TID2013", GENERAL]]
    for title, tables in (
        ("own measures, LIVE", inversions["LIVE", OWN]),
        ("own measures, TID2013", inversions["TID2013", OWN]),
        ("general measures", both),
    ):
        shares = np.concatenate(tables, axis=1).mean(axis=1)
        wrong += [f"{title}, photo {row}: {shares[row]:.1%}" for row in np.flatnonzero(shares > INVERSIONS)]
    assert not wrong, "\n".join(wrong)


def test_every_kind_has_measures():
    assert set(FALLS) == set(KINDS)


def test_measures_fall_with_the_level(photos):
    check_order(lambda kind: photos)


def test_measures_fall_with_the_level_on_other_photos(real_photos):
    # JPEG 2000 needs the larger piece for its greatest ratios; the others are faster on a smaller one.
    smaller = [photo[:112, :112] for photo in real_photos]
    check_order(lambda kind: real_photos if kind == "jpeg2000" else smaller)


def test_levels_of_tid2013_within_live():
    live = {levels.kind: levels.strengths for levels in LIVE}
    for levels in TID2013:
        if levels.kind in WITHIN_LIVE:
            assert live[levels.kind][: len(levels.strengths)] == levels.strengths
