"""Official plugin: label in rounds, the images first from which a network would learn most (active learning)."""

import rankhub
from rankhub import Component, Verb
from rankhub.interfaces.kinds import Kind


@rankhub.hookimpl
def rankhub_kinds() -> list[Kind]:
    """The kinds of components of this plugin."""
    summary = "Which images of a pool to label next."
    return [
        Kind("acquirer", summary, "rankhub_active.acquire:Acquirer", "acquire", told=("streams", "numbers")),
    ]


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [
        Component(
            "acquirer",
            "ranking_uncertainty",
            "rankhub_active.acquirers.uncertainty:RankingUncertainty",
            "Images whose ranked views the network orders worst.",
        ),
        Component(
            "acquirer",
            "ensemble_variance",
            "rankhub_active.acquirers.ensemble:EnsembleVariance",
            "Images on which checkpoints of a run, or passes with dropout, disagree most.",
        ),
        Component(
            "acquirer",
            "coreset",
            "rankhub_active.acquirers.coreset:Coreset",
            "Images that together leave none of the pool far from a labeled one.",
        ),
        Component(
            "acquirer", "random", "rankhub_active.acquirers.chance:Random", "Images at random, to compare others with."
        ),
    ]


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """What this plugin adds to the command line."""
    return [
        Verb(
            "label",
            "rankhub_active.verbs.app:app",
            "Label in rounds the images from which a network would learn most.",
        )
    ]
