"""The compiled pass over many copies; that it plays single environments' episodes the tests of its three faces say."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.faces.copies import TabularCopies
from stackelberg_envs.faces.observations import Observer
from stackelberg_envs.play.session import Session


def copies_of(game, n, commits=True):
    return TabularCopies(game, n, 1, Observer(Session(game)), commits=commits, last_step=game.horizon)


def test_copies_under_one_commitment_share_their_tables():
    game = se.make_game("stackelberg/FourRooms-v0")
    copies = copies_of(game, 8)
    for i in range(8):
        copies.commit(i, np.full(104, -0.1 if i < 4 else -0.2))
    assert len(np.unique(copies._rewards.of)) == 2
    assert len(np.unique(copies._successors.of)) == 1  # incentives do not move the walls
    for x in np.linspace(-0.2, 0.0, 50):
        for i in range(8):
            copies.commit(i, np.full(104, x))
    assert len(copies._rewards.arrays) <= 16  # slots that nobody uses any more are used again
    held = copies._rewards.arrays[copies._rewards.of[3]]
    np.testing.assert_array_equal(held[1], game.primitives(np.zeros(104)).follower_reward)


def test_phases_follow_one_another():
    copies = copies_of(se.make_game("stackelberg/DiscreteToy-v1", horizon=2), 1)
    copies.restart([0])
    nothing = np.zeros(1, np.int64)
    copies.advance(nothing)
    assert copies.committing().all()
    copies.commit(0, np.full((3, 2), 0.5))
    copies.advance(nothing)
    assert copies.playing().all()
    assert copies.advance(nothing).flags.tolist() == [[False], [False]]
    assert copies.advance(nothing).flags.tolist() == [[False], [True]]
    rest = copies.advance(nothing, only_play=True)
    assert not copies.playing().any()
    assert not copies.committing().any()
    assert rest.observations is copies.observations
