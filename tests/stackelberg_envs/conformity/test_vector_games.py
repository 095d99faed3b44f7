"""Games of vectors conform, and what breaks a clause is caught."""

from dataclasses import dataclass, fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.conformity.vector_games import UniformPolicy
from stackelberg_envs.envs.guided_cartpole_v0 import GuidedCartPole
from stackelberg_envs.errors import ConformityError
from stackelberg_envs.games.leader_policies import ClippedGaussianPolicy

CARTPOLE = "stackelberg/GuidedCartPole-v0"


LINEAR = type(se.make_game("stackelberg/BilevelLqr-v1"))


@dataclass(frozen=True, eq=False, kw_only=True)
class Solved(LINEAR):
    """A game whose solution is spoilt in one way."""

    spoil: str = ""

    def solve(self, x):
        right = super().solve(x)
        names = ("x", "leader_value", "follower_value", "policy", "direct_gradient", "response_gradient", "gradient")
        made = SimpleNamespace(**{name: getattr(right, name) for name in names})
        if self.spoil == "gradient":
            made.direct_gradient, made.response_gradient = 1.05 * made.direct_gradient, 1.05 * made.response_gradient
            made.gradient = 1.05 * made.gradient
        if self.spoil == "parts":
            made.gradient = 1.5 * made.gradient
        if self.spoil == "policy":
            made.policy = UniformPolicy(self.follower_action_space)
        if self.spoil == "leader":  # consistent: only play tells
            made.leader_value *= 1.2
            made.direct_gradient, made.response_gradient = 1.2 * made.direct_gradient, 1.2 * made.response_gradient
            made.gradient = 1.2 * made.gradient
        if self.spoil == "follower":
            made.follower_value -= 0.2 * abs(made.follower_value)
        if self.spoil == "raises":
            raise KeyError("no plan")
        return made


def solved(**spoilt):
    game = se.make_game("stackelberg/BilevelLqr-v1", leader_discount=0.9, follower_discount=0.9)
    return Solved(**{item.name: getattr(game, item.name) for item in fields(game)}, **spoilt)


def of_kind(kind, **changes):
    game = se.make_game(CARTPOLE)
    return kind(**{**{item.name: getattr(game, item.name) for item in fields(game)}, **changes})


def test_a_sound_solution_conforms():
    se.check_game(solved())


@pytest.mark.parametrize(
    ("spoil", "clause"),
    [
        ("gradient", "finite differences of J"),
        ("parts", "sum of its two parts"),
        ("leader", "play is worth the solution's leader_value"),
        ("follower", "play is worth the solution's follower_value"),
        ("policy", "solve returns the solution.*log_prob"),
        ("raises", "solve returns the solution.*KeyError: 'no plan'"),
    ],
)
def test_a_wrong_solution_is_caught(spoil, clause):
    with pytest.raises(ConformityError, match=clause):
        se.check_game(solved(spoil=spoil))


class Bounded(Solved):
    """Asks for actions within its space, which its exact response leaves."""

    bounds_actions = True


def test_a_response_that_leaves_the_space_of_actions_is_caught():
    game = se.make_game("stackelberg/BilevelLqr-v1", action_bound=1e-3)
    se.check_game(game)  # takes any number: its space is for learners
    own = {item.name: getattr(game, item.name) for item in fields(game)}
    with pytest.raises(ConformityError, match="what the policy draws lies in the space of actions"):
        se.check_game(Bounded(**own))


class OffScore(ClippedGaussianPolicy):
    def vjp_at(self, x, samples, cotangents):
        return 1.01 * super().vjp_at(x, samples, cotangents)


class Undeclared(ClippedGaussianPolicy):
    changes = frozenset()


@pytest.mark.parametrize(
    ("kind", "clause"), [(OffScore, "vjp_at agrees with finite differences"), (Undeclared, "declared in `changes`")]
)
def test_a_broken_commitment_at_samples_is_caught(kind, clause):
    game = se.make_game(CARTPOLE)
    commitment = kind(game.commitment.network, game.leader_action_space, scale=0.2, bound=10.0)
    with pytest.raises(ConformityError, match=clause):
        se.check_game(game.replace(commitment=commitment))


def unlucky(game, made):
    return replace(made, next_state=made.next_state + 1e-3 * np.random.rand())  # noqa: NPY002


def flat(game, made):
    return replace(made, leader_reward=made.leader_reward[:, None])


def narrow(game, made):
    return replace(made, next_state=made.next_state.astype(np.float32))


def infinite(game, made):
    return replace(made, follower_reward=made.follower_reward / 0.0)


def outside(game, made):
    return replace(made, next_state=made.next_state + np.array([9.0, 0.0, 0.0, 0.0]))


def numbered(game, made):
    return replace(made, terminated=made.terminated.astype(np.int64))


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@pytest.mark.parametrize(
    ("spoil", "clause"),
    [
        (unlucky, "step gives equal results for equal generators"),
        (flat, "leader_reward has shape"),
        (narrow, "next_state is float64"),
        (infinite, "follower_reward is finite"),
        (outside, "next_state lies in its space"),
        (numbered, "terminated is bool"),
    ],
)
def test_a_broken_step_is_caught(spoil, clause):
    def step(game, *arguments):
        return spoil(game, GuidedCartPole.step(game, *arguments))

    with pytest.raises(ConformityError, match=clause):
        se.check_game(of_kind(type("Spoilt", (GuidedCartPole,), {"step": step})))


def test_a_step_that_writes_to_its_arguments_is_caught():
    def step(game, rng, x, states, *rest):
        made = GuidedCartPole.step(game, rng, x, states, *rest)
        states[:] = made.next_state
        return made

    with pytest.raises(ConformityError, match=r"equal results|arguments as they were"):
        se.check_game(of_kind(type("Spoilt", (GuidedCartPole,), {"step": step})))


TAX, LQR = "stackelberg/TaxDesign-v0", "stackelberg/BilevelLqr-v1"


@pytest.mark.parametrize(
    ("spec_id", "arguments"),
    [
        (CARTPOLE, {"policy": "mlp", "hidden": (4, 4)}),
        (CARTPOLE, {"menu": 3}),
        (LQR, {"commitment": "per_step"}),
        (LQR, {"commitment": "per_step", "game": se.make_game(LQR, horizon=9).replace(num_followers=2)}),
        (TAX, {"num_households": 3, "horizon": 9}),
        (TAX, {"game": se.make_game(TAX, horizon=9).replace(observe_rewards=False)}),
    ],
)
def test_variants_of_games_of_vectors_conform(spec_id, arguments):
    se.check_env(se.parallel_env(spec_id, **arguments))
    se.check_env(se.env(spec_id, **arguments))
