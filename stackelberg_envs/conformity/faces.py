"""What the faces of a game promise, clause by clause; :func:`stackelberg_envs.check_env` runs it."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import singledispatch
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array
from stackelberg_envs.conformity.clauses import attempt
from stackelberg_envs.conformity.clauses import require_clause as _require
from stackelberg_envs.conformity.travel import require_travel
from stackelberg_envs.conformity.vector import check_vector, is_number, plain
from stackelberg_envs.conformity.vector_games import UniformPolicy
from stackelberg_envs.errors import ArgumentError, ConformityError, UnknownNameError
from stackelberg_envs.faces import registration
from stackelberg_envs.games.tabular import Game, TabularGame
from stackelberg_envs.games.vector import VectorGame
from stackelberg_envs.play.resets import require_seed

__all__ = ["check_env"]

LEADER = "leader_0"
#: Faces that need no arguments.
PLAIN_FACES = ("parallel_env", "env", "followers_env", "followers_aec_env", "follower_env")
#: Rounds of an episode that is never over.
MAX_ROUNDS = 100_000
#: Copies in which a vector environment is tried.
VECTOR_COPIES = 3
#: What sums of rewards may miss, as a part of the rewards' size.
RELATIVE_TOLERANCE = 1e-9


@dataclass(frozen=True)
class _Turn:
    """What one agent got from one round (parallel), turn (AEC) or step (Gymnasium)."""

    round: int
    agent: str
    observation: Any
    reward: Any
    terminated: Any
    truncated: Any
    info: dict[str, Any]
    action: Any


def check_env(env: Any, *, seed: int = 0) -> None:
    """Check that an environment keeps the contract of leader-follower faces.

    Parameters
    ----------
    env
        A registered id (all its faces are checked), or a ParallelEnv, AEC environment, Gymnasium environment or
        vector environment. Its state is left after the end of an episode.
    seed
        For the episodes it is tried on.

    Raises
    ------
    ConformityError
        The first clause that does not hold, and where.
    UnknownNameError
        An id nobody registered.
    ArgumentError
        Nothing that can be checked, or no seed.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> se.check_env("stackelberg/DiscreteToy-v1")
    """
    require_seed(seed)
    if isinstance(env, str):
        for face, options in _faces_of(env):
            with attempt(f"{face} can be made", UnknownNameError):
                made = getattr(registration, face)(env, **options)
            check_env(made, seed=seed)
        return
    if isinstance(env, VectorEnv):
        check_vector(env, seed)
        return
    play = _driver(env)
    with attempt("an episode runs from reset to its end"):
        turns: list[_Turn] = []
        # Hashed as they come, since an environment may overwrite what it returned.
        first = _digest(_kept(play(env, seed), turns))
        _require(_digest(play(env, seed)) == first, "two episodes of one seed are equal, turn by turn")
    _check_twin(env, play)
    with attempt("spaces and results have the form that the interface asks for"):
        _check_spaces(env, turns)
        _check_turns(turns)
    if play is _play_parallel:
        with attempt("rounds of a parallel environment follow each other as they should"):
            _check_parallel(env, seed)
            _check_twin_midway(env, seed)
        with attempt("both sides are paid what the game says"):
            _check_payments(env, turns)


def _faces_of(spec_id: str) -> list[tuple[str, dict[str, Any]]]:
    """Return the names of the faces an id is tried on, with their arguments."""
    registration.spec(spec_id)
    with attempt("make_game makes the game"):
        response = _any_response(registration.make_game(spec_id))
    plain_faces: list[tuple[str, dict[str, Any]]] = [(face, {}) for face in PLAIN_FACES]
    copies: dict[str, Any] = {"num_envs": VECTOR_COPIES}
    return [
        *plain_faces,
        ("leader_env", response),
        ("vector_env", copies),
        ("leader_vector_env", {"num_envs": 2, **response}),
    ]


def _any_response(game: Game) -> dict[str, Any]:
    """Return a response for games whose exact one is not known."""
    return {} if game.has_solution else {"response": _uniform_response}


def _uniform_response(game: VectorGame, x: Array) -> UniformPolicy:
    del x
    return UniformPolicy(game.follower_action_space)


def _driver(env: Any) -> Callable[[Any, int | None], Iterator[_Turn]]:
    import gymnasium
    import pettingzoo

    if isinstance(env, pettingzoo.ParallelEnv):
        return _play_parallel
    if isinstance(env, pettingzoo.AECEnv):
        return _play_aec
    if isinstance(env, gymnasium.Env):
        return _play_gymnasium
    expected = "an id, a ParallelEnv, an AECEnv, a gymnasium.Env or a VectorEnv"
    raise ArgumentError(f"env: expected {expected}, got {type(env).__name__}")


def _samplers(env: Any, agents: list[str], seed: int | None) -> dict[str, Any]:
    """Return copies of the action spaces, seeded, so that the environment's own are left alone."""
    spaces = {agent: copy.deepcopy(env.action_space(agent)) for agent in agents}
    for i, space in enumerate(spaces.values()):
        space.seed(1000 * (seed or 0) + i)
    return spaces


def _drawn(space: Any, info: Any) -> Any:
    """Return a random action, of those that an info says can be taken."""
    return space.sample(info["action_mask"]) if "action_mask" in info else space.sample()


def _play_parallel(env: Any, seed: int | None) -> Iterator[_Turn]:
    spaces = _samplers(env, env.possible_agents, seed)
    observations, infos = env.reset(seed=seed)
    for agent in env.agents:
        yield _Turn(-1, agent, observations[agent], 0.0, False, False, infos[agent], None)
    for number in range(MAX_ROUNDS):
        if not env.agents:
            return
        actions = {agent: _drawn(spaces[agent], infos[agent]) for agent in env.agents}
        results = env.step(actions)
        infos = results[-1]
        for agent in actions:
            _require(all(agent in part for part in results), "every agent is in all five dicts", agent)
            observation, reward, terminated, truncated, info = (part[agent] for part in results)
            yield _Turn(number, agent, observation, reward, terminated, truncated, info, actions[agent])
    raise ConformityError(f"an episode ends: not after {MAX_ROUNDS} rounds")


def _play_aec(env: Any, seed: int | None) -> Iterator[_Turn]:
    spaces = _samplers(env, env.possible_agents, seed)
    env.reset(seed=seed)
    for number, agent in enumerate(env.agent_iter(MAX_ROUNDS)):
        observation, reward, terminated, truncated, info = env.last()
        action = None if terminated or truncated else _drawn(spaces[agent], info)
        yield _Turn(number - 1, agent, observation, reward, terminated, truncated, info, action)
        env.step(action)
    _require(not env.agents, f"an episode ends within {MAX_ROUNDS} turns")


def _play_gymnasium(env: Any, seed: int | None) -> Iterator[_Turn]:
    space = copy.deepcopy(env.action_space)
    space.seed(1000 * (seed or 0))
    observation, info = env.reset(seed=seed)
    yield _Turn(-1, "agent", observation, 0.0, False, False, info, None)
    for number in range(MAX_ROUNDS):
        action = _drawn(space, info)
        observation, reward, terminated, truncated, info = env.step(action)
        yield _Turn(number, "agent", observation, reward, terminated, truncated, info, action)
        if terminated or truncated:
            return
    raise ConformityError(f"an episode ends: not after {MAX_ROUNDS} steps")


def _digest(turns: Iterable[_Turn]) -> str:
    """Return a hash of everything an episode returned."""
    digest = hashlib.sha256()
    for turn in turns:
        flags = turn.round, turn.agent, float(turn.reward), bool(turn.terminated), bool(turn.truncated)
        digest.update(repr(flags).encode())
        for part in (turn.observation, turn.action, *turn.info.items()):
            digest.update(_bytes(part))
    return digest.hexdigest()


def _kept(turns: Iterator[_Turn], keep: list[_Turn]) -> Iterator[_Turn]:
    for turn in turns:
        keep.append(turn)
        yield turn


def _bytes(part: Any) -> bytes:
    """Return what tells a value from any other; arrays are not written out, which would take longer than to play."""
    if isinstance(part, np.ndarray):
        return f"{part.dtype}{part.shape}".encode() + part.tobytes()
    if isinstance(part, tuple | list):
        return b"".join(map(_bytes, part))
    return repr(plain(part)).encode()


def _check_twin(env: Any, play: Any) -> None:
    """Check pickled and copied twins of an environment that has played, in the middle of its random stream."""
    twins = {"pickled": require_travel(env, "env"), "copied": copy.deepcopy(env)}
    # reset(seed=None) continues the stream; only the action samplers start anew.
    with attempt("an episode runs from reset to its end"):
        expected = _digest(play(env, None))
    for how, twin in twins.items():
        with attempt(f"a {how} twin continues like the original"):
            same = _digest(play(twin, None)) == expected
        _require(same, f"a {how} twin continues like the original")


def _check_spaces(env: Any, turns: list[_Turn]) -> None:
    from gymnasium.spaces import Box

    agents = getattr(env, "possible_agents", None)
    spaces: dict[str, Any] = {"agent": env.observation_space} if agents is None else {}
    for agent in agents or []:
        _require(
            env.observation_space(agent) is env.observation_space(agent)
            and env.action_space(agent) is env.action_space(agent),
            "a space is the same object at every call",
            agent,
        )
        spaces[agent] = env.observation_space(agent)
    lengths = {agent: space.shape for agent, space in spaces.items()}
    _require(len(set(lengths.values())) == 1, "observations of all agents have one length", lengths)
    for agent, space in spaces.items():
        _require(isinstance(space, Box) and space.dtype == np.float32, "observations are float32 boxes", agent)
    for turn in turns:
        _require(
            spaces[turn.agent].contains(turn.observation),
            "an observation lies in its space",
            f"{turn.agent} in round {turn.round}",
        )
    layout = getattr(env.unwrapped, "observation_layout", None)
    _require(isinstance(layout, dict), "observation_layout names the parts of an observation")
    covered = sorted((part.start, part.stop) for part in (layout or {}).values())
    ends = [0, *(stop for _, stop in covered)]
    gapless = [start for start, _ in covered] == ends[:-1] and ends[-1] == next(iter(lengths.values()))[0]
    _require(gapless, "observation_layout covers an observation without gaps", layout)


def _check_turns(turns: list[_Turn]) -> None:
    keys: dict[str, list[str]] = {}
    for turn in turns:
        where = f"{turn.agent} in round {turn.round}"
        _require(type(turn.reward) is float, "rewards are Python floats", f"{where}: {turn.reward!r}")
        flags = turn.terminated, turn.truncated
        _require(all(type(flag) is bool for flag in flags), "flags are Python bools", f"{where}: {flags}")
        _require(not all(flags), "an episode is terminated or truncated, not both", where)
        known = keys.setdefault(turn.agent, sorted(turn.info))
        _require(sorted(turn.info) == known, "info keys are the same at reset and every step", where)
        odd = [key for key, value in turn.info.items() if not is_number(value)]
        _require(not odd, "infos hold numbers and fixed arrays", odd and f"{where}: {odd[0]}={turn.info[odd[0]]!r}")


def _check_parallel(env: Any, seed: int) -> None:
    """Check fresh results, the first round, the shared end and what comes after it."""
    spaces = _samplers(env, env.possible_agents, seed)
    before: Any = env.reset(seed=seed)
    first = LEADER in env.possible_agents
    for _ in range(MAX_ROUNDS):
        actions = {agent: _drawn(spaces[agent], before[-1][agent]) for agent in env.agents}
        after = env.step(actions)
        _check_fresh(before, after)
        rewards, terminations, truncations = after[1:4]
        if first:
            _require(set(rewards.values()) == {0.0}, "nobody is paid in round 0", rewards)
            _require(not any((*terminations.values(), *truncations.values())), "round 0 does not end an episode")
        first, before = False, after
        ends = set(zip(terminations.values(), truncations.values(), strict=True))
        _require(len(ends) == 1, "all agents end in the same round with the same flags", ends)
        if not env.agents:
            break
        _require(env.agents == env.possible_agents, "all agents stay until the end", env.agents)
    _require(env.step({}) == ({}, {}, {}, {}, {}), "step({}) after the end returns five empty dicts")


def _check_twin_midway(env: Any, seed: int) -> None:
    """Check that a pickled twin plays a begun episode to the same end."""
    spaces = _samplers(env, env.possible_agents, seed)
    infos = env.reset(seed=seed)[-1]
    for _ in range(3):
        if env.agents:
            infos = env.step({agent: _drawn(spaces[agent], infos[agent]) for agent in env.agents})[-1]
    twin = require_travel(env, "env")
    while env.agents and twin.agents:
        actions = {agent: _drawn(spaces[agent], infos[agent]) for agent in env.agents}
        stepped = [each.step(actions) for each in (env, twin)]
        infos, results = stepped[0][-1], [repr(plain(list(each))) for each in stepped]
        _require(results[0] == results[1], "a pickled twin continues a begun episode like the original")
    _require(env.agents == twin.agents, "a pickled twin ends a begun episode when the original does")


def _check_fresh(before: Any, after: Any) -> None:
    old = {id(part) for part in before}
    _require(not any(id(part) in old for part in after), "every step returns new dicts")
    for agent, observation in after[0].items():
        _require(
            not np.shares_memory(observation, before[0][agent]),
            "every step returns new observation arrays",
            agent,
        )
        _require(after[-1][agent] is not before[-1][agent], "every step returns new infos", agent)


def _check_payments(env: Any, turns: list[_Turn]) -> None:
    """Check that followers saw what they were paid under, and that both sides were paid by the game."""
    game = getattr(env.unwrapped, "game", None)
    session = getattr(env.unwrapped, "session", None)
    if not isinstance(game, Game) or session is None or session.per_step:
        return
    x = _commitment_made(env, game, turns)
    shown, owes = _expected_slice(env, game, x), _payer(game, x)
    leader_unit, follower_unit = env.unwrapped.reward_units
    factors = env.unwrapped.observer.factors
    paid, owed, size = 0.0, 0.0, 0.0
    largest = max(abs(turn.reward) for turn in turns) * max(leader_unit, follower_unit)
    for turn in turns:
        info, where = turn.info, f"{turn.agent} in round {turn.round}"
        if turn.agent == LEADER:
            paid += turn.reward * leader_unit
            continue
        if turn.round >= 0 and shown is not None:
            part = env.unwrapped.observation_layout["commitment"]
            seen, expected = turn.observation[part], shown(info["next_state"])
            _require(
                np.array_equal(seen, expected if factors is None else expected * factors[part]),
                "a follower sees the commitment in force",
                where,
            )
        if not info["played"]:
            _require(turn.reward == 0.0, "a follower that makes no move is paid nothing", where)
            continue
        to_leader, to_follower = owes(info)
        owed, size = owed + to_leader / session.num_followers, size + abs(to_leader) / session.num_followers
        same = abs(turn.reward * follower_unit - to_follower) <= RELATIVE_TOLERANCE * largest
        _require(same, "a follower is paid under what it saw", where)
    if LEADER in env.possible_agents:
        same = abs(paid - owed) <= RELATIVE_TOLERANCE * size
        _require(same, "the leader's rewards sum to the game's", f"{paid} and {owed}")


@singledispatch
def _payer(game: Game, x: Array) -> Callable[[dict[str, Any]], tuple[float, float]]:
    """Return what the game owes the leader and the follower for a move, as a function of the move's info."""
    del x
    return lambda info: (info["leader_reward"], info.get("follower_reward", 0.0))


@_payer.register(TabularGame)
def _(game: TabularGame, x: Array) -> Callable[[dict[str, Any]], tuple[float, float]]:
    primitives, S = game.primitives(x), game.shape[0]

    def owes(info: dict[str, Any]) -> tuple[float, float]:
        z = info["context"] * S + info["state"], max(info["leader_action"], 0), info["follower_action"]
        return float(primitives.leader_reward[z]), float(primitives.follower_reward[z])

    return owes


@_payer.register(VectorGame)
def _(game: VectorGame, x: Array) -> Callable[[dict[str, Any]], tuple[float, float]]:
    told = _payer.dispatch(object)(game, x)

    def owes(info: dict[str, Any]) -> tuple[float, float]:
        move = (
            info["state"][None],
            np.full(1, info["context"], dtype=np.int32),
            info["leader_action"][None],
            np.reshape(info["follower_action"], (1, -1)),
        )
        made = [game.step(np.random.default_rng(seed), x, *move) for seed in range(2)]
        first, second = ((float(each.leader_reward[0]), float(each.follower_reward[0])) for each in made)
        # Where the pay depends on what is drawn in the step, only the info knows it.
        return first if first == second else told(info)

    return owes


def _commitment_made(env: Any, game: Game, turns: list[_Turn]) -> Array:
    leading = [turn.action for turn in turns if turn.agent == LEADER and turn.round == 0]
    if not leading:
        x: Array = env.unwrapped.commitment
        return x
    return game.commitment.project(env.unwrapped.commitment_of(leading[0]))


def _expected_slice(env: Any, game: Game, x: Array) -> Callable[[Any], NDArray[np.float32]] | None:
    """Return state -> what the commitment slice must show there, or None where it is not observed."""
    layout = env.unwrapped.observation_layout
    if "commitment" not in layout:
        return None
    rows = game.commitment.local(x)
    width = layout["commitment"].stop - layout["commitment"].start
    local = env.unwrapped.observer.observes == "local"
    if local and rows is not None and width == np.shape(rows)[1]:
        return lambda state: np.asarray(rows[state], dtype=np.float32)
    return lambda state: np.asarray(x, dtype=np.float32).ravel()
