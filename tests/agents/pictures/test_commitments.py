"""Colours of commitments."""

import numpy as np

import stackelberg_envs as se
from agents.pictures.commitments import draw_commitment, incentive_colours
from agents.pictures.figures import new_figure
from tests.games import small_game


def test_incentives_of_both_signs_get_a_palette_with_a_middle():
    colours = incentive_colours(np.array([-1.0, 0.5]))
    assert (colours["vmin"], colours["vmax"]) == (-1.0, 1.0)
    assert incentive_colours(np.zeros(3))["vmax"] > 0.0


def words(x, game=None, names=()):
    figure = new_figure((6.0, 4.0))
    axes = figure.subplots()
    draw_commitment(axes, x, game, names)
    labels = [label.get_text() for axis in (axes.xaxis, axes.yaxis) for label in axis.get_ticklabels()]
    return {*labels, *(text.get_text().partition("\n")[0] for text in axes.texts)}


def test_entries_of_a_commitment_have_their_names():
    roads = ("A-B", "B-C", "C-A")
    assert set(roads) <= words(np.zeros(3), names=roads)
    game = small_game(
        leader_policy=np.full((3, 2), 0.5), commitment=se.Incentive(-1, 1, (3, 1, 2), names=tuple("abcdef"))
    )
    assert set("abcdef") <= words(np.zeros((3, 1, 2)), game)
