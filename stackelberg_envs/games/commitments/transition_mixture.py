"""The leader mixes transition kernels."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stackelberg_envs.arrays import Array, as_float, as_integers, frozen, require_rows_sum_to_one, require_shape
from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.base import Effect, SimplexRows, need, on_lists, sum_to
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.transitions import AXES, Transition

__all__ = ["TransitionMixture"]


class TransitionMixture(SimplexRows):
    """The leader mixes transition kernels: P = sum_m x[g(s), m] P_m.

    Its gradient is that of the unnormalised mixture, so a parametrisation has to stay on the simplex. A
    leader that commits to a mixture knows the kernels it mixes: they are part of the commitment.

    Parameters
    ----------
    kernels
        M dense kernels, shape (M, S, A, B, S), or M :class:`Transition` objects with equal successors.
    groups
        For each state the row of x that applies there, shape (S,); default one row for all states.
    """

    changes = frozenset({"transition"})
    always_fits = True
    affine = True

    def __init__(self, kernels: ArrayLike | list[Transition], groups: ArrayLike | None = None) -> None:
        self.successors, self.kernels, self._dense = _stack(kernels)
        S = self.kernels.shape[1]
        self.groups = _checked_groups(np.zeros(S, dtype=np.intp) if groups is None else groups, S)
        super().__init__(0.0, 1.0, (int(self.groups.max()) + 1, len(self.kernels)))

    def effect(self, x: Array) -> Effect:
        """Return the mixed transition."""
        weights = x[self.groups].T[:, :, None, None, None]
        return Effect(transition=Transition(self.successors, (weights * self.kernels).sum(axis=0), self._dense))

    def possible_transitions(self) -> list[Transition]:
        """Return what is mixed."""
        return [Transition(self.successors, kernel, self._dense) for kernel in self.kernels]

    def vjp(self, x: Array, cotangents: Cotangents) -> Array:
        """Return the inner product of dJ/dP with each kernel, group by group."""
        template = Transition(self.successors, self.kernels[0], self._dense)
        weight = on_lists(need(cotangents.transition, "transition"), template)
        weight = sum_to(weight, self.successors.shape)
        per_state = np.einsum("sabn,msabn->sm", weight, self.kernels)
        out = np.zeros(x.shape)
        np.add.at(out, self.groups, per_state)
        return out


def _checked_groups(groups: ArrayLike, S: int) -> NDArray[np.intp]:
    array = as_integers(groups, "groups")
    require_shape(array, [(S,)], "groups")
    if (array < 0).any() or (array >= S).any():
        raise GameError(f"groups: expected row numbers in 0..{S - 1}, one per state, got {array!r}")
    return frozen(array.astype(np.intp))


def _stack(kernels: ArrayLike | list[Transition]) -> tuple[np.ndarray, Array, bool]:
    """Return (successors, kernels, dense) on one common support."""
    if isinstance(kernels, list | tuple) and any(isinstance(kernel, Transition) for kernel in kernels):
        return _stack_lists(list(kernels))
    dense = as_float(kernels, "kernels")  # type: ignore[arg-type]
    if dense.ndim != 5 or dense.shape[1] != dense.shape[-1] or 0 in dense.shape:
        raise GameError(f"kernels: expected shape (M, S, A, B, S), got {dense.shape}")
    dense = np.stack([require_rows_sum_to_one(p, f"kernels[{m}]", axes=AXES) for m, p in enumerate(dense)])
    support = Transition.from_dense(dense.mean(axis=0), "kernels")
    index = np.broadcast_to(support.successors, (len(dense), *support.successors.shape))
    values = np.take_along_axis(dense, index.astype(np.intp), axis=-1)
    return support.successors, frozen(values * (support.probabilities > 0)), True


def _stack_lists(kernels: list[Transition]) -> tuple[np.ndarray, Array, bool]:
    for m, kernel in enumerate(kernels):
        if not isinstance(kernel, Transition):
            raise GameError(f"kernels[{m}]: expected a Transition as the others are, got {type(kernel).__name__}")
    checked = [kernel.checked(f"kernels[{m}]") for m, kernel in enumerate(kernels)]
    successors = checked[0].successors
    if successors.ndim != 4:
        raise GameError(f"kernels: expected successors of shape (S, A, B, N), got {successors.shape}")
    if any(not np.array_equal(successors, kernel.successors) for kernel in checked):
        raise GameError("kernels: expected transitions with equal successors; pass dense kernels instead")
    return successors, frozen(np.stack([kernel.probabilities for kernel in checked])), False
