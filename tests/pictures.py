"""What the tests of pictures share: ways to draw a game, and ways to find things in what was drawn."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.pictures import canvas


def shown(spec_id, mode, x=None, steps=0, actions=None, **kwargs):
    """Return what a game shows after a commitment and some steps, of action 0 or of the given actions."""
    env = se.parallel_env(spec_id, render_mode=mode, **kwargs)
    env.reset(seed=0)
    if x is not None:
        env.step({"leader_0": x})
    for action in [None] * steps if actions is None else actions:
        played = dict.fromkeys(env.agents, 0)
        env.step(played if action is None else {"leader_0": x, "follower_0": np.asarray(action, np.float32)})
    return env.render()


def frame_of(spec_id, state, wind, phase="play"):
    """Return a moment of a game of vectors in which its follower is in a state and the wind blows."""
    game = se.make_game(spec_id)
    return canvas.Frame(
        game=game,
        x=None if phase == "commitment" else np.zeros(game.commitment.shape),
        phase=phase,
        context=0,
        states=(state,),
        leader_actions=(None if wind is None else np.array([wind]),),
        played=3,
        leader_return=1.0,
        follower_returns=(2.0,),
        terminated=False,
        records=({},),
    )


def has(picture, colour):
    """Whether a colour occurs."""
    return bool((picture == np.array(colour, np.uint8)).all(axis=2).any())


def columns(picture, colour):
    """Return the columns in which a colour occurs."""
    return np.flatnonzero((picture == np.array(colour, np.uint8)).all(axis=2).any(axis=0))
