"""Play in which every possible episode occurs exactly as often as it should: expectations become sums.

All probabilities of the game are thirds, at the commitment at hand also those of the follower's response, and
every episode ends in a terminal state after three steps. So a batch of finitely many episodes has exact
frequencies, and whatever a leader estimates from it by averages is exact up to rounding.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
import pytest

from agents.leaders import leader_class
from agents.observing.brief import Information
from agents.observing.trajectories import Trajectories
from agents.runs.briefing import make_brief
from stackelberg_envs.games.commitments.incentives import IncentiveCost, LinearFeatures
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.commitments.transition_mixture import TransitionMixture
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.solvers.solving import solve

S, A, B, LAYERS = 6, 2, 2, ((0, 1), (2, 3), (4, 5))
DISCOUNTS, TEMPERATURE = (0.9, 0.7), 0.6
#: What the arrays of a game say of actions that are not feasible: nobody may read it.
JUNK = 1e3


@dataclass
class ExactPlay:
    game: TabularGame
    theta: np.ndarray
    seen: Trajectories

    def leader(self, name, **options):
        kind = leader_class(name)
        level = kind.required_information(self.game.commitment, kind.Config())
        self.response = solve(self.game, self.seen.commitment).best.policy if level >= Information.RESPONSE else None
        brief = make_brief(self.game, level)
        return kind(brief, kind.Config(start=list(self.theta), **options), np.random.default_rng(0))

    def gradient(self, name, **options):
        """Return the leader's estimate of dJ/dtheta from the exact batch."""
        leader = self.leader(name, **options)
        seen = Trajectories(**{**vars_of(self.seen), "response": self.response})
        return leader.brief.parametrisation.vjp(self.theta, leader.gradient(seen)[0])

    def differences(self, step=1e-4):
        """Return dJ/dtheta by central differences of the exact J, the follower responding anew each time."""
        parametrisation = make_brief(self.game, Information.ACTIONS_ONLY).parametrisation

        def value(theta):
            return solve(self.game, parametrisation(theta), tolerance=1e-13).leader_value

        steps = step * np.eye(len(self.theta))
        # Fourth order, so that neither rounding nor the step is seen at 1e-6.
        return np.array(
            [
                (8 * (value(self.theta + h) - value(self.theta - h))
                 - (value(self.theta + 2 * h) - value(self.theta - 2 * h))) / (12 * step)
                for h in steps
            ]
        )  # fmt: skip


def vars_of(seen):
    names = Trajectories.__dataclass_fields__
    return {name: getattr(seen, name) for name in names}


def thirds(rng, *shape):
    first = rng.integers(1, 3, size=shape) / 3
    return np.stack([first, 1 - first], axis=-1)


def barred(rng, g):
    """Return which actions are feasible where one in six is barred, and the response then."""
    feasible = np.ones(g.shape, bool)
    feasible[..., 1] = rng.random(g.shape[:-1]) < 2 / 3
    feasible[..., 0, 0, :], feasible[..., 1, 0, :] = (False, True), (True, False)
    return feasible, np.where(feasible.all(axis=-1, keepdims=True), g, feasible)


def make_exact_play(kind, seed=0, K=1, masked=False, discounts=DISCOUNTS):
    """Return a game and its exact batch; the commitment is "features", "costly features", "policy" or "transition".

    In a `masked` game some actions are not feasible.
    """
    rng = np.random.default_rng(seed)
    f, g = thirds(rng, S), thirds(rng, K, S, A)
    feasible, g = barred(rng, g) if masked else (np.ones(g.shape, bool), g)
    kernels = np.stack([layered_kernel(rng) for _ in range(2)])
    mixture = np.array([[1 / 3, 2 / 3]])
    P = np.einsum("m,msabt->sabt", mixture[0], kernels)
    terminal = np.repeat([0.0, 0.0, 1.0], 2)
    values = rng.standard_normal((K, S, A))
    states = (1 - terminal)[:, None, None] * (P @ np.einsum("sa,ksa->ks", f, values)[:, None, None, :, None])[..., 0]
    reward = values[..., None] + TEMPERATURE * np.log(np.where(feasible, g, 1.0)) - discounts[1] * states
    features = rng.standard_normal((K, S, A, B, 3))
    weights = rng.standard_normal(3)
    incentive = LinearFeatures(features if K > 1 else features[0], -1.0, 1.0)
    commitment, theta = {
        "policy": (PolicyTable(S, A), np.log(f).ravel()),
        "features": (incentive, weights),
        "costly features": (Joint(incentive, IncentiveCost(-np.ones(3), 1.0, 0.5, np.ones(S))), weights),
        "transition": (TransitionMixture(kernels), np.log(mixture).ravel()),
    }[kind]
    if "features" in kind:
        reward = reward - features @ (2 / (1 + np.exp(-weights)) - 1)
    start = np.array([1 / 3, 2 / 3, 0, 0, 0, 0])
    contexts = np.array([1.0]) if K == 1 else np.array([1 / 3, 2 / 3])
    leader_reward = np.where(feasible, rng.standard_normal((K, S, A, B)), JUNK)
    reward = np.where(feasible, reward, JUNK)
    game = TabularGame(
        transition=None if kind == "transition" else P,
        leader_reward=leader_reward if K > 1 else leader_reward[0],
        follower_reward=reward if K > 1 else reward[0],
        initial=start, terminal=terminal, leader_policy=f,
        leader_discount=discounts[0], follower_discount=discounts[1], temperature=TEMPERATURE,
        commitment=commitment, context_probabilities=contexts if K > 1 else None,
        feasible=(feasible if K > 1 else feasible[0]) if masked else None,
    )  # fmt: skip
    x = make_brief(game, Information.ACTIONS_ONLY).parametrisation(theta)
    np.testing.assert_allclose(solve(game, x).response.reshape(g.shape), g, atol=1e-9)
    return ExactPlay(game, theta, exact_batch(game, x, f, g, P, start, contexts))


def layered_kernel(rng):
    """Deterministic steps from each layer to the next; the last one stays."""
    landing = np.array(
        [[[rng.choice(LAYERS[min(s // 2 + 1, 2)]) for _ in range(B)] for _ in range(A)] for s in range(S)]
    )
    return np.eye(S)[landing]


def exact_batch(game, x, f, g, P, start, contexts):
    columns = {name: [] for name in ("state", "leader_action", "follower_action", "next_state")}
    rewards, multiplicity, context = [], [], []
    K = len(contexts)
    for k, *states in product(range(K), *LAYERS):
        for actions in product(range(A), range(B), repeat=3):
            a, b = actions[::2], actions[1::2]
            mass = contexts[k] * start[states[0]]
            for t in range(3):
                mass *= f[states[t], a[t]] * g[k, states[t], a[t], b[t]]
                if t < 2:
                    mass *= P[states[t], a[t], b[t], states[t + 1]]
            if mass == 0:
                continue
            path = zip(columns, (states, a, b, [*states[1:], states[2]]), strict=True)
            for name, values in path:
                columns[name].append(values)
            cells = np.array([states, a, b])
            shape = (K, S, A, B)
            rewards.append([np.broadcast_to(r, shape)[k][tuple(cells)] for r in both_rewards(game, x)])
            multiplicity.append(mass * 3 ** (10 if K > 1 else 9))
            context.append(k)
    times = np.rint(multiplicity).astype(int)
    np.testing.assert_allclose(times, multiplicity, atol=1e-6)
    rewards = np.repeat(np.array(rewards), times, axis=0)
    return Trajectories(
        commitment=x, num_states=S,
        **{name: np.repeat(np.array(values, np.int32), times, axis=0).ravel() for name, values in columns.items()},
        leader_reward=rewards[:, 0].ravel(), follower_reward=rewards[:, 1].ravel(),
        offsets=3 * np.arange(times.sum() + 1), terminated=np.ones(times.sum(), bool),
        context=np.repeat(np.array(context, np.int32), times),
    )  # fmt: skip


def both_rewards(game, x):
    effect = game.commitment.effect(x)
    extra = (0.0 if part is None else part for part in (effect.leader_reward, effect.follower_reward))
    return [own + more for own, more in zip((game.leader_reward, game.follower_reward), extra, strict=True)]


@pytest.fixture
def exact_play():
    return make_exact_play
