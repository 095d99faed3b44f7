"""Many copies of leader and followers: each plays the episodes of a parallel environment, bit for bit."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ActionError, ArgumentError, CommitmentError, GameError, PhaseError
from stackelberg_envs.faces.vector_agents import StackedParallelVectorEnv
from tests.environments import cut_after
from tests.games import interacting_game, weakly_interacting_game
from tests.stackelberg_envs.faces.same import assert_same

TOY = se.make_game("stackelberg/DiscreteToy-v1", horizon=12)
ROOMS = se.make_game("stackelberg/FourRooms-v0", goals=((1, 9), (11, 11)), horizon=15)
FORMS = {"normalize": True, "flatten_actions": True, "scale_rewards": True, "scale_observations": True}


@pytest.mark.parametrize("options", [{}, {"autoreset": "same_step", **FORMS}, {"observe_commitment": "local"}])
@pytest.mark.parametrize("game", [TOY, TOY.replace(num_followers=3), ROOMS, ROOMS.replace(num_followers=2)])
def test_the_compiled_pass_is_one_environment_after_the_other(game, options):
    native, stacked = (
        se.parallel_vector_env(game=game, num_envs=3, **options),
        StackedParallelVectorEnv(game, 3, **options),
    )
    assert native.agents == native.possible_agents == stacked.agents
    assert_same(native.reset(seed=7), stacked.reset(seed=7), "reset")
    for agent in native.agents:
        native.action_space(agent).seed(0)
    for t in range(60):
        actions = {agent: native.action_space(agent).sample() for agent in native.agents}
        made = native.step(actions)
        assert_same(made, stacked.step(actions), f"step {t}")
        for agent in native.agents:
            assert native.observation_space(agent).contains(made[0][agent])
            assert native.single_observation_space(agent).contains(made[0][agent][0])
    assert_same(native.reset(), stacked.reset(), "reset again")


@pytest.mark.parametrize("forms", [{}, FORMS])
@pytest.mark.parametrize("spec_id", se.registered_ids())
def test_copies_are_parallel_environments(spec_id, forms):
    envs = se.parallel_vector_env(spec_id, num_envs=2, **cut_after(spec_id, 6), **forms)
    one = se.parallel_env(spec_id, **cut_after(spec_id, 6), **forms)
    assert envs.reward_units == one.reward_units
    observations, _ = envs.reset(seed=4)
    alone, _ = one.reset(seed=5)
    for agent in envs.agents:
        assert envs.single_action_space(agent) == one.action_space(agent)
        assert envs.single_observation_space(agent) == one.observation_space(agent)
        one.action_space(agent).seed(1)
    while one.agents:
        for agent in one.agents:
            np.testing.assert_array_equal(observations[agent][1], alone[agent])
        actions = {agent: one.action_space(agent).sample() for agent in one.agents}
        observations, rewards, terminated, truncated, infos = envs.step(
            {a: np.stack([u, u]) for a, u in actions.items()}
        )
        alone, paid, over, cut, seen = one.step(actions)
        for agent in paid:
            assert rewards[agent][1] == paid[agent]
            assert (terminated[agent][1], truncated[agent][1]) == (over[agent], cut[agent])
            for key, value in seen[agent].items():
                np.testing.assert_array_equal(infos[agent][key][1], value)


@pytest.mark.parametrize("options", [{}, {"autoreset": "same_step", "scale_rewards": True, "normalize": True}])
def test_copies_of_interacting_followers_are_parallel_environments(options):
    game = weakly_interacting_game(terminal=[0, 0, 1], horizon=4)
    envs = se.parallel_vector_env(game=game, num_envs=3, **options)
    forms = {name: value for name, value in options.items() if name != "autoreset"}
    alone = [se.parallel_env(game=game, **forms) for _ in range(3)]
    seen, _ = envs.reset(seed=5)
    shown = [env.reset(seed=5 + i)[0] for i, env in enumerate(alone)]
    for agent in envs.agents:
        envs.action_space(agent).seed(1)
    ended = 0
    for _ in range(40):
        actions = {agent: envs.action_space(agent).sample() for agent in envs.agents}
        seen, rewards, terminated, truncated, _ = envs.step(actions)
        for i, env in enumerate(alone):
            if not env.agents:
                shown[i] = env.reset()[0]
                assert all(rewards[agent][i] == 0.0 for agent in envs.agents)
            else:
                shown[i], paid, over, cut, _ = env.step({agent: rows[i] for agent, rows in actions.items()})
                for agent in envs.agents:
                    assert rewards[agent][i] == paid[agent]
                    assert (terminated[agent][i], truncated[agent][i]) == (over[agent], cut[agent])
                ended += not env.agents
                if not env.agents and "autoreset" in options:
                    shown[i] = env.reset()[0]
            for agent in envs.agents:
                np.testing.assert_array_equal(seen[agent][i], shown[i][agent])
    assert ended >= 20
    masked = interacting_game(feasible=np.arange(24).reshape(3, 4, 2) > 0)
    with pytest.raises(GameError, match="expected every action to be feasible everywhere"):
        se.parallel_vector_env(game=masked)


def test_every_copy_is_under_its_own_commitment():
    envs = se.parallel_vector_env("stackelberg/FourRooms-v0", num_envs=3, horizon=5)
    envs.reset(seed=0)
    x = np.linspace(-0.2, 0.0, 3)[:, None] * np.ones((3, 104))
    observations, *_ = envs.step({"leader_0": x})
    np.testing.assert_array_equal(
        observations["follower_0"][:, envs.observation_layout["commitment"]], x.astype(np.float32)
    )
    rewards = envs.step({"follower_0": np.zeros(3, int)})[1]["follower_0"]
    np.testing.assert_allclose(rewards, x[:, 0], atol=1e-12)


def test_what_cannot_be_played_is_refused_before_anything_moves():
    envs = se.parallel_vector_env(game=TOY, num_envs=2)
    with pytest.raises(PhaseError, match=r"expected reset\(\) first"):
        envs.step({})
    envs.reset(seed=0)
    with pytest.raises(PhaseError, match="expected an action of 'leader_0'"):
        envs.step({"follower_0": [0, 0]})
    for bad in (np.zeros(6), np.zeros((3, 6)), np.full((2, 6), np.nan), "ab", None):
        with pytest.raises(CommitmentError, match="commitment"):
            envs.step({"leader_0": bad})
    envs.step({"leader_0": np.zeros((2, 6))})
    with pytest.raises(PhaseError, match="expected an action of 'follower_0'"):
        envs.step({"leader_0": np.zeros((2, 6))})
    with pytest.raises(ActionError, match="step: expected actions of agents among"):
        envs.step({"nobody": [0, 0]})
    for bad in ([0, 3], [0], [[0, 0]], [0.0, 1.0], "ab"):
        with pytest.raises(ActionError, match="actions: expected"):
            envs.step({"follower_0": bad})
    assert envs.step({"follower_0": [0, 1]})[4]["leader_0"]["step"].tolist() == [1, 1]
    with pytest.raises(ArgumentError, match="reset: expected no options"):
        envs.reset(options={"commitment": np.zeros(6)})
    envs.close()


def test_copies_of_a_game_of_vectors_are_refused_before_any_of_them_moves():
    envs = se.parallel_vector_env("stackelberg/BilevelLqr-v1", num_envs=2, horizon=4)
    envs.reset(seed=0)
    for bad in (None, 3, np.zeros((3, 2)), [[0.0, 0.0], [0.0, np.nan]]):
        with pytest.raises(CommitmentError, match="commitment: expected"):
            envs.step({"leader_0": bad})
    with pytest.raises(PhaseError, match="expected an action of 'leader_0'"):
        envs.step({})
    envs.step({"leader_0": np.zeros((2, 2))})
    for bad in (None, 3, [[0.0]], [[0.0], [np.nan]], [[0.0], [1e9]], [[0.0], [0.0, 0.0]], "ab", np.array(1.0)):
        with pytest.raises(ActionError, match="expected"):
            envs.step({"follower_0": bad})
    with pytest.raises(PhaseError, match="expected an action of 'follower_0'"):
        envs.step({})
    assert envs.step({"follower_0": np.zeros((2, 1))})[4]["leader_0"]["step"].tolist() == [1, 1]


def test_copies_may_be_in_different_phases():
    # Two cells from the start a random walk ends at different times.
    envs = se.parallel_vector_env("stackelberg/FourRooms-v0", num_envs=40, goals=((2, 1),), horizon=60)
    _, infos = envs.reset(seed=0)
    seen = set()
    for _ in range(150):
        actions = {agent: envs.action_space(agent).sample() for agent in envs.agents}
        observations, _, _, _, infos = envs.step(actions)
        waits = observations["leader_0"][:, envs.observation_layout["phase"]][:, 0] == 1
        np.testing.assert_array_equal(waits, infos["leader_0"]["context"] == -1)
        seen.add(int(waits.sum()))
    assert len(seen) > 2
