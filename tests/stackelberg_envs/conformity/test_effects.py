"""A vector game that does something else than its commitment says is refused, whatever its units."""

import copy
from dataclasses import dataclass, fields

import numpy as np
import pytest
from gymnasium.spaces import Box

import stackelberg_envs as se
from stackelberg_envs.errors import ConformityError
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect
from stackelberg_envs.games.vector import BatchStep, VectorGame

NOISE = 0.1


class Tide(SampledCommitment):
    """x[0] is the price of a unit of thrust, squared; x[1] is a current, in which a boat drifts."""

    changes = frozenset({"follower_reward", "leader_reward", "transition"})

    def __init__(self, scale=1.0, spoil=""):
        super().__init__([0.0, -0.05], [2.0, 0.05])
        self.scale, self.spoil = scale, spoil
        if spoil == "undeclared":
            self.changes = frozenset({"follower_reward", "leader_reward"})
        if spoil == "only the transition":
            self.changes = frozenset({"transition"})

    def effect_at(self, x, samples):
        toll = self.scale * x[0] * samples.follower_action[:, 0] ** 2
        off = samples.next_state[:, 0] - samples.state[:, 0] - 0.5 * samples.follower_action[:, 0] - x[1]
        density = -0.5 * (off / NOISE) ** 2
        spoilt = {
            "": SampledEffect(None, -toll, toll, density),
            "nothing": SampledEffect(),
            "no density": SampledEffect(None, -toll, toll, None),
            "only the transition": SampledEffect(),
            "sign of the follower's": SampledEffect(None, toll, toll, density),
            "sign of the leader's": SampledEffect(None, -toll, -toll, density),
            "a tenth too much": SampledEffect(None, -toll, 1.1 * toll, density),
            "sign of the drift": SampledEffect(None, -toll, toll, -0.5 * ((off + 2.0 * x[1]) / NOISE) ** 2),
            "spread": SampledEffect(None, -toll, toll, 0.5 * density),
            "undeclared": SampledEffect(None, -toll, toll, None),
            "no x": SampledEffect(None, -toll, toll, np.zeros(len(samples))),
            "raises": None,
            "dict": {"follower_reward": -toll},
        }
        if self.spoil == "raises":
            return 1 / 0
        return spoilt[self.spoil]


@dataclass(frozen=True, eq=False, kw_only=True)
class Boat(VectorGame):
    """Drifts and would rather be at 0."""

    scale: float = 1.0

    @property
    def state_space(self):
        return Box(-np.inf, np.inf, (1,))

    @property
    def follower_action_space(self):
        return Box(-1.0, 1.0, (1,))

    def initial_states(self, rng, contexts):
        return rng.normal(size=(len(contexts), 1))

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        toll = self.scale * x[0] * follower_actions[:, 0] ** 2
        return BatchStep(
            next_state=states + 0.5 * follower_actions + x[1] + NOISE * rng.normal(size=states.shape),
            leader_reward=toll,
            follower_reward=-self.scale * states[:, 0] ** 2 - toll,
            terminated=np.zeros(len(states), bool),
        )


def boat(kind=Boat, scale=1.0, **spoilt):
    return kind(
        commitment=Tide(scale, **spoilt),
        scale=scale,
        leader_discount=0.9,
        follower_discount=0.9,
        temperature=0.1 * scale,
        horizon=50,
    )


# Each log-density is tried with thousands of rows; a sound game is refused once in a million checks.
@pytest.mark.parametrize("scale", [1e-100, 1e-8, 1.0, 1e100])
def test_a_game_that_does_what_it_says_passes_in_any_unit(scale):
    for seed in range(3):
        se.check_game(boat(scale=scale), seed=seed)


@pytest.mark.parametrize("scale", [1e-100, 1.0, 1e100])
@pytest.mark.parametrize(
    ("spoil", "clause"),
    [
        ("nothing", "step pays as effect_at says"),
        ("only the transition", "step pays as effect_at says.*not declared"),
        ("sign of the follower's", "follower_reward of one step changes by"),
        ("sign of the leader's", "leader_reward of one step changes by"),
        ("a tenth too much", "leader_reward of one step changes by"),
        ("no density", "sets the log-density of what it declares"),
        ("undeclared", "declared in `changes`: next states"),
        ("sign of the drift", "transition is the log-density"),
        ("spread", "transition is the log-density"),
        ("no x", "transition is the log-density"),
        ("raises", "what it changes at samples: ZeroDivisionError"),
        ("dict", "returns a SampledEffect: dict"),
    ],
)
def test_an_effect_that_is_not_the_games_is_refused(spoil, clause, scale):
    with pytest.raises(ConformityError, match=clause):
        se.check_game(boat(scale=scale, spoil=spoil))


class Gusts(Boat):
    """Pays by where the boat ends up, which is drawn: a term without x, that the effect leaves out."""

    def step(self, rng, x, states, *rest):
        made = super().step(rng, x, states, *rest)
        made.leader_reward[:] -= self.scale * made.next_state[:, 0]
        return made


class Jumps(Boat):
    """Is over where the current is strong: an end that depends on x, in a game whose transition does."""

    def step(self, rng, x, states, *rest):
        made = super().step(rng, x, states, *rest)
        made.terminated[:] = np.abs(made.next_state[:, 0]) > 3.0
        return made


def test_rewards_by_what_is_drawn_are_no_effect_of_x():
    se.check_game(boat(Gusts))
    se.check_game(boat(Jumps))


class Overstated(Tide):
    def effect_at(self, x, samples):
        said = super().effect_at(x, samples)
        return SampledEffect(None, said.follower_reward, said.leader_reward * 1.5, said.transition)


def test_an_effect_beside_what_is_drawn_is_held_to_the_game():
    """Rewards and next states change together; rows cannot be compared one by one, distributions can."""
    with pytest.raises(ConformityError, match=r"transition is the log-density.*number 1"):
        se.check_game(boat(Gusts).replace(commitment=Overstated()))


# --- leader's actions ------------------------------------------------------------------------------------

LQR = "stackelberg/BilevelLqr-v1"


def lqr(kind, **changes):
    game = se.make_game(LQR, horizon=60)
    own = {item.name: getattr(game, item.name) for item in fields(game)}
    return kind(**own | changes)


class Louder(type(se.make_game(LQR))):
    """Draws leader's actions with twice the noise that its form says: what densities and exact values do not know."""

    def leader_actions(self, rng, x, states, contexts):
        quiet = super().leader_actions(copy.deepcopy(rng), x, states, contexts)
        mean = states @ self.form.gain(x).T
        rng.standard_normal(quiet.shape)
        return mean + 2.0 * (quiet - mean)


class Deaf(type(se.make_game(LQR))):
    """Draws leader's actions without regard to the commitment."""

    def leader_actions(self, rng, x, states, contexts):
        return super().leader_actions(rng, 0.5 * x, states, contexts)


@pytest.mark.parametrize("kind", [Louder, Deaf])
def test_leader_actions_that_are_not_drawn_by_their_density_are_refused(kind):
    with pytest.raises(ConformityError, match="leader_policy is the log-density"):
        se.check_game(lqr(kind))
