"""Small neural networks in PyTorch, for the deep followers and critics; torch is loaded by who makes one.

A network's parameters are one flat NumPy array, which torch reads and differentiates in place. So a network is
copied, compared and stored like any other array, and what it learns depends on the given NumPy generator only: torch
draws no random number here. Everything is float32 and runs on one thread.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.errors import ConvergenceError, MissingExtraError

from ..state import stateful
from ..state.stateful import Stateful
from .optimizers import Adam

__all__ = ["Network", "Trained", "descend", "load_torch", "one_thread", "tensor"]

Floats = NDArray[np.float32]


def load_torch(owner: str) -> Any:
    """Return the module torch.

    Raises
    ------
    MissingExtraError
        It is not installed.
    """
    try:
        return importlib.import_module("torch")
    except ImportError as exc:
        raise MissingExtraError(
            f"{owner}: this needs PyTorch, which `pip install 'stackelberg-envs[torch]'` installs"
        ) from exc


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread inside, and as many as before afterwards.

    Networks this small gain nothing from threads, and sums over several threads may differ in their last bits.
    """
    torch = load_torch("networks")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def tensor(array: NDArray[Any]) -> Any:
    """Return an array as a tensor; where it is float32 or an integer array the two share their memory."""
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    return load_torch("networks").from_numpy(np.ascontiguousarray(array))


class Network(Stateful):
    """Perceptrons of one shape, side by side, with SiLU between their layers, plus a linear function of the inputs.

    Parameters
    ----------
    sizes
        Inputs, hidden layers, outputs.
    rng
        Draws the parameters, evenly in +- 1 / sqrt(inputs of the layer).
    copies
        How many, E; twin critics are two copies.
    last
        Factor on the last layer and on the linear function, so that a network may begin near zero.

    Attributes
    ----------
    parameters
        Of all copies, shape (E * P,), float32: layer by layer weights and biases, then the weights of the linear
        function; one copy after the other.
    """

    state_fields = stateful.fields(parameters=stateful.Array())

    def __init__(self, sizes: Sequence[int], rng: np.random.Generator, *, copies: int = 1, last: float = 1.0) -> None:
        self.sizes, self.copies = tuple(sizes), copies
        shapes = [(n + 1, m, n) for n, m in pairwise(self.sizes)] + [(self.sizes[0], self.sizes[-1], self.sizes[0])]
        factors = [*[1.0] * (len(shapes) - 2), last, last]
        drawn = [
            factor / math.sqrt(inputs) * rng.uniform(-1.0, 1.0, n * m)
            for _ in range(copies)
            for (n, m, inputs), factor in zip(shapes, factors, strict=True)
        ]
        self.parameters: Floats = np.concatenate(drawn).astype(np.float32)

    def leaf(self) -> Any:
        """Return the parameters as a tensor to differentiate by."""
        return tensor(self.parameters).requires_grad_()

    def __call__(self, inputs: Any, leaf: Any = None) -> Any:
        """Return the outputs, shape (E, n, M), for inputs of shape (n, N) or (E, n, N).

        Without a `leaf` nothing is recorded for derivatives by the parameters.
        """
        flat = tensor(self.parameters) if leaf is None else leaf
        return _forward(flat.view(self.copies, -1), self.sizes, inputs)

    def copy(self) -> Network:
        """Return the same network with parameters of its own."""
        twin = object.__new__(type(self))
        twin.sizes, twin.copies, twin.parameters = self.sizes, self.copies, self.parameters.copy()
        return twin


def _forward(flat: Any, sizes: tuple[int, ...], inputs: Any) -> Any:
    torch = load_torch("networks")
    E = flat.shape[0]
    pairs = list(pairwise(sizes))
    N, M = sizes[0], sizes[-1]
    pieces = flat.split([size for n, m in pairs for size in (n * m, m)] + [N * M], dim=1)
    values = inputs = inputs.expand(E, *inputs.shape[-2:])
    for layer, (n, m) in enumerate(pairs):
        if layer:
            values = torch.nn.functional.silu(values)
        weights, bias = pieces[2 * layer].view(E, n, m), pieces[2 * layer + 1].unsqueeze(1)
        values = torch.baddbmm(bias, values, weights)
    return torch.baddbmm(values, inputs, pieces[-1].view(E, N, M))


class Trained(Stateful):
    """A network, its optimizer, and a copy that follows it slowly.

    Parameters
    ----------
    network
        The network.
    learning_rate
        Of Adam.

    Attributes
    ----------
    target
        The copy: an average of the network's recent parameters.
    """

    state_fields = stateful.fields(
        network=stateful.Part(),
        target=stateful.Part(),
        optimizer=stateful.Part(like="parameters"),
    )

    def __init__(self, network: Network, learning_rate: float) -> None:
        self.network, self.target = network, network.copy()
        self.optimizer = Adam(learning_rate)

    @property
    def parameters(self) -> Floats:
        """Those of the network, shape (E * P,)."""
        return self.network.parameters

    def still(self) -> Trained:
        """Return a copy of the slow copy, which later training does not change."""
        return Trained(self.target.copy(), self.optimizer.learning_rate)

    def follow(self, rate: float) -> None:
        """Move the copy a part of its way to the network."""
        self.target.parameters += np.float32(rate) * (self.network.parameters - self.target.parameters)


def descend(loss: Any, trained: Sequence[Trained], leaves: Sequence[Any], owner: str, limit: float = math.inf) -> None:
    """Make one step of each network down the loss.

    Parameters
    ----------
    loss
        A number, as a tensor.
    trained, leaves
        The networks, and the leaves their outputs were computed with.
    owner
        For the message.
    limit
        Greatest Euclidean norm of the gradient of one network; longer ones are shortened.

    Raises
    ------
    ConvergenceError
        The loss or a gradient is not finite.
    """
    gradients = load_torch(owner).autograd.grad(loss, list(leaves))
    for part, gradient in zip(trained, gradients, strict=True):
        slope = gradient.numpy()
        norm = float(np.linalg.norm(slope))
        if not math.isfinite(norm):
            raise ConvergenceError(
                f"{owner}: expected a finite gradient, got one of norm {norm} at a loss of {loss.item()}; "
                "a smaller learning rate may help"
            )
        part.network.parameters += part.optimizer.step(-slope if norm <= limit else -slope * np.float32(limit / norm))
