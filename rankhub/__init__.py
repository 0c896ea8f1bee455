"""rankhub trains networks on orders over images.

What a plugin's entry point needs is here at once; the public Python door (:mod:`rankhub.api`) is imported when one of
its names is used. Importing the package imports neither torch nor pluggy's manager.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rankhub.catalog.markers import hookimpl
from rankhub.interfaces.component import API_VERSION, Component, Verb
from rankhub.interfaces.errors import Interrupted, UserError

if TYPE_CHECKING:
    from rankhub.api import (
        build,
        component_class,
        describe,
        estimate,
        in_role,
        list_components,
        list_recipes,
        load_recipe,
        load_run,
        open_data,
        resume,
        talking,
        train,
    )
    from rankhub.engine.answers import Prediction
    from rankhub.engine.console import Talk
    from rankhub.engine.given import without_evaluators
    from rankhub.engine.preview import make_views
    from rankhub.engine.trained import Run
    from rankhub.recipe.load import LoadedRecipe
    from rankhub.recipe.overrides import read_options

__version__ = "0.1.0"

_LATER = {
    "LoadedRecipe": "rankhub.recipe.load",
    "Prediction": "rankhub.engine.answers",
    "Run": "rankhub.engine.trained",
    "Talk": "rankhub.engine.console",
    "without_evaluators": "rankhub.engine.given",
    "make_views": "rankhub.engine.preview",
    "read_options": "rankhub.recipe.overrides",
    **dict.fromkeys(
        (
            "build",
            "component_class",
            "describe",
            "estimate",
            "in_role",
            "list_components",
            "list_recipes",
            "load_recipe",
            "load_run",
            "open_data",
            "resume",
            "talking",
            "train",
        ),
        "rankhub.api",
    ),
}

__all__ = [
    "API_VERSION",
    "Component",
    "Interrupted",
    "LoadedRecipe",
    "Prediction",
    "Run",
    "Talk",
    "UserError",
    "Verb",
    "__version__",
    "build",
    "component_class",
    "describe",
    "estimate",
    "hookimpl",
    "in_role",
    "list_components",
    "list_recipes",
    "load_recipe",
    "load_run",
    "make_views",
    "open_data",
    "read_options",
    "resume",
    "talking",
    "train",
    "without_evaluators",
]

logging.getLogger("rankhub").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'rankhub' has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
