"""Several attackers: what they are paid, by hand; their equilibrium and its derivative, by other methods."""

import itertools

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import GameError

SECURITY = "stackelberg/SecurityGame-v0"
X = [[0.4, 0.3, 0.2, 0.1]]


@pytest.mark.parametrize(("n", "guards"), [(2, 1), (3, 2)])
def test_payments_are_those_of_every_schedule_and_choice(n, guards):
    game = se.make_game(SECURITY, num_attackers=n, guards=guards)
    gain, penalty, loss = [4.0, 3.0, 2.0, 1.0], -1.0, [4.0, 3.0, 2.0, 1.0]
    pays, losses = game.commitment.pays, game.commitment.losses
    for m, targets in enumerate(itertools.product(range(4), repeat=n)):
        for a, places in enumerate(itertools.combinations(range(4), guards)):
            for i, target in enumerate(targets):
                alone = penalty if target in places else gain[target] / targets.count(target)
                assert pays[i, m, a] == pytest.approx(alone)
            assert losses[m, a] == pytest.approx(sum(loss[t] for t in set(targets) - set(places)))


def symmetric(n, x, temperature):
    """Return the policy that all attackers share, by damped iteration of the logit response to n - 1 others."""
    gain, p = np.array([4.0, 3.0, 2.0, 1.0]), np.full(4, 0.25)
    for _ in range(4000):
        # The mean of 1 / (1 + K) for K other attackers there, binomial: (1 - (1 - p)^n) / (n p).
        worth = (1.0 - x) * gain * (1.0 - (1.0 - p) ** n) / (n * p) - x
        logits = np.exp((worth - worth.max()) / temperature)
        p = 0.8 * p + 0.2 * logits / logits.sum()
    return p


@pytest.mark.parametrize("n", [2, 3])
def test_the_equilibrium_is_the_one_that_all_share(n):
    game = se.make_game(SECURITY, num_attackers=n, temperature=1.0)
    solved = se.solve(game, X)
    shared = symmetric(n, np.array(X[0]), 1.0)
    for policy in solved.policy:
        np.testing.assert_allclose(policy[0], shared, atol=1e-9)
    attacked = 1.0 - (1.0 - shared) ** n
    lost = attacked @ ((1.0 - np.array(X[0])) * np.array([4.0, 3.0, 2.0, 1.0]))
    assert solved.leader_value == pytest.approx(-lost, abs=1e-8)


def test_the_gradient_is_that_of_differences():
    game = se.make_game(SECURITY, num_attackers=2, temperature=0.3)
    change = np.array([[1.0, -0.5, 0.25, -0.75]])
    up, down = (se.solve(game, np.array(X) + step * change).leader_value for step in (1e-6, -1e-6))
    assert (se.solve(game, X).gradient * change).sum() == pytest.approx((up - down) / 2e-6, rel=1e-5)


def test_numbers_of_the_page():
    game = se.make_game(SECURITY, num_attackers=2)
    assert se.solve(game, [[0.25] * 4]).leader_value == pytest.approx(-3.862222, abs=1e-6)
    best = se.solve(game, game.facts["best_commitment"])
    assert best.leader_value == pytest.approx(game.facts["best_known"], abs=1e-9)
    assert best.leader_value == pytest.approx(-2.483227, abs=1e-6)


def test_one_attacker_alone_is_the_game_as_it_was():
    one, two = (se.make_game(SECURITY, num_attackers=n, temperature=0.5) for n in (1, 2))
    assert (one.kind, two.kind, two.num_followers) == ("tabular", "markov", 2)
    se.check_game(two)


@pytest.mark.parametrize(
    ("n", "match"), [(0, "num_attackers: expected"), (11, "num_attackers: expected tables of at most")]
)
def test_attackers_that_there_cannot_be_are_refused(n, match):
    with pytest.raises(GameError, match=match):
        se.make_game(SECURITY, num_attackers=n)
