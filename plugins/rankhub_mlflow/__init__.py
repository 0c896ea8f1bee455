"""Official plugin: tells MLflow of the runs whose recipe asks for it."""

import rankhub
from rankhub import Component


@rankhub.hookimpl
def rankhub_components() -> list[Component]:
    """The components of this plugin."""
    return [Component("callback", "mlflow", "rankhub_mlflow.tracker:MLflow", "Tells an MLflow server or database.")]
