"""Bi-AC: the critic's fixed point, where the actor settles, and that this is not the hypergradient."""

from itertools import product

import numpy as np
import pytest

import agents
from agents.leaders import leader_class
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0, random_tabular_v1
from stackelberg_envs.errors import ArgumentError, InformationError
from stackelberg_envs.solvers.soft import evaluate
from stackelberg_envs.solvers.solving import solve


def best_fixed_choice(play, response):
    """Return Q_L of the best deterministic leader policy against a follower that keeps its policy, by enumeration.

    "Best" in every state at once: the sum of values over states is largest there, too.
    """
    Z, A = play.leader_policy.shape
    chosen = (np.eye(A)[list(choice)] for choice in product(range(A), repeat=Z))
    plays = (type(play)(**{**vars(play), "leader_policy": policy}) for policy in chosen)
    return max((evaluate(candidate, response) for candidate in plays), key=lambda e: e.state_values.sum()).q


@pytest.mark.parametrize("options", [{}, {"masked": True}, {"masked": True, "discounts": (1.0, 1.0)}], ids=str)
@pytest.mark.parametrize("K", [1, 2])
@pytest.mark.parametrize("seed", range(3))
def test_on_exact_frequencies_critic_and_actor_are_what_they_are_defined_to_be(exact_play, K, seed, options):
    play = exact_play("policy", seed, K, **options)
    estimate = play.gradient("biac")
    leader = play.leader("biac")
    seen = type(play.seen)(**{**vars_of(play.seen), "response": play.response})
    leader.gradient(seen)
    primitives = play.game.primitives(play.seen.commitment)
    expected = best_fixed_choice(primitives, play.response)
    visited = np.bincount(play.seen.joint_state, minlength=6 * K) > 0
    able = np.ones(expected.shape, bool) if primitives.feasible is None else primitives.feasible
    visited = visited[:, None, None] & able
    np.testing.assert_allclose(leader.q[visited], expected[visited], atol=1e-8)
    # Every state of the episode's three layers is weighted by the share of steps spent there.
    share = np.bincount(play.seen.joint_state, minlength=6 * K) / play.seen.num_steps
    values = (share[:, None] * np.einsum("zab,zab->za", play.response, expected)).reshape(K, 6, 2).sum(axis=0)
    f = play.seen.commitment
    softmax = f * (values - (f * values).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(estimate, softmax.ravel(), atol=1e-8)


def vars_of(seen):
    return {name: getattr(seen, name) for name in type(seen).__dataclass_fields__}


def settle(follower_discount, seed):
    game = random_tabular_v1.make_game(
        S=4, A=2, B=3, commitment="policy", leader_discount=0.9, follower_discount=follower_discount,
        temperature=0.5, seed=seed,
    )  # fmt: skip
    record = agents.run(
        game, leader="biac", updates=300, steps_per_update=1_000, evaluate_every=0,
        leader_options={"learning_rate": 0.1, "decay": 0.0},
    )  # fmt: skip
    return game, record


def test_it_is_not_the_hypergradient():
    # On the toy at R = 1 and even odds, playing 0 more often in A (state 1) draws the follower there: worth +4.34.
    # With the follower's policy held fixed, playing 1 sends it back to S, where the leader is paid.
    game = discrete_toy_v1.make_game()
    kind = leader_class("biac")
    leader = kind(make_brief(game, Information.RESPONSE), kind.Config(), np.random.default_rng(0))
    solution = solve(game, leader.commit())
    seen = agents.collect(game, solution.x, solution.response, steps=30_000, rng=0)
    seen = type(seen)(**{**vars_of(seen), "response": solution.best.policy})
    by_logit = [
        leader.brief.parametrisation.vjp(leader.theta, dx)[2] for dx in (leader.gradient(seen)[0], solution.gradient)
    ]
    assert by_logit[0] < 0 < by_logit[1]


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.deep) for seed in (2, 3))])
def test_against_a_myopic_follower_it_reaches_the_optimum(seed):
    game, record = settle(0.0, seed)
    vertices = [np.eye(2)[list(choice)] for choice in product(range(2), repeat=4)]
    optimum = max(solve(game, x).leader_value for x in vertices)
    assert record.leader_value == pytest.approx(optimum, abs=0.01)


@pytest.mark.parametrize("seed", [0, 2, pytest.param(3, marks=pytest.mark.deep)])
def test_it_settles_where_no_change_pays_while_the_follower_keeps_its_policy(seed):
    game, record = settle(0.8, seed)
    x = record.commitment
    assert (x.max(axis=1) > 0.98).all()
    solution = solve(game, np.round(x))
    values = np.einsum("sab,sab->sa", solution.response, solution.leader_q)
    np.testing.assert_array_equal(values.argmax(axis=1), x.argmax(axis=1))


def test_that_need_not_be_a_good_commitment():
    # Seed 2: the feedback equilibrium is worth -1.99; committing to (0, 1) in states 2 and 0 of the same game, 1.2.
    game, record = settle(0.8, 2)
    best = max(solve(game, np.eye(2)[list(choice)]).leader_value for choice in product(range(2), repeat=4))
    assert best > 1.2
    assert record.leader_value < -1.9
    # On the toy it punishes more and more, until the follower stays away.
    one_ascent = leader_class("biac").presets["published"]
    toy = agents.run(
        discrete_toy_v1.make_game(), leader="biac", leader_options=one_ascent,
        updates=200, steps_per_update=1_500, evaluate_every=0,
    )  # fmt: skip
    assert toy.leader_value < 1.0


def test_what_it_does_not_support_is_refused_by_name():
    with pytest.raises(ArgumentError, match="biac: expected a commitment that sets leader_policy and nothing else"):
        agents.run(four_rooms_v0.make_game(), leader="biac", updates=1)
    game = discrete_toy_v1.make_game()
    kind = leader_class("biac")
    assert kind.required_information(game.commitment, kind.Config()) == Information.RESPONSE
    leader = kind(make_brief(game, Information.RESPONSE), kind.Config(), np.random.default_rng(0))
    x = np.full((3, 2), 0.5)
    with pytest.raises(InformationError, match="biac: expected the follower's policy"):
        leader.update(agents.collect(game, x, solve(game, x).response, steps=10, rng=0))
