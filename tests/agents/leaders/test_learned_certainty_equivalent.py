"""Certainty equivalence in games that publish no form."""

from dataclasses import replace

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.leaders import leader_class
from agents.leaders.learned_certainty_equivalent import LearnedCertaintyEquivalent
from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from benchmarks.guided_defaults import value as value_by_play
from tests.agents.estimators.models.test_learned import Steering, boat

PENDULUM = "stackelberg/GuidedPendulum-v0"
COARSE = {"points": (24, 31), "tolerance": 0.5}


def leader_of(game, rng=0, **options):
    kind = leader_class("certainty_equivalent", game.kind)
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    return kind(brief, kind.Config(**options), np.random.default_rng(rng))


def taught(leader, game, updates):
    """Return what the leader says in each update, with a helmsman who answers at once."""
    rng, told = np.random.default_rng(1), []
    for _ in range(updates):
        x = leader.announce()
        told.append(leader.observe(agents.collect(game, x, Steering(x), steps=300, rng=rng)))
    return told


def test_a_game_without_a_form_is_learned_by_the_same_name():
    assert type(leader_of(boat())) is LearnedCertaintyEquivalent
    assert type(leader_of(se.make_game("stackelberg/BuildingThermal-v1"))) is not LearnedCertaintyEquivalent


def test_it_finds_the_best_toll_and_plans_in_a_model_that_agrees():
    # By play of 3,000 episodes: .575 at 1.25, less than .53 below .9 and above 1.6.
    leader = leader_of(boat())
    told = taught(leader, boat(), 40)
    agreement = np.array([each["model_agreement"] for each in told])
    assert np.nanmax(agreement) > 0.8
    assert np.isfinite(agreement).sum() == 3  # with 8, 16 and 32 commitments
    assert 0.9 < leader.recommend()[0] < 1.6


def test_so_many_are_drawn_as_asked_for():
    told = taught(leader_of(boat(), draws=5), boat(), 7)
    assert [each["exploring"] for each in told] == [1.0] * 5 + [0.0] * 2


def test_a_run_on_the_pendulum_goes_on_after_an_interruption(tmp_path):
    options = {
        "leader": "certainty_equivalent",
        "follower_options": COARSE,
        "updates": 14,
        "steps_per_update": 400,
        "evaluate_every": 0,
    }
    whole = agents.run(PENDULUM, **options)

    def stop(progress):
        if progress.update == 9:
            raise KeyboardInterrupt

    agents.run(PENDULUM, **options, output=tmp_path, checkpoint_every=1, progress=stop)
    resumed = agents.run(PENDULUM, resume=tmp_path)
    np.testing.assert_array_equal(resumed.commitment, whole.commitment)
    np.testing.assert_array_equal(resumed.curve["observed_return"], whole.curve["observed_return"])


def test_it_likes_ten_episodes_of_a_game_without_a_form():
    kind = leader_class("certainty_equivalent", "vector")
    brief = make_brief(boat(), Information.REWARDS_OBSERVED)
    assert kind.preferred_steps(brief, kind.Config()) == 300


class Flat(type(boat())):
    """The boat, of which the leader earns nothing."""

    def step(self, *given):
        """Return a step that pays the leader nothing."""
        made = super().step(*given)
        return replace(made, leader_reward=np.zeros_like(made.leader_reward))


def test_where_every_commitment_earns_the_same_it_goes_on_without_a_model():
    game = object.__new__(Flat)
    vars(game).update(vars(boat()))
    leader, rng = leader_of(game), np.random.default_rng(1)
    for _ in range(20):
        x = leader.announce()
        told = leader.observe(agents.collect(game, x, Steering(x), steps=300, rng=rng))
        assert not told["model_agreement"] > 0
    assert np.isfinite(leader.recommend()).all()


@pytest.mark.deep
@pytest.mark.parametrize("game", [PENDULUM, "stackelberg/GuidedCartPole-v0"])
def test_guided_games_are_won_without_options(game):
    record = agents.run(game, leader="certainty_equivalent", steps=1_000_000, seed=1000, evaluate_every=0)
    made = se.make_game(game)
    commitments = np.zeros(made.commitment.shape), made.facts["best_commitment"], record.commitment
    start, best, end = (value_by_play(made, x)[0] for x in commitments)
    assert end > start + 0.9 * (best - start)
