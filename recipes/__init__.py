"""The recipes that come with rankhub."""

import rankhub


@rankhub.hookimpl
def rankhub_recipes() -> list[str]:
    """This package."""
    return ["rankhub_recipes"]
