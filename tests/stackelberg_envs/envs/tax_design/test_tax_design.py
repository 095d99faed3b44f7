"""Tax design: dynamics and rewards by hand, the commitment's derivative, play and exact values, identification."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import trapezoid
from scipy.optimize import minimize

from agents.estimators.models.published import model_class_of
from stackelberg_envs.envs import tax_design_v0
from stackelberg_envs.errors import ArgumentError, CommitmentError, GameError
from stackelberg_envs.games.cotangents import Cotangents
from stackelberg_envs.games.samples import Samples, sampled_difference_vjp
from stackelberg_envs.play.rollout import rollout

GAME = tax_design_v0.make_game()
HOUSES = tax_design_v0.make_game(num_households=2)
UNEVEN = np.array([0.7, 0.2, 1.1, 0.4])
#: Each statistical test below rejects a correct game once in 10^5 seeds or less; the seeds are fixed.
STANDARD_ERRORS = 4.5
FALSE_ALARM = 1e-5


def step(game, x, assets, kinds, actions, seed=0):
    """One step of households of given assets, types and actions."""
    states, contexts = np.asarray(assets, float)[:, None], np.asarray(kinds)
    if game.typed_states:
        states, contexts = np.column_stack([assets, kinds]), np.zeros(len(kinds), np.int32)
    rng = np.random.default_rng(seed)
    return game.step(rng, np.asarray(x), states, contexts, np.zeros((len(kinds), 0)), np.asarray(actions))


@pytest.mark.parametrize("game", [GAME, HOUSES], ids=["contexts", "households"])
def test_rewards_by_hand(game):
    actions = [[9, 4, 2, 1], [0, 0, 4, 4], [3, 1, 1, 1]]
    made = step(game, [0.5, 0.25, 0.5, 1.0], [10.0, -3.0, 0.0], [0, 1, 1], actions)
    utility = np.array([np.log(1.5), -3.0, 0.0]) - 0.1 * np.array([8.01, 0.0, 2.67]) ** 2
    enjoyed = np.array([[4.0, 2.5 / 1.5, 0.625], [0.0, 5 / 1.5, 2.5], [1.0, 1.25 / 1.5, 0.625]])
    consumed = [np.prod(enjoyed[0] ** (0.6, 0.3, 0.1)), 0.0, np.prod(enjoyed[2] ** (0.1, 0.7, 0.2))]
    np.testing.assert_allclose(made.follower_reward, utility + consumed)
    revenue = enjoyed @ (0.25, 0.5, 1.0) + 0.5 * np.array([8.01, 0.0, 2.67])
    welfare = 15 * enjoyed.mean(axis=1) / 5 + 5 * np.log(1 + revenue)
    np.testing.assert_allclose(made.leader_reward, welfare + np.array([0.0, -3.0, 0.0]))
    assert not made.terminated.any()


def test_debt_may_be_left_out_of_the_leaders_reward():
    other = tax_design_v0.make_game(count_debt=False)
    actions = [[1, 1, 1, 1]] * 2
    difference = step(GAME, UNEVEN, [-7.0, 7.0], [0, 0], actions).leader_reward
    np.testing.assert_allclose(difference - step(other, UNEVEN, [-7.0, 7.0], [0, 0], actions).leader_reward, [-7, 0])


@pytest.mark.parametrize(
    ("assets", "action", "mean"),
    [(2.0, [9, 1, 0, 2], 0.653), (99.0, [9, 0, 0, 0], 100.0), (-98.0, [0, 4, 4, 4], -100.0)],
)
def test_assets_move_by_a_truncated_normal(assets, action, mean):
    n = 20_000
    made = step(GAME, UNEVEN, np.full(n, assets), np.zeros(n, int), np.tile(action, (n, 1)))
    law = stats.truncnorm((-100 - mean) / 5, (100 - mean) / 5, loc=mean, scale=5)
    assert stats.kstest(made.next_state[:, 0], law.cdf).pvalue > FALSE_ALARM


def test_initial_assets_and_types():
    n = 20_000
    drawn = GAME.initial_states(np.random.default_rng(0), np.zeros(n, np.int32))
    assert drawn.shape == (n, 1)
    assert stats.kstest(drawn[:, 0], stats.norm(0, np.sqrt(2)).cdf).pvalue > FALSE_ALARM
    single = [HOUSES.initial_states(np.random.default_rng(seed), np.zeros(1, np.int32))[0, 1] for seed in range(40)]
    assert set(single) == {0.0, 1.0}


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.8, 0.2)])
def test_types_count_alike_however_many_households_are_drawn(n, shares):
    """Counts are as near to their shares as can be, and at each place the types have theirs (rate 1e-6 a place)."""
    game = HOUSES.replace(households=dataclasses.replace(HOUSES.households, probabilities=np.array(shares)))
    rng, N = np.random.default_rng(6), 2_000
    kinds = np.array([game.initial_states(rng, np.zeros(n, np.int32))[:, 1] for _ in range(N)])
    assert (np.abs(kinds.sum(axis=1) - n * shares[1]) < 1.0).all()
    error = np.sqrt(shares[0] * shares[1] / N)
    assert (np.abs(kinds.mean(axis=0) - shares[1]) < 4.9 * error).all()
    if n > 2 and shares[0] == 0.5:
        assert (np.diff(kinds) != 0).mean() > 0.6  # one after the other, but where the turn begins


def test_an_odd_number_of_households_is_worth_what_the_solver_says():
    """Three households, two of them of one type: faces, `collect` and `solve` weigh the types alike.

    Each mean is off by more than 4.9 standard errors once in a million; the horizon leaves out 2e-4 of J.
    """
    import agents

    x, N = np.array([0.0, 2.0, 0.0, 0.64]), 400
    game = tax_design_v0.make_game(num_households=3, horizon=80)
    solution = game.solve(x)
    face = tax_design_v0.parallel_env(game=game)
    kinds = []
    for seed in range(N):
        face.reset(seed=seed)
        infos = face.step({"leader_0": x})[-1]
        kinds.append(np.mean(infos["leader_0"]["next_state"][:, 1]))
    assert abs(np.mean(kinds) - 0.5) < 4.9 * np.std(kinds) / np.sqrt(N)
    seen = agents.collect(game, x, solution, episodes=1_501, rng=0)
    returns = seen.leader_reward.reshape(-1, 80) @ 0.9 ** np.arange(80)
    error = returns.std(ddof=1) / np.sqrt(len(returns))
    assert abs(returns.mean() - solution.leader_value) < 4.9 * error + 0.01
    assert abs(seen.state[::80, 1].mean() - 0.5) <= 0.5 / 1_500


def some_samples(game, n, seed):
    """Steps from everywhere, a quarter of them near each end of the range."""
    rng = np.random.default_rng(seed)
    assets = rng.uniform(-100, 100, n)
    assets[: n // 4] = rng.uniform(95, 100, n // 4)
    assets[n // 4 : n // 2] = rng.uniform(-100, -95, n // 4)
    kinds = rng.integers(2, size=n)
    actions = rng.integers(game.rules.action_sizes, size=(n, 4))
    states = np.column_stack([assets, kinds]) if game.typed_states else assets[:, None]
    after = states.copy()
    after[:, 0] = np.clip(assets + rng.normal(0, 6, n), -100, 100)
    contexts = np.zeros(n, np.int32) if game.typed_states else kinds.astype(np.int32)
    return Samples(states, np.zeros((n, 0)), actions, after, contexts)


@pytest.mark.parametrize("game", [GAME, HOUSES], ids=["contexts", "households"])
@pytest.mark.parametrize("part", ["follower_reward", "leader_reward", "transition"])
def test_derivative_at_samples_agrees_with_differences(game, part):
    samples = some_samples(game, 400, 1)
    cotangents = Cotangents(**{part: np.random.default_rng(2).standard_normal(400)})
    for x in np.random.default_rng(3).uniform(0.05, 1.95, (5, 4)):
        written = game.commitment.vjp_at(x, samples, cotangents)
        np.testing.assert_allclose(
            written, sampled_difference_vjp(game.commitment, x, samples, cotangents), rtol=1e-6, atol=1e-6
        )


def test_rewards_of_the_commitment_are_those_of_the_game_up_to_terms_without_x():
    samples = some_samples(GAME, 48, 4)
    effects, steps = [], []
    for x in (UNEVEN, np.array([0.1, 0.9, 0.0, 2.0])):
        effects.append(GAME.commitment.effect_at(x, samples))
        steps.append(step(GAME, x, samples.state[:, 0], samples.context, samples.follower_action))
    for name in ("follower_reward", "leader_reward"):
        announced = getattr(effects[0], name) - getattr(effects[1], name)
        np.testing.assert_allclose(announced, getattr(steps[0], name) - getattr(steps[1], name), atol=1e-12)


def test_log_density_integrates_to_one_at_the_ends_too():
    after = np.linspace(-100, 100, 20_001)
    for assets, action in ((0.0, [3, 1, 0, 0]), (99.0, [9, 0, 0, 0]), (-99.0, [0, 4, 4, 4])):
        n = len(after)
        actions = np.tile(action, (n, 1))
        samples = Samples(np.full((n, 1), assets), np.zeros((n, 0)), actions, after[:, None], np.zeros(n, np.int32))
        density = np.exp(GAME.commitment.effect_at(UNEVEN, samples).transition)
        assert trapezoid(density, after) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("game", [GAME, HOUSES.replace(temperature=0.3)], ids=["contexts", "households"])
@pytest.mark.parametrize("x", [np.full(4, 0.3), UNEVEN], ids=["start", "uneven"])
def test_play_is_worth_the_exact_values(game, x):
    """At horizon 100 what is left out is less than 0.003; the grid's error is far smaller still."""
    game = game.replace(horizon=100)
    N, solution = 1_500, game.solve(x)
    record = rollout(game.under(x), solution.policy, np.random.default_rng(5), episodes=N)
    contexts = np.repeat(record.context, 100)
    chosen = solution.policy.log_prob(record.state, record.leader_action, contexts, record.follower_action)
    kinds = record.state[::100, 1].astype(int) if game.typed_states else record.context
    weights = np.tile(0.9 ** np.arange(100), N)
    for rewards, values in (
        (record.leader_reward, [one.saving.leader_value for one in solution.types]),
        (
            record.follower_reward - game.temperature * chosen,
            [one.saving.follower_value for one in solution.types],
        ),
    ):
        returns = (weights * rewards).reshape(N, 100).sum(axis=1)
        for k, value in enumerate(values):
            own = returns[kinds == k]
            error = own.std() / np.sqrt(len(own))
            assert abs(own.mean() - value) < STANDARD_ERRORS * error + 0.003


def test_the_policy_draws_what_it_says():
    """A rich household: in want of money the only purchase is none at all."""
    policy, n = GAME.replace(temperature=0.3).solve(UNEVEN).policy, 200_000
    states, nothing, contexts = np.full((n, 1), 45.0), np.zeros((n, 0)), np.ones(n, np.int32)
    everything = np.stack(np.indices((10, 5, 5, 5)).reshape(4, -1), axis=1)
    log_p = policy.log_prob(states[:1250], nothing[:1250], contexts[:1250], everything)
    assert np.exp(log_p).sum() == pytest.approx(1.0)
    drawn = policy.sample(np.random.default_rng(6), states, nothing, contexts)
    counts = np.bincount(np.ravel_multi_index(tuple(drawn.T), (10, 5, 5, 5)), minlength=1250)
    expected = n * np.exp(log_p)
    often = expected > 20
    seen = np.append(counts[often], counts[~often].sum())
    meant = np.append(expected[often], expected[~often].sum())
    assert stats.chisquare(seen, meant * seen.sum() / meant.sum()).pvalue > FALSE_ALARM


def test_policies_of_both_ways_to_have_types_are_one():
    n = 20
    assets, kinds = np.random.default_rng(7).uniform(-20, 20, n), np.arange(n) % 2
    actions = np.random.default_rng(8).integers((10, 5, 5, 5), size=(n, 4))
    nothing = np.zeros((n, 0))
    first = GAME.solve(UNEVEN).policy.log_prob(assets[:, None], nothing, kinds, actions)
    second = HOUSES.solve(UNEVEN).policy.log_prob(np.column_stack([assets, kinds]), nothing, np.zeros(n), actions)
    np.testing.assert_array_equal(first, second)
    assert GAME.solve(UNEVEN).leader_value == HOUSES.solve(UNEVEN).leader_value


@pytest.mark.parametrize("temperature", sorted(tax_design_v0.BEST_KNOWN))
def test_best_known_values(temperature):
    game = tax_design_v0.make_game(temperature=temperature)

    def loss(x):
        solution = game.solve(x, nodes=6)
        return -solution.leader_value, -solution.gradient

    options = {"ftol": 1e-12, "gtol": 1e-6}
    found = minimize(loss, np.full(4, 0.3), jac=True, bounds=[(0, 2)] * 4, method="L-BFGS-B", options=options)
    value = game.solve(found.x).leader_value
    assert value == pytest.approx(game.facts["best_known"], abs=1e-4)
    assert game.solve(tax_design_v0.BEST_RATES[temperature]).leader_value == pytest.approx(value, abs=1e-5)


def test_best_known_values_are_those_of_the_committed_table():
    table = Path(__file__).parents[4] / "docs" / "tables" / "best_known_tax_design.md"
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.read_text("utf-8").splitlines()[2:]]
    assert {float(row[0]): float(row[2]) for row in rows} == tax_design_v0.BEST_KNOWN
    assert {float(row[0]): tuple(map(float, row[3:7])) for row in rows} == tax_design_v0.BEST_RATES


def test_the_best_known_value_belongs_to_the_published_numbers_alone():
    for changes in ({"temperature": 0.15}, {"count_debt": False}, {"leader_discount": 0.8}, {"max_rate": 0.6}):
        assert "best_known" not in tax_design_v0.make_game(**changes).facts
    assert "best_known" in tax_design_v0.make_game(num_households=4).facts


def test_households_are_identified_from_ten_thousand_steps():
    """Preferences and weights to rounding; what is drawn within 4.5 standard errors of the means of the draws."""
    x, steps = np.full(4, 0.3), 10_000
    record = rollout(GAME.under(x), GAME.solve(x).policy, np.random.default_rng(9), steps=steps)
    model = model_class_of(GAME.model_class).fit([record])
    found, truth, episodes = model.households, GAME.households, len(record.context)
    np.testing.assert_allclose(found.preferences, truth.preferences, rtol=1e-6)
    for name in ("disutility", "asset_scale", "asset_weight", "debt_weight"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), rel=1e-6)
    assert found.noise == pytest.approx(truth.noise, rel=STANDARD_ERRORS / np.sqrt(2 * steps))
    assert found.initial_mean == pytest.approx(0.0, abs=STANDARD_ERRORS * np.sqrt(2 / episodes))
    assert found.initial_deviation == pytest.approx(np.sqrt(2), rel=STANDARD_ERRORS / np.sqrt(2 * episodes))
    assert found.probabilities[0] == pytest.approx(0.5, abs=STANDARD_ERRORS / np.sqrt(4 * episodes))
    value, gradient = model.value_and_gradient(UNEVEN)
    exact = GAME.solve(UNEVEN)
    assert value == pytest.approx(exact.leader_value, rel=0.05)
    assert gradient @ exact.gradient > 0.99 * np.linalg.norm(gradient) * np.linalg.norm(exact.gradient)


def test_the_optimum_of_the_model_is_that_of_the_game():
    x = np.full(4, 0.3)
    record = rollout(GAME.under(x), GAME.solve(x).policy, np.random.default_rng(10), steps=10_000)
    model = model_class_of(GAME.model_class).fit([record])

    def loss(rates):
        value, gradient = model.value_and_gradient(rates)
        return -value, -gradient

    found = minimize(loss, x, jac=True, bounds=[(0, 2)] * 4, method="L-BFGS-B")
    assert GAME.solve(found.x).leader_value > 0.999 * GAME.facts["best_known"]


def test_identification_with_types_in_the_state_a_private_temperature_and_compressed_records():
    game = HOUSES.replace(publish_temperature=False, temperature=0.2)
    rng = np.random.default_rng(11)
    records = [rollout(game.under(x), game.solve(x).policy, rng, steps=2_000) for x in (np.full(4, 0.3), UNEVEN)]
    family = model_class_of(game.model_class)
    model = family.fit([family.compress(record) for record in records])
    assert model.households.preferences == pytest.approx(game.households.preferences, rel=1e-6)
    # Curvature of the likelihood: about 0.4 % a standard error.
    assert model.temperature == pytest.approx(0.2, rel=0.03)
    assert family.fit(records).temperature == pytest.approx(model.temperature)
    value, _ = model.value_and_gradient(UNEVEN, scale=2.0)
    assert value == pytest.approx(game.replace(temperature=0.4).solve(UNEVEN).leader_value, rel=0.1)


@pytest.mark.parametrize("seed", range(6))
def test_other_households_are_identified_too(seed):
    rng = np.random.default_rng(seed)
    households = tax_design_v0.Households(
        rng.dirichlet(np.ones(3), 2),
        np.array([0.5, 0.5]),
        disutility=rng.uniform(0.02, 0.3),
        asset_weight=rng.uniform(0.3, 3.0),
        asset_scale=rng.uniform(3.0, 60.0),
        debt_weight=rng.uniform(0.2, 2.0),
        noise=rng.uniform(2.0, 8.0),
    )
    commitment = tax_design_v0.TaxSchedule(GAME.rules, households.preferences, households.noise, 2.0, False)
    game = GAME.replace(households=households, commitment=commitment, temperature=0.3)
    x = rng.uniform(0.0, 0.9, 4)
    found = (
        model_class_of(game.model_class)
        .fit([rollout(game.under(x), game.solve(x, nodes=4).policy, rng, steps=4_000)])
        .households
    )
    np.testing.assert_allclose(found.preferences, households.preferences, atol=1e-6)
    for name in ("disutility", "asset_scale", "asset_weight", "debt_weight"):
        assert getattr(found, name) == pytest.approx(getattr(households, name), rel=1e-6)


def test_a_type_never_seen_keeps_even_preferences():
    x = np.full(4, 0.3)
    game = GAME.replace(context_probabilities=np.array([1.0, 0.0]))
    record = rollout(game.under(x), game.solve(x).policy, np.random.default_rng(12), steps=1_000)
    found = model_class_of(game.model_class).fit([record]).households
    np.testing.assert_allclose(found.probabilities, [6 / 7, 1 / 7])
    np.testing.assert_allclose(found.preferences, [(0.6, 0.3, 0.1), (1 / 3, 1 / 3, 1 / 3)], rtol=1e-6)


def test_what_identification_refuses():
    x = np.full(4, 0.3)
    record = rollout(GAME.under(x), GAME.solve(x).policy, np.random.default_rng(0), steps=300)
    blind = type(record)(**{**vars(record), "follower_reward": None})
    with pytest.raises(ArgumentError, match="follower_reward"):
        model_class_of(GAME.model_class).fit([blind])
    with pytest.raises(ArgumentError, match="at least one step"):
        model_class_of(GAME.model_class).fit([])


@pytest.mark.parametrize("x", [[0.3, 0.3, 0.3], [0.3, 0.3, 0.3, 2.1], [-0.1, 0, 0, 0], [np.nan, 0, 0, 0]])
def test_rates_outside_their_box_are_refused(x):
    with pytest.raises(CommitmentError, match="commitment"):
        GAME.solve(x)


@pytest.mark.parametrize(
    "changes",
    [{"max_rate": 0.0}, {"nodes": 1}, {"num_households": 0}, {"temperature": 0.0}, {"leader_discount": 1.0}],
    ids=str,
)
def test_arguments_out_of_range_are_refused(changes):
    with pytest.raises(GameError, match=next(iter(changes))):
        tax_design_v0.make_game(**changes)
