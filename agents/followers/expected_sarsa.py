"""Expected SARSA: a follower that learns the value of what it does, its exploration included."""

from __future__ import annotations

from typing import Any

from agents import kernels
from agents.followers.base import register_follower
from agents.followers.tabular import TabularLearner
from agents.state import stateful

__all__ = ["ExpectedSarsa"]


@register_follower("expected_sarsa")
class ExpectedSarsa(TabularLearner):
    r"""Tabular expected SARSA with the follower's entropy, on-policy.

    Its fixed point, with :math:`\mu = (1 - \epsilon) \mathrm{Gibbs}(Q) + \epsilon / B` what it plays in training:

    .. math::
        Q = r_F + \gamma_F (1 - \text{terminal}) P \sum_a f \sum_b \mu (Q - \lambda \log \mu) .

    The mean over the leader's next action uses the announced policy. Without exploration the sum over b is the
    soft value, so the fixed point is the soft best response.
    """

    state_fields = stateful.fields()

    @staticmethod
    def kernel(*arguments: Any) -> int:
        """Play and learn in arrays."""
        return int(kernels.expected_sarsa(*arguments))
