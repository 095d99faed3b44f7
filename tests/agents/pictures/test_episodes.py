"""Films of episodes: whose answer plays, and what is shown of it."""

import numpy as np
import pytest

import stackelberg_envs as se
from agents.pictures import episodes
from agents.pictures.episodes import episode, named_commitment
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.pictures.canvas import FOLLOWER
from tests.pictures import has

IDS = [name for name in se.registered_ids() if name.startswith("stackelberg/")]


@pytest.mark.parametrize("spec_id", IDS)
def test_every_environment_can_be_watched(spec_id):
    entry = se.spec(spec_id)
    game = entry.make()
    pictures = episode(game, named_commitment(game), steps=3, renderer=entry.renderer)
    assert len(pictures) == 2 + min(3, game.horizon)
    assert len({picture.shape for picture in pictures}) == 1
    assert not np.array_equal(pictures[0], pictures[1])
    assert not np.array_equal(pictures[1], pictures[-1])


def test_the_answer_to_the_commitment_plays(monkeypatch):
    game = se.make_game("stackelberg/FourRooms-v0", temperature=0.001, slip=0.0)
    seen = []
    monkeypatch.setattr(episodes, "draw", lambda session, renderer, mode: seen.append(session.states[0]))
    episode(game, np.zeros(104), steps=100)
    assert seen[0] is None
    # From the start to the goal there are at least eleven moves, and the hard answer makes no other.
    assert len(seen) == 14
    assert len(set(seen[1:])) == 12


def test_a_game_with_contexts_can_be_watched():
    game = se.make_game("stackelberg/FourRooms-v0", goals=[(1, 9), (11, 11)])
    assert len(episode(game, np.zeros(104), steps=3)) == 5


def test_equal_seeds_show_equal_episodes():
    game = se.make_game("stackelberg/DiscreteToy-v1")
    x = named_commitment(game, "start")
    first, again, other = (episode(game, x, steps=8, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert has(first[-1], FOLLOWER)


def test_commitments_have_names():
    known = se.make_game("stackelberg/DiscreteToy-v1")
    unknown = known.replace(facts={})
    best = known.facts["best_commitment"]
    assert np.array_equal(named_commitment(known), best)
    assert np.array_equal(named_commitment(known, "best-known"), best)
    for game, name in ((known, "start"), (unknown, "start"), (unknown, None)):
        assert np.array_equal(named_commitment(game, name), np.full((3, 2), 0.5))
    with pytest.raises(ArgumentError, match="no best one of this 'Discrete toy' is known"):
        named_commitment(unknown, "best-known")
    with pytest.raises(ArgumentError, match="expected 'best-known', 'start' or the folder of a run, got 'better'"):
        named_commitment(known, "better")
