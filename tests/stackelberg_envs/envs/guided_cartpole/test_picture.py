"""The picture of the guided cart-pole: what a person must be able to find in it."""

import numpy as np
import pytest

from stackelberg_envs.envs.guided_cartpole import picture as picture_of
from stackelberg_envs.pictures import canvas as rendering
from tests.pictures import columns, frame_of

CARTPOLE = "stackelberg/GuidedCartPole-v0"


def test_the_cart_is_where_it_is_and_the_target_is_marked():
    places = []
    for position in (-1.0, 0.0, 1.5):
        picture = picture_of.cartpole.pixels(frame_of(CARTPOLE, np.array([position, 0, 0.1, 0]), None))
        places.append(columns(picture, rendering.FOLLOWER).mean())
        target = columns(picture[picture_of.TRACK + 4 : picture_of.TRACK + 9], rendering.TARGET)
        middle = picture_of.WIDTH / 2
        assert target.min() == pytest.approx(middle + 0.25 * picture_of.PER_METRE, abs=2)
        assert target.max() == pytest.approx(middle + 0.75 * picture_of.PER_METRE, abs=2)
    np.testing.assert_allclose(np.diff(places), [picture_of.PER_METRE, 1.5 * picture_of.PER_METRE], atol=2)


def test_the_pole_leans_to_the_side_of_its_angle():
    for angle in (-0.2, 0.2):
        picture = picture_of.cartpole.pixels(frame_of(CARTPOLE, np.array([0, 0, angle, 0]), None))
        lean = columns(picture[150:200], picture_of.WOOD).mean() - picture_of.WIDTH / 2
        assert np.sign(lean) == np.sign(angle)


@pytest.mark.parametrize("wind", [-1.0, 0.5, 1.0])
def test_arrows_are_as_long_as_the_wind_is_strong(wind):
    picture = picture_of.cartpole.pixels(frame_of(CARTPOLE, np.zeros(4), wind))
    arrows = columns(picture[85:135], rendering.STRONGEST)
    assert np.ptp(arrows) == pytest.approx(picture_of.FULL_WIND * abs(wind), abs=6)
    calm = picture_of.cartpole.pixels(frame_of(CARTPOLE, np.zeros(4), 0.0))
    assert not columns(calm[85:135], rendering.STRONGEST).size
    assert f"{wind:+.3f}" in picture_of.cartpole.text(frame_of(CARTPOLE, np.zeros(4), wind))
