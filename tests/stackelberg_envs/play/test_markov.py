import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ActionError, ArgumentError, GameError
from stackelberg_envs.play.rollout import rollout
from stackelberg_envs.play.session import Session
from tests.games import interacting_game

GAME, X = interacting_game(), np.array([0.3, 0.6])
SOLVED = se.solve(GAME, X)


def test_play_earns_what_the_solution_says():
    """Means of 4,000 episodes against exact values: a false alarm in some 15,000 runs for each of the two."""
    seen = rollout(GAME.under(X), SOLVED.policy, np.random.default_rng(0), episodes=4000)
    returns = seen.returns(GAME.leader_discount)
    assert abs(returns.mean() - SOLVED.episode.leader_value) < 4.0 * returns.std() / np.sqrt(4000)
    paid = GAME.follower_discount**seen.time * seen.follower_reward.mean(axis=1)
    sums = np.add.reduceat(paid, seen.offsets[:-1])
    assert abs(sums.mean() - SOLVED.episode.follower_reward_value) < 4.0 * sums.std() / np.sqrt(4000)
    assert seen.whole.all() and seen.follower_action.max() < 8
    last = seen.state[seen.offsets[1:] - 1]
    assert seen.terminated.any()
    np.testing.assert_array_equal(seen.terminated, last == 3)


def test_a_budget_of_steps_is_kept_and_the_last_episode_is_cut():
    seen = rollout(GAME.under(X), SOLVED.policy, np.random.default_rng(0), steps=503)
    assert (seen.num_steps, seen.offsets[-1]) == (503, 503)
    assert seen.whole[:-1].all()
    assert not seen.whole[-1] and not seen.terminated[-1]
    same = rollout(GAME.under(X), SOLVED.policy, np.random.default_rng(0), steps=503)
    np.testing.assert_array_equal(seen.state, same.state)


def test_a_session_moves_all_followers_together():
    session = Session(GAME)
    session.reset(0)
    session.commit(X)
    arrays = GAME.under(X).arrays
    while session.phase == "play":
        state = session.states[0]
        session.play([1, 0, 1])
        assert session.leader_reward == arrays.leader_reward[state, 5]
        assert session.follower_rewards == arrays.follower_rewards[:, state, 5].tolist()
        assert len(set(session.states)) == 1
    assert session.terminated == (session.records[0]["terminal"] == 1)
    assert session.follower_returns != [0.0, 0.0, 0.0]


def test_actions_and_numbers_of_followers_that_do_not_exist_are_refused():
    session = Session(GAME)
    session.reset(0)
    session.commit(X)
    with pytest.raises(ActionError, match=r"follower_1: follower action: expected an integer in 0..1, got 2"):
        session.play([0, 2, 0])
    alone = Session(GAME, num_followers=1)
    alone.reset(0)
    with pytest.raises(ArgumentError, match="expected all 3 of 'markov', got 1"):
        alone.commit(X)
    simulator = session.simulator
    with pytest.raises(ArgumentError, match="expected no leader action, got 7"):
        simulator.check_leader_action(7)
    with pytest.raises(ArgumentError, match="rollout: expected at least 1 of them"):
        rollout(GAME.under(X), SOLVED.policy, np.random.default_rng(0), steps=0)
    with pytest.raises(ArgumentError, match="rollout: expected either steps or episodes"):
        rollout(GAME.under(X), SOLVED.policy, np.random.default_rng(0))
    with pytest.raises(ArgumentError, match=r"rng: expected a numpy.random.Generator, got 3"):
        rollout(GAME.under(X), SOLVED.policy, 3, episodes=1)
    for refused in (lambda: simulator.step(0, 0, 0), lambda: simulator.leader_action(0)):
        with pytest.raises(ArgumentError):
            refused()


def test_policies_are_checked_by_follower_and_state():
    committed = GAME.under(X)
    with pytest.raises(ArgumentError, match=r"expected shape \(3, 4, 2\)"):
        rollout(committed, SOLVED.policy[0], np.random.default_rng(0), episodes=1)
    with pytest.raises(ArgumentError, match="follower 0, state 0"):
        rollout(committed, 2.0 * SOLVED.policy, np.random.default_rng(0), episodes=1)
    feasible = np.ones((3, 4, 2))
    feasible[1, 2, 0] = 0.0
    masked = interacting_game(feasible=feasible)
    with pytest.raises(ArgumentError, match="of follower 1 for action 0 in state 2"):
        rollout(masked.under(X), SOLVED.policy, np.random.default_rng(0), episodes=1)
    played = rollout(masked.under(X), se.solve(masked, X).policy, np.random.default_rng(0), episodes=50)
    assert ((played.follower_action[played.state == 2] // 2) % 2).all()
    with pytest.raises(GameError, match="no interface shows masks"):
        Session(masked)
