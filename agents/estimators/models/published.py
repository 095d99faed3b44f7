"""From what a game publishes about its form to what fits models of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

from stackelberg_envs.envs.tax_design.economy import TaxFamily
from stackelberg_envs.games.linear_forms import LinearFamily
from stackelberg_envs.games.samples import ModelClass
from stackelberg_envs.games.trajectories import Trajectories

__all__ = ["OwnModelClass", "model_class_of"]


@dataclass(frozen=True, eq=False)
class OwnModelClass:
    """A model class that a game brings along, and that may have a `fit` only."""

    own: Any

    @property
    def record_type(self) -> type[Any] | None:
        """The dataclass of the records that :meth:`compress` returns; None where these are plain values."""
        plain = None if hasattr(self.own, "compress") else Trajectories
        return getattr(self.own, "record_type", plain)

    def compress(self, record: Trajectories) -> Any:
        """Return what :meth:`fit` needs of a record: the record itself, where the game says nothing else."""
        return self.own.compress(record) if hasattr(self.own, "compress") else record

    def fit(self, data: Sequence[Any]) -> Any:
        """Return the game's own model."""
        return self.own.fit(data)


@singledispatch
def model_class_of(published: Any) -> ModelClass | None:
    """Return what fits models of the form that a game publishes as its `model_class`.

    A game's own object with a `fit` fits; None, where nothing is published, stays None. To teach the leaders another
    form that is data, register its class.
    """
    return OwnModelClass(published)


@model_class_of.register
def _(published: None) -> None:
    del published


@model_class_of.register
def _(published: LinearFamily) -> ModelClass:
    from .linear_quadratic import LinearModelClass  # loads solvers

    return LinearModelClass(published)


@model_class_of.register
def _(published: TaxFamily) -> ModelClass:
    from .tax import TaxModelClass  # loads solvers

    return TaxModelClass(published)
