"""Guided cart-pole: the leader blows wind at a pole so that whoever balances it moves where the leader wants.

| | |
| --- | --- |
| id | `stackelberg/GuidedCartPole-v0` |
| states | vectors of size 4: position (m), speed (m/s), angle (rad, 0 is upright), angular speed (rad/s) |
| leader actions | [-1, 1]: wind on the pole |
| follower actions | [-1, 1]: push on the cart, times 10 N |
| contexts K | 1 |
| commitment | parameters of a linear (5) or small neural policy, each in [-bound, bound] |
| horizon | 200 |
| discounts | 0.99, 0.99 |
| temperature | 0.1 |

What x changes
    The leader's policy, a = clip(mean_x(s) + scale * noise, -1, 1) with standard normal noise. The follower sees a
    before it acts. The mean is linear in the state over (2.4, 2, 0.21, 2), or a network of tanh units of it. At
    x = 0 the mean is zero. The clipped value is what acts and what is recorded; its score is exact.
Dynamics
    Gymnasium's cart-pole with a push of any size: gravity 9.8, cart 1 kg, pole 0.1 kg of half length 0.5 m, Euler
    steps of 0.02 s. Wind adds 20 a cos(angle)^2 to the angular acceleration of the pole and nothing to the cart's.
    Starts are uniform in [-0.05, 0.05] in all four numbers. Pushes are clipped to [-1, 1].
Follower's reward
    1 per step, the one that fails included.
Leader's reward
    1 while the position after the step lies strictly inside ``target``.
End
    ``terminated`` when |position| exceeds 2.4 m or |angle| exceeds 12 degrees after a step.
What is known
    No exact solution. A follower can plan on a grid of speed, angular speed, angle and position: that is the default
    follower, ``grid_value_iteration``. Moves, rewards and ends are exact there, its values between grid points are
    not. Neither side can earn more than 1 per step. If the follower is a linear regulator that sees the wind, a linear
    policy of the leader earns more than 170 of 200 per episode. Without wind it earns less than 50. A test holds both.
Arguments
    ``policy`` ("linear" or "mlp"), ``hidden`` (units of each hidden layer), ``scale``, ``bound``, ``policy_seed``
    (starting values of the hidden layers), ``target``, ``leader_discount``, ``follower_discount``,
    ``temperature``, ``horizon``.
Sources
    Kudo et al. (2026), arXiv 2603.14867 (dynamics of the wind, target, rewards). Cart and pole: Barto, Sutton and
    Anderson (1983). Clipping, the policy's form, discounts and temperature are this project's.
Version history
    v0: first version.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from gymnasium.spaces import Box

from stackelberg_envs.arrays import Array, IntArray, as_float, frozen_space
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.guided import WINDS, GuidedGame
from stackelberg_envs.games.leader_policies import ClippedGaussianPolicy, policy_network
from stackelberg_envs.games.vector import BatchStep

GRAVITY, CART, POLE, HALF_LENGTH = 9.8, 1.0, 0.1, 0.5
#: Newton per unit of the follower's action; rad/s^2 per unit of wind; seconds per step.
PUSH, WIND, TIME_STEP = 10.0, 20.0, 0.02
MAX_POSITION, MAX_ANGLE = 2.4, 12 * np.pi / 180
START = 0.05
#: By which the leader's policy divides the state.
STATE_SCALE = (2.4, 2.0, MAX_ANGLE, 2.0)
#: The state that fails is still inside, as in Gymnasium.
LIMITS = np.array([2 * MAX_POSITION, np.inf, 2 * MAX_ANGLE, np.inf], np.float32)


def accelerations(states: Array, pushes: Array, winds: Array) -> tuple[Array, Array]:
    """Return the cart's and the pole's acceleration, m/s^2 and rad/s^2, shape (n,) each."""
    _, _, angle, spin = states.T
    sine, cosine = np.sin(angle), np.cos(angle)
    mass, moment = CART + POLE, POLE * HALF_LENGTH
    pushed = (PUSH * pushes + moment * spin**2 * sine) / mass
    turning = (GRAVITY * sine - cosine * pushed) / (HALF_LENGTH * (4.0 / 3.0 - POLE * cosine**2 / mass))
    return pushed - moment * turning * cosine / mass, turning + WIND * winds * cosine**2


def euler_step(states: Array, pushes: Array, winds: Array) -> Array:
    """Return the states 0.02 s later, shape (n, 4)."""
    cart, pole = accelerations(states, pushes, winds)
    slopes = np.stack([states[:, 1], cart, states[:, 3], pole], axis=1)
    return np.asarray(states + TIME_STEP * slopes)


@dataclass(frozen=True, eq=False, kw_only=True)
class GuidedCartPole(GuidedGame):
    """The game; `target` is the interval of positions, in metres, in which the leader is paid."""

    STATES: ClassVar[Box] = frozen_space(Box(-LIMITS, LIMITS))
    PUSHES: ClassVar[Box] = frozen_space(Box(-1.0, 1.0, (1,), np.float32))
    value_grid: ClassVar[str] = "stackelberg_envs.envs.guided_cartpole.grid:CartPoleGrid"

    target: tuple[float, float]

    def __post_init__(self) -> None:
        """Check the target."""
        super().__post_init__()
        object.__setattr__(self, "target", _interval(self.target))

    def initial_states(self, rng: np.random.Generator, contexts: IntArray) -> Array:
        """Draw states near rest, shape (n, 4)."""
        return rng.uniform(-START, START, size=(len(contexts), 4))

    def move(self, states: Array, pushes: Array, winds: Array) -> BatchStep:
        """Make an Euler step and pay for where it leads."""
        following = euler_step(states, pushes, winds)
        position, angle = following[:, 0], following[:, 2]
        low, high = self.target
        return BatchStep(
            next_state=following,
            leader_reward=((low < position) & (position < high)).astype(np.float64),
            follower_reward=np.ones(len(states)),
            terminated=(np.abs(position) > MAX_POSITION) | (np.abs(angle) > MAX_ANGLE),
        )


def _interval(target: object) -> tuple[float, float]:
    ends = as_float(target, "target")  # type: ignore[arg-type]
    if ends.shape != (2,) or not ends[0] < ends[1]:
        raise GameError(f"target: expected a finite interval (low, high) with low < high, got {target}")
    return float(ends[0]), float(ends[1])


def make_game(
    *,
    policy: str = "linear",
    hidden: Sequence[int] = (16,),
    scale: float = 0.2,
    bound: float = 10.0,
    policy_seed: int = 0,
    target: tuple[float, float] = (0.25, 0.75),
    leader_discount: float = 0.99,
    follower_discount: float = 0.99,
    temperature: float = 0.1,
    horizon: int = 200,
) -> GuidedCartPole:
    """Guided cart-pole as a vector game.

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
    target
        Positions between which the leader is paid, metres.
    leader_discount, follower_discount
        Per step.
    temperature
        Weight of the follower's entropy, reward units.
    horizon
        Steps after which an episode is truncated.
    """
    interval = _interval(target)
    network = policy_network(policy, hidden, STATE_SCALE, 1, policy_seed)
    facts: dict[str, Any] = {
        "typical": {"leader_reward": 1.0, "follower_reward": 1.0, "state": (2.4, 2.0, 0.2, 2.0)},
        "states": ("position", "speed", "angle", "angular speed"),
        "units": ("m", "m/s", "rad", "rad/s"),
        "target": interval,
    }
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
    facts |= known_facts("stackelberg/GuidedCartPole-v0", **setting, target=interval)
    return GuidedCartPole(
        commitment=ClippedGaussianPolicy(network, WINDS, scale=scale, bound=bound),
        target=interval,
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        horizon=horizon,
        name="Guided cart-pole",
        facts=facts,
    )


FACES = declare(make_game, renderer="stackelberg_envs.envs.guided_cartpole.picture:cartpole")
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
