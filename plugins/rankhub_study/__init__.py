"""Official plugin: experiments over recipes, by a plan: equal cost, seeds, trials, a table with intervals."""

import rankhub
from rankhub import Component, Verb


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The data set by which trials hold some of the training data out."""
    return [Component("dataset", "portion", "rankhub_study.portion:Portion", "A part of another data set.")]


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """What this plugin adds to the command line."""
    return [Verb("study", "rankhub_study.verb:study", "Compare recipes by a plan: jobs, a table, a figure.")]
