"""Many copies of a follower: the same seeds play the same episodes as single environments, bit for bit."""

import gymnasium
import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.vector_base import autoreset_mode
from tests.environments import cut_after
from tests.stackelberg_envs.faces.ladder import ladder
from tests.stackelberg_envs.faces.same import assert_same

FORMS = {"normalize": True, "flatten_actions": True, "scale_rewards": True, "scale_observations": True}
GAMES = [*se.registered_ids()]


def sync(game, n, mode, **options):
    make = [lambda: se.follower_env(game=game, **options)] * n
    return gymnasium.vector.SyncVectorEnv(make, autoreset_mode=autoreset_mode(mode))


def feasible(actions, infos):
    """The same actions, or the first that is feasible where one is not."""
    masks = infos.get("action_mask")
    if masks is None:
        return actions
    return np.where(masks[np.arange(len(actions)), actions] == 1, actions, masks.argmax(axis=1))


def play(game, mode, steps=50, **options):
    """Step both environments side by side."""
    rng = np.random.default_rng(0)
    options["commitment"] = game.commitment.project(rng.uniform(-0.5, 0.5, game.commitment.shape))
    native = se.vector_env(game=game, num_envs=3, autoreset=mode, **options)
    single = sync(game, 3, mode, **options)
    assert native.single_action_space == single.single_action_space
    assert native.single_observation_space == single.single_observation_space
    assert native.reward_units == single.envs[0].reward_units
    made = native.reset(seed=7)
    assert_same(made, single.reset(seed=7), "reset")
    native.action_space.seed(0)
    for t in range(steps):
        actions = feasible(native.action_space.sample(), made[-1])
        made = native.step(actions)
        assert_same(made, single.step(actions), f"step {t}")
    assert_same(native.reset(), single.reset(), "reset again")


@pytest.mark.skipif(not hasattr(gymnasium.vector, "AutoresetMode"), reason="needs Gymnasium 1.1 for its own modes")
class TestSameEpisodes:
    @pytest.mark.parametrize("mode", ["next_step", "same_step"])
    @pytest.mark.parametrize("spec_id", GAMES)
    def test_of_every_environment(self, spec_id, mode):
        play(se.make_game(spec_id, **cut_after(spec_id, 20)), mode)

    @pytest.mark.parametrize("spec_id", GAMES)
    def test_in_the_form_for_learners(self, spec_id):
        play(se.make_game(spec_id, **cut_after(spec_id, 20)), "next_step", **FORMS)

    @pytest.mark.parametrize("observe", ["local", "none"])
    def test_with_contexts_and_parts_of_the_commitment(self, observe):
        game = se.make_game("stackelberg/FourRooms-v0", goals=((1, 9), (11, 11)), horizon=25)
        play(game, "next_step", observe_commitment=observe)
        play(game, "same_step", observe_commitment=observe)

    @pytest.mark.parametrize("mode", ["next_step", "same_step"])
    def test_of_a_game_of_vectors_with_contexts(self, mode):
        play(ladder(), mode)

    def test_over_more_numbers_than_are_drawn_at_once(self):
        play(se.make_game("stackelberg/DiscreteToy-v1", horizon=150), "next_step", steps=1200)


def test_a_shared_stream_is_another_and_is_refused_where_it_saves_nothing():
    game = se.make_game("stackelberg/GuidedCartPole-v0")
    stories = []
    for shared in (True, True, False):
        vector = se.vector_env(game=game, num_envs=4, shared_stream=shared)
        first, _ = vector.reset(seed=3)
        stories.append(np.stack([first, *(vector.step(np.full((4, 1), 0.1, np.float32))[0] for _ in range(5))]))
    np.testing.assert_array_equal(stories[0], stories[1])
    assert (stories[0] != stories[2]).any()
    with pytest.raises(ArgumentError, match="shared_stream: expected no such argument"):
        se.vector_env("stackelberg/DiscreteToy-v1", shared_stream=True)
    for bad in ("no", 1, None):
        with pytest.raises(ArgumentError, match="shared_stream"):
            se.vector_env(game=game, shared_stream=bad)


@pytest.mark.parametrize("bad", ["NextStep", None, 3, True])
def test_other_modes_are_refused(bad):
    for face in (se.vector_env, se.leader_vector_env, se.parallel_vector_env):
        with pytest.raises(ArgumentError, match="autoreset: expected 'next_step' or 'same_step'"):
            face("stackelberg/DiscreteToy-v1", autoreset=bad)
