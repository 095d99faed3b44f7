import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, GameError
from stackelberg_envs.games.contexts import one_context
from stackelberg_envs.solvers.certificates.affine import affine_game, count_coordinates, moves
from stackelberg_envs.solvers.certificates.kinks import bent_part
from tests.games import one_state
from tests.stackelberg_envs.solvers.certificates.small_games import NAMES, A, B, Box, S, game_with, games


@pytest.mark.parametrize("name", NAMES)
def test_the_arrays_at_a_point_are_those_of_the_game(name):
    box = Box(name, 0.5, seed=3)
    for z, _ in box.points(4):
        own = box.game.primitives(box.game.commitment.project(box.made.commitment(z)))
        ones = np.concatenate([[1.0], z])
        bent = box.made.arrays.leader_reward @ ones + bent_part(box.made.kinks, z)
        np.testing.assert_allclose(bent, own.leader_reward, atol=1e-12)
        above = box.arrays.leader_reward @ ones - bent
        assert above.min() >= -1e-12
        assert box.bent or above.max() <= 1e-12
        for entry in ("leader_policy", "follower_reward"):
            np.testing.assert_allclose(getattr(box.arrays, entry) @ ones, getattr(own, entry), atol=1e-12)
        for entry, lists in (("probabilities", own.transition), ("believed_probabilities", own.believed_transition)):
            array = getattr(box.arrays, entry)
            np.testing.assert_allclose(array @ ones[: array.shape[-1]], lists.probabilities, atol=1e-12)


@pytest.mark.parametrize("name", ["features", "policy", "mixture", "three actions"])
def test_commitments_and_coordinates_are_inverse(name):
    box = Box(name, 0.3, seed=4)
    for z, _ in box.points(4):
        np.testing.assert_allclose(box.made.coordinates(box.made.commitment(z)), z, atol=1e-12)


def test_what_nobody_notices_gets_no_coordinate():
    # In the toy only the leader's policy in state A matters; a fixed entry of a box does not move.
    assert count_coordinates(games()["toy"].commitment) == 3
    assert len(affine_game(games()["toy"]).directions) == 1
    assert len(affine_game(games()["features"]).directions) == 2
    assert len(affine_game(one_state([[0.0, 0.0], [1.0, 1.0]])).directions) == 1
    assert len(affine_game(one_state([[1.0, 1.0], [1.0, 1.0]])).directions) == 0


def test_a_context_alone_is_affine_as_the_game_is():
    game = one_context(games()["contexts"], 1)
    assert game.commitment.affine
    assert len(affine_game(game).directions) == 2


def squared(affine):
    return se.FunctionCommitment(
        lambda x: se.Effect(follower_reward=np.full((S, A, B), float(x[0] ** 2))),
        [0.0],
        [1.0],
        ["follower_reward"],
        affine=affine,
    )


def test_an_effect_that_is_not_known_to_be_affine_is_refused_by_name():
    with pytest.raises(ArgumentError, match=r"affine in x.*PolicyTable"):
        affine_game(game_with(squared(False)))


def test_a_policy_in_a_context_has_rows_of_probabilities():
    game = one_context(se.random_tabular(S=3, K=2, commitment="policy", seed=1), 1)
    assert (affine_game(game).arrays.groups >= 0).all()


def test_an_effect_that_is_not_what_it_says_is_refused():
    with pytest.raises(GameError, match="follower_reward is not"):
        affine_game(game_with(squared(True)))


def test_another_effect_is_not_affine_by_inheritance():
    class Other(se.LinearFeatures):
        def effect(self, x):
            return super().effect(x * x)

    class Mixed(se.Joint):
        def effect(self, x):
            return super().effect(x * x)

    assert se.LinearFeatures(np.ones((S, A, B, 1)), 0, 1).affine
    assert not Other(np.ones((S, A, B, 1)), 0, 1).affine
    assert not Mixed(se.StateIncentive(0.0, 1.0, np.ones(S))).affine


@pytest.mark.parametrize("name", NAMES)
def test_coordinates_are_counted_without_making_them(name):
    commitment = games()[name].commitment
    assert count_coordinates(commitment) == len(moves(commitment)[1])
