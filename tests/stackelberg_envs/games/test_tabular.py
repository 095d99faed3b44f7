"""TabularGame: what it refuses, what it keeps, and the arrays it hands to solvers."""

from dataclasses import replace

import numpy as np
import pytest

from stackelberg_envs.envs import random_tabular_v1
from stackelberg_envs.errors import CommitmentError, GameError
from stackelberg_envs.games.commitments.base import Effect
from stackelberg_envs.games.commitments.function import FunctionCommitment
from stackelberg_envs.games.commitments.incentives import Incentive
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.commitments.transition_mixture import TransitionMixture
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.solving import solve
from tests.games import small_arguments as arguments
from tests.games import small_game as make

S, A, B, K = 3, 2, 2, 2


def edited(name, index, value):
    array = np.array(arguments()[name], dtype=float)
    array[index] = value
    return {name: array}


def effect_of(**entries):
    return FunctionCommitment(lambda x: Effect(**entries), [0.0], [1.0], frozenset(entries))


policy_half = {"leader_policy": np.full((S, A), 0.5)}
REFUSED = {
    "transition row": (
        edited("transition", (1, 0, 1, 0), 0.9),
        r"transition: .* sum to one, .* \(first at state 1, leader action 0, follower action 1\)",
    ),
    "transition shape": (
        {"transition": np.ones((S, A, B))},
        r"transition: expected shape \(\[K,\] S, A, B, S\)",
    ),
    "transition sizes": (
        {"transition": np.ones((4, 2, 2, 4)) / 4},
        r"transition: expected leading shape \(3, 2, 2\), got \(4, 2, 2\)",
    ),
    "transition nan": (
        edited("transition", (2, 1, 1, 0), np.nan),
        r"finite numbers, got nan at index \(2, 1, 1, 0\)",
    ),
    "transition with contexts": (
        {"transition": np.ones((2, S, A, B, S)) / S},
        r"expected leading shape \(3, 2, 2\), got \(2, 3, 2, 2\)",
    ),
    "transition missing": ({"transition": None}, "transition: expected a kernel, got None"),
    "transition built by hand": (
        {"transition": Transition(np.full((S, A, B, 1), 9, dtype=np.int32), np.ones((S, A, B, 1)))},
        r"transition\.successors: expected states in 0\.\.2, got 9 at index \(0, 0, 0, 0\)",
    ),
    "believed transition": (
        {"believed_transition": np.ones((S, A, B, S))},
        r"believed_transition: expected rows that sum to one, got a sum of 3 \(first at state 0",
    ),
    "leader reward": (
        {"leader_reward": np.ones(3)},
        r"leader_reward: expected shape \(\[K,\] S, A, B\) or \(\[K,\] S, A, B, S\), got \(3,\)",
    ),
    "no state": ({"leader_reward": np.ones((0, 1, 1))}, r"leader_reward: expected shape"),
    "follower reward": (
        {"follower_reward": np.ones((S, A, 3))},
        r"follower_reward: expected shape \(3, 2, 2\), got \(3, 2, 3\)",
    ),
    "follower reward nan": (
        edited("follower_reward", (1, 1, 0), np.nan),
        r"follower_reward: expected finite numbers, got nan at index \(1, 1, 0\)",
    ),
    "initial sum": (
        {"initial": [0.5, 0.5, 0.5]},
        r"initial: expected rows that sum to one, got a sum of 1\.5$",
    ),
    "initial negative": (
        {"initial": [1.5, -0.5, 0]},
        r"initial: expected probabilities, got -0\.5 at index \(1,\)",
    ),
    "initial shape": ({"initial": [1.0]}, r"initial: expected shape \(3,\), got \(1,\)"),
    "terminal": ({"terminal": [0, 0.5, 1]}, r"terminal: expected 0 or 1, got 0\.5 at index \(1,\)"),
    "leader discount": (
        {"leader_discount": 1.5},
        r"leader_discount: expected a number in \[0, 1\], .* got 1\.5",
    ),
    "follower discount": (
        {"follower_discount": 1, "terminal": None},
        r"expected less than 1, or play that ends .* from state 0 it can go on for ever, within 3 states",
    ),
    "feasible shape": ({"feasible": np.ones((S, B + 1))}, r"feasible: expected shape \(3, 2\) or \(3, 2, 2\), got"),
    "feasible half": (
        {"feasible": np.full((S, B), 0.5)},
        r"feasible: expected True or False, got 0\.5 at index \(0, 0\)",
    ),
    "feasible nothing": (
        {"feasible": [[True, True], [False, False], [True, True]]},
        r"feasible: expected at least one action in each state, got none at index \(1,\)",
    ),
    "temperature": ({"temperature": 0.0}, r"temperature: expected a number greater than 0, got 0\.0"),
    "negative temperature": ({"temperature": -1}, "temperature: expected a number greater than 0, got -1"),
    "horizon": ({"horizon": 0}, "horizon: expected an integer of at least 1, got 0"),
    "followers": ({"num_followers": 1.5}, r"num_followers: expected an integer of at least 1, got 1\.5"),
    "commitment": ({"commitment": "tax"}, "commitment: expected a Commitment, got str"),
    "policy missing": (
        {"commitment": Incentive(-1, 1, (S, A, B))},
        r"leader_policy: expected shape \(3, 2\), got None",
    ),
    "policy row": (
        {"leader_policy": [[0.5, 0.5], [0.5, 0.4], [1, 0]]},
        r"leader_policy: expected rows that sum to one, got a sum of 0\.9 \(first at state 1\)",
    ),
    "policy of another shape": (
        {"commitment": PolicyTable(2, 2)},
        r"commitment: its leader_policy: expected shape \(3, 2\), got \(2, 2\)",
    ),
    "incentive of another shape": (
        policy_half | {"commitment": Incentive(-1, 1, (4, 1, 1))},
        r"commitment: its follower_reward has shape \(4, 1, 1\), which does not broadcast to \(1, 3, 2, 2\)",
    ),
    "kernel of another shape": (
        policy_half | {"commitment": TransitionMixture(np.ones((2, 4, 1, 1, 4)) / 4)},
        r"commitment: its transition: expected leading shape \(3, 2, 2\), got \(4, 1, 1\)",
    ),
    "effect that is no policy": (
        {"commitment": effect_of(leader_policy=np.ones((S, A)))},
        r"commitment: its leader_policy: expected rows that sum to one, got a sum of 2 \(first at state 0\)",
    ),
    "context probabilities": (
        {"context_probabilities": [0.5, 0.6]},
        r"context_probabilities: expected rows that sum to one, got a sum of 1\.1",
    ),
    "context axis": (
        {"context_probabilities": [0.5, 0.5], "initial": np.full((3, S), 1 / 3)},
        r"initial: expected shape \(3,\) or \(2, 3\), got \(3, 3\)",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_arrays_that_describe_no_game_are_refused(name):
    changes, match = REFUSED[name]
    with pytest.raises(GameError, match=match):
        make(**changes)


def test_arguments_are_never_modified_nor_shared():
    given = arguments()
    before = {name: np.array(value) for name, value in given.items() if isinstance(value, np.ndarray)}
    game = TabularGame(**given)
    solve(game, np.full((S, A), 0.5)).gradient  # noqa: B018 (what is tested is what it leaves behind)
    for name, array in before.items():
        assert (given[name] == array).all(), name
        given[name][...] = 7.0
    assert game.leader_reward.max() < 7


@pytest.mark.parametrize("name", ["leader_reward", "follower_reward", "initial", "terminal"])
def test_arrays_of_a_game_are_frozen(name):
    with pytest.raises(ValueError, match="read-only"):
        getattr(make(), name)[0] = 0


def test_float32_and_lists_and_booleans_make_the_same_game():
    given = arguments()
    floats = {name: v.astype(np.float32) for name, v in given.items() if isinstance(v, np.ndarray)}
    given["initial"], given["terminal"] = [0.5, 0.25, 0.25], [False, False, True]
    x = np.full((S, A), 0.5)
    exact = solve(TabularGame(**given), x).leader_value
    assert solve(TabularGame(**(given | floats)), x).leader_value == pytest.approx(exact, rel=1e-5)


def test_a_game_satisfies_the_protocol():
    assert isinstance(make(), Game)


def test_commitments_outside_their_space_are_refused_at_the_door():
    table = np.full((S, A), 0.5)
    table[1, 1] = 3
    with pytest.raises(CommitmentError, match=r"got 3 at index \(1, 1\)"):
        solve(make(), table)


def test_replace_checks_again():
    with pytest.raises(GameError, match="temperature"):
        make().replace(temperature=0)
    assert make().replace(temperature=2).temperature == 2.0


def test_what_a_game_was_made_for_is_not_replaced_alone():
    made = make(made_for={"temperature": 0.5, "leader_discount": 0.9})
    assert made.replace(horizon=3).made_for == {"temperature": 0.5, "leader_discount": 0.9}
    for change in ({"temperature": 2.0}, {"leader_discount": 0.5}):
        ((name, new),) = change.items()
        with pytest.raises(GameError, match=rf"{name}: expected 0.[59], for which .* were made, got {new}; make the"):
            made.replace(**change)
        with pytest.raises(GameError, match=f"{name}: expected"):
            replace(made, **change)
    assert made.replace(follower_discount=0.3).follower_discount == 0.3
    assert made.replace(temperature=2.0, made_for={"temperature": 2.0}).temperature == 2.0


@pytest.mark.parametrize("bad", [{}, {"horizon": 3}, ["temperature"], "temperature", 0.5])
def test_what_a_game_was_made_for_are_names_and_values(bad):
    with pytest.raises(GameError, match="made_for: expected a dict of values for some of follower_discount, leader"):
        make(made_for=bad)
    with pytest.raises(GameError, match="made_for: temperature: expected a finite number"):
        make(made_for={"temperature": np.ones(2)})


# --- primitives ----------------------------------------------------------------------------------------


def test_contexts_become_blocks_of_joint_states():
    rng = np.random.default_rng(1)
    reward = rng.standard_normal((K, S, A, B))
    game = make(leader_reward=reward, context_probabilities=[0.25, 0.75], terminal=[[0, 0, 1], [1, 0, 0]])
    parts = game.primitives(np.tile([0.25, 0.75], (S, 1)))
    assert game.num_contexts == parts.num_contexts == K
    np.testing.assert_array_equal(parts.leader_reward.reshape(K, S, A, B), reward)
    np.testing.assert_array_equal(parts.follower_reward[:S], parts.follower_reward[S:])
    np.testing.assert_allclose(parts.initial, np.outer([0.25, 0.75], game.initial).ravel())
    np.testing.assert_array_equal(parts.continuing, [1, 1, 0, 0, 1, 1])
    np.testing.assert_array_equal(parts.leader_policy, np.tile([0.25, 0.75], (K * S, 1)))
    np.testing.assert_array_equal(game.joint_initial, parts.initial)


def test_primitives_add_what_the_commitment_adds_and_leave_the_game():
    game = make(commitment=Incentive(-1, 1, (S, 1, B)), **policy_half)
    x = np.random.default_rng(2).uniform(-1, 1, (S, 1, B))
    before = game.follower_reward.copy()
    np.testing.assert_allclose(game.primitives(x).follower_reward, before + x)
    np.testing.assert_array_equal(game.primitives(0 * x).follower_reward, before)


def test_a_commitment_to_dynamics_moves_truth_and_belief_together():
    kernels = np.random.default_rng(3).dirichlet(np.ones(S), size=(2, S, A, B))
    game = make(commitment=TransitionMixture(kernels), transition=None, **policy_half)
    parts = game.primitives([[0.25, 0.75]])
    assert parts.believed_transition is parts.transition
    mixed = 0.25 * kernels[0] + 0.75 * kernels[1]
    np.testing.assert_allclose(parts.transition.to_dense(), mixed, atol=1e-15)


def test_beliefs_stay_where_the_commitment_moves_the_truth():
    kernels = np.random.default_rng(3).dirichlet(np.ones(S), size=(2, S, A, B))
    game = make(commitment=TransitionMixture(kernels), believed_transition=kernels[0], **policy_half)
    parts = game.primitives([[0.0, 1.0]])
    np.testing.assert_allclose(parts.believed_transition.to_dense(), kernels[0], atol=1e-15)
    np.testing.assert_allclose(parts.transition.to_dense(), kernels[1], atol=1e-15)


def test_as_believed_makes_the_belief_true():
    belief = np.random.default_rng(4).dirichlet(np.ones(S), size=(S, A, B))
    game = make(believed_transition=belief)
    x = np.full((S, A), 0.5)
    believed = game.as_believed()
    np.testing.assert_allclose(solve(believed, x).response, solve(game, x).response, atol=1e-12)
    assert solve(believed, x).leader_value == solve(make(transition=belief), x).leader_value
    assert make().as_believed().believed_transition is None


def test_random_games_are_a_function_of_their_seed():
    one, same, other = (random_tabular_v1.make_game(seed=seed) for seed in (1, 1, 2))
    assert (one.leader_reward == same.leader_reward).all()
    assert (one.transition.successors == same.transition.successors).all()
    assert (one.leader_reward != other.leader_reward).any()
