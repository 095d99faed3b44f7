"""Pictures of games that have none of their own."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.pictures import canvas as rendering
from tests.pictures import has

FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1"
X = np.zeros(104)
X[20] = -0.2


def test_no_mode_no_picture():
    env = se.raw_env(TOY)
    env.reset(seed=0)
    assert env.render_mode is None
    assert env.render() is None


def test_drawing_changes_nothing():
    walks = []
    for mode in (None, "rgb_array"):
        env = se.parallel_env(FOUR_ROOMS, render_mode=mode)
        env.reset(seed=1)
        env.step({"leader_0": X})
        walk = []
        for _ in range(20):
            env.render()
            env.step({"follower_0": 1})
            walk.append(env.session.states[0])
        walks.append(walk)
    assert walks[0] == walks[1]


def test_a_renderer_that_is_none_is_named():
    env = se.four_rooms_v0.parallel_env(render_mode="ansi")
    env.renderer = "stackelberg_envs.pictures.canvas:nothing"
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match="canvas:nothing"):
        env.render()


VECTORS = [name for name in se.registered_ids() if isinstance(se.make_game(name), se.VectorGame)]


@pytest.mark.parametrize("spec_id", VECTORS)
def test_the_frames_of_an_episode_have_one_size(spec_id):
    for followers in (1, 3):
        game = se.make_game(spec_id).replace(num_followers=followers)
        env = se.parallel_env(spec_id, render_mode="rgb_array", game=game)
        env.reset(seed=0)
        env.action_space("follower_0").seed(0)
        sizes = {env.render().shape}
        env.step({"leader_0": env.action_space("leader_0").sample()})
        for _ in range(3):
            sizes.add(env.render().shape)
            if env.agents:
                env.step(dict.fromkeys(env.agents, env.action_space("follower_0").sample()))
        assert len(sizes) == 1
        assert max(sizes.pop()[:2]) <= 720
        env.render_mode = "ansi"
        assert "step 3 of" in env.render()


@pytest.mark.parametrize("spec_id", VECTORS)
def test_any_game_of_vectors_can_be_drawn_without_a_picture_of_its_own(spec_id):
    env = se.follower_env(spec_id)
    env.reset(seed=0)
    picture = rendering.draw(env.session, rendering.GENERIC_RENDERER, "rgb_array")
    assert has(picture, rendering.FOLLOWER)
    text = rendering.draw(env.session, rendering.GENERIC_RENDERER, "ansi")
    assert f"{env.session.states[0][0]:+.3f}" in text
    assert ("the leader plays" in text) == (env.game.leader_action_space is not None)
