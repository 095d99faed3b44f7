"""The parallel and AEC faces: phases, what is seen, what is paid, and that both tell one story."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ActionError, ArgumentError, CommitmentError, PhaseError

FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1"


def committed(spec_id, x, seed=0, **kwargs):
    env = se.parallel_env(spec_id, **kwargs)
    env.reset(seed=seed)
    return env, env.step({"leader_0": x})


def test_round_0_hides_context_and_state_and_pays_nobody():
    env = se.parallel_env(FOUR_ROOMS, goals=((1, 9), (11, 11)))
    observations, infos = env.reset(seed=0)
    layout = env.observation_layout
    for agent in env.agents:
        assert observations[agent][layout["phase"]].tolist() == [1.0, 0.0]
        assert not observations[agent][: layout["phase"].start].any()
        assert infos[agent]["context"] == -1
    x = np.full(104, -0.05, np.float32)
    observations, rewards, terminations, truncations, infos = env.step({"leader_0": x})
    assert rewards == {"leader_0": 0.0, "follower_0": 0.0}
    assert not any(terminations.values())
    assert not any(truncations.values())
    np.testing.assert_array_equal(observations["follower_0"][layout["commitment"]], x)
    assert observations["follower_0"][layout["state"]].sum() == 1.0
    assert infos["follower_0"]["context"] in (0, 1)
    assert infos["follower_0"]["played"] == 0


def test_agents_that_do_not_exist_have_no_spaces():
    one, many = se.parallel_env(TOY), se.parallel_vector_env(TOY, num_envs=2)
    calls = [getattr(env, f"{what}_space") for env in (one, many) for what in ("action", "observation")]
    calls += [many.single_action_space, many.single_observation_space]
    for call in calls:
        with pytest.raises(ArgumentError, match="agent: expected one of leader_0, follower_0, got 'nobody'"):
            call("nobody")


def test_a_commitment_outside_its_box_is_projected_and_a_malformed_one_refused():
    _, (observations, *_) = committed(FOUR_ROOMS, np.full(104, -9.0))
    assert observations["leader_0"].min() == np.float32(-0.2)
    for bad in (np.zeros(103), np.full(104, np.nan), "no numbers"):
        with pytest.raises(CommitmentError, match="expected"):
            committed(FOUR_ROOMS, bad)


def test_calls_in_the_wrong_phase_say_what_was_expected():
    env = se.parallel_env(FOUR_ROOMS)
    with pytest.raises(PhaseError, match="reset"):
        env.step({})
    env.reset(seed=0)
    with pytest.raises(PhaseError, match="leader_0"):
        env.step({"follower_0": 1})
    env.step({"leader_0": np.zeros(104)})
    for bad in (4, -1, 1.5, None):
        with pytest.raises(ActionError, match=r"follower_0.*0\.\.3"):
            env.step({"follower_0": bad})
    assert env.session.played == 0


def test_a_terminal_state_pays_when_visited_and_then_ends():
    # Start at the goal: the first play step pays 1 and ends the episode for everybody.
    env, _ = committed(FOUR_ROOMS, np.full(104, -0.1), goals=((4, 1),), penalty=2.0)
    _, rewards, terminations, truncations, infos = env.step({"follower_0": 0})
    assert rewards["follower_0"] == 1.0
    assert rewards["leader_0"] == pytest.approx(-2.0 * 104 * 0.1)
    assert terminations == {"leader_0": True, "follower_0": True}
    assert truncations == {"leader_0": False, "follower_0": False}
    assert infos["follower_0"]["terminal"] == 1
    assert env.agents == []
    assert env.step({}) == ({}, {}, {}, {}, {})


def test_the_horizon_truncates_after_as_many_play_steps():
    env, _ = committed(TOY, np.full((3, 2), 0.5), horizon=7)
    for _ in range(7):
        *_, truncations, infos = env.step({"follower_0": 0})
    assert truncations == {"leader_0": True, "follower_0": True}
    assert infos["follower_0"]["step"] == 7


def test_finished_followers_idle_unpaid_until_all_are_done():
    # With slip 0 and the goal just below the start, follower 0 walks there and follower 1 stands still.
    game = se.make_game(FOUR_ROOMS, goals=((5, 1),), slip=0.0, horizon=6).replace(num_followers=2)
    env, _ = committed(FOUR_ROOMS, np.zeros(104), game=game)
    rewards, flags, idle = [], [], []
    while env.agents:
        _, paid, terminations, truncations, infos = env.step({"follower_0": 2, "follower_1": 0})
        rewards.append((paid["follower_0"], paid["follower_1"]))
        flags.append((set(terminations.values()), set(truncations.values())))
        idle.append(infos["follower_0"]["played"])
    assert rewards == [(0.0, 0.0), (1.0, 0.0), *[(0.0, 0.0)] * 4]
    assert idle == [1, 1, 0, 0, 0, 0]
    assert flags == [({False}, {False})] * 5 + [({False}, {True})]
    assert infos["leader_0"]["played"].tolist() == [0, 1]


def test_the_leader_is_paid_the_mean_and_sees_shares_of_followers():
    game = se.make_game(TOY, horizon=10).replace(num_followers=4)
    env, _ = committed(TOY, np.full((3, 2), 0.5), game=game)
    actions = {"follower_0": 1, "follower_1": 2, "follower_2": 0, "follower_3": 1}
    observations, rewards, *_ = env.step(actions)
    assert rewards["leader_0"] == 0.5
    np.testing.assert_array_equal(observations["leader_0"][env.observation_layout["state"]], [0.25, 0.5, 0.25])


def test_per_step_shows_the_leaders_action_one_round_later():
    env = se.parallel_env(TOY, commitment="per_step", horizon=5)
    observations, _ = env.reset(seed=0)
    layout = env.observation_layout
    assert observations["leader_0"][layout["state"]].tolist() == [1.0, 0.0, 0.0]
    chosen = [1, 0, 0, 1, 1, 0]
    shown = []
    for action in chosen:
        observations, *_, infos = env.step({"leader_0": action, "follower_0": 0})
        shown.append(infos["leader_0"]["leader_action"])
    assert shown == [-1, *chosen[:-1]]
    assert not env.agents


def test_a_refused_per_step_action_moves_nothing():
    env = se.parallel_env(TOY, commitment="per_step")
    env.reset(seed=0)
    env.step({"leader_0": 0})
    with pytest.raises(ActionError):
        env.step({"leader_0": 7, "follower_0": 1})
    assert env.session.played == 0


def test_the_menu_offers_commitments_by_number():
    menu = [np.zeros(104), np.full(104, -0.2)]
    env, _ = committed(FOUR_ROOMS, 1, menu=menu)
    np.testing.assert_array_equal(env.session.x, menu[1])
    with pytest.raises(ActionError, match="Discrete"):
        committed(FOUR_ROOMS, 2, menu=menu)
    with pytest.raises(CommitmentError, match=r"menu\[0\]"):
        se.parallel_env(FOUR_ROOMS, menu=[np.ones(104)])
    same = [se.parallel_env(FOUR_ROOMS, menu=3).menu.commitments for _ in range(2)]
    np.testing.assert_array_equal(*same)


def test_each_agent_samples_from_a_stream_of_its_own():
    env = se.parallel_env(TOY, game=se.make_game(TOY).replace(num_followers=2))
    env.action_space("follower_0").seed(1)
    before = [int(env.action_space("follower_0").sample()) for _ in range(20)]
    env.action_space("follower_0").seed(1)
    env.action_space("follower_1").seed(2)
    assert [int(env.action_space("follower_0").sample()) for _ in range(20)] == before


def test_private_rewards_stay_out_of_the_infos():
    game = se.make_game(TOY).replace(observe_rewards=False)
    env = se.parallel_env(TOY, game=game)
    _, infos = env.reset(seed=0)
    assert all("follower_reward" not in info for info in infos.values())


def test_reset_without_a_seed_goes_on_with_the_stream():
    first, second = se.parallel_env(FOUR_ROOMS), se.parallel_env(FOUR_ROOMS)
    walks = []
    for env in (first, second):
        for seed in (4, None):
            env.reset(seed=seed)
            env.step({"leader_0": np.zeros(104)})
            walks.append([env.step({"follower_0": 1})[4]["follower_0"]["next_state"] for _ in range(15)])
    assert walks[:2] == walks[2:]
    assert walks[0] != walks[1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"commitment": "always"}, "per_step"),
        ({"observe_commitment": "some"}, "local"),
        ({"render_mode": "film"}, "rgb_array"),
        ({"menu": 0}, "menu"),
        ({"menu": []}, "menu"),
        ({"walls": 3}, "walls"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ArgumentError, match=message):
        se.parallel_env(FOUR_ROOMS, **options)
