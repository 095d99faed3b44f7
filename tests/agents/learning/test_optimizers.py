import numpy as np
import pytest

from agents.learning.optimizers import clip_norm, make_optimizer
from stackelberg_envs.errors import ArgumentError, UnknownNameError


def test_sgd_steps_along_the_gradient():
    assert make_optimizer("sgd", 0.1).step(np.array([2.0, -1.0])) == pytest.approx([0.2, -0.1])


def test_the_first_adam_step_is_the_learning_rate_times_the_sign():
    assert make_optimizer("adam", 0.1).step(np.array([5.0, -0.01])) == pytest.approx([0.1, -0.1], rel=1e-5)


def test_adam_by_hand_after_two_steps():
    adam = make_optimizer("adam", 1.0)
    adam.step(np.array([1.0]))
    mean, square = (0.9 * 0.1 + 0.1 * 3) / (1 - 0.81), (0.999 * 0.001 + 0.001 * 9) / (1 - 0.999**2)
    assert adam.step(np.array([3.0])) == pytest.approx([mean / np.sqrt(square)], rel=1e-6)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_optimizers_climb_a_hill(name):
    optimizer, theta = make_optimizer(name, 0.1), np.array([3.0, -2.0])
    for _ in range(400):
        theta = theta + optimizer.step(-theta)
    assert np.abs(theta).max() < 1e-2


def test_clipping_keeps_the_direction_and_short_gradients():
    assert clip_norm(np.array([3.0, 4.0]), 1.0) == pytest.approx([0.6, 0.8])
    assert clip_norm(np.array([0.3, 0.4]), 1.0) == pytest.approx([0.3, 0.4])


def test_bad_names_and_rates_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'adam'"):
        make_optimizer("adamw", 0.1)
    with pytest.raises(ArgumentError, match="learning_rate: expected a number greater than 0, got -1"):
        make_optimizer("adam", -1)
