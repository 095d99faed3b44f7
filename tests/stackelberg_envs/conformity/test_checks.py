"""The conformity suite passes what is sound and names the clause that is broken."""

from dataclasses import dataclass, fields, replace
from types import SimpleNamespace

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.conformity.vector_games import UniformPolicy
from stackelberg_envs.envs.guided_cartpole_v0 import GuidedCartPole
from stackelberg_envs.errors import ArgumentError, ConformityError, UnknownNameError
from stackelberg_envs.faces.parallel import ParallelFace
from stackelberg_envs.games.leader_policies import ClippedGaussianPolicy

TOY = "stackelberg/DiscreteToy-v0"


@pytest.mark.parametrize("spec_id", se.registered_ids())
def test_everything_registered_conforms(spec_id):
    se.check_game(se.make_game(spec_id))
    se.check_env(spec_id)


@pytest.mark.parametrize(
    "arguments",
    [
        {"menu": 3},
        {"observe_commitment": "local"},
        {"observe_commitment": "none"},
        {"commitment": "per_step"},
        {"game": se.make_game(TOY).replace(num_followers=3, observe_rewards=False)},
        {"commitment": "per_step", "game": se.make_game(TOY, horizon=9).replace(num_followers=2)},
    ],
)
def test_variants_conform(arguments):
    se.check_env(se.parallel_env(TOY, **arguments))
    se.check_env(se.env(TOY, **arguments))


@pytest.mark.parametrize("spec_id", ["stackelberg/RandomTabular-v0", "stackelberg/FourRooms-v0"])
def test_games_with_contexts_pay_by_the_context(spec_id):
    arguments = {"K": 3} if "Random" in spec_id else {"goals": ((1, 9), (11, 11), (1, 1)), "horizon": 60}
    for seed in range(4):  # in which every context is drawn
        for face in (se.parallel_env, se.followers_env):
            se.check_env(face(spec_id, **arguments), seed=seed)


def test_a_gradient_that_is_not_the_derivative_of_j_is_caught(monkeypatch):
    from stackelberg_envs.solvers.solution import Solution

    right = Solution.gradient.fget
    monkeypatch.setattr(Solution, "gradient", property(lambda solution: 1.05 * right(solution)))
    with pytest.raises(ConformityError, match="finite differences of J"):
        se.check_game(se.make_game(TOY))


@pytest.mark.parametrize(
    "arguments",
    [
        {"K": 3, "terminal": 2},
        {"commitment": "policy", "A": 3},
        {"A": 1},
        {"S": 1, "branching": 1},
    ],
)
def test_random_games_conform(arguments):
    se.check_game(se.random_tabular(**arguments))


class WrongDerivative(se.PolicyTable):
    def vjp(self, x, cotangents):
        return 1.1 * super().vjp(x, cotangents)


class ForgetsToDeclare(se.PolicyTable):
    changes = frozenset()


class Drifts(se.PolicyTable):
    def project(self, x):
        # Each projection moves on: there is no fixed point.
        return super().project(np.add(x, [[0.1, 0.0]]))


@pytest.mark.parametrize(
    ("commitment", "clause"),
    [
        (WrongDerivative(3, 2), "vjp agrees with finite differences"),
        (ForgetsToDeclare(3, 2), "declares in `changes`"),
        (Drifts(3, 2), "twice"),
    ],
)
def test_a_broken_commitment_is_caught(commitment, clause):
    with pytest.raises(ConformityError, match=clause):
        se.check_game(se.make_game(TOY).replace(commitment=commitment))


# --- vector games ---------------------------------------------------------------------------------------

CARTPOLE = "stackelberg/GuidedCartPole-v0"


LINEAR = type(se.make_game("stackelberg/BilevelLqr-v0"))


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
    game = se.make_game("stackelberg/BilevelLqr-v0", leader_discount=0.9, follower_discount=0.9)
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
    game = se.make_game("stackelberg/BilevelLqr-v0", action_bound=1e-3)
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


def test_a_face_that_pays_another_reward_than_the_games_is_caught(monkeypatch):
    from stackelberg_envs.play.vector import VectorSimulator

    right = VectorSimulator.step

    def generous(simulator, *arguments):
        following, to_leader, to_follower, over = right(simulator, *arguments)
        return following, to_leader, to_follower + 0.5, over

    monkeypatch.setattr(VectorSimulator, "step", generous)
    with pytest.raises(ConformityError, match="paid under what it saw"):
        se.check_env(se.parallel_env(CARTPOLE))


TAX, LQR = "stackelberg/TaxDesign-v0", "stackelberg/BilevelLqr-v0"


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


# --- vector environments ---------------------------------------------------------------------------------


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


# --- faces -----------------------------------------------------------------------------------------------


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


def test_only_games_and_environments_can_be_checked():
    with pytest.raises(ArgumentError, match="TabularGame"):
        se.check_game("stackelberg/FourRooms-v0")
    with pytest.raises(ArgumentError, match="ParallelEnv"):
        se.check_env(3)
    with pytest.raises(UnknownNameError, match="did you mean"):
        se.check_env("stackelberg/FourRoom-v0")
