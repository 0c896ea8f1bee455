"""Official plugin: which images of a pool to label next (active learning)."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "acquirer",
            "ranking_uncertainty",
            "rankhub_active.uncertainty:RankingUncertainty",
            "Images whose ranked views the network orders worst.",
        ),
        Component(
            "acquirer",
            "ensemble_variance",
            "rankhub_active.ensemble:EnsembleVariance",
            "Images on which checkpoints of a run, or passes with dropout, disagree most.",
        ),
        Component(
            "acquirer",
            "coreset",
            "rankhub_active.coreset:Coreset",
            "Images that together leave none of the pool far from a labeled one.",
        ),
        Component("acquirer", "random", "rankhub_active.chance:Random", "Images at random, to compare others with."),
    ]
