from dataclasses import replace

import numpy as np

from stackelberg_envs.games import markov_primitives
from tests.stackelberg_envs.solvers.equilibrium.markov_arrays import random_arrays


def test_the_kernel_is_the_transition_where_play_goes_on(monkeypatch):
    game = random_arrays(sizes=(2, 3))
    dense = game.transition.to_dense()[:, 0]
    dense[-1] = 0.0
    assert (game.num_states, game.num_joint, game.num_followers) == (4, 6, 2)
    np.testing.assert_allclose(game.kernel.reshape(4, 6, 4), dense)
    monkeypatch.setattr(markov_primitives, "MOST_DENSE", 0)
    np.testing.assert_allclose(replace(game).kernel.toarray().reshape(4, 6, 4), dense)
