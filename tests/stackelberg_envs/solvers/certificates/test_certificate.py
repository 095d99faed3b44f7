import math

import numpy as np

import stackelberg_envs as se


def test_the_gap_is_a_share_of_the_size_of_the_value():
    def of(value, upper):
        return se.Certificate(value, np.zeros(1), upper, 1, 0.0, "boxes").gap

    assert of(2.0, 2.5) == 0.25
    assert of(-2.0, -1.5) == 0.25
    assert of(0.0, 0.0) == 0.0
    assert of(0.0, 1.0) == math.inf
