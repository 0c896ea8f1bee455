"""A made-up third party's plugin: a verb, a recipe, and a component of each kind, mostly named as official ones are."""

import rankhub
from rankhub import Component, Verb

RANKHUB_API = 1


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    return [
        Component("dataset", "placed_digits", "acme_ranking.data:Stripes", "Stripes, each with its width as score."),
        Component("generator", "random_views", "acme_ranking.data:Faded", "Ranked copies, each fainter."),
        Component("backbone", "timm", "acme_ranking.network:Means", "Linear features of colours."),
        Component("head", "score", "acme_ranking.network:Rating", "One score."),
        Component("loss", "mse", "acme_ranking.losses:Apart", "Absolute distance from the label."),
        Component("optimizer", "adamw", "acme_ranking.training:Descent", "Plain descent."),
        Component("schedule", "cosine", "acme_ranking.training:Half", "Half of the number in the second half."),
        Component("predict", "center", "acme_ranking.network:Whole", "The image as it is."),
        Component("evaluator", "knn", "acme_ranking.training:Error", "Mean distance from the scores."),
        Component("acquirer", "random", "acme_ranking.training:Highest", "The images with the highest scores."),
        Component("callback", "diary", "acme_ranking.training:Diary", "Writes down each step."),
        Component("vector_store", "drawer", "acme_ranking.vectors:DrawerStore", "Vectors in a drawer."),
        Component("image_source", "zip", "acme_ranking.zipped:ZipSource", "Images in a .zip file."),
    ]


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    return [Verb("rate", "acme_ranking.verbs:rate", "Say the score of each image of a folder.")]


@rankhub.hookimpl
def rankhub_recipes() -> list[str]:
    return ["acme_ranking.recipes"]
