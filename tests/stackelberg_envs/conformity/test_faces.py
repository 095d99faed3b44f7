"""Each clause about the interfaces catches the environment that breaks it."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ConformityError
from stackelberg_envs.faces.parallel import ParallelFace

TOY = "stackelberg/DiscreteToy-v1"


CARTPOLE = "stackelberg/GuidedCartPole-v0"


def test_a_face_that_pays_another_reward_than_the_games_is_caught(monkeypatch):
    from stackelberg_envs.play.vector import VectorSimulator

    right = VectorSimulator.step

    def generous(simulator, *arguments):
        following, to_leader, to_follower, over = right(simulator, *arguments)
        return following, to_leader, to_follower + 0.5, over

    monkeypatch.setattr(VectorSimulator, "step", generous)
    with pytest.raises(ConformityError, match="paid under what it saw"):
        se.check_env(se.parallel_env(CARTPOLE))


class Broken(ParallelFace):
    """A face whose steps are spoilt in one way."""

    def __init__(self, spoil):
        super().__init__(se.make_game(TOY, horizon=6))
        self.spoil = spoil

    def step(self, actions):
        before = self.session.phase
        results = super().step(actions)
        return self.spoil(self, before, *results) if results[0] else results


def other_commitment(env, before, observations, *rest):
    seen = observations["follower_0"][env.observation_layout["commitment"]]
    seen[:] = 1.0 - 0.9 * seen
    return observations, *rest


def unseeded(env, before, observations, rewards, *rest):
    return observations, {**rewards, "leader_0": rewards["leader_0"] + float(np.random.rand())}, *rest  # noqa: NPY002


def pays_at_once(env, before, observations, rewards, *rest):
    return observations, dict.fromkeys(rewards, 1.0), *rest


def bonus(env, before, observations, rewards, *rest):
    extra = 0.5 if before == "play" else 0.0
    return observations, {**rewards, "leader_0": rewards["leader_0"] + extra}, *rest


def tips(env, before, observations, rewards, *rest):
    extra = 0.5 if before == "play" else 0.0
    return observations, {**rewards, "follower_0": rewards["follower_0"] + extra}, *rest


def numpy_rewards(env, before, observations, rewards, *rest):
    return observations, {agent: np.float64(reward) for agent, reward in rewards.items()}, *rest


def same_arrays(env, before, observations, *rest):
    kept = env.__dict__.setdefault("kept", observations)
    for agent, row in kept.items():
        row[:] = observations[agent]
    return dict(kept), *rest


def new_info(env, before, observations, rewards, terminations, truncations, infos):
    infos["follower_0"]["extra"] = 1
    return observations, rewards, terminations, truncations, infos


def nan_info(env, before, observations, rewards, terminations, truncations, infos):
    infos["follower_0"]["step"] = float("nan")
    return observations, rewards, terminations, truncations, infos


def leader_leaves(env, before, observations, rewards, terminations, truncations, infos):
    if before == "play" and env.agents:
        terminations["leader_0"] = True
    return observations, rewards, terminations, truncations, infos


@pytest.mark.parametrize(
    ("spoil", "clause"),
    [
        (other_commitment, "sees the commitment in force"),
        (unseeded, "two episodes of one seed"),
        (pays_at_once, "nobody is paid in round 0"),
        (bonus, "leader's rewards sum"),
        (tips, "paid under what it saw"),
        (numpy_rewards, "Python floats"),
        (same_arrays, "new observation arrays"),
        (new_info, "info keys"),
        (nan_info, "numbers and fixed arrays"),
        (leader_leaves, "same flags"),
    ],
)
def test_each_clause_catches_the_environment_that_breaks_it(spoil, clause):
    with pytest.raises(ConformityError, match=clause):
        se.check_env(Broken(spoil))


def test_a_twin_that_forgets_is_caught():
    class Forgets(ParallelFace):
        def __reduce__(self):
            return lambda: None, ()

        def __deepcopy__(self, memo):
            return Forgets(self.game)

    env = Forgets(se.make_game(TOY, horizon=6))
    env.__class__.__reduce__ = object.__reduce__
    Forgets.__qualname__ = "Forgets"
    globals()["Forgets"] = Forgets
    try:
        with pytest.raises(ConformityError, match="twin"):
            se.check_env(env)
    finally:
        del globals()["Forgets"]
