"""The picture of the guided pendulum: what a person must be able to find in it."""

import numpy as np

import stackelberg_envs as se
from stackelberg_envs.envs.guided_pendulum import picture as picture_of
from stackelberg_envs.pictures import canvas as rendering

PENDULUM = "stackelberg/GuidedPendulum-v0"


def frame_of(spec_id, state, wind, phase="play"):
    return rendering.Frame(
        game=se.make_game(spec_id),
        x=None if phase == "commitment" else np.zeros(se.make_game(spec_id).commitment.shape),
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


def columns(picture, colour):
    """Return the columns in which a colour occurs."""
    return np.flatnonzero((picture == np.array(colour, np.uint8)).all(axis=2).any(axis=0))


def test_the_pendulum_hangs_on_the_side_its_sine_says():
    middle = picture_of.WIDTH / 2
    for angle in (0.8, -0.8, 2.5):
        state = np.array([np.cos(angle), np.sin(angle), 0.0])
        picture = picture_of.pendulum.pixels(frame_of(PENDULUM, state, None))
        assert np.sign(middle - columns(picture, rendering.FOLLOWER).mean()) == np.sign(np.sin(angle))


def test_wind_turns_the_pendulum_in_the_direction_of_its_arrow():
    # Upright, a positive wind adds to the angle, which grows to the left.
    upright = np.array([1.0, 0.0, 0.0])
    for wind in (-1.0, 1.0):
        picture = picture_of.pendulum.pixels(frame_of(PENDULUM, upright, wind))
        calm = picture_of.pendulum.pixels(frame_of(PENDULUM, upright, 0.0))
        changed = np.flatnonzero((picture[85:115] != calm[85:115]).any(axis=(0, 2)))
        assert np.sign(picture_of.WIDTH / 2 - changed.mean()) == wind
