"""Collecting from PettingZoo's faces must show the same play as the game's fast path."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.leaders import leader_class
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.conformity.vector_games import UniformPolicy
from stackelberg_envs.errors import ArgumentError


def toy_policy():
    return np.random.default_rng(0).dirichlet(np.ones(2), size=3)


def faces(game):
    yield "parallel", se.discrete_toy_v1.parallel_env(game=game)
    yield "aec", se.discrete_toy_v1.env(game=game)
    yield "raw aec", se.discrete_toy_v1.raw_env(game=game)
    yield "paid at its own turn", se.discrete_toy_v1.env(game=game, commitment="episode")
    yield "scaled", se.discrete_toy_v1.parallel_env(game=game, scale_rewards=True, scale_observations=True)


@pytest.fixture(scope="module")
def game():
    return se.make_game("stackelberg/DiscreteToy-v1", temperature=1.0, horizon=30)


def test_recorded_steps_obey_the_game(game):
    x = toy_policy()
    response = se.solve(game, x).response
    play = game.primitives(x)
    for name, env in faces(game):
        seen = agents.collect(env, x, response, steps=250, rng=0)
        assert seen.num_steps == 250, name
        assert seen.lengths.max() == 30
        index = (seen.state, seen.leader_action, seen.follower_action)
        np.testing.assert_array_equal(seen.leader_reward, play.leader_reward[index])
        np.testing.assert_array_equal(seen.follower_reward, play.follower_reward[index])
        np.testing.assert_array_equal(seen.next_state, play.transition.successors[index][:, 0])


def test_visits_agree_with_the_fast_path(game):
    # Frequencies of (state, leader action, follower action), 18 cells, within 5 standard errors of a binomial
    # that allows for dependent steps by a factor of 2: false alarms well below 1 in 1,000.
    x = toy_policy()
    response = se.solve(game, x).response

    def frequencies(source, steps):
        seen = agents.collect(source, x, response, steps=steps, rng=1)
        counts = np.zeros((3, 2, 3))
        np.add.at(counts, (seen.state, seen.leader_action, seen.follower_action), 1.0)
        return counts / steps

    exact = frequencies(game, 1_000_000)
    for name, env in faces(game):
        error = np.sqrt(exact * (1 - exact) / 6_000)
        off = np.abs(frequencies(env, 6_000) - exact)
        assert (off <= 10 * error + 1e-12).all(), name


def test_terminal_states_contexts_and_several_followers_are_recorded():
    rooms = se.four_rooms_v0
    game = se.make_game("stackelberg/FourRooms-v0", goals=((1, 9), (11, 11)))
    x = np.zeros(104)
    response = se.solve(game, x).response
    for env in (rooms.parallel_env(game=game), rooms.env(game=game.replace(num_followers=3))):
        seen = agents.collect(env, x, response, episodes=6, rng=3)
        assert seen.num_episodes == 6 * (len(env.possible_agents) - 1)
        assert set(seen.context) == {0, 1}
        ended = seen.state[seen.offsets[1:][seen.terminated] - 1]
        goals = np.array([rooms.STATE_OF[(1, 9)], rooms.STATE_OF[(11, 11)]])
        np.testing.assert_array_equal(ended, goals[seen.context[seen.terminated]])
        assert (seen.leader_reward[seen.offsets[1:][seen.terminated] - 1] == 0).all()


def test_a_leader_learns_from_an_environment_as_from_the_game():
    # One estimate each from 6,000 steps; the two cosines to the exact gradient are both high.
    game = se.make_game("stackelberg/DiscreteToy-v1", temperature=0.5)
    x = np.full((3, 2), 0.5)
    solution = se.solve(game, x)
    for source in (game, se.discrete_toy_v1.parallel_env(game=game)):
        kind = leader_class("bchg")
        leader = kind(make_brief(game, Information.REWARDS_OBSERVED), kind.Config(), np.random.default_rng(0))
        dx, _ = leader.gradient(agents.collect(source, x, solution.response, steps=6_000, rng=0))
        estimate = leader.brief.parametrisation.vjp(leader.theta, dx)
        truth = leader.brief.parametrisation.vjp(leader.theta, solution.gradient)
        assert estimate @ truth > 0.9 * np.linalg.norm(estimate) * np.linalg.norm(truth)


def test_equal_seeds_give_equal_play(game):
    x = toy_policy()
    response = se.solve(game, x).response
    one, two = (
        agents.collect(se.discrete_toy_v1.parallel_env(game=game), x, response, steps=100, rng=5) for _ in range(2)
    )
    np.testing.assert_array_equal(one.state, two.state)
    np.testing.assert_array_equal(one.follower_action, two.follower_action)


def test_a_function_can_be_the_follower(game):
    env = se.discrete_toy_v1.parallel_env(game=game)
    seen = agents.collect(env, toy_policy(), lambda observation, info, rng: 1, episodes=2, rng=0)
    assert (seen.follower_action == 1).all()


def test_private_rewards_stay_private(game):
    env = se.discrete_toy_v1.parallel_env(game=game.replace(observe_rewards=False))
    seen = agents.collect(env, toy_policy(), lambda observation, info, rng: 1, episodes=1, rng=0)
    assert seen.follower_reward is None


@pytest.mark.parametrize("form", ["normalize", "flatten_actions"])
def test_actions_in_another_form_are_refused(game, form):
    env = se.parallel_env(game=game, **{form: True})
    with pytest.raises(ArgumentError, match="collect: expected an environment with the game's own actions"):
        agents.collect(env, toy_policy(), se.solve(game, toy_policy()).response, steps=5, rng=0)


def test_what_cannot_be_watched_is_refused(game):
    with pytest.raises(ArgumentError, match="expected a game or a PettingZoo environment, got str"):
        agents.collect("stackelberg/DiscreteToy-v1", toy_policy(), np.ones((3, 2, 3)), steps=1)

    class Silent:
        possible_agents = agents = ("leader_0", "follower_0")
        unwrapped = property(lambda self: self)

        def action_space(self, name):
            from gymnasium.spaces import Box, Discrete

            return Box(0.0, 1.0, (6,)) if name == "leader_0" else Discrete(3)

        def reset(self, seed=None):
            return {}, {}

        def step(self, actions):
            return {}, {}, {}, {}, {"leader_0": {}, "follower_0": {"played": 0}}

    with pytest.raises(ArgumentError, match=r"in the infos of follower_0; missing \['context'"):
        agents.collect(Silent(), toy_policy(), lambda *_: 0, steps=1)
    with pytest.raises(ArgumentError, match="expected a function for an environment that is not of this suite"):
        agents.collect(Silent(), toy_policy(), np.ones((3, 2, 3)) / 3, steps=1)


# --- games of vectors ------------------------------------------------------------------------------------


class Shove:
    """Pushes against the wind it is shown and the way the pole leans."""

    def sample(self, rng, states, leader_actions, contexts):
        assert leader_actions.shape == (len(states), 1)
        return np.clip(8.0 * states[:, 2:3] + 2.0 * states[:, 3:4] + leader_actions, -1.0, 1.0)


@pytest.mark.parametrize("face", ["parallel_env", "env"])
def test_play_of_vectors_is_recorded_from_infos(face):
    game = se.make_game("stackelberg/GuidedCartPole-v0", horizon=30)
    x = np.full(5, 0.5)
    seen = agents.collect(getattr(se, face)("stackelberg/GuidedCartPole-v0", game=game), x, Shove(), steps=70, rng=0)
    assert (seen.num_steps, seen.num_states) == (70, 0)
    assert (seen.state.shape, seen.leader_action.shape, seen.follower_action.shape) == ((70, 4), (70, 1), (70, 1))
    made = game.step(None, x, seen.state, None, seen.leader_action, seen.follower_action)
    np.testing.assert_array_equal(seen.next_state, made.next_state)
    np.testing.assert_array_equal(seen.leader_reward, made.leader_reward)
    expected = Shove().sample(None, seen.state, seen.leader_action, None)
    np.testing.assert_allclose(seen.follower_action, expected, atol=1e-6)
    assert np.isfinite(game.commitment.effect_at(x, seen.samples).leader_policy).all()


def test_play_of_several_integers_is_recorded_from_infos():
    game = se.make_game("stackelberg/TaxDesign-v0")
    policy = UniformPolicy(game.follower_action_space)
    env = se.parallel_env("stackelberg/TaxDesign-v0", game=game)
    seen = agents.collect(env, np.full(4, 0.3), policy, episodes=2, rng=0)
    assert seen.follower_action.shape == (400, 4)
    assert seen.follower_action.dtype.kind == "i"
    assert seen.leader_action.shape == (400, 0)
    assert seen.context.shape == (2,)


def test_a_table_is_no_response_to_vectors():
    env = se.parallel_env("stackelberg/GuidedCartPole-v0")
    with pytest.raises(ArgumentError, match=r"sample\(\) in a vector game, got ndarray"):
        agents.collect(env, np.zeros(5), np.zeros(3), steps=10)
