"""Games of vectors behind the session and the vector environment: streams, infos, actions, autoreset, responses."""

import copy
import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete

import stackelberg_envs as se
from stackelberg_envs.conformity.vector_games import UniformPolicy
from stackelberg_envs.errors import ActionError, ArgumentError, GameError, PhaseError
from stackelberg_envs.faces.gymnasium_views import LeaderEnv
from stackelberg_envs.faces.vector import FollowerVectorEnv, follower_vector_env
from stackelberg_envs.games.actions import action_bounds, checked_actions, no_actions, require_action_space
from stackelberg_envs.games.samples import SampledCommitment, SampledEffect
from stackelberg_envs.games.vector import BatchStep, VectorGame
from stackelberg_envs.play.session import DONE, PLAY, Session, simulator_of
from stackelberg_envs.play.vector import VectorSimulator, draw_contexts

CARTPOLE, PENDULUM = "stackelberg/GuidedCartPole-v0", "stackelberg/GuidedPendulum-v0"
BATCHED = [name for name in se.registered_ids() if isinstance(se.make_game(name), VectorGame)]


class Weight(SampledCommitment):
    """x pays the follower for its action."""

    changes = frozenset({"follower_reward"})

    def __init__(self):
        super().__init__(-1.0, 1.0, (1,))

    def effect_at(self, x, samples):
        return SampledEffect(follower_reward=x[0] * samples.follower_action[:, 0])


class Ladder(VectorGame):
    """Climbs by a Discrete action, from a step its context names; over at 4. The leader has no actions."""

    @property
    def state_space(self):
        return Box(np.array([2.0], np.float32), np.array([9.0], np.float32))

    @property
    def follower_action_space(self):
        return Discrete(3)

    def initial_states(self, rng, contexts):
        return 2.0 + contexts[:, None] + 0.25 * rng.random((len(contexts), 1))

    def step(self, rng, x, states, contexts, leader_actions, follower_actions):
        climbed = states + follower_actions
        return BatchStep(climbed, states[:, 0] * 1.0, x[0] * follower_actions[:, 0], climbed[:, 0] >= 4.0)


def recast(game, kind):
    """Return a game of another class with the same numbers."""
    return kind(**{item.name: getattr(game, item.name) for item in fields(game)})


def ladder(**changes):
    return Ladder(
        commitment=Weight(),
        leader_discount=0.9,
        follower_discount=0.9,
        temperature=0.1,
        horizon=5,
        context_probabilities=np.array([0.25, 0.75]),
        **changes,
    )


# ---------------------------------------------------------------------------------------------- session


def test_a_session_of_vectors_tells_its_story_in_records():
    session = Session(ladder())
    assert isinstance(session.simulator, VectorSimulator)
    session.reset(0)
    first = session.records[0]
    assert (first["state"].tolist(), first["next_state"].tolist()) == ([0.0], [0.0])
    assert (first["leader_action"].shape, first["follower_action"], first["context"]) == ((0,), -1, -1)
    session.commit([0.5])
    started = session.records[0]
    assert started["next_state"][0] >= 2.0 + started["context"]
    session.play([1])
    record = session.records[0]
    np.testing.assert_array_equal(record["state"], started["next_state"])
    assert record["next_state"][0] == record["state"][0] + 1
    assert (record["follower_action"], record["follower_reward"]) == (1, 0.5)
    assert record["leader_reward"] == record["state"][0]
    assert {key: np.shape(value) for key, value in first.items()} == {
        key: np.shape(value) for key, value in record.items()
    }


def test_the_step_that_ends_an_episode_says_so():
    session = Session(ladder())
    session.reset(3)
    session.commit([0.0])
    session.play([2])
    assert session.phase == DONE
    assert session.terminated
    assert session.records[0]["terminal"] == 1


def test_arrays_in_records_cannot_be_written_to():
    session = Session(se.make_game(CARTPOLE))
    session.reset(0)
    session.commit(np.zeros(5))
    session.play([[0.1]])
    for key in ("state", "next_state", "leader_action", "follower_action"):
        with pytest.raises(ValueError, match="read-only"):
            session.records[0][key][0] = 7.0


def test_streams_start_with_a_seed_and_go_on_without_one():
    walks = []
    for _ in range(2):
        session = Session(se.make_game(CARTPOLE), num_followers=2)
        for seed in (4, None):
            session.reset(seed)
            session.commit(np.zeros(5))
            session.play([[0.5], [-0.5]])
            walks.append(np.array([*session.states, *np.pad(session.leader_actions, ((0, 0), (0, 3)))]))
    np.testing.assert_array_equal(walks[0], walks[2])
    np.testing.assert_array_equal(walks[1], walks[3])
    assert (walks[0] != walks[1]).any()
    assert (walks[0][0] != walks[0][1]).any()
    with pytest.raises(PhaseError, match="seed"):
        VectorSimulator(se.make_game(CARTPOLE)).reset(1)


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda session: pickle.loads(pickle.dumps(session))])  # noqa: S301
def test_twins_continue_equally_in_the_middle_of_an_episode(twin):
    session = Session(se.make_game(CARTPOLE))
    session.reset(1)
    session.commit(np.full(5, 0.3))
    session.play([[0.2]])
    other = twin(session)
    for each in (session, other):
        each.play([[0.1]])
        each.play([[-0.1]])
    np.testing.assert_array_equal(session.states[0], other.states[0])
    np.testing.assert_array_equal(session.leader_actions[0], other.leader_actions[0])


def test_the_leader_of_a_per_step_session_blows_what_it_chose():
    session = Session(se.make_game(PENDULUM), per_step=True)
    session.reset(0)
    session.lead([np.array([0.7], np.float32)])
    session.play([[0.0]])
    assert session.records[0]["leader_action"][0] == pytest.approx(0.7)
    for bad in ([1.5], [np.nan], "no", [0.1, 0.2], None):
        with pytest.raises(ActionError, match="leader action: expected"):
            session.lead([bad])
    with pytest.raises(ArgumentError, match="only configures"):
        Session(ladder(), per_step=True)


def test_contexts_are_drawn_by_their_probabilities():
    # 20,000 draws; 5 standard deviations: false-alarm rate 6e-7.
    drawn = draw_contexts(ladder(), np.random.default_rng(0), 20_000)
    assert abs((drawn == 1).mean() - 0.75) < 5 * np.sqrt(0.75 * 0.25 / 20_000)


def test_followers_share_the_context():
    session = Session(ladder(), num_followers=6)
    session.reset(0)
    contexts = set()
    for _ in range(20):
        session.reset()
        session.commit([0.0])
        assert {int(state[0]) - 2 for state in session.states} == {session.context}
        contexts.add(session.context)
    assert contexts == {0, 1}


def test_other_kinds_of_games_are_refused_by_name():
    with pytest.raises(ArgumentError, match="TabularGame or a VectorGame, got dict"):
        simulator_of({})
    for spaces in ({"follower_action_space": Dict({})}, {"leader_action_space": Box(-1, 1, (2, 2))}):
        odd = type("Odd", (Ladder,), {name: property(lambda game, s=space: s) for name, space in spaces.items()})
        with pytest.raises(GameError, match="action_space: expected a Box"):
            VectorSimulator(recast(ladder(), odd))


# ---------------------------------------------------------------------------------------------- actions

SPACES = [Box(-2.0, 2.0, (2,)), MultiDiscrete([3, 4], start=[0, 1]), Discrete(3, start=1)]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_what_a_space_samples_is_legal(space):
    space.seed(0)
    bounds = action_bounds(space)
    for _ in range(50):
        sample = space.sample()
        checked = checked_actions([sample], 1, bounds, "action")
        np.testing.assert_array_equal(checked.ravel(), np.ravel(sample))
        assert checked.dtype == no_actions(bounds, 1).dtype
    policy = UniformPolicy(space).sample(np.random.default_rng(0), np.zeros((500, 1)), None, None)
    np.testing.assert_array_equal(checked_actions(policy, 500, bounds, "action"), policy)
    if space is not SPACES[0]:
        assert (policy.min(axis=0).tolist(), policy.max(axis=0).tolist()) == tuple(b.tolist() for b in bounds)


@pytest.mark.parametrize(
    ("space", "bad", "match"),
    [
        (SPACES[0], [[0.0, 2.1]], r"a: expected a value in \[-2, 2\], got 2.1 at index \(1,\)"),
        (SPACES[0], [[-2.1, 0.0]], r"got -2.1 at index \(0,\)"),
        (SPACES[0], [[2.00001, 0.0]], "expected a value"),
        (SPACES[0], [[0.0, np.inf]], "expected a value"),
        (SPACES[0], [[0.0, np.nan]], "expected a value"),
        (SPACES[0], [[0.0]], r"a: expected shape \(1, 2\), got shape \(1, 1\)"),
        (SPACES[0], [["x", "y"]], "a: expected numbers"),
        (SPACES[0], [[0.0, [1.0]]], "a: expected shape"),
        (SPACES[0], [None], "a: expected shape"),
        (SPACES[1], [[0, 0]], r"a: expected a value in \[1, 4\], got 0"),
        (SPACES[1], [[0.0, 1.0]], "a: expected integers"),
        (SPACES[2], [0], r"a: expected a value in \[1, 3\]"),
        (SPACES[2], [1.5], "a: expected integers"),
        (SPACES[2], [True], "a: expected integers"),
    ],
)
def test_what_is_illegal_is_refused_with_its_place(space, bad, match):
    with pytest.raises(ActionError, match=match):
        checked_actions(bad, 1, action_bounds(space), "a")


def test_rounding_of_float32_is_forgiven_and_mended():
    space = Box(-0.1, 0.1, (1,))
    checked = checked_actions([[0.10000002]], 1, action_bounds(space), "a")
    assert checked[0, 0] == float(space.high[0])
    unbounded = action_bounds(Box(-np.inf, np.inf, (1,)))
    assert checked_actions([[1e30]], 1, unbounded, "a")[0, 0] == 1e30


def test_spaces_of_other_kinds_are_refused():
    for odd in (Dict({}), Box(-1, 1, (2, 2)), "space"):
        with pytest.raises(GameError, match="follower_action_space: expected"):
            require_action_space(odd, "follower_action_space")


# ----------------------------------------------------------------------------------------------- vector


@pytest.mark.parametrize("spec_id", BATCHED)
def test_vector_spaces_and_layout_are_those_of_the_single_view(spec_id):
    vector, single = se.vector_env(spec_id, num_envs=5), se.follower_env(spec_id)
    assert isinstance(vector, FollowerVectorEnv)
    assert vector.single_observation_space == single.observation_space
    assert vector.single_action_space == single.action_space
    assert vector.observation_layout == single.observation_layout
    observations, infos = vector.reset(seed=1)
    assert vector.observation_space.contains(observations)
    _, info = single.reset(seed=1)
    vector.action_space.seed(1)
    for _ in range(30):
        assert {key for key in infos if key[0] != "_"} == set(info)
        for key, value in info.items():
            assert infos[key].shape == (5, *np.shape(value)), key
            assert infos[f"_{key}"].all()
        observations, rewards, _, _, infos = vector.step(vector.action_space.sample())
        assert vector.observation_space.contains(observations)
        assert rewards.dtype == np.float64
        assert np.isfinite(rewards).all()
        seen = observations[:, vector.observation_layout["state"]]
        np.testing.assert_array_equal(seen, infos["next_state"].astype(np.float32))


@pytest.mark.parametrize("spec_id", [CARTPOLE, PENDULUM])
def test_vector_steps_are_the_games(spec_id):
    game = se.make_game(spec_id)
    x = np.linspace(-1, 1, game.commitment.low.size)
    vector = se.vector_env(spec_id, num_envs=6, commitment=x)
    observations, infos = vector.reset(seed=2)
    vector.action_space.seed(2)
    layout = vector.observation_layout
    np.testing.assert_array_equal(observations[0, layout["commitment"]], x.astype(np.float32))
    for _ in range(80):
        before, actions = infos["next_state"], vector.action_space.sample()
        shown = observations[:, layout["leader_action"]]
        observations, rewards, terminated, _, infos = vector.step(actions)
        played = infos["played"].astype(bool)
        np.testing.assert_array_equal(infos["state"][played], before[played])
        np.testing.assert_array_equal(infos["leader_action"][played].astype(np.float32), shown[played])
        made = game.step(None, x, before, infos["context"], infos["leader_action"], actions.astype(np.float64))
        np.testing.assert_allclose(infos["next_state"][played], made.next_state[played])
        np.testing.assert_allclose(rewards[played], made.follower_reward[played])
        np.testing.assert_allclose(infos["leader_reward"][played], made.leader_reward[played])
        np.testing.assert_array_equal(terminated[played], made.terminated[played])


def test_vector_begins_the_next_episode_in_the_step_after_an_end():
    vector = se.vector_env(CARTPOLE, num_envs=8)
    vector.reset(seed=0)
    vector.action_space.seed(0)
    over, ends, begun = np.zeros(8, bool), 0, 0
    for _ in range(120):
        observations, rewards, terminated, truncated, infos = vector.step(vector.action_space.sample())
        np.testing.assert_array_equal(infos["played"] == 0, over)
        assert not rewards[over].any()
        assert not (terminated | truncated)[over].any()
        assert (np.abs(infos["next_state"][over]) <= 0.05).all()
        assert not infos["state"][over].any()
        assert not infos["follower_action"][over].any()
        assert not infos["step"][over].any()
        assert not observations[over][:, vector.observation_layout["time"]].any()
        assert not observations[terminated][:, vector.observation_layout["leader_action"]].any()
        begun += over.sum()
        over = terminated | truncated
        ends += over.sum()
    assert ends > 20
    assert begun > 20


def test_vector_truncates_at_the_horizon():
    vector = se.vector_env(PENDULUM, num_envs=2, horizon=3)
    vector.reset(seed=0)
    flags = [vector.step(np.zeros((2, 1), np.float32))[2:4] for _ in range(8)]
    assert [bool(truncated.all()) for _, truncated in flags] == [False, False, True, False, False, False, True, False]
    assert not any(terminated.any() for terminated, _ in flags)


def test_vector_contexts_are_drawn_per_copy_and_shown():
    vector = follower_vector_env(ladder(), 400)
    observations, infos = vector.reset(seed=0)
    part = vector.observation_layout["context"]
    for _ in range(4):
        np.testing.assert_array_equal(observations[:, part].argmax(axis=1), infos["context"])
        np.testing.assert_array_equal(observations[:, part].sum(axis=1), 1.0)
        assert set(infos["context"]) == {0, 1}
        observations, *_, infos = vector.step(np.ones(400, int))
    assert infos["follower_action"].shape == (400,)
    assert infos["leader_action"].shape == (400, 0)
    with pytest.raises(ActionError, match=r"actions: expected a value in \[0, 2\], got 3 at index \(1, 0\)"):
        vector.step([0, 3, *[0] * 398])


def test_vector_seeds_repeat_and_results_are_new_arrays():
    stories = []
    for seed in (5, 5, 6):
        vector = se.vector_env(CARTPOLE, num_envs=3)
        first, infos = vector.reset(seed=seed)
        kept, state = first.copy(), infos["next_state"].copy()
        rows = [vector.step(np.full((3, 1), 0.1, np.float32))[0] for _ in range(40)]
        np.testing.assert_array_equal(first, kept)
        np.testing.assert_array_equal(infos["next_state"], state)
        stories.append(np.array(rows))
    np.testing.assert_array_equal(stories[0], stories[1])
    assert (stories[0] != stories[2]).any()
    reused = se.vector_env(CARTPOLE, num_envs=3, copy=False)
    assert reused.reset(seed=0)[0] is reused.step(np.zeros((3, 1), np.float32))[0]


@pytest.mark.parametrize("bad", [[[0.0]], [[0.0], [np.nan]], [[0.0], [1.5]], "ab", [[0.0, 0.0]] * 2])
def test_vector_refuses_illegal_actions(bad):
    vector = se.vector_env(CARTPOLE, num_envs=2)
    with pytest.raises(PhaseError, match="reset"):
        vector.step(bad)
    vector.reset(seed=0)
    with pytest.raises(ActionError, match="actions: expected"):
        vector.step(bad)


def test_single_and_vector_views_follow_one_distribution():
    # 3,000 first steps each; means of four numbers, 5 standard errors of the difference: false-alarm rate 2.4e-6.
    vector = se.vector_env(CARTPOLE, num_envs=3000)
    vector.reset(seed=0)
    many = vector.step(np.zeros((3000, 1), np.float32))[4]["next_state"]
    single, one_by_one = se.follower_env(CARTPOLE), []
    single.reset(seed=1)
    for _ in range(3000):
        single.reset()
        one_by_one.append(single.step(np.zeros(1, np.float32))[4]["next_state"])
    gap = np.abs(many.mean(axis=0) - np.mean(one_by_one, axis=0))
    assert (gap < 5 * np.sqrt(2 / 3000) * many.std(axis=0)).all()
    np.testing.assert_allclose(many.std(axis=0), np.std(one_by_one, axis=0), rtol=0.1)


# --------------------------------------------------------------------------------------------- responses


def test_the_leader_is_paid_what_its_response_earns_it():
    class Up:
        def sample(self, rng, states, leader_actions, contexts):
            assert states.shape == (2, 1)
            assert leader_actions.shape == (2, 0)
            assert contexts.tolist() == [1, 1]
            return np.zeros((2, 1), np.int64)

    game = ladder(num_followers=2).replace(context_probabilities=np.array([0.0, 1.0]))
    env = LeaderEnv(game, response=lambda game, x: Up(), discounted=False)
    env.reset(seed=0)
    _, reward, terminated, truncated, info = env.step([0.0])
    assert (terminated, truncated, info["steps"]) == (True, False, 5)
    assert reward == pytest.approx(5 * np.mean([state[0] for state in env.session.states]))


def test_finished_followers_are_not_asked():
    asked = []

    class Climb:
        def sample(self, rng, states, leader_actions, contexts):
            asked.append(len(states))
            return (states >= 3).astype(np.int64)

    spread = type("Spread", (Ladder,), {"initial_states": lambda game, rng, k: np.array([[3.5], [2.5], [2.0]])})
    env = LeaderEnv(recast(ladder(num_followers=3), spread), response=lambda game, x: Climb())
    env.reset(seed=0)
    env.step([0.0])
    assert asked == [3, 2, 2, 2, 2]


def test_a_game_without_an_exact_response_asks_for_one():
    with pytest.raises(ArgumentError, match=r"response: expected a function \(game, x\) .*'Guided cart-pole'"):
        se.leader_env(CARTPOLE)
    env = se.leader_env(CARTPOLE, response=lambda game, x: np.zeros(3))
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match=r"expected an object with sample\(.*got ndarray"):
        env.step(np.zeros(5))

    class Wide:
        def sample(self, rng, states, leader_actions, contexts):
            return np.zeros((len(states), 2))

    env = se.leader_env(CARTPOLE, response=lambda game, x: Wide())
    env.reset(seed=0)
    with pytest.raises(ArgumentError, match="its sample: expected shape"):
        env.step(np.zeros(5))


def one_sided(low, high):
    """A cart-pole whose follower acts in a box, and a policy that leaves it."""
    space = Box(np.array([low], np.float32), np.array([high], np.float32))

    class Cart(type(se.make_game(CARTPOLE))):
        follower_action_space = space

        def step(game, rng, x, states, contexts, leader_actions, follower_actions):
            kept = super().step(rng, x, states, contexts, leader_actions, np.zeros(follower_actions.shape, np.int64))
            return replace(kept, follower_reward=follower_actions[:, 0].copy())

    class Normal:
        def sample(self, rng, states, leader_actions, contexts):
            return rng.standard_normal((len(states), 1))

    base = se.make_game(CARTPOLE, horizon=8)
    return Cart(**{item.name: getattr(base, item.name) for item in fields(base)}), Normal()


@pytest.mark.parametrize(("low", "high"), [(0.0, np.inf), (-np.inf, 0.0), (-1e-9, 1e-9)])
def test_what_is_played_lies_in_the_space_of_actions(low, high):
    """Also where the box is open on one side, or narrow: nothing is clipped to it."""
    import agents

    game, policy = one_sided(low, high)
    x = np.zeros(game.commitment.shape)
    outside = -5.0 if low == 0.0 else 5.0 if high == 0.0 else 1e-8
    single = se.follower_env(game=game)
    single.reset(seed=0)
    vector = se.vector_env(game=game, num_envs=2)
    vector.reset(seed=0)
    leader = se.leader_env(game=game, response=lambda game, x: policy)
    leader.reset(seed=0)
    for play in (
        lambda: single.step(np.array([outside])),
        lambda: vector.step(np.array([[outside], [0.0]])),
        lambda: leader.step(x),
        lambda: agents.collect(game, x, policy, steps=50, rng=0),
    ):
        with pytest.raises(ActionError, match="expected a value in"):
            play()


@pytest.mark.parametrize("spec_id", [name for name in BATCHED if se.make_game(name).has_solution])
def test_the_exact_response_is_the_default(spec_id):
    game = se.make_game(spec_id)
    env = se.leader_env(spec_id)
    env.reset(seed=0)
    x = game.facts.get("best_commitment", 0.5 * (game.commitment.low + game.commitment.high))
    assert env.session.num_followers == game.num_followers
    observation, reward, terminated, _, info = env.step(np.asarray(x))
    assert terminated
    assert np.isfinite(reward)
    assert info["steps"] == game.horizon
    assert env.observation_space.contains(observation)


def test_sessions_of_vector_games_end_by_their_horizon():
    session = Session(se.make_game(PENDULUM, horizon=4))
    session.reset(0)
    session.commit(np.zeros(4))
    while session.phase == PLAY:
        session.play([[0.0]])
    assert (session.played, session.truncated) == (4, True)
