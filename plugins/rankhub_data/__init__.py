"""Data sets of images; see them with `rankhub plugins list`."""

import rankhub
from rankhub import Component, Verb


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "dataset",
            "coco",
            "rankhub_data.coco:Coco",
            "COCO 2017 as it is unpacked: 118,000 photos of everyday scenes, 5,000 to test, 123,000 more.",
        ),
        Component(
            "dataset",
            "from_python",
            "rankhub_data.from_python:FromPython",
            "Images that a Python program hands over: paths, PIL images, arrays, tensors, a data set of torch.",
            role="given",
        ),
        Component(
            "dataset",
            "image_folder",
            "rankhub_data.image_folder:ImageFolder",
            "Any folder of images, nested or flat, with or without class folders.",
            role="folder",
        ),
        Component(
            "dataset",
            "placed_digits",
            "rankhub_data.digits:PlacedDigits",
            "Handwritten digits placed on coloured canvases; nothing to download.",
        ),
        Component(
            "dataset",
            "skimage_photos",
            "rankhub_data.skimage_photos:SkimagePhotos",
            "The colour photos inside the scikit-image wheel, pristine: nothing is downloaded.",
        ),
        Component(
            "dataset",
            "stl10",
            "rankhub_data.stl10:Stl10",
            "STL-10 as its authors ship it: 13,000 labeled and 100,000 unlabeled photos, 96 px.",
        ),
    ]


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verbs of this plugin."""
    return [Verb("data", "rankhub_data.verb:app", "Fetch a data set.")]
