"""The picture of the guided pendulum: what a person must be able to find in it."""

import numpy as np

from stackelberg_envs.envs.guided_pendulum import picture as picture_of
from stackelberg_envs.pictures import canvas as rendering
from tests.pictures import columns, frame_of

PENDULUM = "stackelberg/GuidedPendulum-v0"


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
