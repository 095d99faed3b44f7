"""Briefs: what a leader knows beforehand, by kind of game."""

from dataclasses import fields

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.leaders import leader_class
from agents.observing.brief import Information, TabularBrief, VectorBrief
from agents.runs.briefing import make_brief
from stackelberg_envs.errors import ArgumentError, InformationError

TOY, BUILDING = (se.make_game(f"stackelberg/{name}-v1") for name in ("DiscreteToy", "BuildingThermal"))


def names_of(brief):
    return {item.name for item in fields(brief)}


def test_a_brief_has_the_fields_of_its_kind_of_game_only():
    tables, vectors = (make_brief(game, Information.ACTIONS_ONLY) for game in (TOY, BUILDING))
    assert (type(tables), type(vectors)) == (TabularBrief, VectorBrief)
    assert isinstance(tables, agents.Brief) and isinstance(vectors, agents.Brief)
    shared = names_of(agents.Brief)
    assert names_of(tables) - shared == {
        "num_states", "num_leader_actions", "num_follower_actions", "feasible",
        "leader_policy", "uniform_play", "train",
    }  # fmt: skip
    assert names_of(vectors) - shared == {"state_size", "leader_action_size", "follower_actions", "model_class"}
    assert tables.table_shape == (3, 2, 3)
    assert vectors.state_size == int(np.prod(BUILDING.state_space.shape))


def test_what_is_no_game_has_no_brief():
    with pytest.raises(ArgumentError, match="game: expected a game, got int"):
        make_brief(3, Information.ACTIONS_ONLY)


def test_control_is_for_games_of_tables():
    def play(steps):
        raise NotImplementedError

    tables, vectors = (make_brief(game, Information.MODEL) for game in (TOY, BUILDING))
    assert tables.uniform_play is tables.train is None
    given = tables.with_control(play, play)
    assert given.uniform_play is given.train is play
    assert given.model is TOY
    assert vectors.with_control(play, play) is vectors


@pytest.mark.parametrize("game", [TOY, BUILDING])
def test_a_private_temperature_is_known_from_the_response_on(game):
    private = game.replace(publish_temperature=False)
    assert make_brief(private, Information.RESPONSE).known_temperature == game.temperature
    brief = make_brief(private, Information.REWARDS_OBSERVED)
    assert brief.temperature is None
    with pytest.raises(InformationError, match="temperature: expected a public one, but this game keeps it private"):
        _ = brief.known_temperature


def test_the_games_own_rewards_are_for_whom_the_game_is():
    x = np.full(TOY.commitment.shape, 0.5)
    assert make_brief(TOY, Information.RESPONSE).model_reward(x) is None
    np.testing.assert_array_equal(make_brief(TOY, Information.MODEL).model_reward(x), TOY.primitives(x).leader_reward)
    assert make_brief(BUILDING, Information.MODEL).model_reward(BUILDING.commitment.low) is None


def test_dynamics_are_told_where_the_commitment_sets_them():
    game = se.random_tabular_v1.make_game(S=4, A=1, B=2, K=2, commitment="features", temperature=1.0, seed=0)
    brief = make_brief(game, Information.ACTIONS_ONLY)
    effect = brief.effect(np.zeros(game.commitment.shape))
    assert effect.transition is None
    assert effect.leader_policy.shape == (8, 1)


@pytest.mark.parametrize(("kind", "game"), [("tabular", BUILDING), ("vector", TOY)])
def test_a_leader_refuses_the_brief_of_another_kind_of_game(kind, game):
    leader = leader_class("bchg", kind)
    message = f"bchg: expected the brief of a {kind} game, got that of a {game.kind} one"
    with pytest.raises(ArgumentError, match=message):
        leader(make_brief(game, leader.information), leader.Config(), np.random.default_rng(0))
