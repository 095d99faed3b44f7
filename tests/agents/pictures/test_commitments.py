"""Colours of commitments."""

import numpy as np

from agents.pictures.commitments import incentive_colours


def test_incentives_of_both_signs_get_a_palette_with_a_middle():
    colours = incentive_colours(np.array([-1.0, 0.5]))
    assert (colours["vmin"], colours["vmax"]) == (-1.0, 1.0)
    assert incentive_colours(np.zeros(3))["vmax"] > 0.0
