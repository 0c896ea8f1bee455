"""Official plugin: which runs there are, what distinguishes them, which one is best."""

import rankhub


@rankhub.hookimpl
def rankhub_verbs() -> list[rankhub.Verb]:
    """The verb of this plugin."""
    return [rankhub.Verb("runs", "rankhub_runs.verbs:app", "List runs, compare them, find the best.")]
