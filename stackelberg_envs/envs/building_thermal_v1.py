"""Building thermal control: a designer sets insulation and airflow, an air-conditioning controller answers.

| | |
| --- | --- |
| id | `stackelberg/BuildingThermal-v1` |
| states | temperatures of four zones on a ring, differences from the set point; clipped to [-30, 30] |
| leader actions | none |
| follower actions | power of two HVAC units; box [-10, 10], never clipped |
| contexts K | 1 |
| commitment | insulation il of each zone and airflow aa of each link, shape (8,), entries in [0, 1] |
| horizon | 100 |
| discounts | 0.9, 0.9 |
| temperature | 0.1 |

What x changes
    The dynamics, with x = (il_0..il_3, aa_0..aa_3), and the leader's reward: it pays 0.1 |x|^2 per step. The commitment
    object holds the true dynamics, because the score of a transition needs them. The form to which leaders may fit a
    model does not.
Dynamics
    s' = A(x) s + B b + N(0, 0.02^2), clipped. Off the diagonal, A_ij is its base value times the airflow of the link
    between i and j; link i joins the zones i and i + 1, link 3 the zones 3 and 0. A_ii is its base value, 1, plus
    e_i (1 - il_i) minus the two other entries of its row. Initial temperatures are N(0, 25).
Follower's reward
    -(s'Q s + 0.01 b'b) with Q = diag(8, 1, 5, 6), at the state before the step.
Leader's reward
    Minus the variance of the four temperatures, minus 0.5 |b|^2, minus the price of x, at the state before the step.
End
    Only by the time limit. Exact values are those of endless play, and ignore that states are clipped.
What is known
    J = -162.50 at il = (1, 0, 1, 1), aa = (0, 0.778, 1, 1), the best found; -261.96 at one half everywhere.
Arguments
    ``leader_discount``, ``follower_discount``, ``temperature``, ``horizon``, ``action_bound``.
Sources
    Kudo et al. (2026), arXiv 2603.14867, the building thermal control task (BuildingThermalControl_3).
Version history
    v1: ``action_bound`` is 10. v0 makes the same game with 100.
    v0: first version.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import Array
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.dynamics import DynamicsCommitment
from stackelberg_envs.games.linear_forms import LinearForm, LinearNumbers, QuadraticReward
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame

ZONES, UNITS = 4, 2
#: (row, column) of the entries off the diagonal, and the link that opens each.
LINKS = tuple((i, (i + step) % ZONES, (i + min(step, 0)) % ZONES) for i in range(ZONES) for step in (1, -1))
BASE = np.array([[1, 0.05, 0, 0.05], [0.03, 1, 0.04, 0], [0, 0.04, 1, 0.06], [0.05, 0, 0.03, 1]])
INSULATION_EFFECT = np.array([0.04, 0.03, 0.06, 0.05])
HEATING = np.array([[0.1, 0], [0.6, 0], [0, 0.55], [0, 0.3]])
NOISE, SPREAD, STATE_BOUND, PRICE = 0.02, 5.0, 30.0, 0.1
#: A bound that loses a learner little: exact responses that are cut to it lose at most 5 % of what they earn without a
#: bound, by play under all corners and 100 commitments in between; but for two corners, at which the building runs away
#: (16 and 19 %).
ACTION_BOUND = 10.0
#: Sizes of rewards per step and of a state, between what the best response plays and what a beginner does.
TYPICAL = {"leader_reward": 10.0, "follower_reward": 1000.0, "state": (10.0,) * ZONES}


def airflow_basis() -> Array:
    """Return how x enters A(x): four base diagonals, four insulation effects, eight entries of links.

    Shape (16, 9, 4, 4); see :class:`stackelberg_envs.games.linear_forms.LinearForm`.
    """
    basis = np.zeros((2 * ZONES + len(LINKS), 1 + 2 * ZONES, ZONES, ZONES))
    for i in range(ZONES):
        basis[i, 0, i, i] = 1.0
        basis[ZONES + i, 0, i, i] = 1.0
        basis[ZONES + i, 1 + i, i, i] = -1.0
    for n, (i, j, link) in enumerate(LINKS):
        basis[2 * ZONES + n, 1 + ZONES + link, i, j] = 1.0
        basis[2 * ZONES + n, 1 + ZONES + link, i, i] = -1.0
    return basis


def make_game(
    *,
    leader_discount: float = 0.9,
    follower_discount: float = 0.9,
    temperature: float = 0.1,
    horizon: int = 100,
    action_bound: float = ACTION_BOUND,
) -> LinearQuadraticGame:
    """Building thermal control as a vector game.

    Parameters
    ----------
    leader_discount, follower_discount
        Per step.
    temperature
        Weight of the follower's entropy, reward units.
    horizon
        Steps after which an episode is truncated; no effect on exact values.
    action_bound
        Of the box [-action_bound, action_bound] of the follower's actions, which learners need; exact values know none.
    """
    form = LinearForm(
        basis=airflow_basis(),
        gains=np.zeros((1 + 2 * ZONES, 0, ZONES)),
        follower_action_size=UNITS,
        leader_noise=np.zeros((0, 0)),
        price=PRICE,
    )
    numbers = LinearNumbers(
        weights=np.concatenate([np.diag(BASE), INSULATION_EFFECT, [BASE[i, j] for i, j, _ in LINKS]]),
        follower_input=HEATING,
        leader_input=np.zeros((ZONES, 0)),
        noise=NOISE**2 * np.eye(ZONES),
        state_cost=np.diag([8.0, 1.0, 5.0, 6.0]),
        action_cost=0.01 * np.eye(UNITS),
        initial_mean=np.zeros(ZONES),
        initial_covariance=SPREAD**2 * np.eye(ZONES),
    )
    states = tuple(f"zone {i}" for i in range(ZONES))
    knobs = [f"insulation {i}" for i in range(ZONES)] + [f"airflow {i}-{(i + 1) % ZONES}" for i in range(ZONES)]
    setting = {
        "leader_discount": leader_discount,
        "follower_discount": follower_discount,
        "temperature": temperature,
    }
    return LinearQuadraticGame(
        form=form,
        numbers=numbers,
        reward=QuadraticReward((np.eye(ZONES) - 1 / ZONES) / ZONES, 0.5 * np.eye(UNITS)),
        commitment=DynamicsCommitment.of_numbers(form, numbers, np.zeros(2 * ZONES), np.ones(2 * ZONES), knobs),
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        horizon=horizon,
        action_bound=action_bound,
        state_bound=STATE_BOUND,
        name="Building thermal control",
        facts={"states": states, "typical": TYPICAL, **known_facts("stackelberg/BuildingThermal-v1", **setting)},
    )


FACES = declare(
    make_game, renderer="stackelberg_envs.envs.building_thermal.picture:building", earlier={0: {"action_bound": 100.0}}
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
