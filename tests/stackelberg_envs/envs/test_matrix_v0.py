"""Matrix games through the public interface: play under the best commitment, and what falling temperatures lead to."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import norm

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, GameError, UnknownNameError

ID = "stackelberg/Matrix-v0"
EPISODES = 400
KNOWN = [("conitzer_sandholm", 3.5, [0.5, 0.5]), ("game_3", 2.5, [0.5, 0.5]), ("maintain", 27.5, [0.25, 0.75, 0.0])]


@pytest.mark.parametrize(("name", "value", "x"), KNOWN)
def test_played_with_the_best_commitment_against_a_best_answer_it_pays_what_is_known(name, value, x):
    # A sound game fails with probability 1e-4, as means of so many returns go; the seed is fixed.
    assert se.make_game(ID, matrix=name).facts["reference"]["value"] == value
    env = se.parallel_env(ID, matrix=name)
    choice = se.stackelberg_strategies(env.game.facts["leader_payoff"], env.game.facts["follower_payoff"])
    np.testing.assert_allclose(choice.leader, x, atol=1e-9)
    returns = []
    for seed in range(EPISODES):
        env.reset(seed=seed)
        env.step({"leader_0": np.asarray(x, np.float32)})
        env.step({"follower_0": int(choice.responses[0])})
        _, rewards, *_ = env.step({"follower_0": 0})
        returns.append(rewards["leader_0"])
        assert not env.agents
    room = norm.ppf(1 - 0.5e-4) * np.std(returns) / np.sqrt(len(returns))
    assert abs(np.mean(returns) - value) <= room


@pytest.mark.parametrize("name", ["conitzer_sandholm", "game_3", "maintain", "inspection"])
def test_as_the_temperature_falls_the_value_goes_to_that_of_the_program(name):
    reference = se.make_game(ID, matrix=name).facts["reference"]["value"]
    found = [se.best_commitment(se.make_game(ID, matrix=name, temperature=t)).value for t in (0.1, 0.01)]
    gaps = reference - np.array(found)
    assert (gaps > 0).all()
    assert gaps[1] < 0.25 * gaps[0]


@pytest.mark.parametrize("name", ["conitzer_sandholm", "maintain"])
def test_the_best_known_commitment_is_played_as_the_exact_solution_says(name):
    # A sound game fails with probability 1e-4.
    game = se.make_game(ID, matrix=name)
    x = game.facts["best_commitment"]
    solution = se.solve(game, x)
    assert solution.leader_value == pytest.approx(game.facts["best_known"], abs=1e-9)
    leader, follower = (np.asarray(game.facts[key]) for key in ("leader_payoff", "follower_payoff"))
    assert solution.leader_value == pytest.approx(x[0] @ leader @ softmax(x[0] @ follower / 0.05), abs=1e-9)


def test_a_game_of_ones_own_with_types():
    leader, follower = [[2.0, 4.0], [1.0, 3.0]], [[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]]]
    game = se.make_game(ID, leader_payoff=leader, follower_payoff=follower, prior=[0.8, 0.2], temperature=0.01)
    assert game.num_contexts == 2
    kind, guarded = (
        se.stackelberg_strategies(leader, follower, prior=[0.8, 0.2], tie_break=word).value
        for word in ("optimistic", "pessimistic")
    )
    # Ties of both types are at one commitment only, so no soft follower breaks both for the leader.
    assert (kind, guarded) == pytest.approx((3.5, 3.1), abs=1e-6)
    assert guarded - 0.05 < se.best_commitment(game).value < guarded
    assert "best_known" not in game.facts
    assert "reference" not in game.facts


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"matrix": "maintan"}, UnknownNameError, "did you mean 'maintain'"),
        ({"matrix": "maintain", "prior": [1.0]}, ArgumentError, "expected a name or payoffs, got both"),
        ({"prior": [1.0]}, ArgumentError, "prior: expected leader_payoff and follower_payoff with it, got neither"),
        ({"leader_payoff": [[1.0]]}, ArgumentError, "expected both, got 1 of them"),
        ({"leader_payoff": [[1.0]], "follower_payoff": [[1.0, 2.0]]}, GameError, "follower_payoff: expected shape"),
        ({"leader_payoff": [[1.0]], "follower_payoff": [[1.0]], "prior": [0.5]}, GameError, "prior: expected rows"),
        ({"leader_payoff": [["a"]], "follower_payoff": [[1.0]]}, GameError, "leader_payoff: expected numbers"),
    ],
)
def test_what_is_no_matrix_game_is_refused(arguments, error, words):
    with pytest.raises(error, match=words):
        se.make_game(ID, **arguments)
