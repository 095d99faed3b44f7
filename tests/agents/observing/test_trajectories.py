import io
import pickle

import numpy as np
import pytest

from agents.observing.trajectories import Trajectories, concatenate
from agents.runs.collection import collect
from stackelberg_envs.envs import four_rooms_v0, random_tabular_v1
from stackelberg_envs.errors import ArgumentError, CommitmentError
from stackelberg_envs.solvers.solving import solve

FIELDS = (
    "state",
    "leader_action",
    "follower_action",
    "next_state",
    "leader_reward",
    "offsets",
    "terminated",
    "context",
)


@pytest.fixture(scope="module")
def game():
    return random_tabular_v1.make_game(S=6, A=2, B=3, K=2, terminal=1, horizon=7, leader_discount=0.9, seed=2)


@pytest.fixture(scope="module")
def response(game):
    return solve(game, np.zeros(4)).response


def test_collect_respects_budget_horizon_and_chains_states(game, response):
    seen = collect(game, np.zeros(4), response, steps=1_000, rng=0)
    assert seen.num_steps == 1_000
    assert seen.lengths.max() <= 7
    assert seen.lengths.sum() == 1_000
    inside = np.ones(1_000, dtype=bool)
    inside[seen.offsets[1:] - 1] = False
    np.testing.assert_array_equal(seen.next_state[:-1][inside[:-1]], seen.state[1:][inside[:-1]])
    assert set(np.unique(seen.context)) == {0, 1}
    np.testing.assert_array_equal(seen.state[seen.offsets[1:][seen.terminated] - 1], 5)


def test_rewards_are_those_of_the_game_in_that_context(game, response):
    seen = collect(game, np.zeros(4), response, steps=500, rng=0)
    context = np.repeat(seen.context, seen.lengths)
    index = (context, seen.state, seen.leader_action, seen.follower_action)
    np.testing.assert_array_equal(seen.leader_reward, game.leader_reward[index])
    np.testing.assert_array_equal(seen.follower_reward, game.follower_reward[index])


def test_whole_episodes_can_be_asked_for(game, response):
    seen = collect(game, np.zeros(4), response, episodes=20, rng=0)
    assert seen.num_episodes == 20
    assert ((seen.lengths == 7) | seen.terminated).all()


def test_equal_seeds_give_equal_play(game, response):
    one, two, other = (collect(game, np.zeros(4), response, steps=300, rng=seed) for seed in (1, 1, 2))
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert not np.array_equal(one.follower_action, other.follower_action)


def test_private_rewards_are_not_recorded(game, response):
    assert collect(game.replace(observe_rewards=False), np.zeros(4), response, steps=10).follower_reward is None


def test_returns_are_discounted_sums_by_episode(game, response):
    seen = collect(game, np.zeros(4), response, steps=103, rng=0)
    assert len(seen.returns(0.9)) == seen.whole.sum() == seen.num_episodes - 1
    for i, value in enumerate(seen.returns(0.9)):
        rewards = seen.leader_reward[seen.offsets[i] : seen.offsets[i + 1]]
        assert value == pytest.approx(sum(0.9**t * r for t, r in enumerate(rewards)))


def test_mean_return_agrees_with_the_oracle():
    # Two-sided test at 4.5 standard errors: false alarms 7 in a million; seed fixed.
    game = random_tabular_v1.make_game(S=6, A=2, B=3, K=2, terminal=1, horizon=200, leader_discount=0.8, seed=2)
    solution = solve(game, np.zeros(4))
    returns = collect(game, np.zeros(4), solution.response, episodes=20_000, rng=0).returns(0.8)
    assert abs(returns.mean() - solution.leader_value) < 4.5 * returns.std() / np.sqrt(len(returns))


def test_step_weights_count_the_episodes_not_cut_before():
    def empty(lengths, terminated):
        T = sum(lengths)
        steps = np.zeros(T, dtype=np.int32)
        return Trajectories(
            np.zeros(1), 1, steps, steps, steps, steps, np.zeros(T), None,
            np.cumsum([0, *lengths]), np.array(terminated), np.zeros(len(lengths), dtype=np.int32),
        )  # fmt: skip

    # Episode 0 ended by itself after 2 steps, 1 ran 4, 2 was cut after 1 step.
    seen = empty([2, 4, 1], [True, True, False])
    np.testing.assert_allclose(seen.step_weights, [1 / 3, 1 / 2, 1 / 2, 1 / 2])
    np.testing.assert_array_equal(np.flatnonzero(seen.ends), [1, 5])


def test_bytes_round_trip_and_hold_no_pickle(game, response):
    seen = collect(game, np.zeros(4), response, steps=50, rng=0)
    back = Trajectories.from_bytes(seen.to_bytes())
    for name in (*FIELDS, "commitment", "follower_reward"):
        np.testing.assert_array_equal(getattr(back, name), getattr(seen, name))
    assert back.num_states == 6
    assert back.response is None
    assert Trajectories.from_bytes(seen.without("follower_reward").to_bytes()).follower_reward is None


@pytest.mark.parametrize("data", [b"", b"not an archive", pickle.dumps({"state": 1})])
def test_other_bytes_are_refused(data):
    with pytest.raises(ArgumentError, match="trajectories: expected bytes written by to_bytes"):
        Trajectories.from_bytes(data)


def test_an_archive_of_pickled_objects_is_refused():
    buffer = io.BytesIO()
    np.savez(buffer, state=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ArgumentError, match="trajectories: expected bytes"):
        Trajectories.from_bytes(buffer.getvalue())


def test_bad_arguments_are_refused_by_name(game, response):
    x = np.zeros(4)
    with pytest.raises(ArgumentError, match="expected either steps or episodes"):
        collect(game, x, response)
    with pytest.raises(ArgumentError, match="expected either steps or episodes"):
        collect(game, x, response, steps=1, episodes=1)
    with pytest.raises(ArgumentError, match="steps: expected an integer of at least 1, got 0"):
        collect(game, x, response, steps=0)
    with pytest.raises(ArgumentError, match=r"response: expected shape \(12, 2, 3\), got \(2, 2\)"):
        collect(game, x, np.ones((2, 2)), steps=1)
    with pytest.raises(CommitmentError, match="expected a value in"):
        collect(game, x + 7, response, steps=1)
    for rng in ("x", -1, 0.5):
        with pytest.raises(ArgumentError, match=f"rng: expected a generator, a seed .* or None, got {rng!r}"):
            collect(game, x, response, steps=1, rng=rng)


def test_play_under_different_commitments_is_not_joined(game, response):
    parts = [collect(game, np.full(4, value), response, steps=5, rng=0) for value in (0.0, 0.1)]
    with pytest.raises(ArgumentError, match="concatenate: expected play under one commitment, got several"):
        concatenate(parts)
    with pytest.raises(ArgumentError, match="concatenate: expected at least one part, got none"):
        concatenate([])


def test_two_goals_are_two_contexts_in_four_rooms():
    game = four_rooms_v0.make_game(goals=four_rooms_v0.TWO_GOALS)
    seen = collect(game, np.zeros(104), solve(game, np.zeros(104)).response, episodes=200, rng=0)
    ended = seen.state[seen.offsets[1:][seen.terminated] - 1]
    goals = [four_rooms_v0.STATE_OF[goal] for goal in four_rooms_v0.TWO_GOALS]
    np.testing.assert_array_equal(ended, np.array(goals)[seen.context[seen.terminated]])
    assert seen.joint_state.max() >= 104


def test_a_response_that_is_no_distribution_is_refused_with_its_place(game, response):
    broken = response.copy()
    broken[1, 2, 0] = np.nan
    with pytest.raises(ArgumentError, match=r"response: expected finite numbers, got nan at index \(8, 0, 0\)"):
        agents_collect(game, broken)
    with pytest.raises(
        ArgumentError,
        match=r"response: expected rows that sum to one, got a sum of 2 \(first at joint state 0, leader action 0\)",
    ):
        agents_collect(game, 2 * response)


def agents_collect(game, response):
    return collect(game, np.zeros(4), response, steps=5, rng=0)


@pytest.mark.parametrize("spoil", [np.ma.masked_array, lambda table: table * 1j, lambda table: table.astype(object)])
def test_a_response_that_is_no_plain_table_is_refused(game, response, spoil):
    with pytest.raises(ArgumentError, match="response: expected numbers"):
        collect(game, np.zeros(4), spoil(response), steps=10, rng=0)


@pytest.mark.parametrize("bad", [np.ma.masked_array(np.zeros(4)), np.zeros(4, complex), np.zeros(4, bool)])
def test_a_commitment_that_is_no_plain_array_is_refused(game, response, bad):
    with pytest.raises(CommitmentError, match="commitment: expected numbers"):
        collect(game, bad, response, steps=10, rng=0)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"leader_reward": np.ma.masked_array(np.zeros(3))}, "leader_reward: .* MaskedArray"),
        ({"leader_reward": np.zeros(3, complex)}, "leader_reward: expected numbers, got complex"),
        ({"leader_reward": [0.0, np.nan, 0.0]}, "leader_reward: expected finite numbers, got nan"),
        ({"follower_action": np.zeros(2, int)}, "follower_action: expected one entry for each of 3 steps"),
        ({"offsets": np.array([0, 2])}, "offsets: expected 3 rising integers from 0 to 3"),
        ({"offsets": np.array([0, 2, 4])}, "offsets: expected 3 rising integers from 0 to 3"),
        ({"offsets": np.array([0.0, 2.0, 3.0])}, "offsets: expected 3 rising integers"),
        ({"context": np.zeros(3, int)}, r"context: expected shape \(2,\)"),
        ({"state": ["a", "b", "c"]}, "state: expected numbers"),
    ],
)
def test_play_made_by_hand_is_checked(changes, match):
    steps = {name: np.zeros(3, int) for name in ("state", "leader_action", "follower_action", "next_state")}
    given = steps | {"leader_reward": np.zeros(3), "follower_reward": None, "offsets": np.array([0, 2, 3])}
    given |= {"terminated": np.ones(2, bool), "context": np.zeros(2, int), "commitment": np.zeros(4), "num_states": 5}
    assert Trajectories(**given).num_episodes == 2
    with pytest.raises(ArgumentError, match=match):
        Trajectories(**(given | changes))
