"""Followers with networks: soft DQN and SAC against exact answers. What needs torch is skipped without it."""

import sys

import numpy as np
import pytest

import agents
from agents.followers import follower_class
from agents.followers.action_values import ActionTable
from agents.followers.sac import ActionBox, Sac
from agents.runs.records import load_record
from agents.state.tree import from_bytes, to_bytes
from stackelberg_envs.envs import discrete_toy_v1
from stackelberg_envs.errors import ArgumentError, ConvergenceError, MissingExtraError
from tests.agents.followers.deep_games import (
    GAIN,
    LINE,
    LQ,
    QUICK,
    X,
    distance,
    dqn,
    exact_policy,
    learned_policy,
    sac,
)


@pytest.mark.parametrize("name", ["soft_dqn", "sac"])
def test_without_torch_the_extra_is_named_in_one_sentence(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "torch", None)
    kind = follower_class(name)
    with pytest.raises(MissingExtraError, match=rf"^{name}: .* `pip install 'stackelberg-envs\[torch\]'` installs$"):
        kind(kind.Config(), np.random.default_rng(0))


def test_spaces_that_do_not_fit_name_the_follower_that_does():
    with pytest.raises(ArgumentError, match=r"soft_dqn: expected a Discrete or MultiDiscrete action space.*try sac"):
        ActionTable(LQ.follower_action_space)
    with pytest.raises(ArgumentError, match=r"sac: expected a Box of actions.*try soft_dqn"):
        ActionBox(LINE.follower_action_space, 1.0)


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="the extra torch is not installed")


def test_shown_the_commitment_it_knows_what_was_true_when(torch):
    follower, other = dqn(observe_commitment=True), np.array([-0.9, 0.4])
    follower.learn(LINE.under(X))
    follower.learn(LINE.under(other))
    assert distance(learned_policy(follower), exact_policy(other)) < 0.15
    first = learned_policy(follower)
    follower.policy.shown = follower._inputs.commitment(X)
    assert np.abs(learned_policy(follower) - first).max() > 0.2


@pytest.mark.parametrize(("make", "game", "x"), [(dqn, LINE, X), (sac, LQ, GAIN)])
def test_what_was_stored_learns_on_bit_for_bit(torch, make, game, x):
    follower, twin = make(**QUICK), make(seed=8, **QUICK)
    follower.learn(game.under(x))
    twin.game = game
    twin.load_state_dict(from_bytes(to_bytes(follower.state_dict())))
    for player in (follower, twin):
        player.learn(game.under(0.5 * x))
    for first, second in zip(follower.trained(), twin.trained(), strict=True):
        np.testing.assert_array_equal(first.network.parameters, second.network.parameters)
        np.testing.assert_array_equal(first.target.parameters, second.target.parameters)
    contexts = np.zeros(20, np.int32)
    states, a = game.initial_states(np.random.default_rng(0), contexts), np.zeros((20, 1))
    actions = [p.policy.sample(np.random.default_rng(1), states, a, contexts) for p in (follower, twin)]
    np.testing.assert_array_equal(*actions)


@pytest.mark.parametrize(("name", "game"), [("soft_dqn", LINE), ("sac", LQ)])
def test_runs_with_it_can_be_stopped_and_resumed(torch, name, game, tmp_path):
    options = {"leader": "naive", "follower": name, "follower_options": QUICK, "updates": 3, "steps_per_update": 60}

    def stop(progress):
        raise KeyboardInterrupt

    whole = agents.run(game, **options)
    assert whole.status == "finished"
    assert whole.follower_steps == 3 * 128
    agents.run(game, **options, output=tmp_path, progress=stop)
    resumed = agents.run(game, resume=tmp_path)
    np.testing.assert_array_equal(resumed.commitment, whole.commitment)
    np.testing.assert_array_equal(resumed.curve["observed_return"], whole.curve["observed_return"])


def test_a_policy_stays_as_it_was_when_learning_goes_on(torch):
    follower = dqn(**QUICK)
    follower.learn(LINE.under(X))
    policy, before = follower.policy, learned_policy(follower)
    follower.learn(LINE.under(X))
    assert follower.policy is not policy
    assert np.abs(learned_policy(follower) - before).max() > 0
    follower.policy = policy
    np.testing.assert_array_equal(learned_policy(follower), before)


def test_networks_and_memory_are_kept_or_begun_anew(torch):
    for restart, keep_replay, expected in ((False, True, 384), (False, False, 128), (True, True, 128)):
        follower = dqn(**QUICK, restart=restart, keep_replay=keep_replay)
        for _ in range(3):
            assert follower.learn(LINE.under(X)) == 128
        assert len(follower.replay) == expected


def test_the_first_commitment_may_have_more_steps(torch):
    follower = dqn(**{**QUICK, "first_steps": 401})
    assert follower.learn(LINE.under(X)) == 408  # whole steps of eight copies
    assert follower.learn(LINE.under(X)) == 128


@pytest.mark.parametrize(("make", "game", "x"), [(dqn, LINE, X), (sac, LQ, GAIN)])
def test_memory_episodes_and_learning_rate_have_the_sizes_that_are_asked_for(torch, make, game, x):
    follower = make(**QUICK, replay_size=50, episode_steps=3, learning_rate=0.01, last_rate=0.5)
    for _ in range(2):  # the first steps after the first commitment only look at the game
        follower.learn(game.under(x))
    assert len(follower.replay) == 50
    assert follower.copies.clocks.max() < 3
    # The last of 16 steps of all copies begins when 15 are done.
    assert {part.optimizer.learning_rate for part in follower.trained()} == {0.01 * 0.5 ** (15 / 16)}


@pytest.mark.parametrize(("make", "game", "x"), [(dqn, LINE, X), (sac, LQ, GAIN)])
def test_networks_that_diverge_are_an_error(torch, make, game, x):
    follower = make(**QUICK)
    follower.learn(game.under(x))
    before = follower.policy
    follower.trained()[-1].network.parameters[:] = np.float32(1e30)
    with pytest.raises(ConvergenceError, match=f"^{follower.name}: expected a finite gradient"):
        follower.learn(game.under(x))
    assert follower.policy is before


def test_a_run_whose_network_diverges_stops_with_what_it_had(torch, monkeypatch, tmp_path):
    learn = Sac.adapt

    def ruin_the_second(self, view):
        if not self.fresh:
            self._parts[1].network.parameters[:] = np.nan
        return learn(self, view)

    monkeypatch.setattr(Sac, "adapt", ruin_the_second)
    with pytest.raises(ConvergenceError, match=r"^sac: expected a finite gradient"):
        agents.run(
            LQ, leader="naive", follower="sac", follower_options=QUICK, updates=5, steps_per_update=20,
            evaluate_every=0, output=tmp_path,
        )  # fmt: skip
    record = load_record(tmp_path)
    assert record.status == "failed"
    assert record.observed_steps == 20
    assert np.isfinite(record.commitment).all()


@pytest.mark.parametrize("name", ["soft_dqn", "sac"])
def test_tabular_games_are_refused(torch, name):
    kind, game = follower_class(name), discrete_toy_v1.make_game()
    with pytest.raises(ArgumentError, match=f"{name}.*states are vectors"):
        kind(kind.Config(), np.random.default_rng(0)).learn(game.under(np.full((3, 2), 0.5)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "steps: expected an integer of at least 1, got 0"),
        ({"episode_steps": 0}, "episode_steps: expected an integer of at least 1, got 0"),
        ({"hidden": (64, 0)}, r"hidden: expected a list of integers of at least 1, at least one, got \(64, 0\)"),
        ({"hidden": ()}, r"hidden: expected a list of integers of at least 1, at least one, got \(\)"),
        ({"hidden": 64}, "hidden: expected a list of integers of at least 1, at least one, got 64"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a number in"),
        ({"last_rate": 0.0}, "last_rate: expected a number in"),
        ({"target_rate": 1.5}, "target_rate: expected a number in"),
        ({"observe_commitment": "no"}, "observe_commitment: expected True or False"),
        ({"exploration": 2.0}, "exploration: expected a probability, got 2.0"),
        ({"afterstates": 1}, "afterstates: expected True or False"),
        ({"huber": 0.0}, "huber: expected a number greater than 0, got 0"),
        ({"target_rows": 0}, "target_rows: expected an integer of at least 1, got 0"),
        ({"target_every": 0}, "target_every: expected an integer of at least 1, got 0"),
    ],
)
def test_bad_options_are_refused_by_name(torch, options, message):
    with pytest.raises(ArgumentError, match=message):
        dqn(**options)
