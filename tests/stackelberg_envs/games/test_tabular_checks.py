"""Arguments of tabular games: what is refused."""

import numpy as np
import pytest

from stackelberg_envs.errors import GameError
from stackelberg_envs.games.commitments.transition_mixture import TransitionMixture
from stackelberg_envs.games.contexts import combine, one_context
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.solvers.solving import solve
from tests.games import small_arguments, small_game

S, A, B = 3, 2, 2


def arguments(**changes):
    believed = np.random.default_rng(1).dirichlet(np.ones(S), size=(S, A, B))
    return small_arguments(believed_transition=believed) | changes


def make(**changes):
    return small_game(**arguments(**changes))


@pytest.mark.parametrize("flag", ["observe_rewards", "publish_temperature"])
@pytest.mark.parametrize("bad", ["no", [], 0, None])
def test_flags_of_a_game_are_true_or_false(flag, bad):
    with pytest.raises(GameError, match=rf"{flag}: expected True or False, got "):
        make(**{flag: bad})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"temperature": 1e308}, "temperature: .* got 1e.308; numbers go up to 1e.150"),
        ({"temperature": 10**30}, "temperature: .* integers have 64 bits at most"),
        ({"temperature": True}, "temperature: expected a number greater than 0, got True"),
        ({"temperature": 5e-324}, "temperature: expected at least 1e-150"),
        ({"leader_discount": False}, "leader_discount: expected a number in"),
        ({"horizon": 10**30}, "horizon: expected an integer of at most"),
        ({"follower_reward": np.full((S, A, B), 1e308)}, "follower_reward: expected numbers of at most 1e.150"),
        ({"follower_reward": np.full((S, A, B), 1e150)}, "follower_reward: .* at discount 0.8 and temperature 0.5"),
        ({"leader_reward": np.full((S, A, B), 1e150)}, "leader_reward: .* at discount 0.9 and temperature 0.5"),
        ({"follower_reward": np.full((S, A, B), 1e10), "temperature": 1e-145}, "so that values divided by"),
        ({"leader_reward": np.ma.masked_equal(np.full((S, A, B), -999), -999)}, "leader_reward: .* MaskedArray"),
        ({"follower_reward": np.ones((S, A, B), complex)}, r"follower_reward: .*complex"),
        ({"initial": np.ones(S, "timedelta64[s]")}, r"initial: expected numbers, got ndarray \(durations\)"),
        ({"initial": [[1.0], [2.0, 3.0]]}, "initial: expected numbers, got list"),
        ({"transition": Transition("lists", None)}, "transition.successors: expected integers, got str"),
        ({"facts": ["cells"]}, "facts: expected a dict"),
        ({"name": 5}, "name: expected a string, got 5"),
    ],
)
def test_arguments_that_make_no_game_are_refused(changes, match):
    with pytest.raises(GameError, match=match):
        make(**changes)


def test_changing_what_was_given_changes_no_tabular_game():
    lists = Transition(np.zeros((S, A, B, 1), np.int32), np.ones((S, A, B, 1)))
    given = arguments(facts={"cells": np.zeros(2)}, leader_policy=np.full((S, A), 0.5), transition=lists)
    game = TabularGame(**given)
    before = solve(game, np.full((S, A), 0.5))
    for value in given.values():
        if isinstance(value, np.ndarray):
            value[...] = 1.0 - value
    lists.successors[...] = 1
    given["facts"]["cells"][0] = 7.0
    given["facts"]["more"] = True
    after = solve(game, np.full((S, A), 0.5))
    assert after.leader_value == before.leader_value
    np.testing.assert_array_equal(after.gradient, before.gradient)
    assert set(game.facts) == {"cells"}
    assert game.facts["cells"][0] == 0.0


@pytest.mark.parametrize("c", [1e-100, 1e100])
def test_games_are_made_in_any_unit(c):
    given = arguments(temperature=0.5 * c)
    for name in ("leader_reward", "follower_reward"):
        given[name] = given[name] * c
    x = np.full((S, A), 0.5)
    made, unit = TabularGame(**given).primitives(x), make().primitives(x)
    np.testing.assert_allclose(made.follower_reward / made.temperature, unit.follower_reward / unit.temperature)


# --- rewards of transitions -------------------------------------------------------------------------------


def by_transition(seed=2, shape=(S, A, B, S)):
    return np.random.default_rng(seed).standard_normal(shape)


def test_rewards_of_transitions_are_worth_their_mean():
    given = small_arguments()
    P, paid = given["transition"], by_transition()
    game = small_game(leader_reward=paid, follower_reward=2.0 * paid)
    mean = np.einsum("sabt,sabt->sab", P, paid)
    assert game.leader_reward == pytest.approx(mean, rel=1e-14)
    assert game.follower_reward == pytest.approx(2.0 * mean, rel=1e-14)
    x = np.full((S, A), 0.5)
    assert solve(game, x).leader_value == pytest.approx(solve(small_game(
        leader_reward=mean, follower_reward=2.0 * mean
    ), x).leader_value, rel=1e-12)  # fmt: skip


def test_play_with_rewards_by_transition_earns_their_mean():
    """Every single reward is drawn anew by the test: the mean of 20,000 returns is within 5 errors, alarms 1e-6."""
    paid, x, rng = by_transition(), np.full((S, A), 0.5), np.random.default_rng(0)
    game = small_game(leader_reward=paid, leader_discount=1.0, follower_discount=1.0, horizon=1000)
    solution = solve(game, x)
    seen = rollout(game.under(x), solution.response, rng, episodes=20_000)
    own = paid[seen.state, seen.leader_action, seen.follower_action, seen.next_state]
    ends = np.asarray(game.terminal)[seen.state] > 0
    own = np.where(ends, game.leader_reward[seen.state, seen.leader_action, seen.follower_action], own)
    returns = np.add.reduceat(own, seen.offsets[:-1])
    assert abs(returns.mean() - solution.leader_value) <= 5 * returns.std() / np.sqrt(len(returns))
    assert returns.std() > np.add.reduceat(seen.leader_reward, seen.offsets[:-1]).std()


def test_rewards_follow_successor_lists_or_next_states():
    rng = np.random.default_rng(3)
    lists = Transition.from_lists(rng.integers(S, size=(S, A, B, 2)), rng.dirichlet([1, 1], size=(S, A, B)))
    dense = by_transition()
    along = np.take_along_axis(dense, lists.successors.astype(int), axis=-1)
    one, two = (small_game(transition=lists, leader_reward=reward).leader_reward for reward in (dense, along))
    assert (one == two).all()
    assert one == pytest.approx(np.einsum("sabt,sabt->sab", lists.to_dense(), dense), rel=1e-14)


def test_contexts_have_rewards_of_transitions():
    paid = by_transition(shape=(2, S, A, B, S))
    game = small_game(leader_reward=paid, context_probabilities=[0.5, 0.5])
    P = small_arguments()["transition"]
    assert game.leader_reward == pytest.approx(np.einsum("sabt,ksabt->ksab", P, paid), rel=1e-14)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        (
            {"leader_reward": by_transition(shape=(S, A, B, 2))},
            r"leader_reward: expected \(3, 2, 2\) and a last axis of 3",
        ),
        (
            {"follower_reward": by_transition(), "believed_transition": np.full((S, A, B, S), 1 / S)},
            "follower_reward: .* where the follower believes in another transition",
        ),
        (
            {
                "leader_reward": by_transition(),
                "commitment": TransitionMixture(np.stack([small_arguments()["transition"]] * 2)),
                "leader_policy": np.full((S, A), 0.5),
            },
            "leader_reward: .* where the commitment brings the transition",
        ),
        (
            {"follower_reward": by_transition(shape=(S, A + 1, B, S))},
            r"follower_reward: expected \(3, 2, 2\) and a last",
        ),
    ],
)
def test_rewards_of_transitions_that_cannot_be_averaged_are_refused(changes, match):
    with pytest.raises(GameError, match=match):
        small_game(**changes)


def test_a_reward_that_can_be_read_in_two_ways_is_refused():
    """Lists as long as there are states, in another order than theirs."""
    rng = np.random.default_rng(4)
    order = rng.permuted(np.tile(np.arange(S), (S, A, B, 1)), axis=-1)
    lists = Transition.from_lists(order, rng.dirichlet(np.ones(S), size=(S, A, B)))
    with pytest.raises(GameError, match="leader_reward: expected one way to read its last axis"):
        small_game(transition=lists, leader_reward=by_transition())
    dense = by_transition()
    either = Transition.from_lists(np.broadcast_to(np.arange(S), order.shape), lists.to_dense())
    own = np.einsum("sabt,sabt->sab", lists.to_dense(), dense)
    assert small_game(transition=either, leader_reward=dense).leader_reward == pytest.approx(own, rel=1e-14)


def moved(seed=5):
    return np.random.default_rng(seed).dirichlet(np.ones(S), size=(S, A, B))


@pytest.mark.parametrize("name", ["leader_reward", "follower_reward"])
@pytest.mark.parametrize("more", [{}, {"temperature": 0.1}])
def test_a_mean_over_next_states_does_not_stand_in_a_game_that_moves_on_otherwise(name, more):
    game = small_game(**{name: by_transition()}).replace(**more)
    with pytest.raises(GameError, match=f"{name}: expected anew, along with another transition or belief"):
        game.replace(transition=moved())
    mixture = TransitionMixture(np.stack([small_arguments()["transition"]] * 2))
    with pytest.raises(GameError, match=f"{name}: expected anew"):
        game.replace(commitment=mixture, leader_policy=np.full((S, A), 0.5))
    again = game.replace(transition=moved(), **{name: by_transition()})
    assert getattr(again, name) == pytest.approx(np.einsum("sabt,sabt->sab", moved(), by_transition()), rel=1e-14)
    assert (getattr(game.replace(transition=game.transition), name) == getattr(game, name)).all()


def test_means_over_next_states_are_remembered_by_contexts_and_beliefs():
    game = small_game(leader_reward=by_transition())
    both = combine([game, small_game()], [0.5, 0.5])
    for made in (both, one_context(both, 0)):
        with pytest.raises(GameError, match="leader_reward: expected anew"):
            made.replace(transition=moved())
    with pytest.raises(GameError, match="leader_reward: expected anew"):
        game.replace(believed_transition=moved()).as_believed()
    with pytest.raises(GameError, match="follower_reward: expected anew"):
        small_game(follower_reward=by_transition()).replace(believed_transition=moved())


def test_a_reward_by_transition_that_contexts_share_is_refused_by_its_own_name():
    with pytest.raises(GameError, match=r"leader_reward: expected shape .* or \(2, S, A, B, S\), got \(3, 2, 2, 3\)"):
        small_game(leader_reward=by_transition(), context_probabilities=[0.5, 0.5])
