"""Followers and leaders in games with feasible actions, and with discount 1: they respect both, or refuse by name."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.behaviour import CarriedBehaviour
from agents.estimators.counts import BehaviourEstimate, even_policy
from agents.followers.base import FOLLOWERS
from agents.followers.several import make_follower
from agents.leaders.base import LEADERS
from agents.runs.experiment import Experiment, ExperimentConfig
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.play.rollout import rollout
from tests.games import small_game

S, A, B = 4, 2, 3


def game(seed=0, discount=1.0, **changes):
    """Random moves that end play with a chance of one in ten at least, and random feasible actions."""
    rng = np.random.default_rng(seed)
    moves = rng.dirichlet(np.full(S, 0.5), size=(S, A, B))
    moves[..., -1] += 0.15
    feasible = rng.random((S, A, B)) < 0.6
    feasible[~feasible.any(axis=2), 0] = True
    given = {
        "transition": moves / moves.sum(axis=-1, keepdims=True),
        "leader_reward": rng.standard_normal((S, A, B)),
        "follower_reward": rng.standard_normal((S, A, B)),
        "initial": np.eye(S)[0],
        "terminal": np.arange(S) == S - 1,
        "leader_discount": discount,
        "follower_discount": discount,
        "temperature": 0.3,
        "feasible": feasible,
        "horizon": 300,
        "commitment": se.PolicyTable(S, A),
    }
    return TabularGame(**(given | changes))


GAME = game()
X = np.full((S, A), 0.5)
LEARNERS = {"soft_q_learning": {"exploration": 0.3}, "expected_sarsa": {"exploration": 0.0}}


@pytest.mark.parametrize("name", ["soft_value_iteration", "hard_best_response", "exact"])
def test_planners_respond_as_the_solver_does(name):
    kind = FOLLOWERS.find(name)
    follower = make_follower(kind, kind.Config(), np.random.default_rng(0), GAME)
    follower.learn(GAME.under(X))
    hard = name == "hard_best_response"
    exact = se.hard_best_response(GAME, X).policy if hard else se.solve(GAME, X).policy
    assert np.abs(follower.policy - exact).max() <= 1e-7
    assert all(np.isfinite(table).all() for table in follower.tables().values())


def test_sweeps_come_to_the_response():
    kind = FOLLOWERS.find("soft_value_iteration")
    follower = make_follower(kind, kind.Config(sweeps=40), np.random.default_rng(0), GAME)
    for _ in range(10):
        follower.learn(GAME.under(X))
    assert np.abs(follower.policy - se.solve(GAME, X).policy).max() <= 1e-6


@pytest.mark.parametrize("name", LEARNERS)
def test_learners_come_near_the_response_by_feasible_actions_alone(name):
    kind = FOLLOWERS.find(name)
    config = kind.Config(steps=200_000, least_step=0.001, **LEARNERS[name])
    follower = make_follower(kind, config, np.random.default_rng(0), GAME)
    follower.learn(GAME.under(X))
    assert (follower.policy[~GAME.feasible] == 0.0).all()
    assert (follower.visits[~GAME.feasible] == 0.0).all()
    assert np.isfinite(follower.q).all()
    assert np.abs(follower.policy - se.solve(GAME, X).policy).max() <= 0.05


def test_a_learner_on_the_interface_takes_feasible_actions():
    kind = FOLLOWERS.find("soft_q_learning")
    follower = kind(kind.Config(exploration=0.5), np.random.default_rng(0))
    follower.learn_from_env(se.follower_env(game=GAME, commitment=X), 3_000)
    assert (follower.policy[~GAME.feasible] == 0.0).all()


@pytest.mark.parametrize("make", [CarriedBehaviour, lambda shape, able: BehaviourEstimate(shape, 1.0, able)])
def test_estimates_of_behaviour_begin_with_feasible_actions_alike(make):
    estimate = make((S, A, B), GAME.feasible)
    even = GAME.feasible / GAME.feasible.sum(axis=2, keepdims=True)
    assert (estimate.policy == even).all()
    assert (even_policy((S, A, B), None) == 1.0 / B).all()
    seen = rollout(GAME.under(X), se.solve(GAME, X).policy, np.random.default_rng(0), steps=300)
    found = estimate.update(seen)
    assert (found[~GAME.feasible] == 0.0).all()
    if isinstance(estimate, CarriedBehaviour):
        estimate.carry(np.zeros((S, A, B)))
        assert (estimate.smoothed[~GAME.feasible] == 0.0).all()
        assert (estimate.smoothed[GAME.feasible] > 0.0).all()
        assert np.isfinite(estimate.policy).all()


@pytest.mark.parametrize(
    ("leader", "discount"),
    [
        *(("bchg", 1.0), ("bchg", 0.9), ("certainty_equivalent", 1.0), ("exact", 1.0)),
        *(("amd", 1.0), ("biac", 1.0), ("penalty", 1.0), ("rtq", 1.0), ("sobirl", 1.0), ("sobirl", 0.9)),
    ],
)
def test_leaders_come_near_the_best(leader, discount):
    """99 % of what there is to be gained over the even policy."""
    played = game(discount=discount)
    best = se.best_commitment(played, evaluations=500).value
    first = se.solve(played, X).leader_value
    updates = 5 if leader == "certainty_equivalent" else 30
    record = agents.run(played, leader=leader, updates=updates, steps_per_update=500, seed=0)
    assert se.solve(played, record.commitment).leader_value >= first + 0.99 * (best - first)


@pytest.mark.parametrize("options", [{"critic": "lstd"}, {"critic": "monte_carlo"}])
@pytest.mark.parametrize("leader", ["bchg", "hpgd"])
def test_critics_know_feasible_actions_and_discount_one(leader, options):
    record = agents.run(GAME, leader=leader, leader_options=options, updates=10, steps_per_update=500, seed=0)
    assert se.solve(GAME, record.commitment).leader_value > se.solve(GAME, X).leader_value


@pytest.mark.parametrize("leader", ["bchg", "certainty_equivalent"])
def test_play_that_is_always_cut_is_reckoned_with(leader):
    """Episodes end by the time limit after three steps, so that no end is ever seen."""
    cut = game(horizon=3)
    record = agents.run(cut, leader=leader, updates=3, steps_per_update=6, seed=0)
    assert np.isfinite(record.commitment).all()


def test_collecting_by_an_interface_takes_feasible_responses_only():
    env, policy = se.parallel_env(game=GAME), se.solve(GAME, X).policy
    seen = agents.collect(env, X, policy, steps=100, rng=0)
    assert GAME.feasible[seen.state, seen.leader_action, seen.follower_action].all()
    with pytest.raises(ArgumentError, match="response: expected 0 for actions that are not feasible"):
        agents.collect(env, X, np.full((S, A, B), 1.0 / B), steps=10, rng=0)


def test_the_brief_publishes_feasible_actions():
    brief = Experiment(ExperimentConfig(GAME, leader="bchg")).leader.brief
    assert (brief.feasible == GAME.feasible).all()
    assert Experiment(ExperimentConfig(small_game(), leader="bchg")).leader.brief.feasible is None


def test_every_player_of_tables_is_made_for_them():
    for registry in (LEADERS, FOLLOWERS):
        for name in registry.names():
            assert registry.find(name).serves >= GAME.demands or "tabular" not in registry.find(name).kinds, name


@pytest.mark.parametrize(("role", "name"), [("leader", "bchg"), ("follower", "exact")])
def test_who_is_not_made_for_them_refuses_by_name(monkeypatch, role, name):
    monkeypatch.setattr((LEADERS if role == "leader" else FOLLOWERS).find(name), "serves", frozenset())
    with pytest.raises(
        ArgumentError, match=rf"{role} '{name}': is not made for discount 1 and feasible actions, which"
    ):
        agents.run(GAME, **{role: name}, updates=1)
