"""Official plugin: verbs that show the plugins, what recipes can use, and the recipes that come along."""

import rankhub
from rankhub import Verb


@rankhub.hookimpl
def rankhub_verbs() -> list[Verb]:
    """The verbs of this plugin."""
    return [
        Verb(
            "describe",
            "rankhub_browse.describe:describe",
            "Show what a recipe can use: kinds, components, their options.",
        ),
        Verb("plugins", "rankhub_browse.plugins:app", "List the plugins, also those that cannot be used."),
        Verb("recipes", "rankhub_browse.recipes:app", "List the recipes that come along, or copy one."),
        Verb("schema", "rankhub_browse.schema:schema", "Write the JSON schema of recipes, for editors."),
    ]
