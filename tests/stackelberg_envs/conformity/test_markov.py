import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ConformityError
from stackelberg_envs.games.commitments.transfer import Transfer
from stackelberg_envs.solvers.equilibrium.solution import MarkovSolution
from tests.games import interacting_game

FACES = ("raw_env", "env", "parallel_env", "followers_env", "follower_env", "leader_env")


class Wrong(Transfer):
    """Prices with a wrong derivative."""

    def vjp(self, x, cotangents):
        return 1.1 * super().vjp(x, cotangents)


def test_a_game_of_interacting_followers_passes():
    se.check_game(interacting_game())


@pytest.mark.parametrize("face", FACES)
def test_its_faces_pass(face):
    se.check_env(getattr(se, face)(game=interacting_game()))


def test_a_wrong_derivative_is_found():
    features = np.random.default_rng(0).uniform(size=(3, 4, 1, 8, 2))
    with pytest.raises(ConformityError, match=r"commitment.vjp agrees with finite differences"):
        se.check_game(interacting_game(commitment=Wrong(features, 0.0, 1.0)))


def test_a_wrong_value_is_found(monkeypatch):
    right = MarkovSolution.leader_value.fget
    monkeypatch.setattr(MarkovSolution, "gradient", property(lambda self: self.direct_gradient))
    with pytest.raises(ConformityError, match=r"the gradient agrees"):
        se.check_game(interacting_game())
    assert right is MarkovSolution.leader_value.fget


def test_play_that_earns_something_else_is_found(monkeypatch):
    from stackelberg_envs.conformity import markov

    def skewed(committed, policy, rng, **options):
        return real(committed, np.full_like(policy, 0.5), rng, **options)

    real = markov.rollout
    monkeypatch.setattr(markov, "rollout", skewed)
    with pytest.raises(ConformityError, match=r"play earns the .* its exact value"):
        se.check_game(interacting_game(temperature=0.02))


@pytest.mark.parametrize(
    ("name", "value", "clause"),
    [
        ("residual", 1e-3, "the equilibrium's equations hold"),
        ("policy", np.full((3, 4, 2), 0.4), "the rows of the followers' policies sum to one"),
    ],
)
def test_an_equilibrium_that_is_none_fails(monkeypatch, name, value, clause):
    monkeypatch.setattr(MarkovSolution, name, value)
    with pytest.raises(ConformityError, match=clause):
        se.check_game(interacting_game())
