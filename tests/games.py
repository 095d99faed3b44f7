"""The games that several test files share, and what is known of them."""

from functools import cache

import numpy as np

from agents.runs.experiment import Experiment, ExperimentConfig
from benchmarks.toll_game import toll_game
from stackelberg_envs.envs import bilevel_lqr_v1, building_thermal_v1
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.commitments.incentives import IncentiveCost, StateIncentive
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.commitments.transfer import Transfer
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

__all__ = ["toll_game"]

TOY, ROOMS = "stackelberg/DiscreteToy-v1", "stackelberg/FourRooms-v0"
#: Games are immutable, so files may share them.
LQR, BUILDING = bilevel_lqr_v1.make_game(), building_thermal_v1.make_game()
#: Reward of the toy -> the best J.
TOY_OPTIMUM = {1.0: 34.992641, 2.0: 39.940211}
#: Sizes of the small game.
S, A, B = 3, 2, 2


def small_arguments(**changes):
    """Arguments of a random game with three states, the last of them terminal."""
    rng = np.random.default_rng(0)
    given = {
        "transition": rng.dirichlet(np.ones(S), size=(S, A, B)),
        "leader_reward": rng.standard_normal((S, A, B)),
        "follower_reward": rng.standard_normal((S, A, B)),
        "initial": np.array([0.5, 0.25, 0.25]),
        "terminal": np.array([0.0, 0.0, 1.0]),
        "leader_discount": 0.9,
        "follower_discount": 0.8,
        "temperature": 0.5,
        "commitment": PolicyTable(S, A),
    }
    return given | changes


def small_game(**changes):
    """The random game of `small_arguments`."""
    return TabularGame(**small_arguments(**changes))


def interacting_game(**changes):
    """Three followers in four states, the last of them terminal, who pay two prices; the leader pays for prices."""
    rng = np.random.default_rng(0)
    n, states, joint = 3, 4, 8
    prices = Transfer(rng.uniform(size=(n, states, 1, joint, 2)), 0.0, 1.0)
    given = {
        "follower_rewards": rng.uniform(-1.0, 1.0, size=(n, states, joint)),
        "leader_reward": rng.uniform(-1.0, 1.0, size=(states, joint)),
        "transition": rng.dirichlet(np.ones(states), size=(states, joint)),
        "initial": np.full(states, 0.25),
        "terminal": np.array([0.0, 0.0, 0.0, 1.0]),
        "leader_discount": 0.9,
        "follower_discount": 0.8,
        "temperature": 0.3,
        "commitment": Joint(prices, IncentiveCost(0.0, 1.0, price=0.3, where=np.ones(states))),
        "horizon": 40,
    }
    return MarkovGame(**(given | changes))


def weakly_interacting_game(**changes):
    """Two followers in three states, whose own choices count most, so that their answers to each other contract."""
    rng = np.random.default_rng(1)
    n, states, joint = 2, 3, 4
    own, together = rng.uniform(-1.0, 1.0, size=(n, states, 2)), rng.uniform(-1.0, 1.0, size=(n, states, joint))
    alone = np.stack([np.repeat(own[0], 2, axis=1), np.tile(own[1], (1, 2))])
    moves = rng.dirichlet(np.ones(states), size=(states, 1)), rng.dirichlet(np.ones(states), size=(states, joint))
    given = {
        "follower_rewards": alone + 0.05 * together,
        "leader_reward": rng.uniform(-1.0, 1.0, size=(states, joint)),
        "transition": 0.7 * moves[0] + 0.3 * moves[1],
        "initial": np.full(states, 1.0 / states),
        "leader_discount": 0.8,
        "follower_discount": 0.1,
        "temperature": 0.5,
        "commitment": Transfer(rng.uniform(size=(n, states, 1, joint, 1)), 0.0, 1.0),
        "horizon": 40,
    }
    return MarkovGame(**(given | changes))


def one_state(leader_reward, **changes):
    """One state, two actions for each side, all the same to the follower; the leader chooses a policy."""
    return TabularGame(
        transition=np.ones((1, 2, 2, 1)),
        leader_reward=[leader_reward],
        follower_reward=np.zeros((1, 2, 2)),
        initial=[1.0],
        leader_discount=0.5,
        follower_discount=0.5,
        temperature=0.1,
        commitment=PolicyTable(1, 2),
        **changes,
    )


def grid_world(side, discount, temperature=0.05, slip=0.2, terminal=True):
    """A square grid with a goal in the corner: slow mixing, so hard for Krylov methods."""
    S = side * side
    row, column = divmod(np.arange(S), side)
    moves = ((-1, 0), (0, 1), (1, 0), (0, -1))
    landing = [np.clip(row + r, 0, side - 1) * side + np.clip(column + c, 0, side - 1) for r, c in moves]
    successors = np.broadcast_to(np.stack(landing, axis=-1)[:, None, None, :], (S, 1, 4, 4))
    rows = np.where(np.eye(4, dtype=bool), 1 - slip, slip / 3)
    goal = np.zeros(S)
    goal[-1] = 1
    return TabularGame(
        transition=Transition.from_lists(successors, np.broadcast_to(rows, successors.shape)),
        leader_reward=np.tile(np.cos(np.arange(S))[:, None, None], (1, 1, 4)),
        follower_reward=np.tile(goal[:, None, None], (1, 1, 4)),
        initial=np.full(S, 1 / S),
        terminal=goal if terminal else None,
        leader_discount=discount,
        follower_discount=discount,
        temperature=temperature,
        commitment=StateIncentive(-0.2, 0.2, where=np.ones(S)),
    )


@cache
def first_served(leader):
    """Return the id of the toy, or of Four-Rooms where a leader does not serve the toy's commitment."""
    try:
        Experiment(ExperimentConfig(TOY, leader=leader))
    except ArgumentError:
        return ROOMS
    return TOY
