"""The economy of tax design by hand."""

import numpy as np
import pytest

from stackelberg_envs.envs import tax_design_v0
from stackelberg_envs.envs.tax_design.economy import welfare

GAME = tax_design_v0.make_game()


def test_welfare_by_hand():
    """8.01 hours at t_0 = .5, five of good 1 at VAT .25: four are enjoyed, one is paid in tax."""
    x = np.array([0.5, 0.25, 0.0, 0.0])
    value = welfare(GAME.rules, x, np.array([8.01]), np.array([[5.0, 0.0, 0.0]]))
    assert value[0] == pytest.approx(15 * (4 / 3) / 5 + 5 * np.log(1 + 1.0 + 4.005))
