"""Masks of feasible actions on every interface."""

import copy
import pickle

import gymnasium
import gymnasium.utils.env_checker
import numpy as np
import pettingzoo.test
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ActionError, ArgumentError
from stackelberg_envs.faces.aec import wrapped_env
from stackelberg_envs.faces.followers import FollowersEnv
from stackelberg_envs.faces.gymnasium_views import FollowerEnv, LeaderEnv
from stackelberg_envs.faces.parallel import ParallelFace
from stackelberg_envs.faces.vector_agents import TabularParallelVectorEnv
from stackelberg_envs.faces.vector_leaders import LeaderVectorEnv
from stackelberg_envs.faces.vector_tabular import TabularVectorEnv
from stackelberg_envs.games.contexts import combine
from tests.games import A, B, S, small_game

X = np.full((S, A), 0.5)
#: In state 0 only action 0 after the leader's action 0; in state 1 only action 1, whatever the leader does.
MASK = np.ones((S, A, B), bool)
MASK[0, 0, 1] = MASK[1, :, 0] = False
GAME = small_game(feasible=MASK, horizon=20)
PAIR = combine([GAME, small_game(horizon=20)], [0.5, 0.5], num_followers=2)


def drawn(rng, mask):
    return int(rng.choice(np.flatnonzero(mask)))


def expected(game, info, shown):
    """The mask that belongs to what an info and an observation say."""
    if game.feasible is None or info["context"] < 0:
        return np.ones(B)
    rows = game.feasible if game.feasible.ndim == 3 else game.feasible[info["context"]]
    return rows[info["next_state"], shown]


def test_one_follower_is_told_what_it_can_take_and_refused_the_rest():
    env, rng = FollowerEnv(GAME, commitment=X), np.random.default_rng(0)
    observation, info = env.reset(seed=0)
    refused = 0
    for _ in range(200):
        mask = info["action_mask"]
        shown = int(observation[env.observation_layout["leader_action"]].argmax())
        assert mask.dtype == np.int8
        assert (mask == expected(GAME, info, shown)).all()
        assert (env.action_masks() == mask.astype(bool)).all()
        assert env.action_space.sample(mask) in np.flatnonzero(mask)
        state = info["next_state"]
        if not mask.all():
            refused += 1
            able, wrong = np.flatnonzero(mask).tolist(), int(np.flatnonzero(mask == 0)[0])
            with pytest.raises(ActionError) as told:
                env.step(wrong)
            assert f"feasible in state {state} after the leader's action {shown}, one of {able}, got {wrong}" in str(
                told.value
            )
        observation, _, terminated, truncated, info = env.step(drawn(rng, mask))
        assert info["state"] == state
        if terminated or truncated:
            assert info["action_mask"].all()
            observation, info = env.reset()
    assert refused > 20


def test_games_without_masks_have_no_such_info():
    env = FollowerEnv(small_game(), commitment=X)
    assert "action_mask" not in env.reset(seed=0)[1]
    with pytest.raises(ArgumentError, match="action_masks: expected a game with feasible actions"):
        env.action_masks()


@pytest.mark.parametrize("autoreset", ["next_step", "same_step"])
def test_copies_are_told_what_single_environments_are(autoreset):
    n, rng = 5, np.random.default_rng(1)
    game = combine([GAME, small_game(horizon=20)], [0.5, 0.5])
    many = TabularVectorEnv(game, n, commitment=X, autoreset=autoreset)
    singles = [FollowerEnv(game, commitment=X) for _ in range(n)]
    _, infos = many.reset(seed=7)
    told = [env.reset(seed=7 + i)[1] for i, env in enumerate(singles)]
    for _ in range(100):
        for i in range(n):
            assert (infos["action_mask"][i] == told[i]["action_mask"]).all()
        assert infos["_action_mask"].all()
        actions = np.array([drawn(rng, info["action_mask"]) for info in told])
        _, rewards, _, _, infos = many.step(actions)
        for i, env in enumerate(singles):
            if env.session.terminated or env.session.truncated:
                told[i] = env.reset()[1]
                continue
            _, reward, terminated, truncated, told[i] = env.step(actions[i])
            assert reward == rewards[i]
            if autoreset == "same_step" and (terminated or truncated):
                told[i] = env.reset()[1]


def test_copies_refuse_before_anything_moves():
    many = TabularVectorEnv(GAME, 3, commitment=X)
    many.reset(seed=0)
    for _ in range(50):
        masks = np.array(many._copies.action_masks())
        if not masks.all():
            break
        many.step(np.array([drawn(np.random.default_rng(0), mask) for mask in masks]))
    actions = masks.argmax(axis=1)
    i = int(np.flatnonzero(~masks.all(axis=1).astype(bool))[0])
    wrong = actions.copy()
    wrong[i] = int(np.flatnonzero(masks[i] == 0)[0])
    steps = many._copies.steps.copy()
    with pytest.raises(
        ActionError, match=rf"feasible in state \d, one of \[{actions[i]}\], got {wrong[i]} at index {i}"
    ):
        many.step(wrong)
    assert (many._copies.steps == steps).all()
    many.step(actions)


@pytest.mark.parametrize("commitment", ["once", "per_step"])
def test_leader_and_followers_together(commitment):
    env, rng = ParallelFace(PAIR, commitment=commitment), np.random.default_rng(2)
    _, infos = env.reset(seed=3)
    assert "action_mask" not in infos["leader_0"]
    for t in range(60):
        masks = {agent: infos[agent]["action_mask"] for agent in env.followers}
        for i, agent in enumerate(env.followers):
            shown = env.session.leader_actions[i]
            if t and shown is not None:
                assert (masks[agent] == expected(PAIR, infos[agent], shown)).all()
        actions = {agent: drawn(rng, mask) for agent, mask in masks.items()}
        _, _, _, _, infos = env.step({**actions, "leader_0": env.action_space("leader_0").sample()})
        assert "action_mask" not in infos["leader_0"]
        if not env.agents:
            _, infos = env.reset()


def test_many_copies_of_leader_and_followers():
    n, rng = 4, np.random.default_rng(3)
    many = TabularParallelVectorEnv(PAIR, n)
    singles = [ParallelFace(PAIR) for _ in range(n)]
    _, infos = many.reset(seed=5)
    told = [env.reset(seed=5 + i)[1] for i, env in enumerate(singles)]
    x = np.tile(X.ravel(), (n, 1))
    for _ in range(60):
        for i, agent in ((i, agent) for i in range(n) for agent in many.followers):
            assert (infos[agent]["action_mask"][i] == told[i][agent]["action_mask"]).all()
        actions = {
            agent: np.array([drawn(rng, info[agent]["action_mask"]) for info in told]) for agent in many.followers
        }
        _, _, _, _, infos = many.step({**actions, "leader_0": x})
        for i, env in enumerate(singles):
            if not env.agents:
                told[i] = env.reset()[1]
            else:
                told[i] = env.step({**{k: v[i] for k, v in actions.items()}, "leader_0": x[i]})[4]
    assert "action_mask" not in infos["leader_0"]


def test_in_turns_each_follower_is_checked_as_it_acts():
    env, rng = wrapped_env(PAIR), np.random.default_rng(4)
    env.reset(seed=0)
    env.step(X.ravel().astype(np.float32))
    refused = 0
    for _ in range(300):
        if not env.agents:
            env.reset()
            env.step(X.ravel().astype(np.float32))
        agent, over = env.agent_selection, env.terminations[env.agent_selection] or env.truncations[env.agent_selection]
        mask = env.infos[agent].get("action_mask")
        if over:
            env.step(None)
            continue
        if not mask.all():
            refused += 1
            with pytest.raises(ActionError, match="follower action: expected one that is feasible"):
                env.unwrapped.step(int(np.flatnonzero(mask == 0)[0]))
        env.step(drawn(rng, mask))
    assert refused > 10


def test_followers_alone():
    env = FollowersEnv(PAIR, commitment=X)
    _, infos = env.reset(seed=0)
    rng = np.random.default_rng(5)
    for _ in range(50):
        _, _, _, _, infos = env.step({agent: drawn(rng, infos[agent]["action_mask"]) for agent in env.followers})
        if not env.agents:
            _, infos = env.reset()


def test_responses_that_take_other_actions_are_refused():
    even = np.full((S, A, B), 0.5)
    for env in (LeaderEnv(GAME, response=lambda game, x: even), LeaderVectorEnv(GAME, 2, response=lambda g, x: even)):
        env.reset(seed=0)
        action = np.tile(X.ravel(), (2, 1)) if isinstance(env, LeaderVectorEnv) else X.ravel()
        with pytest.raises(ArgumentError, match="response: expected 0 for actions that are not feasible"):
            env.step(action.astype(np.float32))


def test_the_leader_is_paid_as_by_the_solution():
    """The mean of 4,000 returns is within five standard errors; false alarms 1e-6."""
    game = GAME.replace(horizon=400)
    many = LeaderVectorEnv(game, 500, autoreset="same_step")
    many.reset(seed=0)
    returns = np.concatenate([many.step(np.tile(X.ravel(), (500, 1)))[1] for _ in range(8)])
    assert abs(returns.mean() - se.solve(game, X).leader_value) <= 5 * returns.std() / np.sqrt(len(returns))


def test_wrappers_of_gymnasium_keep_the_mask():
    env = gymnasium.vector.SyncVectorEnv([lambda: FollowerEnv(GAME, commitment=X)] * 2)
    _, infos = env.reset(seed=0)
    assert infos["action_mask"].shape == (2, B)


@pytest.mark.parametrize("game", [GAME, PAIR])
def test_the_official_tests_pass(game):
    pettingzoo.test.parallel_api_test(ParallelFace(game), num_cycles=100)
    pettingzoo.test.parallel_api_test(FollowersEnv(game, commitment=X), num_cycles=100)
    pettingzoo.test.api_test(wrapped_env(game), num_cycles=100)
    gymnasium.utils.env_checker.check_env(FollowerEnv(game, commitment=X), skip_render_check=True)


def test_conformity_holds():
    for env in (
        ParallelFace(PAIR),
        wrapped_env(PAIR),
        FollowersEnv(PAIR),
        FollowerEnv(GAME),
        TabularVectorEnv(PAIR, 3),
    ):
        se.check_env(env)


def test_spaces_sample_what_can_be_taken_in_their_own_episode():
    env = ParallelFace(PAIR)
    twin = copy.deepcopy(env)
    env.reset(seed=0)
    twin.reset(seed=1)
    for each in (env, pickle.loads(pickle.dumps(twin))):  # noqa: S301 - made in the line itself
        each.step({agent: each.action_space(agent).sample() for agent in each.agents})
        masks = each.session.action_masks()
        for agent, mask in zip(each.followers, masks, strict=True):
            drawn = {int(each.action_space(agent).sample()) for _ in range(40)}
            assert drawn == set(np.flatnonzero(mask).tolist())
        assert each.action_space("follower_0") == gymnasium.spaces.Discrete(B)
