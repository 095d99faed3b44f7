"""Features that a small network learns: what returns follow a state.

The network is fitted to the observed returns of one commitment's play, and its outputs stand beside the quadratic
features. What is made of them is linear, as with all other features; a network that has not learned much costs
accuracy only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stackelberg_envs.arrays import Array

__all__ = ["LearnedFeatures", "learn_features"]

HIDDEN, BATCH, STEPS = (64, 64), 256, 300
FIRST_RATE, LAST_RATE = 3e-3, 3e-4
#: Whitened states are cut off here: beyond, only the quadratic features are left.
FARTHEST = 6.0


@dataclass(frozen=True, eq=False)
class LearnedFeatures:
    """Outputs of a network, at whitened states."""

    network: Any

    def __call__(self, z: Array) -> Array:
        """Return the features, shape (n, M), of rows of shape (n, W)."""
        from ..learning.networks import load_torch, one_thread, tensor

        with one_thread(), load_torch("features").no_grad():
            return np.asarray(self.network(tensor(np.clip(z, -FARTHEST, FARTHEST)))[0].numpy(), dtype=np.float64)


def learn_features(z: Array, targets: Array, rng: np.random.Generator) -> LearnedFeatures:
    """Return a network fitted to targets (n, M) at whitened states (n, W).

    Raises
    ------
    MissingExtraError
        PyTorch is not installed.
    ConvergenceError
        The loss is not finite.
    """
    from ..learning.networks import Network, Trained, descend, load_torch, one_thread, tensor

    load_torch("features='network'")
    spread = targets.std(axis=0)
    scaled = (targets - targets.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    inside = np.clip(z, -FARTHEST, FARTHEST)
    network = Network((z.shape[1], *HIDDEN, targets.shape[1]), rng)
    trained = Trained(network, FIRST_RATE)
    with one_thread():
        for step in range(STEPS):
            trained.optimizer.learning_rate = FIRST_RATE * (LAST_RATE / FIRST_RATE) ** (step / STEPS)
            rows = rng.integers(len(z), size=BATCH)
            leaf = network.leaf()
            off = network(tensor(inside[rows]), leaf)[0] - tensor(scaled[rows])
            descend((off * off).mean(), [trained], [leaf], "features='network'", 1.0)
    return LearnedFeatures(network)
