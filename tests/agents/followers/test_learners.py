"""Anything that can learn and act follows in an environment that nobody looks into."""

import numpy as np
import pytest
from gymnasium.spaces import Box

import agents
import stackelberg_envs as se
from agents.followers import FOLLOWERS
from agents.leaders.base import LEADERS
from stackelberg_envs.errors import ArgumentError, InformationError, OutputError
from tests.environments import Ladder, Slide, resumes
from tests.games import TOY

SHORT = {"updates": 4, "steps_per_update": 40}
#: The leader earns what is on top of the ladder, less what it pays.
SLIP = se.wrap_commitment(
    Ladder, lambda env, x: Ladder(slip=float(x[0])), Box(0.0, 1.0, (1,), np.float64), horizon=20, evaluation_episodes=2
)


@pytest.fixture
def own():
    """Forget the followers that a test registers."""
    FOLLOWERS.walk()
    before = dict(FOLLOWERS.classes)
    yield
    FOLLOWERS.classes.clear()
    FOLLOWERS.classes.update(before)


@pytest.fixture
def climber(own):
    """A learner that goes up with a probability that rises the more it has learned."""

    @agents.register_learner("climber")
    class Climber:
        """Goes up."""

        made = 0

        def __init__(self, env, rng):
            self.rng, self.steps, self.seen = rng, [], []
            Climber.made += 1

        def learn(self, env, steps):
            self.steps.append(steps)
            self.seen.append(env.unwrapped.slip)

        def act(self, observation, rng):
            return int(rng.random() < 0.9)

    return Climber


def follower_of(**options):
    kind = FOLLOWERS.serving("climber", SLIP)
    return kind(kind.Config(**options), np.random.default_rng(0)).show(SLIP)


def test_a_learner_learns_under_each_commitment_from_what_it_had_learned(climber):
    follower = follower_of(steps=5, first_steps=9)
    assert [follower.learn(SLIP.under([x])) for x in (0.25, 0.5)] == [9, 5]
    assert (climber.made, follower.policy.steps, follower.policy.seen) == (1, [9, 5], [0.25, 0.5])


def test_it_is_made_anew_where_that_is_asked_for_and_may_come_late(climber):
    anew = follower_of(restart=True)
    for x in (0.25, 0.5):
        anew.learn(SLIP.under([x]))
    assert (climber.made, anew.policy.seen) == (2, [0.5])
    late = follower_of(delay=1)
    for x in (0.25, 0.5, 0.75):
        late.learn(SLIP.under([x]))
    assert late.policy.seen == [0.25, 0.25, 0.5]


@pytest.mark.parametrize("leader", ["random_search", "cma_es", "zero_order"])
def test_black_box_leaders_lead_any_environment(climber, leader):
    record = agents.run(SLIP, leader=leader, follower="climber", **SHORT)
    assert (record.status, record.information, record.follower_steps) == ("finished", "ACTIONS_ONLY", 4 * 20_000)
    assert 0.0 <= record.commitment[0] <= 1.0
    assert np.isfinite(record.leader_value)
    assert "mean over 2 episodes of at most 20 steps" in record.meanings["leader_value"]
    again = agents.run(SLIP, leader=leader, follower="climber", **SHORT)
    assert np.array_equal(again.commitment, record.commitment) and again.leader_value == record.leader_value


def test_less_slip_is_found_to_be_better(climber):
    """The ladder pays at its top: the less it slips, the sooner; of 16 draws one is below a third but for 1 in 600."""
    record = agents.run(
        SLIP, leader="random_search", follower="climber", updates=16, steps_per_update=200, evaluate_every=0
    )
    assert record.commitment[0] < 1 / 3


def test_a_leader_in_a_process_of_its_own_sees_the_same(climber):
    found = [
        agents.run(SLIP, leader="zero_order", follower="climber", leader_process=apart, **SHORT)
        for apart in (False, True)
    ]
    assert np.array_equal(found[0].commitment, found[1].commitment)


def test_a_run_that_cannot_be_resumed_says_so_and_goes_on(climber, tmp_path):
    with pytest.warns(UserWarning, match="this run cannot be resumed: follower 'climber'"):
        record = agents.run(SLIP, leader="random_search", follower="climber", output=tmp_path / "run", **SHORT)
    assert agents.load_record(tmp_path / "run").status == record.status == "finished"
    with pytest.raises(ArgumentError, match="expected a follower that can be stored, got a learner without state_dict"):
        agents.run(
            SLIP,
            leader="random_search",
            follower="climber",
            output=tmp_path / "no",
            checkpoint_every=1,
            **SHORT,
        )


def test_a_learner_that_says_what_it_holds_is_resumed(own, tmp_path):
    @agents.register_learner("counter")
    class Counter:
        """Climbs by a probability that it moves a little at each commitment."""

        def __init__(self, env, rng):
            self.rng, self.up = rng, np.array([float(rng.random())])

        def learn(self, env, steps):
            self.up += 0.1 * (self.rng.random() - self.up)

        def act(self, observation, rng):
            return int(rng.random() < self.up[0])

        def state_dict(self):
            return {"up": self.up}

        def load_state_dict(self, state):
            self.up = np.array(state["up"])

    resumes(tmp_path, SLIP, leader="zero_order", follower="counter", follower_options={"delay": 1}, **SHORT)
    counter = FOLLOWERS.serving("counter", SLIP)
    mine = counter(counter.Config(), np.random.default_rng(0)).show(SLIP)
    mine.learn(SLIP.under([0.5]))
    for tree in ({"learner": {}}, {**mine.state_dict(), "learner": {}}, {**mine.state_dict(), "_announced": []}):
        with pytest.raises(OutputError):
            counter(counter.Config(), np.random.default_rng(0)).show(SLIP).load_state_dict(tree)


@pytest.mark.parametrize("leader", ["bchg", "exact", "hpgd", "certainty_equivalent"])
def test_leaders_that_need_to_know_the_effect_are_refused(leader):
    with pytest.raises(ArgumentError, match="is an environment one; expected one of cma_es, random_search, zero"):
        agents.run(SLIP, leader=leader)


@pytest.mark.parametrize("leader", ["exact", "hpgd_oracle", "sobirl", "rtq"])
def test_what_needs_a_model_or_a_state_to_begin_in_is_refused(leader):
    game = se.wrap_commitment(Ladder, None, se.StateIncentive(0.0, 1.0, np.ones(3)))
    with pytest.raises(InformationError, match=r"it cannot be set to a state, and its model and .* would work"):
        agents.run(game, leader=leader)


def test_followers_of_games_do_not_take_environments_nor_learners_games(climber):
    with pytest.raises(ArgumentError, match="'Ladder' is an environment one; expected one of climber, sb3, soft_q"):
        agents.run(SLIP, leader="cma_es", follower="soft_value_iteration")
    with pytest.raises(ArgumentError, match=r"works on environment games, but .* is a tabular one"):
        agents.run(TOY, follower="climber")


def test_what_cannot_learn_or_act_is_refused(own):
    agents.register_learner("idle")(lambda env, rng: object())
    with pytest.raises(
        ArgumentError, match=r"follower 'idle': expected a learner with learn and act, got object without"
    ):
        agents.run(SLIP, leader="cma_es", follower="idle", **SHORT)
    with pytest.raises(ArgumentError, match="learner 'idle': expected a class or a function"):
        agents.register_learner("idle")(3)
    with pytest.raises(ArgumentError, match="follower 'idle': the name is taken"):
        agents.register_learner("idle")(Slide)


def test_a_notebook_cell_may_be_run_twice(own):
    for _ in range(2):

        @agents.register_learner("mine")
        class Mine:
            def __init__(self, env, rng):
                pass

            def learn(self, env, steps):
                pass

            def act(self, observation, rng):
                return 1

    assert agents.run(SLIP, leader="cma_es", follower="mine", **SHORT).status == "finished"


@pytest.mark.filterwarnings("ignore")  # of pygame and of PettingZoo's own
def test_a_task_of_mpe2_is_led(own):
    """The leader sets how fast the particles slow down; they push at random, and it earns by their distances."""
    pytest.importorskip("mpe2")
    from mpe2 import simple_spread_v3

    @agents.register_learner("random")
    class Random:
        def __init__(self, env, rng):
            pass

        def learn(self, env, steps):
            pass

        def act(self, observations, rng):
            return {agent: int(rng.integers(5)) for agent in observations}

    def slow_down(env, x):
        env.unwrapped.world.damping = float(x[0])
        return env

    game = se.wrap_commitment(
        simple_spread_v3.parallel_env,
        slow_down,
        Box(0.1, 1.0, (1,), np.float64),
        evaluation_episodes=2,
        names=["damping"],
    )
    assert (game.num_agents, game.seen.size) == (3, 18)
    record = agents.run(game, leader="cma_es", follower="random", updates=3, steps_per_update=150, evaluate_every=0)
    assert record.status == "finished" and record.leader_value < 0.0


def test_an_own_leader_that_takes_play_for_a_response_may_lead_an_environment(climber):
    from agents.leaders.random_search import RandomSearch

    class Trusting(RandomSearch):
        needs_response = True

    agents.register_leader("trusting")(Trusting)
    try:
        for game in (SLIP, se.wrap_commitment(Ladder, None, se.StateIncentive(0.0, 1.0, np.ones(3)), horizon=9)):
            record = agents.run(game, leader="trusting", follower="climber", **SHORT)
            assert "follower_drift" in record.curve
    finally:
        del LEADERS.classes["trusting"]
