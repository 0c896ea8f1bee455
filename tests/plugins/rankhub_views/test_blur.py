import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as V

from rankhub_views.blur import blur_, kernel_for
from rankhub_views.scratch import Scratch


def test_kernel_is_a_tenth_of_the_side_odd_and_at_least_three():
    assert [kernel_for(side) for side in (1, 16, 32, 48, 64, 96, 160, 224)] == [3, 3, 3, 5, 7, 9, 17, 23]


@pytest.mark.parametrize(("size", "kernel"), [(32, 3), (33, 7), (96, 9), (12, 23), (2, 3), (5, 1)])
def test_equals_torchvisions(size, kernel):
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(5, 3, size, size, generator=generator)
    images[1] = 0.25
    sigma = torch.tensor([0.1, 0.7, 2.0])
    blurred = images.clone()
    blur_(blurred, np.array([0, 1, 4]), sigma, kernel, Scratch(torch.device("cpu")))
    for row, width in zip((0, 1, 4), sigma.tolist(), strict=True):
        expected = V.gaussian_blur(images[row], [kernel, kernel], [width, width])
        assert (blurred[row] - expected).abs().max() < 1e-5
    assert torch.equal(blurred[2:4], images[2:4])


@pytest.mark.parametrize(("size", "kernel"), [(1, 3), (2, 7), (3, 9)])
def test_kernels_wider_than_the_mirrored_image_keep_the_mean_in_range(size, kernel):
    """torchvision refuses these; the mirror image simply goes on."""
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    padded = np.pad(images.numpy(), [(0, 0), (0, 0), (kernel, kernel), (kernel, kernel)], mode="reflect")
    offsets = np.arange(kernel) - kernel // 2
    taps = np.exp(-0.5 * (offsets / 1.5) ** 2)
    taps /= taps.sum()
    expected = np.zeros_like(images.numpy())
    for (dy, wy), (dx, wx) in (
        (a, b) for a in zip(offsets, taps, strict=True) for b in zip(offsets, taps, strict=True)
    ):
        rows, columns = (slice(kernel + d, kernel + d + size) for d in (dy, dx))
        expected += wy * wx * padded[:, :, rows, columns]
    blur_(images, np.arange(2), torch.full((2,), 1.5), kernel, Scratch(torch.device("cpu")))
    np.testing.assert_allclose(images.numpy(), expected, atol=1e-6)
