"""The conformity suite passes what is sound and names the clause that is broken."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, ConformityError, UnknownNameError

TOY = "stackelberg/DiscreteToy-v1"


@pytest.mark.parametrize("spec_id", se.registered_ids())
def test_everything_registered_conforms(spec_id):
    se.check_game(se.make_game(spec_id))
    se.check_env(spec_id)


@pytest.mark.parametrize(
    "arguments",
    [
        {"menu": 3},
        {"observe_commitment": "local"},
        {"observe_commitment": "none"},
        {"commitment": "per_step"},
        {"game": se.make_game(TOY).replace(num_followers=3, observe_rewards=False)},
        {"commitment": "per_step", "game": se.make_game(TOY, horizon=9).replace(num_followers=2)},
    ],
)
def test_variants_conform(arguments):
    se.check_env(se.parallel_env(TOY, **arguments))
    se.check_env(se.env(TOY, **arguments))


@pytest.mark.parametrize("spec_id", ["stackelberg/RandomTabular-v1", "stackelberg/FourRooms-v0"])
def test_games_with_contexts_pay_by_the_context(spec_id):
    arguments = {"K": 3} if "Random" in spec_id else {"goals": ((1, 9), (11, 11), (1, 1)), "horizon": 60}
    for seed in range(4):  # in which every context is drawn
        for face in (se.parallel_env, se.followers_env):
            se.check_env(face(spec_id, **arguments), seed=seed)


def test_a_gradient_that_is_not_the_derivative_of_j_is_caught(monkeypatch):
    from stackelberg_envs.solvers.solution import Solution

    right = Solution.gradient.fget
    monkeypatch.setattr(Solution, "gradient", property(lambda solution: 1.05 * right(solution)))
    with pytest.raises(ConformityError, match="finite differences of J"):
        se.check_game(se.make_game(TOY))


@pytest.mark.parametrize(
    "arguments",
    [
        {"K": 3, "terminal": 2},
        {"commitment": "policy", "A": 3},
        {"A": 1},
        {"S": 1, "branching": 1},
    ],
)
def test_random_games_conform(arguments):
    se.check_game(se.random_tabular(**arguments))


class WrongDerivative(se.PolicyTable):
    def vjp(self, x, cotangents):
        return 1.1 * super().vjp(x, cotangents)


class ForgetsToDeclare(se.PolicyTable):
    changes = frozenset()


class Drifts(se.PolicyTable):
    def project(self, x):
        # Each projection moves on: there is no fixed point.
        return super().project(np.add(x, [[0.1, 0.0]]))


@pytest.mark.parametrize(
    ("commitment", "clause"),
    [
        (WrongDerivative(3, 2), "vjp agrees with finite differences"),
        (ForgetsToDeclare(3, 2), "declares in `changes`"),
        (Drifts(3, 2), "twice"),
    ],
)
def test_a_broken_commitment_is_caught(commitment, clause):
    with pytest.raises(ConformityError, match=clause):
        se.check_game(se.make_game(TOY).replace(commitment=commitment))


def test_only_games_and_environments_can_be_checked():
    with pytest.raises(ArgumentError, match="TabularGame"):
        se.check_game("stackelberg/FourRooms-v0")
    with pytest.raises(ArgumentError, match="ParallelEnv"):
        se.check_env(3)
    with pytest.raises(UnknownNameError, match="did you mean"):
        se.check_env("stackelberg/FourRoom-v0")
