"""One likelihood for dynamics, temperature and belief: its derivatives, its maximum, and what it recovers from play."""

from dataclasses import replace

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.estimators.likelihood import (
    BehaviourModel,
    CommitmentHistory,
    PlayLikelihood,
    likeliest_temperature,
    trembled,
)
from agents.estimators.models.counted import ObservedModel, common_lists
from agents.observing.brief import Information
from agents.planning.exploring import barring
from agents.runs.briefing import make_brief
from stackelberg_envs.games.transitions import Transition
from stackelberg_envs.solvers.soft import soft_best_response

GAME = se.random_tabular(S=5, A=2, B=3, temperature=0.2, commitment="policy", seed=1)
TRUTH = BehaviourModel(0.2, 0.3)


def shared(transition):
    """The same dynamics in lists that all follower actions share."""
    successors, (probabilities,) = common_lists(transition.successors, transition.probabilities)
    return Transition(successors, probabilities)


def watched_games(behaviour, count=3):
    """Models under `count` policies, and what such a follower would do in them 1,000 times per state and action."""
    rng, games, counts = np.random.default_rng(0), [], []
    for _ in range(count):
        play = GAME.primitives(rng.dirichlet([1.0, 1.0], size=5))
        own = shared(play.transition)
        game = replace(play, transition=own, believed_transition=own)
        mind = replace(game, believed_transition=trembled(own, behaviour.tremble), temperature=behaviour.temperature)
        games.append(game)
        counts.append(1_000 * soft_best_response(mind).policy)
    return games, counts


def exact_likelihood(behaviour, choices=None):
    """The likelihood of expected counts, and the dynamics they come from."""
    games, counts = watched_games(behaviour)
    own = games[0].transition.probabilities
    choices = np.ones(own.shape[:3], dtype=bool) if choices is None else choices
    return PlayLikelihood(games, counts, choices, 500 * own), own


def test_a_follower_with_a_tremble_believes_that_its_action_is_sometimes_a_random_one():
    own = shared(GAME.primitives(np.full((5, 2), 0.5)).transition)
    believed = trembled(own, 0.3).probabilities
    np.testing.assert_allclose(
        believed, 0.7 * own.probabilities + 0.3 * own.probabilities.mean(axis=2, keepdims=True), atol=1e-15
    )
    rooms = {slip: shared(se.make_game("stackelberg/FourRooms-v0", slip=slip).primitives(np.zeros(104)).transition)
             for slip in (0.2, 0.33, 0.44)}  # fmt: skip
    for slip in (0.2, 0.44):
        # Four moves, so a random one is the right one in a quarter of the cases.
        tremble = (slip - 0.33) / (0.75 - 0.33)
        np.testing.assert_allclose(trembled(rooms[0.33], tremble).to_dense(), rooms[slip].to_dense(), atol=1e-12)


@pytest.mark.parametrize("tremble", [0.4, 0.0, -0.5])
def test_its_derivatives_are_those_of_finite_differences(tremble):
    some = np.random.default_rng(3).random((5, 2, 3)) < 0.8
    likelihood, own = exact_likelihood(TRUTH, some)
    behaviour, rng = BehaviourModel(0.3, tremble), np.random.default_rng(1)
    direction = rng.standard_normal(own.shape) * own
    direction -= own * direction.sum(axis=-1, keepdims=True)
    _, by_own, by_temperature, by_tremble = likelihood(own, behaviour)
    h = 1e-5

    def slope(change):
        return (change(h)[0] - change(-h)[0]) / (2 * h)

    along = slope(lambda t: likelihood(own + t * direction, behaviour))
    assert (by_own * direction).sum() == pytest.approx(along, rel=1e-5, abs=1e-4)
    along = slope(lambda t: likelihood(own, BehaviourModel(0.3 * np.exp(t), tremble)))
    assert by_temperature == pytest.approx(along, rel=1e-5, abs=1e-4)
    if tremble == 0.0:
        # What was impossible becomes possible: from above only.
        along = (likelihood(own, BehaviourModel(0.3, h))[0] - likelihood(own, BehaviourModel(0.3, 0.0))[0]) / h
        assert by_tremble == pytest.approx(along, rel=1e-3)
        return
    along = slope(lambda t: likelihood(own, BehaviourModel(0.3, tremble + t)))
    assert by_tremble == pytest.approx(along, rel=1e-5, abs=1e-4)


def test_the_truth_is_the_maximum():
    likelihood, own = exact_likelihood(TRUTH)
    _, by_own, by_temperature, by_tremble = likelihood(own, TRUTH)
    assert abs(by_temperature) < 1e-3
    assert abs(by_tremble) < 1e-3
    np.testing.assert_allclose(by_own, 0.0, atol=1e-3)
    fit = likelihood.fit(BehaviourModel(0.35), own, free=(True, True), iterations=300)
    assert fit.behaviour.temperature == pytest.approx(TRUTH.temperature, rel=0.01)
    assert fit.behaviour.tremble == pytest.approx(TRUTH.tremble, abs=0.01)
    held = likelihood.fit(BehaviourModel(0.35, 0.3), own, free=(False, False), iterations=50)
    assert held.behaviour == BehaviourModel(0.35, 0.3)
    assert held.value < fit.value


def test_what_does_not_tell_the_temperature_gives_none():
    games, counts = watched_games(BehaviourModel(0.2))
    everything = np.ones(counts[0].shape, dtype=bool)
    assert likeliest_temperature(games, counts, everything) == pytest.approx(0.2, rel=1e-3)
    alike = [np.ones_like(n) for n in counts]
    assert likeliest_temperature(games, alike, everything) is None
    flat = [replace(game, follower_reward=np.zeros_like(game.follower_reward)) for game in games]
    assert likeliest_temperature(flat, counts, everything) is None
    assert likeliest_temperature(games, [np.zeros_like(n) for n in counts], everything) is None


def test_the_commitments_that_were_played_most_are_kept_and_of_others_the_last():
    history, response = CommitmentHistory((5, 2, 3), most=3), np.full((5, 2, 3), 1 / 3)
    for i in (0, 1, 2, 1, 3, 4):
        x = np.tile([0.1 * i, 1.0 - 0.1 * i], (5, 1))
        history.add(agents.collect(GAME, x, response, steps=50, rng=i))
    tables = history.tables()
    assert [round(10 * x[0, 0]) for x, _ in tables] == [1, 3, 4]
    assert [counts.sum() for _, counts in tables] == [100, 50, 50]


def explored(game, updates, seed):
    """Model and actions after commitments that bar the usual ways, 1,000 steps each."""
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    model, history = ObservedModel(brief), CommitmentHistory(brief.table_shape)
    rng, x = np.random.default_rng(seed), brief.parametrisation(np.zeros(brief.parametrisation.size))
    for i in range(updates):
        seen = agents.collect(game, x, se.solve(game, x).response, steps=1_000, rng=rng)
        model.observe(seen)
        history.add(seen)
        x = barring(brief, model.counts.visits, i + 1)
    return model, history


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.deep) for seed in (1, 2))])
def test_a_private_temperature_is_recovered_to_three_percent_under_barring_commitments(seed):
    # Four-Rooms, 60,000 steps. Values of the observed behaviour, or counted dynamics, give up to a fifth more.
    game = se.make_game("stackelberg/FourRooms-v0", temperature=0.005).replace(publish_temperature=False)
    model, history = explored(game, 60, seed)
    model.fit(history, belief=False, iterations=100)
    assert model.behaviour.temperature == pytest.approx(0.005, rel=0.03)


def test_a_belief_is_recovered_and_where_it_is_the_truth_there_is_none():
    # The slip believed is 0.44, a tremble of 0.262; one standard error here is about 0.02.
    game = se.make_game("stackelberg/FourRooms-v0", temperature=0.005, slip=0.33, follower_slip=0.44)
    model, history = explored(game, 60, 0)
    model.fit(history, belief=True, iterations=100)
    assert model.behaviour.tremble == pytest.approx(0.262, abs=0.05)
    game = se.make_game("stackelberg/FourRooms-v0", temperature=0.005, slip=0.33)
    model, history = explored(game, 60, 0)
    model.fit(history, belief=True, iterations=100)
    assert abs(model.behaviour.tremble) < 0.05


def test_later_play_adds_to_fitted_dynamics_as_to_counts():
    game = se.random_tabular(S=6, A=2, B=2, temperature=1.0, seed=3)
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    model, history, x = ObservedModel(brief), CommitmentHistory(brief.table_shape), np.zeros(4)
    seen = agents.collect(game, x, se.solve(game, x).response, steps=500, rng=0)
    model.observe(seen)
    history.add(seen)
    fit = model.fit(history, belief=False, iterations=50)
    fitted = model.primitives(x).transition.to_dense()
    np.testing.assert_allclose(model.primitives(x).transition.probabilities, fit.probabilities, atol=1e-12)
    more = agents.collect(game, x, se.solve(game, x).response, steps=100_000, rng=1)
    visits = model.counts.visits.copy()
    model.observe(more)
    truth = game.primitives(x).transition.to_dense()
    often = model.counts.visits - visits > 3_000
    assert often.sum() > 10
    later = model.primitives(x).transition.to_dense()
    # 3,000 visits: five standard errors of 0.009; the 500 steps before weigh little.
    np.testing.assert_allclose(later[often], truth[often], atol=0.05)
    assert np.abs(later - truth)[often].max() < np.abs(fitted - truth)[often].max()


def test_a_commitment_that_sets_the_dynamics_leaves_the_temperature_to_be_found():
    kernels = np.random.default_rng(0).dirichlet(np.ones(4), size=(2, 4, 1, 3))
    base = se.random_tabular(S=4, A=1, B=3, temperature=0.3, seed=2)
    game = base.replace(commitment=se.TransitionMixture(list(kernels)), transition=None, publish_temperature=False)
    brief = make_brief(game, Information.REWARDS_OBSERVED)
    model, history = ObservedModel(brief), CommitmentHistory(brief.table_shape)
    for i in range(4):
        x = np.tile(np.random.default_rng(i).dirichlet([1.0, 1.0]), (1, 1))
        seen = agents.collect(game, x, se.solve(game, x).response, steps=5_000, rng=i)
        model.observe(seen)
        history.add(seen)
    assert model.fit(history, belief=True, iterations=20) is None
    assert model.behaviour.temperature == pytest.approx(0.3, rel=0.1)
    assert model.behaviour.tremble == 0.0
