"""Official plugin: images in Lance tables, on a disk or in an object store; and the verb that packs them."""

import rankhub
from rankhub import Component, Verb


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "dataset",
            "lance",
            "rankhub_pack.lance_table:LanceTable",
            "Images in a Lance table, on a disk or in an object store, at a version that stays; made by rankhub pack.",
        ),
        Component(
            "image_source",
            "lance",
            "rankhub_pack.image_source:LanceSource",
            "Tables made by rankhub pack, on a disk or in an object store: all their images, or one of them.",
        ),
    ]


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verbs of this plugin."""
    return [Verb("pack", "rankhub_pack.verb:pack", "Pack images with their labels into a Lance table.")]
