"""Rounds in two half steps are worth what rounds are worth, and nobody sees what the other does."""

import numpy as np
import pytest
from scipy.special import logsumexp, softmax

import stackelberg_envs as se
from stackelberg_envs.errors import GameError
from stackelberg_envs.play.rollout import rollout


def drawn(seed, S=3, A=2, B=4):
    """Payoffs and a kernel at random."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(S, A, B)), rng.normal(size=(S, A, B)), rng.dirichlet(np.ones(S), size=(S, A, B))


def by_rounds(paid, own, after, policy, discounts, temperature):
    """Both players' values by state: the follower's choice in a round does not see the leader's action."""
    mean_own, mean_paid = np.einsum("sa,sab->sb", policy, own), np.einsum("sa,sab->sb", policy, paid)
    onward, value = np.einsum("sa,sabt->sbt", policy, after), np.zeros(len(own))
    for _ in range(2000):
        value = temperature * logsumexp((mean_own + discounts[1] * onward @ value) / temperature, axis=1)
    answer = softmax((mean_own + discounts[1] * onward @ value) / temperature, axis=1)
    kernel = np.einsum("sb,sbt->st", answer, onward)
    return np.linalg.solve(np.eye(len(own)) - discounts[0] * kernel, (answer * mean_paid).sum(axis=1)), value, answer


@pytest.mark.parametrize("seed", range(3))
def test_a_repeated_game_is_worth_what_its_rounds_are(seed):
    paid, own, after = drawn(seed)
    game = se.simultaneous_game(paid, own, after, leader_discount=0.9, follower_discount=0.8, temperature=0.3)
    x = np.random.default_rng(seed).dirichlet(np.ones(2), 3)
    solution, (value, soft, answer) = se.solve(game, x), by_rounds(paid, own, after, x, (0.9, 0.8), 0.3)
    assert solution.leader_value == pytest.approx(value[0], abs=1e-9)
    idle = np.sqrt(0.8) * 0.3 * np.log(4) / (1 - 0.8)
    np.testing.assert_allclose(solution.best.state_values[:3], soft + idle, atol=1e-9)
    np.testing.assert_allclose(solution.best.policy[:3], np.repeat(answer[:, None], 2, axis=1), atol=1e-9)


def test_states_of_a_class_have_one_row_whatever_the_choice_was():
    paid, own, after = drawn(0)
    game = se.simultaneous_game(paid, own, after, classes=[0, 1, 0], leader_discount=0.9, follower_discount=0.9)
    x = np.array([[0.2, 0.8], [0.6, 0.4]])
    assert game.commitment.shape == (2, 2)
    expected = by_rounds(paid, own, after, x[[0, 1, 0]], (0.9, 0.9), 0.1)[0][0]
    assert se.solve(game, x).leader_value == pytest.approx(expected, abs=1e-9)


def test_one_round_is_the_matrix_game():
    paid, own = np.array([[2.0, 4.0], [1.0, 3.0]]), np.eye(2)
    game, x = se.simultaneous_game(paid, own, temperature=0.2), np.array([0.3, 0.7])
    answer = softmax(x @ own / 0.2)
    solution = se.solve(game, x[None])
    assert solution.leader_value == pytest.approx(x @ paid @ answer, abs=1e-12)
    assert (game.horizon, game.leader_discount, game.follower_discount) == (2, 1.0, 1.0)
    # Discounted or not, one round is worth the same.
    halved = se.simultaneous_game(paid, own, temperature=0.2, leader_discount=0.5, follower_discount=0.25)
    assert se.solve(halved, x[None]).leader_value == pytest.approx(x @ paid @ answer, abs=1e-12)


def test_types_see_the_same_commitment_and_answer_each_in_its_way():
    paid, own = np.array([[2.0, 4.0], [1.0, 3.0]]), np.stack([np.eye(2), np.eye(2)[::-1]])
    game = se.simultaneous_game(paid[None], own[:, None], temperature=0.2, context_probabilities=[0.3, 0.7])
    x = np.array([0.4, 0.6])
    expected = sum(p * x @ paid @ softmax(x @ each / 0.2) for p, each in zip((0.3, 0.7), own, strict=True))
    assert se.solve(game, x[None]).leader_value == pytest.approx(expected, abs=1e-12)


def test_the_first_state_is_where_play_begins_unless_it_is_told():
    paid, own, after = drawn(1)
    last = se.simultaneous_game(
        paid,
        own,
        after,
        initial=[0, 0, 1],
        leader_discount=0.9,
        follower_discount=0.9,
        horizon=7,
        states=("a", "b", "c"),
    )
    assert last.initial.tolist() == [0, 0, 1, *[0] * 12]
    assert last.horizon == 14
    assert last.facts["states"][:5] == ("a", "b", "c", "a | 0", "a | 1")


def test_play_pays_in_the_second_half_of_a_round():
    # One in 10,000 runs of this test of a sound game would say otherwise; the seed is fixed.
    paid, own, after = drawn(2)
    game = se.simultaneous_game(paid, own, after, leader_discount=0.7, follower_discount=0.7, temperature=0.5)
    x = np.full((3, 2), 0.5)
    solution = se.solve(game, x)
    play = rollout(game.under(x), solution.policy, np.random.default_rng(0), episodes=3000)
    returns = play.returns(game.leader_discount)
    assert abs(returns.mean() - solution.leader_value) < 3.9 * returns.std() / np.sqrt(len(returns))
    first = play.state < 3
    assert not play.leader_reward[first].any()
    assert (play.leader_action[first] == 0).all()


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        (([1.0], [1.0]), {}, "leader_reward: expected shape"),
        ((np.zeros((2, 2)), np.zeros((2, 3))), {}, "follower_reward: expected shape"),
        ((np.zeros((2, 2)), np.zeros((2, 2)), np.ones((1, 2, 2, 1))), {}, "discount"),
        ((np.zeros((2, 2)), np.zeros((2, 2))), {"classes": [0, 1]}, "classes: expected shape"),
        ((np.zeros((2, 2)), np.zeros((2, 2))), {"initial": [0.5, 0.5]}, "initial: expected shape"),
        ((np.zeros((2, 2)), np.zeros((2, 2))), {"states": ("a", "b")}, "states: expected a name for each of 1"),
        ((np.zeros((2, 2)), np.zeros((2, 2))), {"leader_discount": 2.0}, "leader_discount"),
        ((np.zeros((2, 2)), np.zeros((2, 2))), {"horizon": 0}, "horizon"),
        ((np.zeros((2, 2)), np.zeros((2, 2))), {"follower_discount": 0.0}, "follower_discount: expected more than 0"),
        ((np.zeros((2, 2)), np.zeros((2, 2))), {"states": 5}, "states: expected a tuple of names, got 5"),
        ((np.zeros((2, 2)), np.zeros((2, 2))), {"states": (5,)}, "states: expected a string, got 5"),
        ((np.zeros((2, 2)), np.zeros((2, 2))), {"facts": 3}, "facts: expected a dict"),
        ((np.zeros((3, 1, 2, 2)), np.zeros((3, 1, 2, 2))), {}, "context_probabilities: expected those of 3 types"),
        (
            (np.zeros((2, 1, 2, 2)), np.zeros((3, 1, 2, 2))),
            {"context_probabilities": [0.5, 0.5]},
            "follower_reward: expected a table for each of 2 types, got 3",
        ),
        ((np.zeros((2, 2)), np.zeros((2, 2)), np.ones((1, 3, 2, 1))), {}, "transition"),
    ],
)
def test_what_is_no_such_game_is_refused(arguments, options, words):
    with pytest.raises(GameError, match=words):
        se.simultaneous_game(*arguments, **options)


def test_another_discount_alone_is_refused_because_rewards_would_not_follow():
    game = se.simultaneous_game([[2, 4], [1, 3]], [[1, 0], [0, 1]], leader_discount=0.81, follower_discount=0.64)
    for name, made in (("leader_discount", r"0\.9"), ("follower_discount", r"0\.8")):
        with pytest.raises(GameError, match=rf"{name}: expected {made}, for which this game's rewards"):
            game.replace(**{name: 0.5})
