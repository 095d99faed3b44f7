"""A game under a commitment: x is checked when it is made, arrays are made once."""

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, CommitmentError
from stackelberg_envs.games.commitments.base import Commitment
from stackelberg_envs.games.committed import Committed

TOY, LQR = se.make_game("stackelberg/DiscreteToy-v1"), se.make_game("stackelberg/BilevelLqr-v1")


@pytest.mark.parametrize("game", [TOY, LQR])
def test_x_is_checked_where_the_game_is_put_under_it(game):
    x = 0.5 * (game.commitment.low + game.commitment.high)
    committed = game.under(x.tolist())
    assert isinstance(committed, Committed)
    assert committed.game is game
    np.testing.assert_array_equal(committed.commitment, game.commitment.check(x))
    with pytest.raises(CommitmentError):
        game.under(np.full(7, np.nan))


def test_arrays_are_those_of_the_game_and_made_once(monkeypatch):
    checks = []
    check = Commitment.check
    monkeypatch.setattr(Commitment, "check", lambda self, x: checks.append(1) or check(self, x))
    committed = TOY.under(np.full((3, 2), 0.5))
    first = committed.primitives
    assert committed.primitives is first
    assert len(checks) == 1
    np.testing.assert_array_equal(first.leader_policy, TOY.primitives(np.full((3, 2), 0.5)).leader_policy)


def test_games_of_vectors_have_no_arrays():
    committed = LQR.under(np.zeros(LQR.commitment.shape))
    with pytest.raises(ArgumentError, match="expected a tabular game"):
        _ = committed.primitives


def test_play_from_every_state_is_under_the_same_commitment():
    committed = TOY.under(np.full((3, 2), 0.5))
    anywhere = committed.from_every_state()
    assert anywhere.commitment is committed.commitment
    np.testing.assert_allclose(anywhere.primitives.initial, 1.0 / 3)
    with pytest.raises(ArgumentError, match="expected a tabular game for play from every state"):
        LQR.under(LQR.commitment.low).from_every_state()


def test_play_from_every_state_has_room_for_the_longest_episode():
    """With discount 1 a game cuts no episode; one that begins before the game's first state is longer than any."""
    S = 5
    chain = np.eye(S)[np.minimum(np.arange(S) + 1, S - 1)][:, None, None]
    game = se.TabularGame(
        transition=chain,
        leader_reward=np.zeros((S, 1, 1)),
        follower_reward=np.zeros((S, 1, 1)),
        initial=np.eye(S)[S - 2],
        terminal=np.arange(S) == S - 1,
        leader_discount=1.0,
        follower_discount=0.5,
        temperature=1.0,
        commitment=se.PolicyTable(S, 1),
        horizon=2,
    )
    assert game.under(np.ones((S, 1))).from_every_state().game.horizon == S
