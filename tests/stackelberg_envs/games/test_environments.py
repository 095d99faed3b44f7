"""A leader on an environment that nobody looks into: what is accepted, and what is refused before any play."""

import gymnasium
import numpy as np
import pytest
from gymnasium.envs.toy_text import BlackjackEnv as Blackjack
from gymnasium.spaces import Box

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, CommitmentError, GameError
from stackelberg_envs.faces.constructors import FACE_ENTRY_POINTS
from stackelberg_envs.games.commitments.base import finite_difference_vjp
from stackelberg_envs.games.cotangents import Cotangents
from tests.environments import Ladder, Pair, Slide
from tests.stackelberg_envs.games.test_vector import Price

PRICE = Price(np.zeros(1), np.ones(1))
UNIT = Box(0.0, 1.0, (1,), np.float64)


def unchanged(env, x):
    return env


def set_drift(env, x):
    env.drift = float(x[0])
    return env


def test_an_environment_of_numbers_looks_like_tables_where_the_effect_is_known():
    game = se.wrap_commitment(
        lambda: Ladder(start=5), None, se.StateIncentive(0.0, 1.0, np.ones(3), names=("a", "b", "c"))
    )
    assert (game.kind, game.seen_as, game.suggested_follower) == ("environment", "tabular", "soft_q_learning")
    assert (game.name, game.horizon, game.has_solution) == ("Ladder", 200, False)
    assert game.commitment.shape == (3,)
    assert game.commitment.names == ("a", "b", "c")


def test_the_limit_and_the_name_are_the_environments_own_unless_they_are_given():
    lake = se.wrap_commitment(lambda: gymnasium.make("FrozenLake-v1"), unchanged, UNIT, names=["x"])
    assert (lake.name, lake.horizon, lake.seen_as) == ("FrozenLake-v1", 100, "environment")
    assert lake.commitment.names == ("x",)
    given = se.wrap_commitment(Ladder, unchanged, UNIT, name="mine", horizon=7, evaluation_episodes=3)
    assert (given.name, given.horizon, given.evaluation_episodes) == ("mine", 7, 3)
    assert given.replace(horizon=9).horizon == 9
    assert se.wrap_commitment(Pair, unchanged, UNIT).name == "pair_v0"


def test_apply_may_set_an_attribute_wrap_or_make_another_environment():
    slid = se.wrap_commitment(Slide, set_drift, UNIT).under([0.25]).make()
    assert slid.drift == 0.25
    paid = se.wrap_commitment(
        Slide, lambda env, x: gymnasium.wrappers.TransformReward(env, lambda reward: reward + float(x[0])), UNIT
    )
    env = paid.under([0.5]).make()
    env.reset(seed=0)
    assert env.step(np.array([-1.0], np.float32))[1] == 0.5
    other = se.wrap_commitment(Ladder, lambda env, x: Ladder(slip=float(x[0])), UNIT)
    assert other.under([0.75]).make().slip == 0.75


@pytest.mark.parametrize(
    ("commitment", "names"),
    [
        (se.StateIncentive(-1.0, 1.0, np.arange(1.0, 4.0)), {"follower_reward"}),
        (se.Incentive(-1.0, 1.0, (1, 1, 2)), {"follower_reward"}),
        (se.Transfer(np.arange(12.0).reshape(3, 1, 2, 2), -1.0, 1.0, share=0.5), {"follower_reward", "leader_reward"}),
    ],
)
def test_the_end_has_no_part_in_a_commitment(commitment, names):
    shown = se.wrap_commitment(Ladder, None, commitment).commitment
    x = np.full(shown.shape, 0.25)
    made = shown.effect(x)
    for name in names:
        entry = getattr(made, name)
        assert entry.shape == (4, 1, 2)
        np.testing.assert_array_equal(entry[3], 0.0)
        np.testing.assert_array_equal(entry[:3], np.broadcast_to(getattr(commitment.effect(x), name), (3, 1, 2)))
    draws = np.random.default_rng(0).standard_normal((2, 4, 1, 2))
    cotangents = Cotangents(follower_reward=draws[0], leader_reward=draws[1])
    np.testing.assert_allclose(shown.vjp(x, cotangents), finite_difference_vjp(shown, x, cotangents), atol=1e-8)
    with pytest.raises(CommitmentError, match="got 2 at index"):
        shown.check(np.full(shown.shape, 2.0))


def test_a_commitment_over_vectors_is_for_boxes():
    game = se.wrap_commitment(Slide, None, PRICE)
    assert (game.seen_as, game.suggested_follower) == ("vector", "sb3")
    assert (game.seen.size, game.seen.actions.size) == (1, 1)


class Old(Ladder):
    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)[0]


class Lost(Ladder):
    def reset(self, *, seed=None, options=None):
        raise RuntimeError("no display")


def many():
    return gymnasium.vector.SyncVectorEnv([Slide] * 2)


def unknown():
    return gymnasium.make("NoSuch-v0")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((3, unchanged, UNIT), ArgumentError, "make_env: expected a function that returns an environment, got int"),
        ((object, unchanged, UNIT), ArgumentError, "make_env: expected a Gymnasium environment or a parallel one"),
        ((Ladder, 3, UNIT), ArgumentError, "apply: expected a function of an environment and x, or None, got int"),
        ((Ladder, None, UNIT), ArgumentError, "apply: expected a function .* since a Box does not say what x changes"),
        ((Ladder, unchanged, Box(0, 3, (1,), np.int64)), ArgumentError, "expected a Box of real numbers, .* of int64"),
        ((Old, unchanged, UNIT), GameError, "Old: expected observations and infos from its reset, got int"),
        ((Lost, unchanged, UNIT), GameError, "Lost: its reset raised RuntimeError: no display"),
        ((lambda: Ladder, unchanged, UNIT), ArgumentError, "make_env: expected a Gymnasium environment or a par"),
        ((many, unchanged, UNIT), ArgumentError, "make_env: expected a single environment, got SyncVectorEnv of many"),
        ((unknown, unchanged, UNIT), GameError, "make_env: it raised NameNotFound: Environment `NoSuch`"),
        ((Ladder, unchanged, 3), ArgumentError, "space: expected a Box or a commitment, got int"),
        ((Ladder, unchanged, Box(-np.inf, 1.0, (1,))), GameError, "space: low: expected finite numbers"),
        ((Ladder, lambda env, x: None, UNIT), ArgumentError, "apply: expected a Gymnasium environment .* got NoneType"),
        ((Ladder, lambda env, x: Slide(), UNIT), GameError, "apply: expected the same spaces under every x"),
        ((Ladder, lambda env, x: Pair(), UNIT), GameError, r"apply: expected an environment with the agents \[''\]"),
        ((Ladder, lambda env, x: x.length, UNIT), GameError, "its apply raised AttributeError"),
        ((Ladder, None, se.PolicyTable(3, 1)), GameError, "a commitment that adds to rewards, got one that changes"),
        ((Ladder, None, se.StateIncentive(0, 1, np.ones(4))), GameError, "space: expected a commitment for 3 states"),
        ((Slide, None, se.StateIncentive(0, 1, np.ones(3))), GameError, "StateIncentive is for observations"),
        ((Blackjack, None, PRICE), GameError, "Price is for observations in a Box"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_before_any_play(arguments, error, words):
    with pytest.raises(error, match=words):
        se.wrap_commitment(*arguments)


def test_an_environment_that_cannot_be_made_is_an_error_that_says_so():
    def no():
        raise ValueError("no screen")

    with pytest.raises(GameError, match="make_env: it raised ValueError: no screen"):
        se.wrap_commitment(no, unchanged, UNIT)


def test_spaces_that_only_some_commitments_change_are_refused_when_they_come():
    game = se.wrap_commitment(Ladder, lambda env, x: Slide() if x[0] > 0.9 else env, UNIT)
    game.under([0.8]).make().close()
    with pytest.raises(GameError, match="apply: expected the same spaces under every x"):
        game.under([1.0]).make()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"leader_reward": 1.0}, ArgumentError, "leader_reward: expected a function of a step, got float"),
        ({"temperature": 0.0}, GameError, "temperature: expected a number greater than 0"),
        ({"leader_discount": 1.0}, GameError, "leader_discount"),
        ({"horizon": 0}, GameError, "horizon: expected an integer of at least 1"),
        ({"evaluation_episodes": 0}, GameError, "evaluation_episodes: expected an integer of at least 1"),
        ({"names": ["a", "b"]}, GameError, "names: expected 1 different names"),
    ],
)
def test_odd_options_are_refused(options, error, words):
    with pytest.raises(error, match=words):
        se.wrap_commitment(Ladder, unchanged, UNIT, **options)


def test_names_beside_a_commitment_are_refused():
    with pytest.raises(ArgumentError, match="names: expected none beside a commitment"):
        se.wrap_commitment(Ladder, None, se.StateIncentive(0, 1, np.ones(3)), names=["a", "b", "c"])


def test_an_aec_environment_is_refused_with_what_makes_it_parallel():
    from pettingzoo.utils import parallel_to_aec

    with pytest.raises(ArgumentError, match=r"got an AEC environment; .*aec_to_parallel makes it parallel"):
        se.wrap_commitment(lambda: parallel_to_aec(Pair()), unchanged, UNIT)


def test_faces_and_solvers_say_that_nothing_is_known():
    game = se.wrap_commitment(Ladder, unchanged, UNIT)
    for face in set(FACE_ENTRY_POINTS) - {"leader_env", "leader_vector_env"}:
        with pytest.raises(ArgumentError, match=r"followers of 'Ladder' act in game.under\(x\)"):
            getattr(se, face)(game=game)
    with pytest.raises(ArgumentError):
        se.solve(game, [0.5])


def test_what_leaders_see_follows_a_commitment_that_is_replaced():
    game = se.wrap_commitment(Ladder, unchanged, UNIT)
    told = game.replace(commitment=se.StateIncentive(-1.0, 1.0, np.arange(1.0, 4.0)))
    assert (game.seen_as, told.seen_as) == ("environment", "tabular")
    assert told.commitment.effect(np.ones(3)).follower_reward.shape == (4, 1, 2)
    assert told.replace(horizon=3).commitment is told.commitment
    assert told.under(np.ones(3)).bonus(0, 1, 1)[0] != 0.0
    with pytest.raises(GameError, match="StateIncentive is for observations and actions that are numbers"):
        se.wrap_commitment(Slide, unchanged, UNIT).replace(commitment=se.StateIncentive(-1.0, 1.0, np.ones(3)))


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"make_env": 3}, ArgumentError, "make_env: expected a function"),
        ({"apply": 3}, ArgumentError, "apply: expected a function"),
        ({"apply": None}, ArgumentError, "a Box does not say what x changes"),
        ({"leader_reward": 3}, ArgumentError, "leader_reward: expected a function"),
        ({"commitment": 3}, GameError, "commitment: expected"),
        ({"commitment": se.PolicyTable(3, 2)}, GameError, "expected a commitment that adds to rewards"),
    ],
)
def test_what_replace_brings_is_checked_as_what_is_given_first(changes, error, message):
    with pytest.raises(error, match=message):
        se.wrap_commitment(Ladder, unchanged, UNIT).replace(**changes)


def test_an_environment_with_other_spaces_is_refused_where_nothing_is_applied_too():
    game = se.wrap_commitment(Ladder, None, se.StateIncentive(-1.0, 1.0, np.ones(3))).replace(make_env=Slide)
    with pytest.raises(GameError, match="make_env: expected the same spaces"):
        game.under(np.zeros(3)).make()
