"""Constructors under nasty arguments: each makes a game with finite numbers, or refuses with an error of this library.

The deep version tries 10,000 times.
"""

import inspect
from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import stackelberg_envs as se
from stackelberg_envs.envs import (
    bilevel_lqr_v1,
    building_thermal_v1,
    discrete_toy_v1,
    four_rooms_v0,
    guided_cartpole_v0,
    guided_pendulum_v0,
    random_tabular_v1,
    tax_design_v0,
)
from stackelberg_envs.errors import StackelbergError
from stackelberg_envs.games.commitments.base import Effect
from stackelberg_envs.games.commitments.dynamics import DynamicsCommitment
from stackelberg_envs.games.commitments.gain import GainCommitment
from stackelberg_envs.games.contexts import combine, one_context
from stackelberg_envs.games.leader_policies import ClippedGaussianPolicy, MeanNetwork
from stackelberg_envs.games.linear_forms import BumpReward, LinearForm, LinearNumbers, QuadraticReward, free_dynamics
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.games.vector import VectorGame
from tests.games import BUILDING

S, A, B = 3, 2, 2
RNG = np.random.default_rng(0)
KERNEL = RNG.dirichlet(np.ones(S), size=(S, A, B))
LISTS = Transition(RNG.integers(S, size=(S, A, B, 2)).astype(np.int32), RNG.dirichlet([1, 1], size=(S, A, B)))
UNIFORM = np.full((S, A), 0.5)


def half(x):
    return Effect(leader_policy=UNIFORM, follower_reward=x[:1, None, None])


def crooked(x):
    return x["rate"]


#: Values that have no business where a number or an array is expected, and some that may have.
NASTY = [
    None, True, False, 0, 1, -1, 2, 3, 0.5, -0.5, 0.99, 1e308, -1e308, 1e149, 1e100, 1e-100, 1e-149, 5e-324, 10**30,
    2**31, 2**63, 10**400, float("nan"), float("inf"), -float("inf"), 1j, "", "no", "0.5", b"x", (), [], {}, {"a": 1},
    {1.0}, [1], [True], ["1"], [[1], [2, 3]], [None], range(3), object(), len, half, crooked, Effect, np.float32(0.5),
    np.int8(1), np.bool_(True), np.longdouble(0.5), np.array(1.0), np.array([]), np.zeros((0, 2)), np.zeros((1, 1)),
    np.ones(3), -np.ones(3), np.full(3, np.nan), np.ones((3, 3)), np.triu(np.ones((2, 2))), np.ones(3, complex),
    np.ma.masked_equal([1.0, 2.0, 3.0], 2.0), np.array(["2020-01-01"], "datetime64[D]"), np.ones(3, "timedelta64[s]"),
    np.array([1.0, None], object), np.zeros(2, [("a", float)]), np.ones((3, 1, 2), np.float16), np.matrix([[1.0]]),
    scipy.sparse.eye(3), np.full((3, 2), 2**63, np.uint64), LISTS, Transition("lists", None), se.PolicyTable(S, A),
    se.Incentive(-1e100, 1e100, (S, 1, B)), se.StateIncentive(0.0, 1e-100, np.ones(S)), LinearForm, Effect(),
    se.FunctionCommitment(half, -1.0, 1.0, {"leader_policy", "follower_reward"}), se.PolicyTable(2, 2),
]  # fmt: skip


def bent(value):
    """Return ways in which a right value may be wrong, or right in another unit or type."""
    ways = [lambda v=v: v for v in NASTY]
    if isinstance(value, np.ndarray):
        ways += [lambda c=c: value * c for c in (-1.0, 0.0, 1e-100, 1e100, 1e149, 1e160, np.nan, 1 + 1e-9)]
        ways += [lambda t=t: value.astype(t) for t in (np.float32, np.int64, complex, object, str)]
        ways += [value.tolist, lambda: value[:1], lambda: value[..., None], lambda: np.ma.masked_less(value, 0.5)]
        ways += [lambda: value + np.eye(*value.shape[-2:], k=1) if value.ndim > 1 else value + 1.0]
    elif isinstance(value, float):
        ways += [lambda c=c: value * c for c in (-1.0, 1e-100, 1e100, 1e150, 1e-160)]
    return ways


# --- what is built ----------------------------------------------------------------------------------------

TABULAR = {
    "transition": KERNEL,
    "leader_reward": RNG.standard_normal((S, A, B)),
    "follower_reward": RNG.standard_normal((S, A, B)),
    "initial": np.array([0.5, 0.25, 0.25]),
    "terminal": np.array([0.0, 0.0, 1.0]),
    "leader_discount": 0.9,
    "follower_discount": 0.8,
    "temperature": 0.5,
    "commitment": se.PolicyTable(S, A),
    "leader_policy": UNIFORM,
    "feasible": np.ones((S, A, B)) - np.eye(B),
    "believed_transition": KERNEL,
    "context_probabilities": None,
    "horizon": 5,
    "num_followers": 1,
    "observe_rewards": True,
    "publish_temperature": True,
    "name": "fuzz",
    "facts": {},
}
GAME = TabularGame(**TABULAR)
FORM = {
    "basis": free_dynamics(2, 2),
    "gains": GainCommitment((1, 2), 1.0, 0.1).gains,
    "follower_action_size": 1,
    "leader_noise": 0.1**2 * np.eye(1),
    "price": 0.0,
}
NUMBERS = {
    "weights": np.array([0.6, 0.1, -0.2, 0.5]),
    "follower_input": np.array([[0.0], [1.0]]),
    "leader_input": np.array([[0.1], [0.0]]),
    "noise": 0.01 * np.eye(2),
    "state_cost": np.eye(2),
    "action_cost": np.eye(1),
    "initial_mean": np.array([1.0, 0.0]),
    "initial_covariance": 0.1 * np.eye(2),
}
LINEAR = LinearQuadraticGame(
    form=LinearForm(**FORM),
    numbers=LinearNumbers(**NUMBERS),
    reward=QuadraticReward(np.eye(2), np.eye(1)),
    commitment=GainCommitment((1, 2), 1.0, 0.1),
    leader_discount=0.9,
    follower_discount=0.9,
    temperature=0.1,
    horizon=5,
)


def in_game(commitment):
    return GAME.replace(commitment=commitment)


def joint(low, high, where, price):
    return in_game(se.Joint(se.StateIncentive(low, high, where), se.IncentiveCost(low, high, price, where)))


def of_contexts(first, second, probabilities, k):
    game = combine([GAME.replace(leader_reward=first), GAME.replace(follower_reward=second)], probabilities)
    return game if k is False else one_context(game, k)


def of_lists(successors, probabilities, dense):
    return GAME.replace(transition=Transition(successors, probabilities, dense))


def wind(inputs, outputs, hidden, state_scale, seed, scale, bound, space):
    network = MeanNetwork(inputs, outputs, hidden=hidden, state_scale=state_scale, seed=seed)
    return guided_pendulum_v0.make_game().replace(
        commitment=ClippedGaussianPolicy(network, space, scale=scale, bound=bound)
    )


def moves(**given):
    return BUILDING.replace(commitment=DynamicsCommitment(**given))


ONES = np.ones(S)
BUILDS = {
    "TabularGame": (TabularGame, TABULAR),
    "PolicyTable": (lambda **a: in_game(se.PolicyTable(**a)), {"S": S, "A": A}),
    "StateIncentive": (
        lambda **a: in_game(se.StateIncentive(**a)),
        {"low": -ONES, "high": 1.0, "where": ONES, "parametrisation": "sigmoid"},
    ),
    "Incentive": (lambda **a: in_game(se.Incentive(**a)), {"low": -1.0, "high": 1.0, "shape": (S, 1, B)}),
    "LinearFeatures": (
        lambda **a: in_game(se.LinearFeatures(**a)),
        {"features": np.ones((S, A, B, 2)), "low": -1.0, "high": np.ones(2)},
    ),
    "Joint": (joint, {"low": 0.0, "high": 1.0, "where": ONES, "price": 2.0}),
    "Joint of anything": (lambda a, b: in_game(se.Joint(a, b)), {"a": se.PolicyTable(S, A), "b": None}),
    "TransitionMixture": (
        lambda **a: in_game(se.TransitionMixture(**a)),
        {"kernels": np.stack([KERNEL, KERNEL]), "groups": np.array([0, 1, 1])},
    ),
    "FunctionCommitment": (
        lambda **a: in_game(se.FunctionCommitment(**a)),
        {"function": half, "low": 0.0, "high": 1.0, "changes": frozenset({"leader_policy", "follower_reward"})},
    ),
    "Effect": (
        lambda **a: in_game(se.FunctionCommitment(lambda x: Effect(**a), 0.0, 1.0, {"leader_policy"})),
        {"leader_policy": UNIFORM, "follower_reward": None, "leader_reward": np.ones((S, 1, 1)), "transition": None},
    ),
    "Transition": (
        of_lists,
        {"successors": LISTS.successors.copy(), "probabilities": LISTS.probabilities.copy(), "dense": False},
    ),
    "contexts": (
        of_contexts,
        {
            "first": TABULAR["leader_reward"],
            "second": TABULAR["follower_reward"],
            "probabilities": np.array([0.3, 0.7]),
            "k": False,
        },
    ),
    "LinearForm": (lambda **a: LINEAR.replace(form=LinearForm(**a)), FORM),
    "LinearNumbers": (lambda **a: LINEAR.replace(numbers=LinearNumbers(**a)), NUMBERS),
    "QuadraticReward": (
        lambda **a: LINEAR.replace(reward=QuadraticReward(**a)),
        {"state_cost": np.eye(2), "action_cost": np.eye(1)},
    ),
    "BumpReward": (
        lambda **a: LINEAR.replace(reward=BumpReward(**a)),
        {"target": np.zeros(2), "width": np.ones(2)},
    ),
    "GainCommitment": (
        lambda **a: LINEAR.replace(commitment=GainCommitment(**a)),
        {"shape": (1, 2), "bound": 1.0, "noise": 0.1},
    ),
    "DynamicsCommitment": (
        moves,
        {
            "form": BUILDING.form,
            "weights": BUILDING.numbers.weights,
            "follower_input": BUILDING.numbers.follower_input,
            "noise": BUILDING.numbers.noise,
            "low": np.zeros(8),
            "high": np.ones(8),
        },
    ),
    "LinearQuadraticGame": (
        LINEAR.replace,
        {
            "form": LINEAR.form,
            "numbers": LINEAR.numbers,
            "reward": LINEAR.reward,
            "commitment": LINEAR.commitment,
            "leader_discount": 0.9,
            "follower_discount": 0.9,
            "temperature": 0.1,
            "horizon": 5,
            "state_bound": 10.0,
            "action_bound": 10.0,
            "context_probabilities": np.ones(1),
            "observe_rewards": True,
            "facts": {},
        },
    ),
    "GuidedGame": (
        wind,
        {
            "inputs": 3,
            "outputs": 1,
            "hidden": (4,),
            "state_scale": np.ones(3),
            "seed": 0,
            "scale": 0.2,
            "bound": 1.0,
            "space": guided_pendulum_v0.WINDS,
        },
    ),
}
for module in (
    bilevel_lqr_v1,
    building_thermal_v1,
    discrete_toy_v1,
    four_rooms_v0,
    guided_cartpole_v0,
    guided_pendulum_v0,
    random_tabular_v1,
    tax_design_v0,
):
    parameters = inspect.signature(module.make_game).parameters
    BUILDS[module.__name__.rpartition(".")[2]] = (
        module.make_game,
        {name: parameter.default for name, parameter in parameters.items()},
    )


# --- what must come of it ---------------------------------------------------------------------------------


def require_finite(game):
    """Raise unless the game answers with finite numbers at the middle and at the ends of its commitment."""
    commitment = game.commitment
    for point in (0.5 * (commitment.low + commitment.high), commitment.low, commitment.high):
        x = commitment.project(point)
        if isinstance(game, TabularGame):
            found = se.solve(game, x) if game.shape[0] < 50 else None
            arrays = game.primitives(x).follower_reward, game.primitives(x).leader_reward
            assert all(np.isfinite(array).all() for array in arrays)
        else:
            assert isinstance(game, VectorGame)
            states = game.initial_states(np.random.default_rng(0), np.zeros(2, np.int32))
            assert np.isfinite(states).all()
            found = game.solve(x) if isinstance(game, LinearQuadraticGame) else None
        if found is not None:
            assert np.isfinite(found.leader_value)
            assert np.isfinite(found.follower_value)
            assert np.isfinite(found.gradient).all()


def hold(name, choose):
    """Build one thing with some arguments bent, as `choose` picks; only errors of this library may come of it."""
    build, arguments = BUILDS[name]
    names = choose(st.lists(st.sampled_from(sorted(arguments)), min_size=1, max_size=2, unique=True))
    bends = {}
    for argument in names:
        ways = bent(arguments[argument])
        bends[argument] = ways[choose(st.integers(0, len(ways) - 1))]()
    try:
        require_finite(build(**(arguments | bends)))
    except StackelbergError as error:
        assert str(error)


def fuzz(examples):
    def of(name):
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.data())
        def run(data):
            hold(name, data.draw)

        run()

    return of


@pytest.mark.parametrize("name", sorted(BUILDS))
def test_a_few_nasty_arguments(name):
    fuzz(7)(name)


@pytest.mark.deep
@pytest.mark.parametrize("name", sorted(BUILDS))
def test_ten_thousand_nasty_arguments(name):
    fuzz(-(-10_000 // len(BUILDS)))(name)


@pytest.mark.parametrize("goals", [[], (), np.zeros((0, 2)), scipy.sparse.eye(3), {}, {(1, 1)}, range(0), "", 5])
def test_goals_that_are_no_list_of_cells_are_refused(goals):
    with pytest.raises(StackelbergError, match="goals: expected"):
        four_rooms_v0.make_game(goals=goals)


def test_right_arguments_are_accepted():
    for build, arguments in BUILDS.values():
        if "b" not in arguments:
            require_finite(build(**arguments))
    assert replace(LINEAR, temperature=0.2).temperature == 0.2
