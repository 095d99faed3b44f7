"""The exact leader in games without an exact solution."""

import numpy as np
import pytest

import agents
from agents.leaders import leader_class
from agents.leaders.exact_by_play import EstimatedExact
from agents.observing.brief import Information, redact
from agents.runs.briefing import make_brief
from stackelberg_envs.errors import ArgumentError
from tests.agents.estimators.models.test_learned import Steering, boat

PENDULUM = "stackelberg/GuidedPendulum-v0"


def leader_of(game, **options):
    kind = leader_class("exact", game.kind)
    return kind(make_brief(game, Information.MODEL), kind.Config(**options), np.random.default_rng(0))


def test_it_judges_by_play_from_the_same_random_numbers_and_says_how_sure_it_is():
    game, leader, told = boat(), leader_of(boat(), start=[1.0]), []
    assert type(leader) is EstimatedExact
    for _ in range(30):
        x = leader.announce()
        play = agents.collect(game, x, Steering(x), steps=30, rng=0)
        told.append(leader.observe(redact(play, Information.MODEL, Steering(x))))
    assert 1.0 < leader.recommend()[0] < 1.5  # the best toll is 1.22
    assert all(0.0 < each["standard_error"] < 0.2 for each in told)
    truth = agents.collect(game, np.array([1.0]), Steering([1.0]), episodes=4_000, rng=5).mean_return(0.9)
    # Five standard errors of 200 episodes.
    assert abs(told[0]["estimated_value"] - truth) < 5 * told[0]["standard_error"]


def test_a_run_records_estimates_and_their_standard_errors():
    record = agents.run(
        PENDULUM, leader="exact", follower_options={"points": (24, 31), "tolerance": 0.5}, updates=2,
        steps_per_update=200, evaluate_every=0,
    )  # fmt: skip
    assert np.isfinite(record.curve["estimated_value"]).all()
    assert (record.curve["standard_error"] > 0).all()
    assert record.theta is None


def test_what_it_cannot_do_is_named():
    with pytest.raises(ArgumentError, match=r"parametrisation 'projection', got 'sigmoid'; cma_es"):
        agents.run(PENDULUM, leader="exact", parametrisation="sigmoid", updates=1)
    game = boat()
    leader = leader_of(game)
    with pytest.raises(ArgumentError, match="expected one follower with a policy"):
        leader.update(agents.collect(game, leader.announce(), Steering([0.0]), steps=30, rng=0))
