"""Guided pendulum: the leader blows wind at a pendulum that its owner swings up, and is paid on which side it hangs.

| | |
| --- | --- |
| id | `stackelberg/GuidedPendulum-v0` |
| states | vectors of size 3: cosine and sine of the angle (0 is upright), angular speed (rad/s) |
| leader actions | [-1, 1]: wind on the pendulum |
| follower actions | [-2, 2]: torque (N m) |
| contexts K | 1 |
| commitment | parameters of a linear (4) or small neural policy, each in [-bound, bound] |
| horizon | 200 |
| discounts | 0.99, 0.99 |
| temperature | 0.1 |

What x changes
    The leader's policy, a = clip(mean_x(s) + scale * noise, -1, 1) with standard normal noise. The follower sees a
    before it acts. The mean is linear in the state over (1, 1, 8), or a network of tanh units of it. At x = 0 the
    mean is zero. The clipped value is what acts and what is recorded; its score is exact.
Dynamics
    Gymnasium's pendulum: gravity 10, mass 1 kg, length 1 m, steps of 0.05 s, speed clipped to [-8, 8], torque
    clipped to [-2, 2]. Wind adds 2 a cos(angle)^2 to the angular acceleration. Starts: any angle, speed in [-1, 1].
Follower's reward
    -(angle^2 + 0.1 speed^2 + 0.001 torque^2), before the step, angles in [-pi, pi).
Leader's reward
    min(0, -sin(angle)), with the angle before the step. So the leader loses while the pendulum is on the side where the
    sine is positive.
End
    Only by the time limit.
What is known
    No exact solution. A follower can plan on a grid of angle and speed: that is the default follower,
    ``grid_value_iteration``. Moves and rewards are exact there, its values between grid points are not. The
    leader's return is at most 0.
Arguments
    ``policy`` ("linear" or "mlp"), ``hidden`` (units of each hidden layer), ``scale``, ``bound``, ``policy_seed``
    (starting values of the hidden layers), ``leader_discount``, ``follower_discount``, ``temperature``,
    ``horizon``.
Sources
    The code that belongs to Kudo et al. (2026), arXiv 2603.14867 (wind and the leader's reward). Clipping, the
    policy's form, discounts and temperature are this project's; the speed is clipped before the angle moves, as
    in Gymnasium.
Version history
    v0: first version.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box

from stackelberg_envs.arrays import Array, IntArray, frozen_space
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.guided import WINDS, GuidedGame
from stackelberg_envs.games.leader_policies import ClippedGaussianPolicy, policy_network
from stackelberg_envs.games.vector import BatchStep

GRAVITY, MASS, LENGTH = 10.0, 1.0, 1.0
#: rad/s^2 per unit of wind; seconds per step.
WIND, TIME_STEP = 2.0, 0.05
MAX_TORQUE, MAX_SPEED = 2.0, 8.0
#: By which the leader's policy divides the state.
STATE_SCALE = (1.0, 1.0, MAX_SPEED)
LIMITS = np.array([1, 1, MAX_SPEED], np.float32)


def swing(angles: Array, speeds: Array, torques: Array, winds: Array) -> tuple[Array, Array]:
    """Return angles and speeds 0.05 s later, shape (n,) each."""
    pull = 3 * GRAVITY / (2 * LENGTH) * np.sin(angles) + 3 / (MASS * LENGTH**2) * torques
    blown = WIND * winds * np.cos(angles) ** 2
    faster = np.clip(speeds + TIME_STEP * (pull + blown), -MAX_SPEED, MAX_SPEED)
    return angles + TIME_STEP * faster, faster


def as_states(angles: Array, speeds: Array) -> Array:
    """Return states, shape (n, 3)."""
    return np.stack([np.cos(angles), np.sin(angles), speeds], axis=1)


class GuidedPendulum(GuidedGame):
    """The game."""

    STATES: ClassVar[Box] = frozen_space(Box(-LIMITS, LIMITS))
    PUSHES: ClassVar[Box] = frozen_space(Box(-MAX_TORQUE, MAX_TORQUE, (1,), np.float32))
    value_grid: ClassVar[str] = "stackelberg_envs.envs.guided_pendulum.grid:PendulumGrid"

    def initial_states(self, rng: np.random.Generator, contexts: IntArray) -> Array:
        """Draw any angle and a small speed, shape (n, 3)."""
        high = np.array([[np.pi], [1.0]])
        return as_states(*rng.uniform(-high, high, size=(2, len(contexts))))

    def move(self, states: Array, pushes: Array, winds: Array) -> BatchStep:
        """Swing for one step; both are paid for the state before it."""
        cosine, sine, speed = states.T
        angle = np.arctan2(sine, cosine)
        return BatchStep(
            next_state=as_states(*swing(angle, speed, pushes, winds)),
            leader_reward=np.minimum(0.0, -sine),
            follower_reward=-(angle**2 + 0.1 * speed**2 + 0.001 * pushes**2),
            terminated=np.zeros(len(states), np.bool_),
        )


def make_game(
    *,
    policy: str = "linear",
    hidden: Sequence[int] = (16,),
    scale: float = 0.2,
    bound: float = 10.0,
    policy_seed: int = 0,
    leader_discount: float = 0.99,
    follower_discount: float = 0.99,
    temperature: float = 0.1,
    horizon: int = 200,
) -> GuidedPendulum:
    """Guided pendulum as a vector game.

    Parameters
    ----------
    policy
        "linear" or "mlp": the mean of the leader's policy.
    hidden
        Units of each hidden layer of the mlp.
    scale
        Standard deviation of the wind around the mean, before clipping.
    bound
        Parameters of the policy lie in [-bound, bound].
    policy_seed
        Of the starting values of the mlp's hidden layers, to which the commitment is added.
    leader_discount, follower_discount
        Per step.
    temperature
        Weight of the follower's entropy, reward units.
    horizon
        Steps after which an episode is truncated.
    """
    network = policy_network(policy, hidden, STATE_SCALE, 1, policy_seed)
    setting: dict[str, Any] = {
        "policy": policy,
        "hidden": hidden,
        "scale": scale,
        "bound": bound,
        "policy_seed": policy_seed,
        "leader_discount": leader_discount,
        "follower_discount": follower_discount,
        "temperature": temperature,
        "horizon": horizon,
    }
    return GuidedPendulum(
        commitment=ClippedGaussianPolicy(network, WINDS, scale=scale, bound=bound),
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        horizon=horizon,
        name="Guided pendulum",
        facts={
            "states": ("cos", "sin", "angular speed"),
            "units": ("", "", "rad/s"),
            "typical": {"leader_reward": 1.0, "follower_reward": 10.0, "state": (1.0, 1.0, 8.0)},
            **known_facts("stackelberg/GuidedPendulum-v0", **setting),
        },
    )


FACES = declare(make_game, renderer="stackelberg_envs.envs.guided_pendulum.picture:pendulum")
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
