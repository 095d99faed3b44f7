"""Learners of pairs of origin and destination come to the logit equilibrium of all traffic, and stay there."""

from dataclasses import replace

import numpy as np
import pytest

import stackelberg_envs as se
from agents.followers.origin_destination import PairLearners
from agents.followers.tabular import TabularLearnerConfig
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.solvers.equilibrium.congestion import traffic_equilibrium

ROUTING = "stackelberg/TollRouting-v0"
#: In units of all traffic: what is left after 3,000 rounds is what rarely taken links have yet to learn.
NEAR = 1e-3


def learners_of(game, tolls, seed=0, **options):
    given = {"steps": 5, "least_step": 0.02, "exploration": 0.3} | options
    config = TabularLearnerConfig(**given)
    return PairLearners(game.commitment.network, tolls, game.temperature, config, np.random.default_rng(seed))


@pytest.mark.parametrize("arguments", [{"network": "pigou", "power": 2.0}, {"network": "braess"}])
@pytest.mark.parametrize("toll", [0.0, 0.3])
def test_learned_flows_are_those_of_the_logit_equilibrium(arguments, toll):
    game = se.make_game(ROUTING, **arguments)
    tolls = np.zeros(len(game.commitment.network.tails))
    tolls[-1] = toll
    truth = traffic_equilibrium(game.commitment.network, tolls, game.temperature).flows
    learners = learners_of(game, tolls)
    assert np.abs(learners.flows - truth).max() > 0.05
    learners.learn(3000)
    np.testing.assert_allclose(learners.flows, truth, rtol=0.0, atol=NEAR)


def test_pairs_that_crowd_one_link_meet_each_other():
    demand = np.zeros((3, 3))
    demand[0, 2], demand[1, 2] = 1.0, 2.0
    # Who starts at 0 goes to 2 at once or by 1, where it takes the two links of those who start there.
    network = {"tails": [0, 0, 1, 1], "heads": [2, 1, 2, 2], "base": [1.0, 0.0, 0.0, 1.5], "demand": demand}
    game = se.make_game(ROUTING, network=network | {"slope": [0.5, 0.1, 1.0, 0.2], "power": np.ones(4)})
    truth = traffic_equilibrium(game.commitment.network, np.zeros(4), game.temperature).flows
    assert (truth > 0.1).all()
    learners = learners_of(game, np.zeros(4), steps=10)
    learners.learn(3000)
    np.testing.assert_allclose(learners.flows, truth, rtol=0.0, atol=NEAR * 3.0)


def test_all_pairs_of_sioux_falls_stay_at_the_equilibrium_and_come_nearer_from_elsewhere():
    game = se.make_game(ROUTING, network="sioux_falls")
    network, tolls = game.commitment.network, np.random.default_rng(0).uniform(0.0, 3.0, 76)
    truth = traffic_equilibrium(network, tolls, game.temperature)
    learners = learners_of(game, tolls, steps=5000)
    assert len(learners.demand) == 528
    far = np.abs(learners.flows - truth.flows).sum()
    learners.learn(60)
    assert np.abs(learners.flows - truth.flows).sum() < 0.5 * far
    # What links are worth at the equilibrium, by the solver: every target is then what is known already.
    worth = truth.loading.values[:, network.heads] - truth.latencies - tolls  # (D, E)
    for p, d in enumerate(learners.goals):
        for e in np.flatnonzero(network.usable[d]):
            s = network.tails[e]
            b = np.flatnonzero(np.flatnonzero(network.tails == s) == e)
            learners.q[p * 24 + s, 0, b] = worth[d, e]
    # A trip that is over takes a step that costs nothing.
    learners.q[(network.destinations[learners.goals] + 24 * np.arange(528)), 0, 0] = 0.0
    for rounds in (1, 5):
        np.testing.assert_allclose(learners.flows, truth.flows, rtol=0.0, atol=1e-9 * network.total)
        learners.learn(rounds)


def test_before_anything_is_learned_all_links_that_lead_on_are_alike():
    learners = learners_of(se.make_game(ROUTING, network="braess"), np.zeros(5))
    np.testing.assert_allclose(learners.flows, [0.5, 0.5, 0.25, 0.75, 0.25])


def test_networks_with_circles_and_tolls_of_another_shape_are_refused():
    game = se.make_game(ROUTING, network="sioux_falls")
    with pytest.raises(ArgumentError, match=r"tolls: expected one for each link, shape \(76,\), got shape \(5,\)"):
        learners_of(game, np.zeros(5))
    network = game.commitment.network
    circles = replace(network, usable=np.ones_like(network.usable))
    with pytest.raises(ArgumentError, match="some that lead in circles"):
        PairLearners(circles, np.zeros(76), 0.5, TabularLearnerConfig(), np.random.default_rng(0))
