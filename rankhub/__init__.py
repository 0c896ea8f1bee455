"""rankhub trains networks on orders over images.

What a plugin's entry point needs is here at once; the public Python door (:mod:`rankhub.api`) is imported when one of
its names is used. Importing the package imports neither torch nor pluggy's manager.
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from rankhub.catalog.hookspecs import hookimpl as hookimpl
from rankhub.interfaces.component import API_VERSION as API_VERSION
from rankhub.interfaces.component import Component as Component
from rankhub.interfaces.component import Verb as Verb
from rankhub.interfaces.errors import ChangedError as ChangedError
from rankhub.interfaces.errors import Interrupted as Interrupted
from rankhub.interfaces.errors import UserError as UserError

if TYPE_CHECKING:
    from rankhub.api import build as build
    from rankhub.api import estimate as estimate
    from rankhub.api import list_components as list_components
    from rankhub.api import list_recipes as list_recipes
    from rankhub.api import load_recipe as load_recipe
    from rankhub.api import load_run as load_run
    from rankhub.api import recipe_files as recipe_files
    from rankhub.api import resume as resume
    from rankhub.api import train as train
    from rankhub.catalog.blame import blamed as blamed
    from rankhub.catalog.blame import called as called
    from rankhub.catalog.blame import during as during
    from rankhub.catalog.catalog import Catalog as Catalog
    from rankhub.catalog.catalog import ComponentInfo as ComponentInfo
    from rankhub.catalog.complaints import complaints as complaints
    from rankhub.catalog.discovery import STRAYS as STRAYS
    from rankhub.catalog.discovery import BrokenPlugin as BrokenPlugin
    from rankhub.catalog.discovery import Plugin as Plugin
    from rankhub.catalog.discovery import PluginFailure as PluginFailure
    from rankhub.catalog.discovery import PluginSource as PluginSource
    from rankhub.catalog.discovery import guarded as guarded
    from rankhub.catalog.nearest import suggestion as suggestion
    from rankhub.catalog.page import ComponentPage as ComponentPage
    from rankhub.catalog.page import describe as describe
    from rankhub.catalog.spec import KIND_KEY as KIND_KEY
    from rankhub.catalog.spec import ComponentSpec as ComponentSpec
    from rankhub.engine.answers import Answer as Answer
    from rankhub.engine.answers import Prediction as Prediction
    from rankhub.engine.cost import Cost as Cost
    from rankhub.engine.cost import RunPlanned as RunPlanned
    from rankhub.engine.data_overrides import open_data as open_data
    from rankhub.engine.data_overrides import without_evaluators as without_evaluators
    from rankhub.engine.feed import Chain as Chain
    from rankhub.engine.learner import StepInfo as StepInfo
    from rankhub.engine.learner import StreamBatch as StreamBatch
    from rankhub.engine.network import Network as Network
    from rankhub.engine.network import freeze as freeze
    from rankhub.engine.network import train_mode as train_mode
    from rankhub.engine.parts import Parts as Parts
    from rankhub.engine.report import RunClosed as RunClosed
    from rankhub.engine.report import RunMeasured as RunMeasured
    from rankhub.engine.source import NetworkForward as NetworkForward
    from rankhub.engine.step import take_step as take_step
    from rankhub.engine.trained import Run as Run
    from rankhub.engine.training import new_learner as new_learner
    from rankhub.engine.training import new_optimizer as new_optimizer
    from rankhub.engine.training import stream_batch as stream_batch
    from rankhub.interfaces.talk import Talk as Talk
    from rankhub.recipe.address import labels_of as labels_of
    from rankhub.recipe.assembly import Assembly as Assembly
    from rankhub.recipe.load import LoadedRecipe as LoadedRecipe
    from rankhub.recipe.overrides import Change as Change
    from rankhub.recipe.overrides import apply_overrides as apply_overrides
    from rankhub.recipe.phases import CHOICE as CHOICE
    from rankhub.recipe.phases import OF_THE_PHASE as OF_THE_PHASE
    from rankhub.recipe.reader import Document as Document
    from rankhub.recipe.reader import read_yaml as read_yaml
    from rankhub.recipe.report import RecipeErrors as RecipeErrors
    from rankhub.recipe.schema import SPECS as SPECS
    from rankhub.recipe.schema import shape_of as shape_of
    from rankhub.recipe.shipped import read_file as read_file

__version__ = "0.1.0"

_HOMES = {
    "rankhub.api": ("build estimate list_components list_recipes load_recipe load_run recipe_files resume train"),
    "rankhub.catalog.blame": "blamed called during",
    "rankhub.catalog.catalog": "Catalog ComponentInfo",
    "rankhub.catalog.complaints": "complaints",
    "rankhub.catalog.discovery": "BrokenPlugin Plugin PluginFailure PluginSource STRAYS guarded",
    "rankhub.catalog.nearest": "suggestion",
    "rankhub.catalog.page": "ComponentPage describe",
    "rankhub.catalog.spec": "ComponentSpec KIND_KEY",
    "rankhub.engine.answers": "Answer Prediction",
    "rankhub.engine.cost": "Cost RunPlanned",
    "rankhub.engine.feed": "Chain",
    "rankhub.engine.data_overrides": "open_data without_evaluators",
    "rankhub.engine.learner": "StepInfo StreamBatch",
    "rankhub.engine.network": "Network freeze train_mode",
    "rankhub.engine.parts": "Parts",
    "rankhub.engine.report": "RunClosed RunMeasured",
    "rankhub.engine.source": "NetworkForward",
    "rankhub.engine.step": "take_step",
    "rankhub.engine.trained": "Run",
    "rankhub.engine.training": "new_learner new_optimizer stream_batch",
    "rankhub.interfaces.talk": "Talk",
    "rankhub.recipe.address": "labels_of",
    "rankhub.recipe.assembly": "Assembly",
    "rankhub.recipe.load": "LoadedRecipe",
    "rankhub.recipe.overrides": "Change apply_overrides",
    "rankhub.recipe.phases": "CHOICE OF_THE_PHASE",
    "rankhub.recipe.reader": "Document read_yaml",
    "rankhub.recipe.report": "RecipeErrors",
    "rankhub.recipe.schema": "SPECS shape_of",
    "rankhub.recipe.shipped": "read_file",
}
"""Module -> the names that are taken from it when they are used, as the imports above say it for a type checker."""

_HOME = {name: module for module, names in _HOMES.items() for name in names.split()}
_HERE = ["API_VERSION", "ChangedError", "Component", "Interrupted", "UserError", "Verb", "__version__", "hookimpl"]

__all__ = sorted([*_HERE, *_HOME])

logging.getLogger("rankhub").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'rankhub' has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
