"""Forms for learners: what goes in means the game's own action, what comes out is its own number in other units."""

import functools

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.utils.env_checker import check_env
from pettingzoo.test import api_test, parallel_api_test, parallel_seed_test, seed_test

import stackelberg_envs as se
from stackelberg_envs.errors import ActionError, ArgumentError, CommitmentError
from stackelberg_envs.faces.forms import MOST_ACTIONS, Forms, typical_sizes
from tests.environments import cut_after
from tests.games import one_state

TOY, TAX = "stackelberg/DiscreteToy-v1", "stackelberg/TaxDesign-v0"
BUILDING, LQR = "stackelberg/BuildingThermal-v1", "stackelberg/BilevelLqr-v1"
PENDULUM = "stackelberg/GuidedPendulum-v0"
FORMS = {"normalize": True, "flatten_actions": True, "scale_rewards": True, "scale_observations": True}
IDS = [name for name in se.registered_ids() if name.startswith("stackelberg/")]

pytestmark = [
    # Speeds have no bounds, and a bound that is divided is no power of two any more.
    pytest.mark.filterwarnings("ignore:.*space (minimum|maximum) value is -?infinity:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*(minimum|maximum) (observation|state) space value is -?infinity:UserWarning"),
    pytest.mark.filterwarnings("ignore:.*we recommend using a symmetric and normalized space:UserWarning"),
]


def short(spec_id, **changes):
    return se.make_game(spec_id, **cut_after(spec_id, 12)).replace(**changes)


def shapes(game, **options):
    env = se.parallel_env(game=game, **options)
    return env.action_space("leader_0"), env.action_space("follower_0")


@pytest.mark.parametrize("spec_id", IDS)
def test_clients_are_told_flat_boxes_and_numbers(spec_id):
    leader, follower = shapes(se.make_game(spec_id), normalize=True, flatten_actions=True)
    size = se.make_game(spec_id).commitment.low.size
    assert leader == Box(-1.0, 1.0, (size,), np.float32)
    assert isinstance(follower, Discrete) or follower == Box(-1.0, 1.0, follower.shape, np.float32)


@pytest.mark.parametrize("spec_id", IDS)
@pytest.mark.parametrize("followers", [1, 2])
def test_official_tests_pass_in_every_form(spec_id, followers, any_response):
    game = short(spec_id)
    if spec_id == TAX and followers > 1:
        game = se.make_game(TAX, horizon=12, num_households=2)
    elif followers > 1 and game.num_followers == 1:
        game = game.replace(num_followers=2)
    for face in (se.parallel_env, se.followers_env):
        parallel_api_test(face(game=game, **FORMS), num_cycles=40)
        parallel_seed_test(lambda face=face: face(game=game, **FORMS))
    for face in (se.env, functools.partial(se.env, commitment="episode"), se.followers_aec_env):
        api_test(face(game=game, **FORMS), num_cycles=40)
        seed_test(lambda face=face: face(game=game, **FORMS), num_cycles=20)
    check_env(se.follower_env(game=game, **FORMS), skip_render_check=True)
    options = {name: True for name in FORMS if name != "flatten_actions"}
    check_env(se.leader_env(game=game, **options, **any_response(spec_id)), skip_render_check=True)
    for face in (se.parallel_env, se.followers_env, se.env, se.followers_aec_env, se.follower_env):
        se.check_env(face(game=game, **FORMS))


@pytest.mark.parametrize("spec_id", IDS)
def test_forms_change_units_and_nothing_else(spec_id):
    game = short(spec_id)
    plain, formed = se.parallel_env(game=game), se.parallel_env(game=game, **FORMS)
    first, second = plain.reset(seed=3)[0], formed.reset(seed=3)[0]
    leader, follower = formed.reward_units
    rng = np.random.default_rng(0)
    spaces = plain.action_spaces
    fewest = min([3, *(int(space.n) for space in formed.action_spaces.values() if hasattr(space, "n"))])
    while plain.agents:
        factors = formed.observer.factors
        for agent, seen in first.items():
            np.testing.assert_allclose(second[agent], seen * factors, rtol=1e-6)
            assert formed.observation_space(agent).contains(second[agent])
        share = {agent: rng.uniform(-1.0, 1.0, formed.action_space(agent).shape) for agent in spaces}
        number = int(rng.integers(fewest))
        said = {
            agent: share[agent] if isinstance(space, Box) else number for agent, space in formed.action_spaces.items()
        }
        meant = {agent: own_units(space, share[agent], number) for agent, space in spaces.items()}
        first, paid, *ends, told = plain.step(meant)
        second, got, *same_ends, told_too = formed.step(said)
        assert ends == same_ends
        assert got["leader_0"] * leader == pytest.approx(paid["leader_0"], rel=1e-9, abs=1e-12)
        assert got["follower_0"] * follower == pytest.approx(paid["follower_0"], rel=1e-9, abs=1e-12)
        for key, value in told["follower_0"].items():
            np.testing.assert_allclose(told_too["follower_0"][key], value, rtol=1e-6, atol=1e-9)
    assert not formed.agents


def own_units(space, share, number):
    if isinstance(space, Box):
        low, high = space.low.astype(float), space.high.astype(float)
        return low + (share + 1) / 2 * (high - low)
    if isinstance(space, MultiDiscrete):
        return np.array(np.unravel_index(number, space.nvec))
    return number


def test_the_ends_and_the_middle_of_a_normalized_box():
    env = se.parallel_env(LQR, normalize=True)
    for said, meant in ((-1.0, -12.0), (0.0, 0.0), (1.0, 12.0), (0.5, 6.0), (9.0, 12.0)):
        for shape in ((2,), (1, 2)):
            env.reset(seed=0)
            env.step({"leader_0": np.full(shape, said, np.float32)})
            np.testing.assert_allclose(env.session.x, np.full((1, 2), meant))
    _, _, _, _, infos = env.step({"follower_0": np.array([-1.0], np.float32)})
    np.testing.assert_allclose(infos["follower_0"]["follower_action"], [-25.0])
    with pytest.raises(ActionError, match=r"follower_0: action: expected a value in \[-1, 1\], got 1.5"):
        env.step({"follower_0": np.array([1.5])})
    env.reset(seed=0)
    with pytest.raises(CommitmentError, match=r"commitment: expected shape \(2,\), got \(3,\)"):
        env.step({"leader_0": np.zeros(3)})
    with pytest.raises(CommitmentError, match="expected finite numbers"):
        env.step({"leader_0": np.array([np.nan, 0.0])})


def test_combinations_are_numbered_with_the_last_entry_first():
    env = se.follower_env(TAX, flatten_actions=True)
    assert env.action_space == Discrete(10 * 5 * 5 * 5)
    for number, row in ((0, [0, 0, 0, 0]), (1, [0, 0, 0, 1]), (127, [1, 0, 0, 2]), (1249, [9, 4, 4, 4])):
        env.reset(seed=0)
        assert env.step(number)[4]["follower_action"].tolist() == row
    with pytest.raises(ActionError, match=r"follower_0: action: expected a value in \[0, 1249\], got 1250"):
        env.step(1250)
    table = short(TOY, num_followers=3)
    per_step = se.parallel_env(game=table, commitment="per_step", flatten_actions=True)
    assert per_step.action_space("leader_0") == Discrete(2**3)
    per_step.reset(seed=0)
    _, _, _, _, infos = per_step.step({"leader_0": 6})
    infos = per_step.step({"leader_0": 0, **dict.fromkeys(per_step.followers, 0)})[4]
    assert infos["leader_0"]["leader_action"].tolist() == [1, 1, 0]


def test_a_leader_of_every_step_acts_in_a_finite_row():
    game = short(LQR, num_followers=2)
    for options, bound in (({}, 25.0), ({"normalize": True}, 1.0)):
        env = se.parallel_env(game=game, commitment="per_step", **options)
        assert env.action_space("leader_0") == Box(-bound, bound, (2,), np.float32)
        env.reset(seed=0)
        env.step({"leader_0": np.array([bound, -bound], np.float32)})
        idle = dict.fromkeys(env.followers, np.zeros(1))
        seen = env.step({"leader_0": np.zeros((2, 1)), **idle})[4]
        np.testing.assert_allclose(seen["leader_0"]["leader_action"], [[25.0], [-25.0]])


def test_sizes_of_tables_are_read_off_and_those_of_vectors_are_stated():
    toy = typical_sizes(se.make_game(TOY, reward=3.0), "scale_rewards")
    assert (toy.leader_reward, toy.follower_reward) == (1.0, 3.0)
    unpaid = typical_sizes(one_state([[0.0, 0.0], [0.0, 0.0]]), "scale_rewards")
    assert (unpaid.leader_reward, unpaid.follower_reward) == (1.0, 1.0)
    stated = {"leader_reward": 2.0, "follower_reward": 4.0, "state": [1.0, 2.0, 8.0]}
    swing = se.make_game(PENDULUM).replace(facts={"typical": stated})
    sizes = typical_sizes(swing, "scale_rewards")
    assert (sizes.leader_reward, sizes.follower_reward) == (2.0, 4.0)
    np.testing.assert_array_equal(sizes.state, [1.0, 2.0, 8.0])
    np.testing.assert_array_equal(sizes.leader_action, [1.0])
    env = se.follower_env(game=swing, scale_observations=True)
    assert env.observation_space.high[2] == 1.0
    # The commitment is in units of its bounds.
    part = env.observation_layout["commitment"]
    assert (env.observation_space.high[part] == 1.0).all()


def test_what_cannot_take_a_form_is_refused_by_name():
    silent = se.make_game(PENDULUM).replace(facts={})
    for option in ("scale_rewards", "scale_observations"):
        with pytest.raises(ArgumentError, match=f"{option}: expected a game that states the typical size"):
            se.follower_env(game=silent, **{option: True})
    for wrong in ({"leader_reward": 1.0}, {"leader_reward": 0.0, "follower_reward": 1.0, "state": np.ones(3)}):
        with pytest.raises(ArgumentError, match=r"facts\['typical'\]\['\w+'\]: expected numbers above zero"):
            se.follower_env(game=silent.replace(facts={"typical": wrong}), scale_rewards=True)
    with pytest.raises(ArgumentError, match="flatten_actions: expected at most 1,000,000 combinations of actions"):
        se.parallel_env(game=short(TOY, num_followers=20), commitment="per_step", flatten_actions=True)
    assert MOST_ACTIONS < 2**20
    with pytest.raises(ArgumentError, match="normalize: expected True or False"):
        Forms(normalize="no")


def test_a_leaders_return_is_in_units_of_an_episode():
    game, x = short(TOY), np.array([1.0, 0.0, 0.9, 0.1, 1.0, 0.0], np.float32)
    for discounted, steps in ((True, (1 - 0.99**12) / 0.01), (False, 12)):
        plain, scaled = (se.leader_env(game=game, discounted=discounted, scale_rewards=flag) for flag in (False, True))
        rewards = []
        for env in (plain, scaled):
            env.reset(seed=5)
            rewards.append(env.step(x)[1])
        assert rewards[0] > 0
        assert rewards[1] == pytest.approx(rewards[0] / steps)
