import pytest
import torch
from torchvision.transforms.v2 import functional as V

from rankhub.interfaces.errors import Objection
from rankhub_views import render
from rankhub_views.center import Center


def pictures(*sizes: tuple[int, int]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator) for size in sizes]


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("size", "resize"), [(32, None), (32, 37), (20, 64)])
def test_equals_torchvisions_resize_and_center_crop(size, resize, interpolation):
    images = pictures((64, 64), (50, 81), (81, 50), (20, 33), (1, 1), (3, 200), (50, 81), (32, 32))
    views = Center(size=size, resize=resize, interpolation=interpolation).views(images)
    mode = V.InterpolationMode(interpolation)
    for image, view in zip(images, views, strict=True):
        resized = V.resize(image.double() / 255, [resize or size], interpolation=mode, antialias=True)
        assert (V.center_crop(resized, [size, size]).clamp(0, 1) - view).abs().max() < 1e-4


def test_one_row_an_image_in_batches(monkeypatch):
    images = pictures(*[(12, 12 + row % 3) for row in range(11)])
    seen = []

    def forward(stack):
        seen.append(len(stack))
        return {"backbone": stack.mean(dim=(2, 3)), "head.score": stack[:, 0, 0, 0]}

    outputs = Center(size=8, batch=4)(images, forward)
    assert seen == [4, 4, 3]
    assert outputs["backbone"].shape == (11, 3)
    assert outputs["head.score"].shape == (11,)
    monkeypatch.setitem(render.WORKING_SET, "cpu", 1)
    again = Center(size=8, batch=11)(images, forward)
    torch.testing.assert_close(again["backbone"], outputs["backbone"])
    assert Center(size=8)([], forward) == {}


def test_a_crop_larger_than_the_resized_image_is_objected_to():
    with pytest.raises(Objection, match=r"resize \(16\) must be at least size \(32\)"):
        Center(size=32, resize=16)
