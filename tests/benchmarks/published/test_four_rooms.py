"""What the published code does otherwise: each peculiarity against its definition."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

import agents
from agents.estimators import ValueEstimates
from agents.estimators.counts import EvaluationTask, TabularCounts
from agents.estimators.critics import make_critic
from agents.leaders import leader_class, leader_names
from agents.leaders.base import LEADERS
from agents.runs.briefing import make_brief
from agents.runs.collection import collect
from benchmarks.published import four_rooms
from benchmarks.published.four_rooms import PublishedOptions, Sarsa, ended
from stackelberg_envs.envs import discrete_toy_v1, four_rooms_v0, random_tabular_v1
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.solvers.solving import solve

X = np.zeros(4)
FALSE_ALARM_RATE = 1e-3


@pytest.fixture(scope="module")
def game():
    return random_tabular_v1.make_game(
        S=5, A=2, B=2, terminal=1, leader_discount=0.8, follower_discount=0.7, temperature=1.0, horizon=60, seed=1
    )


@pytest.fixture(scope="module")
def solution(game):
    return solve(game, X)


@pytest.fixture(autouse=True)
def named(monkeypatch):
    """The three by name, for the time of a test."""
    leader_names()  # all others first
    for kind in (four_rooms.PublishedBchg, four_rooms.PublishedHpgd, four_rooms.PublishedNaive):
        monkeypatch.setitem(LEADERS.classes, kind.name, (kind,))


def make_leader(name, game, seed=0, **options):
    kind = leader_class(name)
    brief = make_brief(game, kind.required_information(game.commitment, kind.Config()))
    return kind(brief, kind.Config(**options), np.random.default_rng(seed))


def make_as_published(name, game):
    return make_leader(name, game, **leader_class(name).presets["published"])


@pytest.mark.parametrize("cut", [True, False])
def test_sarsa_equals_its_definition(game, solution, cut):
    # Cut by the budget after 50 steps, and before that perhaps by the horizon.
    seen = collect(game, X, solution.response, steps=50, rng=3)
    assert not seen.terminated[-1]
    seen = seen if cut else ended(seen)
    policy, behaviour = solution.primitives.leader_policy, solution.best.policy
    bonus = np.random.default_rng(5).standard_normal(behaviour.shape)
    critic = Sarsa(behaviour.shape, 0.9, np.random.default_rng(1), PublishedOptions(critic_step=0.3))
    critic.update(EvaluationTask(seen, "leader", policy, behaviour, bonus))
    q = np.zeros_like(behaviour)
    last = {int(end) - 1: over for end, over in zip(seen.offsets[1:], seen.terminated, strict=True)}
    z, a, b = seen.joint_state, seen.leader_action, seen.follower_action
    for t in np.random.default_rng(1).permutation(50):
        if t not in last:
            ahead = (q + bonus)[z[t + 1], a[t + 1], b[t + 1]]
        elif last[t]:
            ahead = 0.0
        else:
            u = seen.next_joint_state[t]
            ahead = np.sum(policy[u][:, None] * behaviour[u] * (q + bonus)[u])
        q[z[t], a[t], b[t]] += 0.3 * (seen.leader_reward[t] + 0.9 * ahead - q[z[t], a[t], b[t]])
    np.testing.assert_allclose(critic.q, q, rtol=1e-12, atol=1e-12)


def test_sarsa_starts_with_a_standard_normal_table_if_asked():
    random = Sarsa((50, 4, 5), 0.9, np.random.default_rng(1), PublishedOptions(critic_start="random")).q
    np.testing.assert_array_equal(random, np.random.default_rng(1).standard_normal((50, 4, 5)))
    assert not Sarsa((50, 4, 5), 0.9, np.random.default_rng(1), PublishedOptions()).q.any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"critic_start": "ones"}, "critic_start: expected 'zeros' or 'random', got 'ones'"),
        ({"critic_step": 0}, r"critic_step: expected a number in \(0, 1\], got 0"),
        ({"weights": "all"}, "weights: expected 'at_risk' or 'finished', got 'all'"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ArgumentError, match=message):
        PublishedOptions(**options)


@pytest.mark.parametrize("name", ["monte_carlo", "expected_sarsa"])
def test_without_bootstrap_a_cut_episode_has_ended(game, solution, name):
    policy, behaviour = solution.primitives.leader_policy, solution.best.policy
    seen = collect(game, X, solution.response, steps=1, rng=3)
    assert not seen.terminated[0]
    assert seen.next_joint_state[0] == seen.joint_state[0]
    one = seen.leader_reward[0]
    for play in (ended(seen), seen):
        critic = make_critic(name, TabularCounts(behaviour.shape), 0.9)
        for rewards in (np.ones(1), *[seen.leader_reward] * 3):
            critic.update(EvaluationTask(replace(play, leader_reward=rewards), "leader", policy, behaviour))
        got = critic.q[seen.joint_state[0], seen.leader_action[0], seen.follower_action[0]]
        assert (abs(got - one) < 1e-12) == (play is not seen)


@pytest.mark.parametrize(("critic", "is_used"), [("monte_carlo", True), ("sarsa", True), ("lstd", False)])
def test_cut_episodes_end_for_every_critic_but_lstd(game, solution, critic, is_used):
    seen = collect(game, X, solution.response, steps=50, rng=3)
    leaders = [make_leader("published_bchg", game, critic=critic, bootstrap=flag) for flag in (True, False)]
    found = [second_values(leader, seen) for leader in leaders]
    assert np.array_equal(*found) != is_used
    other = make_leader("published_bchg", game, critic=critic)
    np.testing.assert_array_equal(found[1], second_values(other, ended(seen) if is_used else seen))


def second_values(leader, seen):
    """Return Q_L after two updates: at the first, a critic of averages has no values to go on with."""
    effect = leader.brief.effect(seen.commitment)
    for _ in range(2):
        values, _ = leader.estimate_values(leader.critic, seen, effect, leader.observe_play(seen, effect))
    return values.leader_q


@pytest.mark.parametrize("commitment", ["features", "policy"])
def test_letting_cut_episodes_end_biases_hpgd(commitment):
    game = random_tabular_v1.make_game(
        S=4, A=2, B=2, D=4, branching=3, commitment=commitment,
        leader_discount=0.4, follower_discount=0.9, temperature=1.5, horizon=15, seed=3,
    )  # fmt: skip
    theta = np.random.default_rng(0).standard_normal(make_leader("published_hpgd", game).theta.size)
    leader = make_leader("published_hpgd", game, bootstrap=False, start=list(theta))
    solution = solve(game, leader.commit())
    values = ValueEstimates(
        solution.primitives.leader_policy, solution.best.policy, solution.leader.q, solution.best.values
    )
    leader.estimate_values = lambda *told: (values, {})
    rng, batches = np.random.default_rng(1), 150
    plays = (collect(game, solution.x, solution.response, episodes=1_600, rng=rng) for _ in range(batches))
    parametrisation = leader.brief.parametrisation
    rows = np.array([parametrisation.vjp(theta, leader.gradient(play)[0]) for play in plays])
    error = rows.std(axis=0, ddof=1) / np.sqrt(batches)
    z = np.abs(rows.mean(axis=0) - parametrisation.vjp(theta, solution.gradient)) / error
    assert z.max() > norm.isf(FALSE_ALARM_RATE / 2 / z.size)


@pytest.mark.parametrize("name", ["bchg", "hpgd"])
def test_published_weights_average_the_direct_term_over_all_and_the_response_over_finished_episodes(name):
    game = four_rooms_v0.make_game(temperature=0.005, horizon=40)
    leaders = [make_leader(f"published_{name}", game, weights="finished"), make_as_published(name, game)]
    leaders.append(make_as_published("naive", game))
    solution = solve(game, leaders[0].commit())
    values = ValueEstimates(solution.primitives.leader_policy, solution.best.policy, solution.leader.q, None)
    seen = collect(game, solution.x, solution.response, steps=610, rng=np.random.default_rng(2))
    finished = int((seen.terminated | (seen.lengths == 40)).sum())
    assert 0 < seen.terminated.sum() < finished < seen.num_episodes
    for leader in leaders:
        leader.estimate_values = lambda *told: (values, {})
    published = leaders[0].gradient(seen)[0]
    # Give every step the same weight, and take the difference of the direct terms out.
    same = replace(seen)
    vars(same)["step_weights"] = np.full(seen.lengths.max(), 1.0 / finished)
    both, direct = (leader.gradient(same)[0] for leader in leaders[1:])
    np.testing.assert_allclose(published, both - direct * (1.0 - finished / seen.num_episodes), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["bchg", "hpgd", "naive"])
def test_without_peculiarities_they_are_the_leaders_themselves(name):
    runs = [
        agents.run(
            "stackelberg/FourRooms-v0", leader=leader, preset=preset, updates=2, steps_per_update=200, evaluate_every=0
        )
        for leader, preset in ((name, "published"), (f"published_{name}", None))
    ]
    np.testing.assert_array_equal(*(record.commitment for record in runs))


@pytest.mark.deep
@pytest.mark.parametrize(("bootstrap", "low", "high"), [(False, 0.6, 1.4), (True, -0.65, -0.55)])
def test_the_published_start_of_four_rooms_is_left_because_cut_episodes_end(bootstrap, low, high):
    # Fixed seed; of four seeds the values were 0.82 to 0.86 and -0.61.
    game = four_rooms_v0.make_game(temperature=0.005, slip=0.33, follower_slip=0.44)
    ascent = {"optimizer": "sgd", "decay": 0.0, "max_norm": 1.0, "learning_rate": 0.1}
    options = {**ascent, "critic": "sarsa", "weights": "finished", "bootstrap": bootstrap}
    record = agents.run(
        game, leader="published_bchg", updates=1_500, steps_per_update=100, seed=1, evaluate_every=0,
        leader_options=options,
    )  # fmt: skip
    assert low < solve(game.as_believed(), record.commitment).leader_value < high


def test_published_weights_are_for_configurations():
    with pytest.raises(ArgumentError, match="weights: 'finished' is for configurations"):
        make_leader("published_bchg", discrete_toy_v1.make_game(), weights="finished")
