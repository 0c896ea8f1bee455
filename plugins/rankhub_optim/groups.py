"""What every optimiser here does with biases and the weights of normalisation layers."""

from __future__ import annotations

from typing import Any

Groups = list[dict[str, Any]]


def without_vector_decay(params: Groups, decay_vectors: bool) -> Groups:
    """The groups, with no weight decay on those of ``vector: True`` unless ``decay_vectors``.

    Decay pulls a bias or a norm's weight towards 0, which regularises nothing (Goyal et al. 2017, section 5.3).
    The engine multiplies the weight decay it sets by ``weight_decay_scale``.
    """
    for group in params:
        group["weight_decay_scale"] = 1.0 if decay_vectors or not group.get("vector", False) else 0.0
    return params
