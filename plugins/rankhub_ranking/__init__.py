"""Official plugin: what quality and counting share to learn from ranked views (Liu, van de Weijer, Bagdanov, 2019).

As a base for others it also holds what exact ranks rest on: comparable pairs, similarities that may be compared, means
that do not depend on an order.
"""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "loss",
            "margin_ranking",
            "rankhub_ranking.margin_ranking:MarginRanking",
            "All comparable pairs of ranked views from one pass: the better one by a margin.",
        ),
        Component("loss", "mse", "rankhub_ranking.regression:MSE", "Squared error of a score to its label."),
        Component("loss", "l1", "rankhub_ranking.regression:L1", "Absolute error of a score to its label."),
        Component(
            "loss",
            "huber",
            "rankhub_ranking.regression:Huber",
            "Squared error of a score where it is small, absolute where it is large.",
        ),
        Component(
            "evaluator",
            "ranking_accuracy",
            "rankhub_ranking.ranking_accuracy:RankingAccuracy",
            "Share of held-out ranked pairs in the right order, overall, by kind and by level.",
        ),
        Component(
            "generator",
            "random_crops",
            "rankhub_ranking.random_crops:RandomCrops",
            "Random square crops in original pixels, each view's independent of the others'.",
        ),
    ]
