"""Official plugin: indexes of images whose vectors lie in a Lance table, with memory bounded by an option."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "vector_store",
            "lance",
            "rankhub_lance_index.store:LanceStore",
            "A Lance table on disk, read in parts, with IVF-PQ in it.",
        )
    ]
