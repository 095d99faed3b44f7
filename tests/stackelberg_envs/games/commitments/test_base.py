"""What all commitments have in common: effects that fit, checks, projection, derivatives by differences."""

import numpy as np
import pytest

from stackelberg_envs.errors import CommitmentError, GameError
from stackelberg_envs.games.commitments.base import Commitment, Effect, finite_difference_vjp
from stackelberg_envs.games.commitments.function import FunctionCommitment
from stackelberg_envs.games.commitments.incentives import Incentive, IncentiveCost, LinearFeatures, StateIncentive
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.commitments.policy_table import PolicyTable
from stackelberg_envs.games.commitments.transfer import Transfer
from stackelberg_envs.games.commitments.transition_mixture import TransitionMixture
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.transitions import Transition
from tests.games import small_game


def doubled(x):
    """No policy where the first entry is large; that is not where the game tries a commitment once."""
    return Effect(leader_policy=x * (2.0 if x[0, 0] > 0.9 else 1.0))


class Doubled(PolicyTable):
    def effect(self, x):
        return doubled(x)


class Together(Joint):
    def effect(self, x):
        return doubled(x)


def test_the_librarys_own_always_fit():
    assert PolicyTable(3, 2).always_fits
    assert Joint(PolicyTable(3, 2)).always_fits


@pytest.mark.parametrize("commitment", [Doubled(3, 2), Together(PolicyTable(3, 2)), Joint(Doubled(3, 2))])
def test_effects_of_subclasses_are_checked_at_every_x(commitment):
    x = np.array([[1.0, 0.0], [0.5, 0.5], [0.5, 0.5]])
    with pytest.raises(GameError, match="its leader_policy: expected rows that sum to one"):
        _ = small_game(commitment=commitment).under(x).primitives


S, A, B, K = 4, 2, 3, 2


def rng(seed=0):
    return np.random.default_rng(seed)


def kernels(*lead):
    return rng(1).dirichlet(np.full(S, 0.5), size=(*lead, S, A, B))


def list_kernels():
    successors = rng(2).integers(S, size=(S, A, B, 2))
    return [Transition.from_lists(successors, w) for w in rng(3).dirichlet([1, 1], size=(3, S, A, B))]


COMMITMENTS = {
    "policy": PolicyTable(S, A),
    "incentive s a b": Incentive(-1, 1, (S, A, B)),
    "incentive s b": Incentive(-1, 1, (S, 1, B)),
    "incentive a": Incentive(-1, 1, (1, A, 1)),
    "state incentive": StateIncentive(-1, 0, where=rng().uniform(size=S)),
    "state incentive by context": StateIncentive(-1, 0, where=rng().uniform(size=(K, S))),
    "cost": IncentiveCost(-np.ones(S), 0, 2.0, where=rng().uniform(size=S)),
    "cost by context": IncentiveCost(-np.ones(S), 0, 2.0, where=rng().uniform(size=(K, S))),
    "reward paid": IncentiveCost(np.zeros(S), 1, 2.0, where=rng().uniform(size=S)),
    "cost of either sign": IncentiveCost(-np.ones(S), 1, 2.0, where=rng().uniform(size=S)),
    "features": LinearFeatures(rng().standard_normal((S, A, B, 5)), -1, 1),
    "features by context": LinearFeatures(rng().standard_normal((K, S, A, B, 5)), -1, 1),
    "transfer": Transfer(rng().standard_normal((S, A, B, 5)), -1, 1, share=0.7),
    "transfer by context": Transfer(rng().standard_normal((K, S, A, B, 5)), -1, 1),
    "mixture": TransitionMixture(kernels(3)),
    "mixture by group": TransitionMixture(kernels(2), groups=[0, 1, 1, 0]),
    "mixture of lists": TransitionMixture(list_kernels(), groups=[0, 1, 2, 1]),
    "joint": Joint(StateIncentive(-1, 0, np.ones(S)), IncentiveCost(-np.ones(S), 0, 2.0, np.ones(S))),
    "function": FunctionCommitment(
        lambda x: Effect(follower_reward=np.sin(x).reshape(S, 1, 1)),
        -np.ones(S),
        1,
        frozenset({"follower_reward"}),
    ),
}


def cotangents_for(commitment, contexts, dense=True):
    lead = (K,) if contexts else ()
    random = rng(7)
    width = S
    if isinstance(commitment, TransitionMixture) and not dense:
        width = commitment.successors.shape[-1]
    return Cotangents(
        follower_reward=random.standard_normal((*lead, S, A, B)),
        leader_reward=random.standard_normal((*lead, S, A, B)),
        leader_policy=random.standard_normal((*lead, S, A)),
        transition=random.standard_normal((*lead, S, A, B, width)),
    )


def inside(commitment):
    draw = rng(8).uniform(0.2, 0.8, commitment.shape)
    return commitment.check(commitment.project(commitment.low + draw * (commitment.high - commitment.low)))


WITH_AND_WITHOUT_CONTEXTS = [
    (name, contexts) for name in COMMITMENTS for contexts in (False, True) if contexts or "by context" not in name
]


@pytest.mark.parametrize(("name", "contexts"), WITH_AND_WITHOUT_CONTEXTS)
def test_vjp_equals_finite_differences_of_the_effect(name, contexts):
    commitment = COMMITMENTS[name]
    x = inside(commitment)
    cotangents = cotangents_for(commitment, contexts, dense="lists" not in name)
    expected = finite_difference_vjp(commitment, x, cotangents)
    found = commitment.vjp(x, cotangents)
    assert found.shape == x.shape
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7)


# The fallback takes a missing entry for zero.
@pytest.mark.parametrize("name", sorted(set(COMMITMENTS) - {"function"}))
def test_a_missing_cotangent_is_named(name):
    commitment = COMMITMENTS[name]
    with pytest.raises(CommitmentError, match=r"cotangents\.\w+: expected an array, got None"):
        commitment.vjp(inside(commitment), Cotangents())


@pytest.mark.parametrize("name", COMMITMENTS)
def test_effects_set_what_the_commitment_says_it_changes(name):
    commitment = COMMITMENTS[name]
    effect = commitment.effect(inside(commitment))
    names = ("leader_policy", "follower_reward", "leader_reward", "transition")
    assert {name for name in names if getattr(effect, name) is not None} == commitment.changes


@pytest.mark.parametrize("name", COMMITMENTS)
def test_local_view_has_a_row_for_each_state_or_one_for_all(name):
    commitment = COMMITMENTS[name]
    x = inside(commitment)
    before = x.copy()
    local = commitment.local(x)
    assert local is None or (local.ndim == 2 and len(local) in (1, S))
    assert (x == before).all()


@pytest.mark.parametrize("name", COMMITMENTS)
def test_what_check_returns_is_a_new_array_inside_the_space(name):
    commitment = COMMITMENTS[name]
    x = inside(commitment).astype(np.float32)
    before = x.copy()
    checked = commitment.check(x)
    checked[...] = 0
    assert checked.dtype == np.float64
    assert (x == before).all()
    assert commitment.space.contains(x.ravel())


def test_an_entry_outside_its_bounds_is_named():
    commitment = Incentive(-1, 2, (S, A, B))
    x = np.zeros((S, A, B))
    x[2, 1, 0] = 2.5
    with pytest.raises(CommitmentError, match=r"a value in \[-1, 2\], got 2\.5 at index \(2, 1, 0\)"):
        commitment.check(x)


def test_bounds_missed_by_rounding_are_meant():
    commitment = StateIncentive(-0.2, 0, np.ones(S))
    checked = commitment.check(np.full(S, np.float32(-0.2)))
    assert (checked >= -0.2).all()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused(bad):
    x = np.zeros(S)
    x[3] = bad
    for method in ("check", "project"):
        with pytest.raises(CommitmentError, match=rf"expected finite numbers, got {bad} at index \(3,\)"):
            getattr(StateIncentive(-1, 1, np.ones(S)), method)(x)


@pytest.mark.parametrize("shape", [(S,), (A, S), (S, A, 1), ()])
def test_commitments_of_another_shape_are_refused(shape):
    for method in ("check", "project"):
        with pytest.raises(CommitmentError, match=r"commitment: expected shape \(4, 2\), got"):
            getattr(PolicyTable(S, A), method)(np.full(shape, 0.5))


def test_flat_commitments_of_the_right_size_are_reshaped():
    table = np.tile([0.25, 0.75], (S, 1))
    np.testing.assert_array_equal(PolicyTable(S, A).check(table.ravel()), table)


def test_projection_clips_to_the_bounds():
    commitment = StateIncentive(-1, 1, np.ones(3))
    np.testing.assert_array_equal(commitment.project([-5, 0.5, 5]), [-1, 0.5, 1])


def test_bounds_the_wrong_way_round_are_refused():
    with pytest.raises(GameError, match=r"low: expected at most high, got 2\.0 > 1\.0 at index \(1,\)"):
        StateIncentive([0, 2], 1, np.ones(2))


@pytest.mark.parametrize(
    "make",
    [
        lambda: StateIncentive(np.zeros(3), 1, np.ones(2)),
        lambda: StateIncentive(0, np.ones((2, 2)), np.ones(2)),
        lambda: Incentive(np.zeros(3), 1, (2, 1, 2)),
        lambda: LinearFeatures(np.ones((1, 1, 1, 2)), np.zeros(3), 1),
        lambda: IncentiveCost(np.zeros(2), np.ones(3), 1.0, np.ones(2)),
    ],
)
def test_bounds_of_another_shape_are_refused(make):
    with pytest.raises(GameError, match="low, high: expected arrays that broadcast to"):
        make()


def test_bounds_are_frozen():
    with pytest.raises(ValueError, match="read-only"):
        PolicyTable(2, 2).low[0] = 1


def test_a_subclass_without_a_derivative_inherits_one():
    class Squared(Commitment):
        changes = frozenset({"follower_reward"})

        def effect(self, x):
            return Effect(follower_reward=(x**2).reshape(-1, 1, 1))

    x = np.array([0.1, -0.4])
    found = Squared(-np.ones(2), 1).vjp(x, Cotangents(follower_reward=np.ones((2, 1, 3))))
    np.testing.assert_allclose(found, 6 * x, rtol=1e-8)


ROADS = ("A-B", "B-C", "C-A")


@pytest.mark.parametrize(
    "commitment",
    [
        StateIncentive(-1, 1, np.ones(3), names=ROADS),
        Incentive(-1, 1, (3, 1, 1), names=list(ROADS)),
        LinearFeatures(np.ones((S, A, B, 3)), -1, 1, names=iter(ROADS)),
        Transfer(np.ones((S, A, B, 3)), -1, 1, names=ROADS),
        FunctionCommitment(lambda x: Effect(), -np.ones(3), 1, (), names=ROADS),
        Joint(IncentiveCost(-1, 1, 2.0, np.ones(3)), StateIncentive(-1, 1, np.ones(3), names=ROADS)),
    ],
)
def test_entries_have_names_and_messages_say_them(commitment):
    assert commitment.names == ROADS
    x = np.zeros(commitment.shape)
    x[1] = 2.0
    with pytest.raises(CommitmentError, match=r"got 2 at index \(1,.*\), 'B-C'$"):
        commitment.check(x)


def test_without_names_there_are_none_and_the_content_is_as_it_was():
    assert StateIncentive(-1, 1, np.ones(3)).names is None
    assert "names" not in vars(StateIncentive(-1, 1, np.ones(3)))


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ("ABC", "names: expected a name for each entry of x, got 'ABC'"),
        (3, "names: expected a name for each entry of x, got 3"),
        (["A", "B", 3], "names: expected a name for each entry of x"),
        (["A", "B", ""], "names: expected a name for each entry of x"),
        (["A", "B"], "names: expected 3 different names, one for each entry of x"),
        (["A", "B", "B"], "names: expected 3 different names, one for each entry of x"),
    ],
)
def test_odd_names_are_refused(names, words):
    with pytest.raises(GameError, match=words):
        StateIncentive(-1, 1, np.ones(3), names=names)


def test_parts_of_a_joint_with_other_names_are_refused():
    parts = [StateIncentive(-1, 1, np.ones(3), names=names) for names in (ROADS, ("a", "b", "c"))]
    with pytest.raises(GameError, match=r"Joint: expected the same names in all parts, got others in parts \[0, 1\]"):
        Joint(*parts)
