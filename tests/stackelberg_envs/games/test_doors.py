"""What comes in: refused by name where it means nothing, and copied where it does."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, CommitmentError, GameError, StackelbergError
from stackelberg_envs.games.commitments.base import Commitment, Effect, central_differences
from stackelberg_envs.games.commitments.function import FunctionCommitment
from stackelberg_envs.games.commitments.incentives import Incentive, IncentiveCost, LinearFeatures, StateIncentive
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.commitments.transition_mixture import TransitionMixture
from stackelberg_envs.games.contexts import combine, one_context
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition
from tests.games import small_arguments, small_game

S, A, B = 3, 2, 2


def arguments(**changes):
    believed = np.random.default_rng(1).dirichlet(np.ones(S), size=(S, A, B))
    return small_arguments(believed_transition=believed) | changes


def make(**changes):
    return small_game(**arguments(**changes))


WHERE = np.ones(S)


@pytest.mark.parametrize(
    ("build", "match"),
    [
        (lambda: Joint(False), "Joint: expected commitments, got False as part 0"),
        (lambda: Incentive(0, 1, shape=0.5), "shape: expected a tuple of sizes, got 0.5"),
        (lambda: Incentive(0, 1, shape=(S, B)), "shape: expected three sizes"),
        (lambda: Incentive(0, 1, shape=(S, 1, 0)), "shape: expected an integer of at least 1, got 0"),
        (lambda: PolicyTable(2**63, 2), "S: expected an integer of at most"),
        (lambda: PolicyTable(2**40, 2), "shape: expected at most 268435456 entries"),
        (lambda: StateIncentive(0, 1, WHERE, parametrisation=[1]), r"parametrisation: expected a string, got \[1\]"),
        (lambda: StateIncentive(0, 1, []), r"where: expected shape \(S,\) or \(K, S\), got \(0,\)"),
        (lambda: LinearFeatures(np.zeros((S, A, B, 0)), 0, 1), "shape: expected an integer of at least 1, got 0"),
        (lambda: IncentiveCost([], [], 1.0, WHERE), r"low, high: expected at least one number, got shape \(0,\)"),
        (lambda: IncentiveCost(0.0, 1.0, [1.0, 2.0], WHERE), r"price: expected a finite number, got \[1.0, 2.0\]"),
        (lambda: IncentiveCost(True, 1.0, 1.0, WHERE), "low: expected numbers, got True"),
        (lambda: FunctionCommitment(0.5, 0, 1, {"leader_reward"}), "function: expected a function"),
        (lambda: FunctionCommitment(len, 0, 1, "leader_reward"), "changes: expected a set of names"),
        (lambda: FunctionCommitment(len, 0, 1, {"leader_rewards"}), "changes: expected a set of names"),
        (lambda: TransitionMixture([None, Transition.from_dense(np.ones((1, 1, 1, 1)))]), r"kernels\[0\]: expected a"),
        (lambda: TransitionMixture(np.ones((1, 1, 1, 1, 1)), groups=[10**9]), r"groups: expected row numbers in 0..0"),
    ],
)
def test_arguments_that_make_no_commitment_are_refused(build, match):
    with pytest.raises(GameError, match=match):
        build()


@pytest.mark.parametrize(
    "bad", [np.ma.masked_equal(np.full((S, A), 0.5), 0.5), np.eye(S, A) > 0, np.full((S, A), 0.5j), "half", None]
)
def test_commitments_that_are_no_numbers_are_refused(bad):
    for refuse in (make().primitives, PolicyTable(S, A).check, PolicyTable(S, A).project):
        with pytest.raises(CommitmentError, match="commitment: expected numbers"):
            refuse(bad)


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (None, "expected its function to return an Effect, got NoneType"),
        (Effect(leader_reward=np.ma.masked_equal(np.zeros((S, 1, 1)), 0)), "its leader_reward: .* MaskedArray"),
        (Effect(leader_reward=[[["much"]]]), "its leader_reward: expected numbers"),
        (Effect(follower_reward=np.full((S, 1, 1), np.nan)), "its follower_reward: expected finite numbers"),
        (Effect(follower_reward=1e149), "the follower_reward under it: expected numbers of at most"),
    ],
)
def test_what_a_function_returns_is_checked_at_every_commitment(answer, match):
    def function(x):
        return answer if x[0] > 0.75 else Effect(leader_policy=np.full((S, A), 0.5))

    game = make(commitment=FunctionCommitment(function, 0.0, 1.0, {"leader_policy", "leader_reward"}))
    game = game.replace(leader_policy=np.full((S, A), 0.5))
    with pytest.raises(GameError, match=match):
        game.primitives([1.0])


def test_an_error_in_a_users_function_is_named():
    def crooked(x):
        return x["rate"]

    with pytest.raises(GameError, match="commitment: its function crooked raised IndexError: only integers"):
        make(commitment=FunctionCommitment(crooked, 0.0, 1.0, {"leader_policy"}))


@pytest.mark.parametrize("cost_first", [False, True])
def test_scalars_broadcast_alike_in_a_joint(cost_first):
    scalars = [StateIncentive(0.0, 0.1, where=WHERE), IncentiveCost(0.0, 0.1, 2.0, where=WHERE)]
    arrays = [StateIncentive(0.0, 0.1, where=WHERE), IncentiveCost(np.zeros(S), 0.1, 2.0, where=WHERE)]
    order = slice(None, None, -1 if cost_first else 1)
    joint, expected = Joint(*scalars[order]), Joint(*arrays[order])
    x = np.array([0.0, 0.05, 0.1])
    assert joint.shape == (S,)
    np.testing.assert_array_equal(joint.effect(x).leader_reward, expected.effect(x).leader_reward)
    np.testing.assert_array_equal(joint.effect(x).follower_reward, expected.effect(x).follower_reward)
    assert scalars[1].shape == (1,)  # the part that was given stays what it was


def test_costs_put_together_take_the_shape_of_the_others_too():
    costs = [IncentiveCost(0.0, 0.1, price, where=WHERE) for price in (2.0, 3.0)]
    joint = Joint(StateIncentive(0.0, 0.1, where=WHERE), Joint(*costs))
    np.testing.assert_allclose(joint.effect(np.full(S, 0.1)).leader_reward[:, 0, 0], -0.3 * 5)


@pytest.mark.parametrize(
    ("points", "match"),
    [
        (5, "grid: expected a list of grid points for each axis, got int"),
        (np.ma.masked_equal([0.0, 1.0], 0), "grid: .* MaskedArray"),
        ([np.linspace(0, 1, 3), np.ma.masked_equal([0.0, 1.0], 0)], "grid: .* MaskedArray"),
        ([np.linspace(0, 1, 20_000)] * 2, "grid: expected at most 268435456 entries"),
        ([["a", "b"], [0, 1]], r"grid\[0\]: expected numbers"),
    ],
)
def test_grids_are_checked(points, match):
    with pytest.raises(ArgumentError, match=match):
        se.discretise(
            se.make_game("stackelberg/BilevelLqr-v1"), points, actions=[-1.0, 1.0], leader_actions=[-1.0, 1.0]
        )


def test_parts_of_other_shapes_are_named_with_what_to_write():
    with pytest.raises(GameError, match=r"got \(1,\) as part 1, IncentiveCost; give it bounds of shape \(3,\)"):
        Joint(StateIncentive(0.0, 0.1, where=WHERE), IncentiveCost([0.0], [0.1], 2.0, where=WHERE))


def test_parts_with_other_bounds_are_refused_with_both():
    with pytest.raises(GameError, match=r"got low = -0.1 in the first and 0 in part 1, IncentiveCost, at index \(0,\)"):
        Joint(StateIncentive(-0.1, 0.1, where=WHERE), IncentiveCost(0.0, 0.1, 2.0, where=WHERE))


@pytest.mark.parametrize(
    ("build", "shapes"),
    [
        (Incentive, [(S, A, B), (S, A, B)]),
        (StateIncentive, [(S,), (S,), (S,)]),
        (LinearFeatures, [(S, A, B, 2), (2,), (2,)]),
    ],
)
def test_changing_what_was_given_changes_no_commitment(build, shapes):
    given = [np.full(shape, 0.25 * (i + 1)) for i, shape in enumerate(shapes)]
    if build is Incentive:
        commitment = build(*given, shape=(S, A, B))
    elif build is StateIncentive:
        commitment = build(*given)
    else:
        commitment = build(given[0], *given[1:])
    x = commitment.project(commitment.high)
    before = commitment.effect(x).follower_reward.copy()
    for array in given:
        array[...] = -5.0
    np.testing.assert_array_equal(commitment.effect(x).follower_reward, before)
    np.testing.assert_array_equal(commitment.check(x), x)
    for array in (commitment.low, commitment.high, commitment.space.low, commitment.space.high):
        assert not array.flags.writeable


def test_mixtures_keep_lists_of_their_own():
    kernels = [Transition(np.full((1, 1, 1, 2), [0, 0], np.int32), np.full((1, 1, 1, 2), p)) for p in ([1, 0], [0, 1])]
    kernels = [Transition(k.successors.copy(), k.probabilities.astype(float).copy()) for k in kernels]
    mixture = TransitionMixture(kernels)
    kernels[0].successors[...] = 99
    kernels[0].probabilities[...] = 5.0
    assert mixture.successors.max() == 0
    assert mixture.kernels.max() == 1.0


def test_contexts_keep_arrays_of_their_own():
    weights = np.array([0.25, 0.75])
    game = combine([make(), make()], weights)
    weights[...] = 0.5
    np.testing.assert_array_equal(game.context_probabilities, [0.25, 0.75])
    assert not one_context(game, 1).leader_reward.flags.writeable


@pytest.mark.parametrize("bad", [2, -1, "0", 0.5, None, True])
def test_a_context_that_does_not_exist_is_refused(bad):
    with pytest.raises(GameError, match=r"k: expected a context in 0\.\.1, got "):
        one_context(combine([make(), make()], [0.5, 0.5]), bad)


@pytest.mark.parametrize("bad", [5, [], [1], [None], "games"])
def test_what_are_no_games_are_refused(bad):
    with pytest.raises(GameError, match=r"games"):
        combine(bad, [0.5, 0.5])


@pytest.mark.parametrize("c", [1e-100, 1e-12, 1.0, 1e12, 1e100])
def test_bounds_are_kept_in_any_unit(c):
    incentive = StateIncentive(-c, 0.0, where=WHERE)
    inside, outside = np.full(S, -c * (1 + 5e-7)), np.full(S, -c * (1 + 2e-6))
    np.testing.assert_array_equal(incentive.check(inside), np.full(S, -c))
    with pytest.raises(CommitmentError, match="expected a value in"):
        incentive.check(outside)
    with pytest.raises(CommitmentError, match="expected a value in"):
        incentive.check(np.full(S, 1e-5 * c))
    space = incentive.space
    np.testing.assert_allclose(space.low, -c, rtol=1e-6)
    assert space.contains(np.full(S, -0.5 * c, space.dtype))


@pytest.mark.parametrize("c", [1e-100, 1e-12, 1.0, 1e12, 1e100])
def test_differences_are_taken_in_the_units_of_the_bounds(c):
    class Pinned(Commitment):
        """One entry free, one with equal bounds, one pinned at zero."""

        def effect(self, x):
            return Effect()

    commitment = Pinned(np.array([-c, c, 0.0]), np.array([c, c, 0.0]))
    slopes = np.array([1.0, 2.0, 3.0])
    found = central_differences(lambda up, down: float(slopes @ (up - down)), commitment, commitment.high, 1e-5)
    np.testing.assert_allclose(found, slopes, rtol=1e-9)


@pytest.mark.parametrize("c", [1e-100, 1e20, 1e100])
def test_leaders_commit_in_any_unit(c):
    given = arguments(temperature=0.5 * c, leader_policy=np.full((S, A), 0.5))
    for name in ("leader_reward", "follower_reward"):
        given[name] = given[name] * c
    game = TabularGame(**(given | {"commitment": StateIncentive(-c, 0.0, where=WHERE)}))
    if c > 1e38:
        with pytest.raises(ArgumentError, match="game: expected commitments that float32 holds"):
            se.leader_env(game=game)
    else:
        env = se.leader_env(game=game)
        env.reset(seed=0)
        assert np.isfinite(env.step(np.full(S, -0.5 * c))[1])


def test_every_error_is_of_this_library():
    assert issubclass(GameError, StackelbergError)
    assert issubclass(CommitmentError, StackelbergError)


@pytest.mark.parametrize(
    "name", ["BilevelLqr-v1", "BuildingThermal-v1", "TaxDesign-v0", "GuidedCartPole-v0", "GuidedPendulum-v0"]
)
def test_bounds_of_shared_spaces_are_read_only(name):
    game = se.make_game(f"stackelberg/{name}")
    spaces = [game.state_space, game.follower_action_space, game.leader_action_space, game.commitment.space]
    for space in spaces:
        for bound in ("low", "high", "nvec"):
            array = getattr(space, bound, np.zeros(()))
            assert array.ndim == 0 or not array.flags.writeable
