"""All kinds of distortion by name.

Kinds and strengths are those of the supplement of RankIQA (Liu, van de Weijer, Bagdanov, ICCV 2017), section 3. Where
it leaves the formula open, the function does what the kind is called. Choices of ours are the planes of `colour_noise`,
the width of the filter of `high_frequency_noise`, uniform steps in `quantisation`, the centre of contrast, the colour
of `colour_blocks`, the method of `denoising`, and the absence of a blur in `chromatic_aberration`.

The released MATLAB does otherwise in these places:

- `colour_noise`: there, noise on Y as well as on Cb and Cr. Here on the two colour components.
- `high_frequency_noise`: there, the *image* is high-pass filtered (width 10 samples, whatever the size) around the
  array's centre without ``fftshift``, which takes away its highest frequencies, and white noise is added. The class is
  missing from the released ranking list. Here the noise is filtered.
- `quantisation`: there, 9, 7, 5 or 3 multilevel Otsu thresholds, values replaced by thresholds. Here uniform steps.
- `gaussian_blur`: there, kernels of 7, 15, 39, 91 and 199 pixels with sigma a sixth of it (1.167, 2.5, 6.5, 15.17,
  33.17). Here the sigmas of the table, kernels cut at 4 sigma.
- `gaussian_noise` (LIVE): there, variances 2^-10, 2^-7.5, 2^-5.5, 2^-3.5 and 1. Here .001, .006, .022, .088, 1.
- `denoising`: there, another noise of sigma 25/255 from a fixed seed on top, and colour BM3D for sigma 25 at all
  levels. Here the noise of the level only, and non-local means for that noise.
- `jpeg2000`: there, bits per pixel .46, .16, .07, .04, .02, of 24. Here their rounded ratios.
- `pattern_noise`: there, no patch begins in the last 30 rows or columns. Here they begin wherever there is room.
- `colour_blocks`: there, a colour that depends on the level: (0, mean G, mean B), (mean R + 50, ...), (mean R + 30,
  ...), the mean colour. Here the mean colour at all levels, so that only their number changes.
- `mean_shift_up`, `mean_shift_down`, `contrast_up`, `contrast_down`: there, only the first and the last are written.
  Contrast there is I c without centring, which for c < 1 darkens. Here it is about the mean.
- `multiplicative_noise`: there, .05, .09, .13 and .2 are standard deviations. Here variances, as the supplement says.
- `colour_quantisation`: there, MATLAB's minimum variance palette (``rgb2ind``). Here Pillow's median cut.
- `chromatic_aberration`: there, the red channel moves by one pixel less, and *green* in place of blue, by one pixel
  less than half; a 3 x 3 Gaussian (sigma .5) follows. Here red and blue move by the table's pixels, without a blur.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from rankhub_quality.distortion import blocks, blur, codecs, noise, tone
from rankhub_quality.distortion.pixels import Distortion


@dataclass(frozen=True, slots=True)
class DistortionKind:
    """A kind of distortion: a function of the image and a strength.

    Attributes:
        name: As recipes write it.
        apply: (image [H, W, 3] uint8 RGB, strength, draws) -> a new array of the same shape. The result depends on
            these alone; with draws in the same state, the levels of a kind share their places and noise.
        grows: Whether a larger number is a stronger distortion.
        unit: Of the strength.
        bounds: Least and greatest strength, both allowed; None for no bound.
    """

    name: str
    apply: Distortion
    grows: bool
    unit: str
    bounds: tuple[float | None, float | None]


_VARIANCE = "variance, image in [0, 1]"

_ALL = (
    DistortionKind("gaussian_noise", noise.gaussian_noise, True, _VARIANCE, (0, None)),
    DistortionKind("colour_noise", noise.colour_noise, True, _VARIANCE, (0, None)),
    DistortionKind("high_frequency_noise", noise.high_frequency_noise, True, _VARIANCE, (0, None)),
    DistortionKind("impulse_noise", noise.impulse_noise, True, "share of samples", (0, 1)),
    DistortionKind("multiplicative_noise", noise.multiplicative_noise, True, "variance of the factor", (0, None)),
    DistortionKind("quantisation", tone.quantisation, True, "step, of 255", (1, 255)),
    DistortionKind("gaussian_blur", blur.gaussian_blur, True, "sigma, pixels", (0, None)),
    DistortionKind("denoising", noise.denoising, True, _VARIANCE, (0, None)),
    DistortionKind("jpeg", codecs.jpeg, False, "quality", (0, 100)),
    DistortionKind("jpeg2000", codecs.jpeg2000, True, "compression ratio", (1, None)),
    DistortionKind("pattern_noise", blocks.pattern_noise, True, "patches", (0, None)),
    DistortionKind("colour_blocks", blocks.colour_blocks, True, "blocks", (0, None)),
    DistortionKind("mean_shift_up", tone.mean_shift, True, "shift, of 255", (0, 255)),
    DistortionKind("mean_shift_down", tone.mean_shift, False, "shift, of 255", (-255, 0)),
    DistortionKind("contrast_up", tone.contrast, True, "factor", (1, None)),
    DistortionKind("contrast_down", tone.contrast, False, "factor", (0, 1)),
    DistortionKind("saturation", tone.saturation, False, "factor", (None, 1)),
    DistortionKind("colour_quantisation", tone.colour_quantisation, False, "colours", (2, 256)),
    DistortionKind("chromatic_aberration", tone.chromatic_aberration, True, "shift of red, pixels", (0, None)),
)

KINDS: Mapping[str, DistortionKind] = MappingProxyType({kind.name: kind for kind in _ALL})
"""Name -> kind, those of a family together."""
