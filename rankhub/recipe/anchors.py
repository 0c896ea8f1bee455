"""Whether something keeps a network from answering every view alike, where a loss would be content with that."""

from __future__ import annotations

from collections.abc import Mapping

from rankhub.catalog.hints import Steps
from rankhub.interfaces.data import LabelSpec
from rankhub.interfaces.loss import Loss
from rankhub.recipe.draft import Draft


def check_anchors(
    draft: Draft, losses: Mapping[Steps, Loss], labels: Mapping[str, LabelSpec], starts_trained: bool
) -> None:
    """Object to a loss of which a constant network is a minimum, where nothing holds the network.

    What holds it: another objective of the phase on labeled data, weights that are loaded, or an earlier phase.

    Args:
        draft: The recipe.
        losses: Place of each objective -> its loss, as far as they could be built.
        labels: Data set -> what its labels are.
        starts_trained: Whether the backbone loads weights.
    """
    held = starts_trained or draft.mapping().get("start_from") is not None
    for number in range(len(draft.items("phases"))):
        names = draft.mapping("phases", number, "streams")
        here = {steps: loss for steps, loss in losses.items() if steps[1] in names}
        falls = {steps: sentence for steps, loss in here.items() if (sentence := loss.collapse()) is not None}
        labeled = [steps for steps in here if steps not in falls and _has_labels(draft, steps, labels)]
        if not held and not labeled:
            for steps, sentence in falls.items():
                remedy = (
                    "add an objective on labeled data to the phase, start from trained weights (start_from, "
                    "backbone.pretrained, backbone.weights), or choose another option"
                )
                draft.add(steps, f"{sentence}; {remedy}", draft.owner(steps))
        held = held or any(steps not in falls for steps in here)


def _has_labels(draft: Draft, objective: Steps, labels: Mapping[str, LabelSpec]) -> bool:
    data = draft.get(*objective[:2], "data")
    return isinstance(data, str) and data in labels and labels[data].kind is not None
