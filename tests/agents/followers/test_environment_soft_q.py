"""Tables that are learned in an environment by stepping it."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.followers.environment_soft_q import EnvironmentSoftQConfig, EnvironmentSoftQLearning
from stackelberg_envs.errors import ArgumentError, OutputError
from tests.environments import Ladder, Pair, Slide, resumes

BONUS = se.StateIncentive(0.0, 1.0, np.ones(3))
OPTIONS = {"steps": 2_000, "least_step": 0.01, "exploration": 0.3, "initial_q": 0.5}


def learned(game, x, seed=0, **options):
    follower = EnvironmentSoftQLearning(EnvironmentSoftQConfig(**{**OPTIONS, **options}), np.random.default_rng(seed))
    follower.show(game).learn(game.under(x))
    return follower.policy


@pytest.mark.parametrize("start", [0, 5])
def test_values_are_the_soft_values_of_the_environment(start):
    """The ladder never slips, so every target is one of few numbers, and values settle to them."""
    game = se.wrap_commitment(lambda: Ladder(start=start), None, BONUS, temperature=0.2, follower_discount=0.5)
    x = np.array([0.3, 0.2, 0.1])
    found = learned(game, x, steps=20_000).q[""]
    values = np.zeros((3, 2))
    for _ in range(100):
        soft = 0.2 * np.log(np.exp(values / 0.2).sum(axis=1))
        values = x[:, None] + np.array([[0.5 * soft[s], 0.5 * soft[s + 1] if s < 2 else 1.0] for s in range(3)])
    np.testing.assert_allclose(found, values, atol=0.01)


def test_every_agent_has_a_table_of_its_own():
    game = se.wrap_commitment(Pair, None, se.Incentive(-1.0, 1.0, (1, 1, 2)), follower_discount=0.0)
    tables = learned(game, np.zeros((1, 1, 2)))
    assert tables.q["a"][0] == pytest.approx([0.0, 1.0])
    assert tables.q["b"][0] == pytest.approx([10.0, 11.0])
    acts = tables.act({"a": 0, "b": 0}, np.random.default_rng(0))
    assert set(acts) == {"a", "b"}


def test_a_leader_pays_for_waiting_where_it_earns():
    """The leader earns on rung 1 and offers bonuses; it sees play only, and learns to hold the follower there."""
    game = se.wrap_commitment(
        Ladder,
        None,
        BONUS,
        leader_reward=lambda step: float(step.observation == 1),
        leader_discount=0.9,
        follower_discount=0.9,
        temperature=0.1,
        horizon=30,
    )
    record = agents.run(
        game,
        leader="bchg",
        updates=15,
        steps_per_update=150,
        evaluate_every=5,
        follower_options={"steps": 1_000},
    )
    assert record.information == "ACTIONS_ONLY"
    assert record.leader_value > record.start_value + 2.0
    assert np.argmax(record.commitment) == 1


@pytest.mark.parametrize("make_env", [Ladder, Pair])
def test_a_stopped_run_goes_on_as_if_it_had_not_been_stopped(tmp_path, make_env):
    bonus = {Ladder: BONUS, Pair: se.Incentive(-1.0, 1.0, (1, 1, 2))}[make_env]
    game = se.wrap_commitment(make_env, None, bonus, horizon=10, evaluation_episodes=2)
    resumes(tmp_path, game, leader="bchg", updates=4, steps_per_update=30, follower_options={"steps": 50})


def test_tables_of_another_environment_or_that_are_not_finite_are_refused():
    game = se.wrap_commitment(Ladder, None, BONUS)
    follower = EnvironmentSoftQLearning(EnvironmentSoftQConfig(steps=20), np.random.default_rng(0)).show(game)
    follower.learn(game.under(np.zeros(3)))
    state = follower.state_dict()
    for tables, words in (
        ({"": np.full((3, 2), np.nan)}, "expected finite numbers"),
        ({"": np.zeros((4, 2))}, "expected"),
        ({"a": np.zeros((3, 2))}, "expected"),
    ):
        with pytest.raises(OutputError, match=words):
            follower.load_state_dict({**state, "learner": {"q": tables}})
    follower.load_state_dict(state)


def test_vectors_are_refused():
    with pytest.raises(ArgumentError, match=r"expected Discrete observations and actions, .* try sb3, or a learner"):
        agents.run(
            se.wrap_commitment(Slide, lambda env, x: env, se.wrap_commitment(Ladder, None, BONUS).commitment.space),
            leader="cma_es",
            follower="soft_q_learning",
            updates=1,
        )


@pytest.mark.filterwarnings("ignore")  # of pygame and of PettingZoo's own
def test_both_players_of_a_classic_game_are_led():
    """A leader that earns by paper sees both play, and may pay for what they show."""
    pytest.importorskip("pygame")
    from pettingzoo.classic import rps_v2

    names = ["rock", "paper", "scissors"]
    game = se.wrap_commitment(
        lambda: rps_v2.parallel_env(num_actions=3, max_cycles=10),
        None,
        se.Incentive(-1.0, 1.0, (1, 1, 3), names=names),
        leader_reward=lambda step: float(step.action == names.index("paper")),
        temperature=0.5,
        follower_discount=0.0,
        evaluation_episodes=10,
    )
    assert (game.num_agents, game.seen_as) == (2, "tabular")
    record = agents.run(
        game,
        leader="bchg",
        updates=6,
        steps_per_update=200,
        evaluate_every=0,
        follower_options={"steps": 600, "restart": True},
    )
    assert record.names == names
    assert record.commitment[0, 0, 1] > record.commitment[0, 0, [0, 2]].max()
