"""Small environments of Gymnasium and PettingZoo that several test files put a leader on; registered ones cut short."""

import gymnasium
import numpy as np
from gymnasium.spaces import Box, Discrete
from pettingzoo import ParallelEnv

import agents
import stackelberg_envs as se


def cut_after(spec_id, horizon):
    """Return the argument that ends episodes of an environment earlier; nothing where they are short anyway."""
    return {"horizon": horizon} if "horizon" in se.spec(spec_id).arguments else {}


class Ladder(gymnasium.Env):
    """Rungs 0, 1, 2: up or stay; the last step, from rung 2, ends the episode and pays 1. Rungs count from `start`."""

    def __init__(self, start=0, slip=0.0):
        self.observation_space, self.action_space = Discrete(3, start=start), Discrete(2)
        self.start, self.slip = start, slip

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.rung = 0
        return self.start, {}

    def step(self, action):
        up = action == 1 and self.np_random.random() >= self.slip
        if self.rung == 2 and up:
            return self.start + 2, 1.0, True, False, {}
        self.rung += int(up)
        return self.start + self.rung, 0.0, False, False, {}


class Slide(gymnasium.Env):
    """A number that goes up or down by the action; it pays minus its square and never ends."""

    observation_space, action_space = Box(-9.0, 9.0, (1,), np.float32), Box(-1.0, 1.0, (1,), np.float32)
    drift = 0.0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = np.ones(1, np.float32)
        return self.at.copy(), {}

    def step(self, action):
        self.at = np.clip(self.at + action + self.drift, -9, 9).astype(np.float32)
        return self.at.copy(), -float(self.at[0] ** 2), False, False, {}


class Pair(ParallelEnv):
    """Two agents in one state who choose 0 or 1; the first leaves after two rounds, the second after four."""

    def __init__(self):
        self.render_mode, self.metadata, self.possible_agents = None, {"name": "pair_v0"}, ["a", "b"]

    def observation_space(self, agent):
        return SPACES[0]

    def action_space(self, agent):
        return SPACES[1]

    def reset(self, seed=None, options=None):
        self.agents, self.time = ["a", "b"], 0
        return dict.fromkeys(self.agents, 0), {agent: {} for agent in self.agents}

    def step(self, actions):
        self.time += 1
        acting, last = list(self.agents), {"a": 2, "b": 4}
        over = {agent: self.time >= last[agent] for agent in acting}
        self.agents = [agent for agent in acting if not over[agent]]
        pay = {agent: 10.0 * (agent == "b") + actions[agent] for agent in acting}
        return dict.fromkeys(acting, 0), pay, over, dict.fromkeys(acting, False), {agent: {} for agent in acting}


SPACES = Discrete(1), Discrete(2)


class Always:
    """A response that always does the same, or draws from a table of shape (S, 1, B)."""

    def __init__(self, action=None, table=None, start=0):
        self.action, self.table, self.start = action, table, start

    def act(self, observation, rng):
        if isinstance(observation, dict):
            return dict.fromkeys(observation, self.action)
        if self.table is None:
            return self.action
        row = self.table[int(observation) - self.start, 0]
        return int(rng.choice(len(row), p=row))


def resumes(folder, game, trust=False, **options):
    """Check that a run that is stopped after two updates ends as one that is not."""

    def stop(state):
        if state.update == 2:
            raise KeyboardInterrupt

    whole = agents.run(game, **options)
    assert agents.run(game, output=folder, progress=stop, **options).status == "interrupted"
    rest = agents.run(game, resume=folder, trust=trust)
    assert rest.status == whole.status == "finished"
    np.testing.assert_array_equal(rest.commitment, whole.commitment)
    assert rest.leader_value == whole.leader_value
    assert rest.follower_steps == whole.follower_steps
