"""rankhub trains networks on orders over images.

What a plugin's entry point needs is here at once; the public Python door (:mod:`rankhub.api`) is imported when one of
its names is used. Importing the package imports neither torch nor pluggy's manager.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rankhub.catalog.hookspecs import hookimpl
from rankhub.interfaces.component import API_VERSION, Component, Verb
from rankhub.interfaces.errors import ChangedError, Interrupted, UserError

if TYPE_CHECKING:
    from rankhub.api import (
        RecipeModels,
        build,
        estimate,
        in_role,
        list_components,
        list_recipes,
        load_recipe,
        load_run,
        read_document,
        recipe_files,
        recipe_folders,
        recipe_models,
        resume,
        train,
        views_of,
    )
    from rankhub.catalog.catalog import ComponentInfo
    from rankhub.catalog.nearest import suggestion
    from rankhub.catalog.page import ComponentPage, describe
    from rankhub.engine.answers import Prediction
    from rankhub.engine.console import Talk, talking
    from rankhub.engine.data_overrides import open_data, without_evaluators
    from rankhub.engine.feed import make_views
    from rankhub.engine.lock import locked
    from rankhub.engine.trained import Run
    from rankhub.recipe.load import LoadedRecipe
    from rankhub.recipe.overrides import Change, read_options
    from rankhub.recipe.reader import Document
    from rankhub.recipe.report import RecipeErrors

__version__ = "0.1.0"

_ELSEWHERE = {
    "ComponentPage": "rankhub.catalog.page",
    "Prediction": "rankhub.engine.answers",
    "Run": "rankhub.engine.trained",
    "Talk": "rankhub.engine.console",
    "describe": "rankhub.catalog.page",
    "locked": "rankhub.engine.lock",
    "make_views": "rankhub.engine.feed",
    "open_data": "rankhub.engine.data_overrides",
    "read_options": "rankhub.recipe.overrides",
    "talking": "rankhub.engine.console",
    "without_evaluators": "rankhub.engine.data_overrides",
}
"""Where the names are that :mod:`rankhub.api` does not have."""

__all__ = [
    "API_VERSION",
    "Change",
    "ChangedError",
    "Component",
    "ComponentInfo",
    "ComponentPage",
    "Document",
    "Interrupted",
    "LoadedRecipe",
    "Prediction",
    "RecipeErrors",
    "RecipeModels",
    "Run",
    "Talk",
    "UserError",
    "Verb",
    "__version__",
    "build",
    "describe",
    "estimate",
    "hookimpl",
    "in_role",
    "list_components",
    "list_recipes",
    "load_recipe",
    "load_run",
    "locked",
    "make_views",
    "open_data",
    "read_document",
    "read_options",
    "recipe_files",
    "recipe_folders",
    "recipe_models",
    "resume",
    "suggestion",
    "talking",
    "train",
    "views_of",
    "without_evaluators",
]

logging.getLogger("rankhub").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'rankhub' has no attribute {name!r}")
    return getattr(import_module(_ELSEWHERE.get(name, "rankhub.api")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
