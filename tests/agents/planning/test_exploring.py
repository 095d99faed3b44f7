"""Commitments that explore. That the usual ways are barred is tested with the leader too."""

import numpy as np
import pytest

import stackelberg_envs as se
from agents.observing.brief import Information
from agents.planning.exploring import barring, best_of, drawn_policy
from agents.planning.sets import SetObjective, reached_set
from agents.runs.briefing import make_brief
from stackelberg_envs.games.commitments.base import Effect, need
from stackelberg_envs.games.transitions import Transition
from tests.games import TOY, toll_game

#: Of the commitment below: bounds of what is paid in each of two states, and of the chance to stay.
LOW, HIGH = [-1.0, -1.0, 0.0], [0.0, 0.0, 1.0]


class PaysAndMoves(se.Commitment):
    """Pays the follower in two states, and sets how often it stays; its derivative reads all that it changes."""

    changes = frozenset({"follower_reward", "transition"})

    def __init__(self, dense):
        super().__init__(LOW, HIGH)
        self.dense = dense

    def effect(self, x):
        stay = np.full((2, 1, 2, 2), x[2])
        stay[[0, 1], :, :, [1, 0]] = 1.0 - x[2]
        lists = np.broadcast_to(np.arange(2), stay.shape), stay
        moved = Transition.from_dense(stay) if self.dense else Transition.from_lists(*lists)
        return Effect(follower_reward=np.broadcast_to(x[:2, None, None], (2, 1, 2)), transition=moved)

    def vjp(self, x, cotangents):
        moved = need(cotangents.transition, "transition")
        sign = np.array([[1.0, -1.0], [-1.0, 1.0]])[:, None, None, :]
        paid = need(cotangents.follower_reward, "follower_reward")
        return np.append(paid.sum(axis=(1, 2)), (moved * sign).sum())


class Rationed(PaysAndMoves):
    """What it pays in both states together has to sum to -1.5 at least."""

    def project(self, x):
        x = super().project(x)
        missing = max(0.0, -1.5 - x[:2].sum())
        return np.append(x[:2] + missing / 2, x[2:])


def brief_of(commitment):
    game = se.TabularGame(
        leader_reward=np.zeros((2, 1, 2)),
        follower_reward=np.zeros((2, 1, 2)),
        initial=[1.0, 0.0],
        leader_discount=0.9,
        follower_discount=0.9,
        temperature=0.1,
        commitment=commitment,
    )
    return make_brief(game, Information.REWARDS_OBSERVED)


@pytest.mark.parametrize("dense", [True, False])
@pytest.mark.parametrize("often", [0, 1])
def test_what_moves_the_follower_too_is_barred_by_what_it_pays(often, dense):
    visits = np.full((2, 1, 2), 1.0)
    visits[often] = 9.0
    x = barring(brief_of(PaysAndMoves(dense)), visits, 0)
    assert x[often] == -1.0
    assert x[1 - often] == 0.0


def test_what_bars_is_admissible():
    visits = np.array([[[1.0, 1.0]], [[9.0, 9.0]]])
    both = [barring(brief_of(Rationed(True)), visits, number)[:2].tolist() for number in range(8)]
    assert [0.0, -1.0] in both
    assert [-0.75, -0.75] in both


def test_rules_of_a_warehouse_bar_the_aisle_that_is_used_most():
    game = se.make_game("stackelberg/Warehouse-v0")
    visits = np.ones(game.table_shape)
    visits[game.facts["floor"].aisle[np.arange(57) % 19] == 3] = 50.0
    costs = barring(make_brief(game, Information.REWARDS_OBSERVED), visits, 0)[:7]
    np.testing.assert_array_equal(costs, 0.5 * (np.arange(7) == 3))


def test_the_best_of_some_points_is_ascended_from_within_its_evaluations():
    game = toll_game()
    brief = make_brief(game, Information.MODEL)
    objective = SetObjective(brief, reached_set(brief), game.primitives)
    points = list(np.random.default_rng(0).random((12, 6)))
    found = best_of(objective, points, 40)
    assert objective.evaluations <= 41
    assert found.value > max(objective.value(point) for point in points) + 0.01
    one = SetObjective(brief, reached_set(brief), game.primitives)
    assert np.isfinite(best_of(one, points, 1).value)
    assert one.evaluations <= 2


def test_drawn_policies_are_policies():
    brief = make_brief(se.make_game(TOY), Information.MODEL)
    x = drawn_policy(brief, np.random.default_rng(0))
    np.testing.assert_allclose(x.sum(axis=1), 1.0)
    assert (x >= 0).all()
