"""Official plugin: evaluators that ask for the nearest images."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "evaluator",
            "knn",
            "rankhub_retrieval.knn:KNearest",
            "Accuracy of a vote among the nearest labeled images.",
        ),
        Component(
            "evaluator",
            "retrieval",
            "rankhub_retrieval.retrieval:Retrieval",
            "Average precision and recall of finding images of one class, or views of one image.",
        ),
    ]
