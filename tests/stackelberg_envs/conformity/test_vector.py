"""Each clause about vector environments catches what breaks it."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ConformityError

CARTPOLE = "stackelberg/GuidedCartPole-v0"


def vector_seed(step):
    return step[0], step[1] + 1e-9 * np.random.rand(), *step[2:]  # noqa: NPY002


def vector_bounds(step):
    return step[0] + np.float32(90.0), *step[1:]


def vector_float(step):
    return step[0], step[1].astype(np.float32), *step[2:]


def vector_both(step):
    return *step[:3], step[2], step[4]


def vector_nan(step):
    return *step[:4], {**step[4], "state": step[4]["state"] * np.nan}


def vector_mask(step):
    return *step[:4], {key: value for key, value in step[4].items() if key != "_state"}


def vector_pay(step):
    return step[0], step[1] + 1.0, *step[2:]


@pytest.mark.parametrize("make", [se.vector_env, se.leader_vector_env])
@pytest.mark.parametrize("autoreset", ["next_step", "same_step"])
def test_copies_of_followers_and_of_leaders_pass_in_both_modes(make, autoreset):
    se.check_env(make("stackelberg/DiscreteToy-v1", num_envs=2, horizon=10, autoreset=autoreset))


def test_an_episode_that_does_not_follow_at_once_is_noticed():
    vector = se.vector_env("stackelberg/DiscreteToy-v1", num_envs=2, horizon=10)
    vector.metadata = se.vector_env("stackelberg/DiscreteToy-v1", autoreset="same_step").metadata
    with pytest.raises(ConformityError, match="followed by the next one at once"):
        se.check_env(vector)


@pytest.mark.parametrize(
    ("spoil", "clause"),
    [
        (vector_seed, "two runs of one seed"),
        (vector_bounds, "observations lie in their space"),
        (vector_float, "rewards are float64"),
        (vector_both, "not both"),
        (vector_nan, "a number or a fixed array per copy"),
        (vector_mask, "each info has its mask"),
        (vector_pay, "pays nothing"),
    ],
)
def test_each_clause_catches_the_vector_environment_that_breaks_it(spoil, clause):
    vector = se.vector_env(CARTPOLE, num_envs=2)
    step, reset = vector.step, vector.reset

    def spoilt_reset(**options):
        observations, infos = reset(**options)
        made = spoil((observations, np.zeros(2), np.zeros(2, bool), np.zeros(2, bool), infos))
        return made[0], made[4]

    vector.step, vector.reset = lambda actions: spoil(step(actions)), spoilt_reset
    with pytest.raises(ConformityError, match=clause):
        se.check_env(vector)
