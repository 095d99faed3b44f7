"""Random sequences of resets and steps, with odd options, seeds and actions, on every face.

Only two things may happen: a call is refused by an error of this library and leaves the face as it was, or it does what
it should. A small number of sequences runs with every test, 10,000 in the deep set.
"""

import copy

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import stackelberg_envs as se
from stackelberg_envs.conformity.vector_games import UniformPolicy
from stackelberg_envs.errors import StackelbergError

TOY, SWING = "stackelberg/DiscreteToy-v1", "stackelberg/GuidedPendulum-v0"
TABLE = se.random_tabular(S=3, A=2, B=2, K=2, terminal=1, horizon=4, commitment="policy")
VECTORS = se.make_game(SWING, horizon=4)
GAMES = {
    "table": TABLE,
    "two tables": TABLE.replace(num_followers=2),
    "vectors": VECTORS,
    "two vectors": VECTORS.replace(num_followers=2),
}


def uniform(game, x):
    return UniformPolicy(game.follower_action_space)


FACES = {
    "raw_env": {},
    "raw_env, per step": {"commitment": "per_step"},
    "parallel_env": {},
    "parallel_env, per step": {"commitment": "per_step"},
    "parallel_env, menu": {"menu": 2},
    "followers_env": {},
    "follower_env": {},
    "leader_env": {},
    "leader_env, menu": {"menu": 2},
    "vector_env": {"num_envs": 2},
}
MADE = {}


def face_of(name, game):
    """Return a copy of a face as it is made: making one takes longer than all the rest."""
    key = name, game
    if key not in MADE:
        options = dict(FACES[name])
        if name.startswith("leader_env") and "vectors" in game:
            options["response"] = uniform
        MADE[key] = getattr(se, name.partition(",")[0])(game=GAMES[game], **options)
    return copy.deepcopy(MADE[key])


SCALARS = [None, True, False, 0, 1, 2, 3, -1, 2**40, 0.0, 0.5, 1.0, -1.0, np.nan, np.inf, 1e300, 1j, "", "1", b"1"]
SCALARS += [np.int64(1), np.uint8(0), np.float32(0.5), np.float64(-0.5), np.bool_(True), np.datetime64("2020")]
SCALARS += [object(), (), [], {}, {1: 2}, set(), int, print, np.array(1), np.array(0.5), np.array("a"), np.ma.masked]
SHAPES = [(), (0,), (1,), (2,), (3,), (1, 1), (2, 1), (2, 2), (3, 2), (1, 2), (5,), (2, 5)]
KINDS = [np.float64, np.float32, np.int64, np.int8, np.bool_, np.complex128, object, "U1", "datetime64[s]"]


def array(shape, kind, value):
    try:
        with np.errstate(all="ignore"):
            return np.full(shape, value, dtype=kind)
    except (TypeError, ValueError, OverflowError):
        return np.zeros(shape, dtype=kind)


arrays = st.builds(
    array, st.sampled_from(SHAPES), st.sampled_from(KINDS), st.sampled_from([0, 1, 0.5, -7, np.nan, np.inf])
)
ragged = st.sampled_from([[[1], [1, 2]], [1, [2]], [None, 1], [[], [1]], [1, "a"], [np.zeros(2), np.zeros(3)]])
masked = st.builds(
    np.ma.masked_equal, st.sampled_from([np.zeros(2), np.ones((3, 2)), np.zeros(1)]), st.sampled_from([0, 1])
)
odd = st.one_of(st.sampled_from(SCALARS), arrays, ragged, masked, st.lists(st.sampled_from(SCALARS), max_size=4))
seeds = st.one_of(st.none(), st.integers(0, 2**70), odd)
names = st.sampled_from(["commitment", "comitment", "seed", "reset_mask", "", 1, None, ("commitment",)])
options = st.one_of(st.none(), st.just({}), odd, st.dictionaries(names, odd, max_size=2), st.just("good commitment"))
agents = st.sampled_from(["leader_0", "follower_0", "follower_1", "follower_9", "leader", 0, None])
actions = st.one_of(st.just("good"), odd, st.dictionaries(agents, st.one_of(st.just("good"), odd), max_size=4))
calls = st.lists(
    st.one_of(
        st.just(("reset", 1, None)),
        st.tuples(st.just("reset"), seeds, options),
        st.just(("step", "good")),
        st.just(("step", "good")),
        st.tuples(st.just("step"), actions),
    ),
    min_size=1,
    max_size=9,
)


def good_action(env, agent):
    if agent in getattr(env, "possible_agents", ()):
        return env.action_space(agent).sample()
    return 0


def filled(env, action):
    """Return an action in which "good" is replaced by a legal one."""
    if isinstance(action, dict) and hasattr(env, "possible_agents"):
        good = {
            agent: good_action(env, agent) if isinstance(a, str) and a == "good" else a for agent, a in action.items()
        }
        return good.get(env.agent_selection) if hasattr(env, "agent_selection") else good
    if not (isinstance(action, str) and action == "good"):
        return action
    if hasattr(env, "agent_selection"):
        agent = env.agent_selection
        return None if env.terminations[agent] or env.truncations[agent] else good_action(env, agent)
    if hasattr(env, "possible_agents"):
        return {agent: good_action(env, agent) for agent in env.possible_agents}
    return env.action_space.sample()


def told(env):
    """Return what the state of a face's play is, as text; what only spaces draw is left out."""
    session = getattr(env, "session", None)
    own = {}
    if session is not None:
        stream = getattr(session.simulator, "_rng", None)
        own = {
            name: getattr(session, name)
            for name in ("phase", "x", "context", "states", "leader_actions", "finished", "played", "records")
        }
        own["stream"] = None if stream is None else stream.bit_generator.state
    else:
        own = {name: getattr(env, name, None) for name in ("_states", "_played", "_over", "_started", "_observations")}
        own["stream"] = None if env._np_random is None else env._np_random.bit_generator.state
    own["agents"] = list(getattr(env, "agents", ()))
    own["turn"] = getattr(env, "agent_selection", None), list(getattr(env, "_chosen", ()))
    return repr(own)


def is_seed(seed, copies):
    if isinstance(seed, np.ndarray) and seed.ndim and copies:
        seed = list(seed)
    if copies and isinstance(seed, list | tuple):
        whole = len(seed) == copies
        return whole and (
            all(each is None for each in seed) or all(is_seed(each, 0) and each is not None for each in seed)
        )
    return seed is None or (isinstance(seed, int | np.integer) and not isinstance(seed, bool) and seed >= 0)


def reset(env, seed, option):
    commitment = env.game.commitment
    given = (
        {"commitment": commitment.project(np.zeros(commitment.shape))}
        if isinstance(option, str) and option == "good commitment"
        else option
    )
    before = told(env)
    try:
        env.reset(seed=seed, options=given)
    except StackelbergError:
        assert told(env) == before
        assert not (is_seed(seed, getattr(env, "num_envs", 0)) and given is None)
        return
    assert is_seed(seed, getattr(env, "num_envs", 0))
    assert given is None or (isinstance(given, dict) and set(given) <= {"commitment", "options"})
    twin = copy.deepcopy(env)
    if seed is not None and not (isinstance(seed, list | tuple) and None in seed):
        twin.reset(seed=seed, options=given)
        assert told(twin) == told(env)


def running(env, session):
    return env._started if session is None else session.phase in ("commitment", "play")


def step(env, action):
    before = told(env)
    try:
        made = env.step(filled(env, action))
    except StackelbergError:
        assert told(env) == before
        session = getattr(env, "session", None)
        assert not (isinstance(action, str) and action == "good" and running(env, session))
        return
    if hasattr(env, "agent_selection"):
        assert all(np.isfinite(list(env.rewards.values())))
        if env.agents:
            agent = env.agent_selection
            assert env.observation_space(agent).contains(env.observe(agent))
    elif hasattr(env, "possible_agents"):
        assert all(env.observation_space(agent).contains(row) for agent, row in made[0].items())
        assert np.isfinite(list(made[1].values())).all()
    else:
        assert env.observation_space.contains(made[0])
        assert np.isfinite(made[1]).all()


def run(face, game, sequence):
    env = face_of(face, game)
    for call in sequence:
        (reset if call[0] == "reset" else step)(env, *call[1:])


cases = st.sampled_from([(face, game) for face in FACES for game in GAMES])
SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck), "derandomize": True, "database": None}


@settings(max_examples=120, **SETTINGS)
@given(cases, calls)
def test_calls_are_refused_by_name_or_do_what_they_should(case, sequence):
    run(*case, sequence)


@pytest.mark.deep
@settings(max_examples=10_000, **SETTINGS)
@given(cases, calls)
def test_ten_thousand_sequences_are_refused_by_name_or_do_what_they_should(case, sequence):
    run(*case, sequence)
