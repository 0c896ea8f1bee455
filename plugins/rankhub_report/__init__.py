"""Official plugin: what runs did and learned, as one HTML file that opens without a network."""

import rankhub
from rankhub import Verb


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verb of this plugin."""
    return [Verb("report", "rankhub_report.verb:report", "Write one HTML file on runs, to open without a network.")]
