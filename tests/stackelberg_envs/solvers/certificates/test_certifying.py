import os
import signal

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.errors import ArgumentError, CommitmentError
from stackelberg_envs.solvers.soft import leader_value
from tests.games import BUILDING, TOY_OPTIMUM, one_state, small_game, toll_game, weakly_interacting_game
from tests.stackelberg_envs.solvers.certificates.small_games import NAMES, games


@pytest.mark.parametrize("name", sorted(set(NAMES) - {"three actions", "incentive", "turned"}))
def test_small_games_are_certified_to_one_percent(name):
    game = games()[name]
    proven = se.certify(game)
    assert proven.stopped_because == "gap reached"
    assert proven.value <= proven.upper_bound <= proven.value + 0.01 * abs(proven.value)
    assert 0 <= proven.gap <= 0.01
    assert se.solve(game, proven.commitment).leader_value == pytest.approx(proven.value, abs=1e-9)
    # A search that knows nothing of boxes does not get above the bound.
    assert se.best_commitment(game, evaluations=1_000, seed=4).value <= proven.upper_bound


@pytest.mark.parametrize("reward", sorted(TOY_OPTIMUM))
def test_the_known_optimum_of_the_toy_is_one(reward):
    proven = se.certify(se.discrete_toy_v1.make_game(reward=reward), gap=1e-5)
    assert proven.value == pytest.approx(TOY_OPTIMUM[reward], abs=1e-5)
    assert proven.upper_bound < TOY_OPTIMUM[reward] * (1 + 2e-5)


def test_the_two_tolls_are_certified_closely():
    game = toll_game(2)
    proven = se.certify(game, gap=1e-4)
    assert proven.upper_bound == pytest.approx(game.facts["best_known"], rel=1.1e-4)


def test_the_six_tolls_are_certified():
    # As single tolls they would need millions of boxes: all but two of six directions leave the commuter alone.
    game = toll_game()
    proven = se.certify(game, gap=0.01, max_boxes=20_000)
    assert proven.stopped_because == "gap reached"
    assert proven.value <= game.facts["best_known"] * (1 + 1e-8)
    assert game.facts["best_known"] <= proven.upper_bound <= 1.01 * game.facts["best_known"]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("commitment", ["features", "policy"])
def test_a_dense_grid_stays_below_the_bound_of_random_games(commitment, seed):
    game = se.random_tabular(
        S=3,
        A=2,
        B=2,
        branching=2,
        D=2,
        terminal=seed % 2,
        commitment=commitment,
        temperature=0.3,
        seed=1000 + seed,
        leader_discount=0.8,
    )
    # A few boxes, so that the bound is loose, and the grid has to be below it all the same.
    for boxes in (3, 200):
        proven = se.certify(game, max_boxes=boxes)
        rng = np.random.default_rng(seed)
        tried = rng.uniform(game.commitment.low, game.commitment.high, (60, *game.commitment.shape))
        best = max(se.solve(game, game.commitment.project(x)).leader_value for x in tried)
        assert best <= proven.upper_bound


def test_bounds_only_fall_and_progress_hears_of_it(monkeypatch):
    monkeypatch.setattr("stackelberg_envs.solvers.certificates.certifying.SECONDS_BETWEEN", 0.0)
    heard = []
    proven = se.certify(small_game(), gap=1e-6, max_boxes=1_000, progress=heard.append)
    uppers = [one.upper_bound for one in [*heard, proven]]
    assert heard
    assert (np.diff(uppers) <= 0).all()
    assert proven.boxes >= heard[-1].boxes
    assert proven.stopped_because in ("boxes", "gap reached")


def test_limits_are_named():
    game = se.random_tabular()
    assert se.certify(game, max_boxes=5).stopped_because == "boxes"
    stopped = se.certify(game, time_limit=0.0)
    assert stopped.stopped_because == "time"
    assert np.isfinite(stopped.upper_bound)
    assert "stopped because time" in repr(stopped)
    assert "\n" not in repr(stopped)


def test_two_processes_prove_the_same():
    game = toll_game(2)
    alone, together = se.certify(game, gap=1e-3), se.certify(game, gap=1e-3, processes=2)
    assert together.stopped_because == "gap reached"
    assert abs(together.upper_bound - alone.upper_bound) <= 1.1e-3 * alone.value


def test_ctrl_c_returns_what_is_proven(monkeypatch):
    monkeypatch.setattr("stackelberg_envs.solvers.certificates.certifying.SECONDS_BETWEEN", 0.0)
    stopped = se.certify(se.random_tabular(), progress=lambda _: os.kill(os.getpid(), signal.SIGINT))
    assert stopped.stopped_because == "interrupted"
    assert stopped.value <= stopped.upper_bound < np.inf


def test_ctrl_c_in_a_compiled_loop_is_ctrl_c(monkeypatch):
    def search_branch(*_):
        raise SystemError("returned a result with an exception set") from cause

    monkeypatch.setattr("stackelberg_envs.solvers.certificates.certifying.search_branch", search_branch)
    cause = KeyboardInterrupt()
    stopped = se.certify(small_game())
    assert stopped.stopped_because == "interrupted"
    assert stopped.upper_bound == np.inf
    cause = None
    with pytest.raises(SystemError):
        se.certify(small_game())


def test_ctrl_c_before_there_are_boxes_is_python_s(monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("stackelberg_envs.solvers.certificates.certifying.best_commitment", interrupted)
    with pytest.raises(KeyboardInterrupt):
        se.certify(small_game())


def test_a_commitment_that_changes_nothing_leaves_nothing_to_search():
    proven = se.certify(one_state([[1.0, 1.0], [1.0, 1.0]]))
    assert proven.boxes == 0
    assert proven.value == proven.upper_bound == pytest.approx(2.0)


def test_what_is_too_large_is_refused_with_its_cost():
    with pytest.raises(ArgumentError, match=r"at most 10 free entries.*got 104.*10\^\d+ boxes of .* s each"):
        se.certify(se.four_rooms_v0.make_game())
    with pytest.raises(ArgumentError, match="at most 500,000 numbers"):
        se.certify(se.random_tabular(S=10_000))
    # Its coordinates alone would take gigabytes.
    with pytest.raises(ArgumentError, match="got 20000 and"):
        se.certify(se.random_tabular(S=20_000, commitment="policy"))


def test_programs_that_are_too_large_are_refused_with_their_cost():
    with pytest.raises(ArgumentError, match=r"at most 2,000 actions.*got 6,000 and 4; .*10\^\d+ policies$"):
        se.certify(se.random_tabular(S=1_000), temperature=0)
    large = se.random_tabular(S=20, B=2, branching=2, commitment="policy")
    with pytest.raises(ArgumentError, match=r"at most 10 free entries, got 80 and 20; .*10\^12 policies in .*10\^22"):
        se.certify(large, method="mixed_integer")


def test_other_games_and_commitments_are_refused_by_name():
    with pytest.raises(ArgumentError, match="expected a tabular game"):
        se.certify(BUILDING)
    with pytest.raises(ArgumentError, match="expected a tabular game"):
        se.certify("toy")
    with pytest.raises(ArgumentError, match="'markov' has 2 that affect each other: they may have several equilibria"):
        se.certify(weakly_interacting_game())
    function = se.FunctionCommitment(
        lambda x: se.Effect(follower_reward=np.zeros((3, 2, 2)) + x[0]), [0.0], [1.0], ["follower_reward"]
    )
    game = small_game(commitment=function, leader_policy=np.full((3, 2), 0.5))
    with pytest.raises(ArgumentError, match="affine in x, got FunctionCommitment; these are: PolicyTable"):
        se.certify(game)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"gap": -0.1}, ArgumentError),
        ({"gap": float("nan")}, ArgumentError),
        ({"time_limit": -1.0}, ArgumentError),
        ({"max_boxes": 0}, ArgumentError),
        ({"processes": 0}, ArgumentError),
        ({"progress": 3}, ArgumentError),
        ({"temperature": 0.1}, ArgumentError),
        ({"temperature": "0"}, ArgumentError),
        ({"method": "simplex"}, ArgumentError),
        ({"method": "boxes", "temperature": 0}, ArgumentError),
        ({"temperature": 0, "processes": 2}, ArgumentError),
        ({"known": [[2.0, -1.0]] * 3}, CommitmentError),
    ],
)
def test_arguments_out_of_range_are_refused(options, error):
    with pytest.raises(error):
        se.certify(small_game(), **options)


# --- feasible actions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("commitment", ["policy", "incentive"])
def test_at_temperature_zero_what_is_not_feasible_is_as_what_never_pays(commitment):
    rng = np.random.default_rng(4)
    feasible = np.ones((3, 2, 2), bool)
    feasible[0, 1, 0] = feasible[1, :, 1] = False
    changes = {"follower_reward": rng.standard_normal((3, 2, 2)), "leader_reward": rng.standard_normal((3, 2, 2))}
    if commitment == "incentive":
        incentive = se.StateIncentive(-1.0, 1.0, where=np.ones(3))
        changes |= {"commitment": incentive, "leader_policy": np.full((3, 2), 0.5)}
    masked = small_game(feasible=feasible, **changes)
    never = {**changes, "follower_reward": np.where(feasible, changes["follower_reward"], -1e3)}
    found, other = (se.certify(game, temperature=0, gap=1e-4) for game in (masked, small_game(**never)))
    for each in (found, other):
        assert each.upper_bound - each.value <= 1e-3 * abs(each.value)
    assert found.value <= other.upper_bound + 1e-6
    assert other.value <= found.upper_bound + 1e-6
    assert (found.policy[~feasible] == 0.0).all()
    response = se.hard_best_response(masked, found.commitment, tie_margin=1e-6)
    assert leader_value(masked.primitives(found.commitment), response.policy) == pytest.approx(found.value, abs=1e-5)


@pytest.mark.parametrize("commitment", ["policy", "incentive"])
def test_with_discount_one_certificates_are_what_discounts_approach(commitment):
    changes = {"feasible": np.array([[True, False], [True, True], [True, True]])}
    if commitment == "incentive":
        incentive = se.StateIncentive(-1.0, 1.0, where=np.ones(3))
        changes |= {"commitment": incentive, "leader_policy": np.full((3, 2), 0.5)}
    one, near = (
        se.certify(small_game(leader_discount=d, follower_discount=d, **changes), temperature=0, gap=1e-4)
        for d in (1.0, 1.0 - 1e-6)
    )
    for each in (one, near):
        assert each.upper_bound - each.value <= 1e-3 * abs(each.value)
    assert one.value == pytest.approx(near.value, rel=2e-3)
    assert one.upper_bound >= near.value - 1e-3 * abs(near.value)


def test_soft_bounds_refuse_feasible_actions_and_discount_one():
    masked = small_game(feasible=np.array([[True, False], [True, True], [True, True]]))
    with pytest.raises(ArgumentError, match=r"every action to be feasible in every state, .* temperature=0 takes such"):
        se.certify(masked)
    with pytest.raises(ArgumentError, match="expected discounts below 1"):
        se.certify(small_game(leader_discount=1.0))
