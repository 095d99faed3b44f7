"""Where play begins."""

from __future__ import annotations

import numpy as np

import stackelberg_envs as se
from agents.estimators.first_states import MOST, FirstStates
from agents.runs.collection import collect


def test_first_states_of_all_play_are_kept_with_their_contexts() -> None:
    game, x = se.make_game("stackelberg/TaxDesign-v0", horizon=5), np.full(4, 0.3)
    policy, first = se.solve(game, x).policy, FirstStates(1)
    plays = [collect(game, x, policy, episodes=count, rng=count) for count in (3, 4)]
    for play in plays:
        first.add(play)
    expected = np.concatenate([play.state[play.offsets[:-1]] for play in plays])
    np.testing.assert_array_equal(first.states, expected)
    np.testing.assert_array_equal(first.contexts, np.concatenate([play.context for play in plays]))


def test_the_latest_are_kept() -> None:
    game, x = se.make_game("stackelberg/TaxDesign-v0", horizon=1), np.full(4, 0.3)
    play, first = collect(game, x, se.solve(game, x).policy, episodes=MOST - 1, rng=0), FirstStates(1)
    first.add(play)
    first.add(play)
    assert len(first.states) == len(first.contexts) == MOST
    np.testing.assert_array_equal(first.states[1:], play.state[play.offsets[:-1]])
