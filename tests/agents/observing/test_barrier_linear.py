"""What is reachable from the brief of a linear-quadratic game: its form, never its secrets."""

from dataclasses import fields

import numpy as np
import pytest

from agents.observing.brief import Information
from agents.runs.briefing import make_brief
from stackelberg_envs.games.commitments.base import Commitment
from stackelberg_envs.games.linear_forms import LinearFamily, LinearForm, LinearNumbers, LinearQuadratic
from stackelberg_envs.games.linear_quadratic import LinearQuadraticGame
from tests.games import BUILDING, LQR

#: By value: what only the game knows. The designer of the building knows the dynamics it configures.
SECRETS = {
    LQR.name: ("weights", "follower_input", "leader_input"),
    BUILDING.name: ("state_cost", "action_cost", "initial_covariance"),
}
GAMES = pytest.mark.parametrize("game", [LQR, BUILDING], ids=lambda game: game.name)


@GAMES
@pytest.mark.parametrize("level", [Information.ACTIONS_ONLY, Information.REWARDS_OBSERVED])
def test_a_modest_brief_reaches_the_form_and_no_secret(game, level, reachable):
    objects = reachable(make_brief(game, level))
    for kind in (Commitment, LinearForm, LinearFamily):  # the search does search
        assert any(isinstance(item, kind) for item in objects)
    assert not any(isinstance(item, LinearQuadraticGame | LinearNumbers | LinearQuadratic) for item in objects)
    arrays = [item for item in objects if isinstance(item, np.ndarray)]
    numbers = [getattr(game.numbers, field.name) for field in fields(LinearNumbers)]
    assert not any(np.shares_memory(array, number) for array in arrays for number in numbers if number.size)
    for name in SECRETS[game.name]:
        assert not any(np.array_equal(array, getattr(game.numbers, name)) for array in arrays), name


@GAMES
def test_the_search_finds_the_numbers_at_level_model(game, reachable):
    assert any(isinstance(item, LinearNumbers) for item in reachable(make_brief(game, Information.MODEL)))
