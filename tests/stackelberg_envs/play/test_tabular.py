"""The simulator of tabular games."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.play.session import PLAY, Session
from stackelberg_envs.play.tabular import TabularSimulator
from tests.games import small_game


def test_simulated_frequencies_are_the_games():
    # 40,000 steps of a random game; per state and actions a z-score each, some 400 of them, all below 5:
    # false-alarm rate below 400 * 6e-7 = 2.4e-4.
    game = se.random_tabular(S=5, A=2, B=2, K=2, branching=3, horizon=50)
    x = game.commitment.project(np.zeros(4))
    primitives = game.primitives(x)
    session = Session(game)
    moves = np.zeros((10, 2, 2, 10))
    shown = np.zeros((10, 2))
    starts = np.zeros(10)
    session.reset(7)
    rng = np.random.default_rng(7)
    for _ in range(800):
        session.reset()
        session.commit(x)
        starts[session.context * 5 + session.states[0]] += 1
        while session.phase == PLAY:
            session.play([int(rng.integers(2))])
            record = session.records[0]
            base = 5 * record["context"]
            z, a, b = base + record["state"], record["leader_action"], record["follower_action"]
            moves[z, a, b, base + record["next_state"]] += 1
            shown[z, a] += 1
    kernel = primitives.transition.to_dense()
    for counts, probabilities in (
        (moves, kernel),
        (shown, primitives.leader_policy),
        (starts, primitives.initial),
    ):
        totals = counts.sum(axis=-1, keepdims=True)
        spread = np.sqrt(totals * probabilities * (1 - probabilities))
        assert (counts[probabilities == 0] == 0).all()
        certain = spread == 0
        assert (np.abs(counts - totals * probabilities)[~certain] < 5 * spread[~certain] + 5).all()


def test_a_large_game_reads_its_tables_without_copying_them_to_lists():
    game = se.random_tabular(S=3000, A=2, B=3, branching=5)
    session = Session(game)
    session.reset(0)
    session.commit(np.zeros(4))
    session.play([1])
    record = session.records[0]
    index = record["state"], record["leader_action"], 1
    assert record["leader_reward"] == game.leader_reward[index]
    assert type(record["leader_reward"]) is float
    assert record["next_state"] in game.transition.successors[index]


def shown(value):
    """A number as it is, a vector to six digits, since the last ones of sines and exponentials vary by machine."""
    return " ".join(f"{part:.6g}" for part in value) if isinstance(value, np.ndarray) else str(value)


def test_before_the_leader_acts_the_mask_is_of_all_that_may_be_feasible():
    mask = np.ones((3, 2, 2), bool)
    mask[0, 0, 1] = mask[1, :, 0] = False
    simulator = TabularSimulator(small_game(feasible=mask))
    told = [simulator.action_mask(state, a).tolist() for state, a in ((0, None), (0, 0), (1, None), (None, None))]
    assert told == [[1, 1], [1, 0], [0, 1], [1, 1]]
    assert TabularSimulator(small_game()).action_mask(0, None) is None
