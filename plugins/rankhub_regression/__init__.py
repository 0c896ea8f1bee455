"""Official plugin: regression from few labels and many ranked views (Liu, van de Weijer, Bagdanov, 2019)."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "loss",
            "margin_ranking",
            "rankhub_regression.margin_ranking:MarginRanking",
            "All comparable pairs of ranked views from one pass: the better one by a margin.",
        ),
        Component("loss", "mse", "rankhub_regression.regression:MSE", "Squared error of a score to its label."),
        Component("loss", "l1", "rankhub_regression.regression:L1", "Absolute error of a score to its label."),
        Component(
            "loss",
            "huber",
            "rankhub_regression.regression:Huber",
            "Squared error of a score where it is small, absolute where it is large.",
        ),
        Component("head", "score", "rankhub_regression.score:Score", "Pooled features to one number."),
    ]
