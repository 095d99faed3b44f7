"""A follower trained by any algorithm of stable-baselines3.

Equal seeds give equal runs: after each commitment the algorithm, its environment and the global generators that it
draws from are seeded anew, from the follower's own generator. So what has to be saved between two updates is that
generator, the model, and the filled part of its replay buffer.

Algorithms of stable-baselines3 know nothing of feasible actions. So each action that is not feasible stands for one
that is, in training as in the response. An action with two names is worth as much as with one, so what is learned is a
policy among feasible actions. Algorithms that ask for masks, as sb3-contrib's MaskablePPO, get them.

The model is stored in stable-baselines3's own format, which holds pickles. So a checkpoint is read only if the caller
says that it may run what is in it.
"""

from __future__ import annotations

import importlib
import io
from dataclasses import dataclass, field
from functools import singledispatch
from inspect import signature
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import Array, IntArray
from stackelberg_envs.errors import ArgumentError, MissingExtraError, OutputError
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.vector import AnyGame, VectorGame
from stackelberg_envs.validation import shown

from ..options import Count
from ..state import stateful
from ..state.stateful import Pending
from ..state.tree import Tree, check_like
from .base import FollowerView, RestartingFollower, TabularFollowerConfig, register_follower
from .sb3_policies import policy_of

__all__ = ["Sb3", "Sb3Config", "algorithm_named", "buffered", "fill", "stand_ins"]

PACKAGE = "stable_baselines3"


@dataclass(frozen=True)
class Sb3Config(TabularFollowerConfig):
    """Options of the wrapper.

    Attributes
    ----------
    algorithm
        A class of stable-baselines3 ("DQN", "PPO", "A2C", "SAC", "TD3", "DDPG"), or "module:Class" for one from
        elsewhere.
    steps
        Environment steps after each commitment. Algorithms that collect whole batches round this up.
    first_steps
        The same when nothing has been learned yet; None takes `steps`.
    observe_commitment
        How much of the commitment the network sees: "all", "local" or "none".
    model_options
        Further arguments of the algorithm, such as ``{"learning_rate": 1e-3}``.
    """

    algorithm: str = "DQN"
    steps: Count = 20_000
    first_steps: Count | None = None
    observe_commitment: Literal["all", "local", "none"] = "all"
    model_options: dict[str, Any] = field(default_factory=dict)


@register_follower("sb3")
class Sb3(RestartingFollower):
    """Any fitting algorithm of stable-baselines3.

    It trains a network in the follower's environment, and responds with the network's policy.

    Algorithms with a distribution over actions respond with that distribution, and the others (DQN, TD3, DDPG) with the
    best action. Actions that are not feasible stand for some that are. The network is not shown the time, so that one
    table describes its policy in a game of tables. In games of vectors the response is one of
    :mod:`agents.followers.sb3_policies`.
    """

    Config = Sb3Config
    kinds = frozenset({"tabular", "vector"})
    serves = frozenset({"feasible actions", "discount 1"})
    needs_trust = True
    state_fields = stateful.fields()

    def __init__(self, config: Any, rng: np.random.Generator) -> None:
        super().__init__(config, rng)
        self._algorithm = algorithm_named(config.algorithm)
        self.model: Any = None

    def begin(self, view: FollowerView) -> None:
        """Make the environment and an untrained model.

        Raises
        ------
        ArgumentError
            An algorithm that does not take the game's actions, or whose response cannot be read.
        """
        self._make(view, int(self.rng.integers(2**31)))
        # What could not be read after training is refused before.
        _response(view.game, self._env, self.model)

    def _make(self, view: FollowerView, seed: int) -> None:
        self._env, hidden = _environment(view, self.config.observe_commitment)
        options = {"device": "cpu", "seed": seed, **self.config.model_options}
        if np.any(getattr(self._env.action_space, "start", 0) != 0):
            raise ArgumentError(f"sb3: expected discrete actions from 0 on, got {self._env.action_space}; try soft_dqn")
        try:
            self.model = self._algorithm("MlpPolicy", hidden, **options)
        except AssertionError as exc:
            name, space = self.config.algorithm, self._env.action_space
            raise ArgumentError(f"algorithm: expected one that takes actions in {space}, got {name!r}: {exc}") from exc
        except (TypeError, ValueError) as exc:
            given = f"model_options={shown(self.config.model_options)}"
            raise ArgumentError(
                f"follower 'sb3': expected what {self.config.algorithm} takes, got {given} ({exc})"
            ) from exc

    def adapt(self, view: FollowerView) -> int:
        """Train under the commitment, from the first step of an episode on."""
        before = 0 if self.fresh else int(self.model.num_timesteps)
        first = self.config.first_steps
        steps = first if self.fresh and first is not None else self.config.steps
        if self._env.game is not view.game:  # where other followers have moved on
            self._env, hidden = _environment(view, self.config.observe_commitment)
            self.model.set_env(hidden)
        self._env.commitment = view.commitment
        self.model.set_env(self.model.get_env(), force_reset=True)
        self.model.set_random_seed(int(self.rng.integers(2**31)))
        self.model.learn(total_timesteps=steps, reset_num_timesteps=self.fresh)
        self.policy = _response(view.game, self._env, self.model)
        return int(self.model.num_timesteps) - before

    def state_dict(self) -> dict[str, Tree]:
        """Return what the next update depends on; the model as stable-baselines3 writes it.

        Raises
        ------
        ArgumentError
            An algorithm that keeps more than networks, optimizers, other parameters and a plain replay buffer.
        """
        state = super().state_dict()
        if self.model is None:
            return state
        written = io.BytesIO()
        self.model.save(written)
        return {**state, "model": written.getvalue(), "buffer": buffered(self.model)}

    def checked_state(self, tree: Tree, where: str) -> Pending:
        """Return a state that was checked as far as it can be: the model itself may hold anything."""
        if not isinstance(tree, dict) or "model" not in tree:
            return super().checked_state(tree, where)
        rest = {name: value for name, value in tree.items() if name not in ("model", "buffer")}
        pending = super().checked_state(rest, where)
        written, buffer = tree["model"], tree.get("buffer")
        if not isinstance(written, bytes) or self.game is None or not rest["_announced"]:
            raise OutputError(f"{where}: expected a model in a game that is known, got another state")
        view = self.game.under(rest["_announced"][0])

        def apply() -> None:
            pending.apply()
            self._make(view, seed=0)
            try:
                self.model = self._algorithm.load(io.BytesIO(written), env=self.model.get_env(), device="cpu")
                if buffer is not None:
                    fill(self.model.replay_buffer, buffer, where)
            except OutputError:
                raise
            except Exception as exc:  # a damaged model can fail in any way
                raise OutputError(f"{where}: expected a model as stable-baselines3 writes it, got {exc}") from exc
            self.policy = _response(view.game, self._env, self.model)

        return Pending(apply)


#: What a replay buffer holds of each step.
BUFFERED = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")


def buffered(model: Any) -> dict[str, Tree] | None:
    """Return the filled part of the replay buffer of a model, if it has one."""
    buffer = getattr(model, "replay_buffer", None)
    if buffer is None:
        return None
    if type(buffer).__name__ != "ReplayBuffer":
        kept = type(buffer).__name__
        raise ArgumentError(f"sb3: expected a model of networks, optimizers and a plain replay buffer, got {kept}")
    filled = buffer.buffer_size if buffer.full else buffer.pos
    steps = {name: getattr(buffer, name)[:filled] for name in BUFFERED if hasattr(buffer, name)}
    return {"pos": int(buffer.pos), "full": bool(buffer.full), "steps": steps}


def fill(buffer: Any, tree: Tree, where: str) -> None:
    """Put into a replay buffer what :func:`buffered` returned."""
    own = {name: getattr(buffer, name)[:0] for name in BUFFERED if hasattr(buffer, name)}
    if not isinstance(tree, dict) or tree.keys() != {"pos", "full", "steps"} or not isinstance(tree["steps"], dict):
        raise OutputError(f"{where}: expected a replay buffer, got another state")
    pos, full, steps = tree["pos"], tree["full"], tree["steps"]
    check_like((0, False), (pos, full), where)
    check_like(own, {name: values[:0] for name, values in steps.items()}, where)
    filled = buffer.buffer_size if full else pos
    if not 0 <= pos <= buffer.buffer_size or any(len(values) != filled for values in steps.values()):
        raise OutputError(f"{where}: expected {filled} steps of {buffer.buffer_size}, got others")
    buffer.pos, buffer.full = pos, full
    for name, values in steps.items():
        getattr(buffer, name)[:filled] = values


def algorithm_named(name: str) -> Any:
    """Return the class of an algorithm by name.

    Raises
    ------
    MissingExtraError
        stable-baselines3 is not installed.
    ArgumentError
        It has no such algorithm.
    """
    try:
        package = importlib.import_module(PACKAGE)
    except ImportError as exc:
        raise MissingExtraError(
            "sb3: this follower needs stable-baselines3, which `pip install 'stackelberg-envs[sb3]'` installs"
        ) from exc
    module, _, attribute = name.rpartition(":")
    try:
        found = getattr(importlib.import_module(module) if module else package, attribute, None)
    except (ImportError, ValueError) as exc:
        raise ArgumentError(f"algorithm: expected 'module:Class' that can be imported, got {name!r} ({exc})") from exc
    if not isinstance(found, type):
        raise ArgumentError(f"algorithm: expected a class of stable-baselines3 or 'module:Class', got {name!r}")
    return found


def _environment(view: FollowerView, observe_commitment: str) -> tuple[Any, Any]:
    """Return the follower's environment, and the same with the time hidden."""
    from gymnasium.spaces import Discrete
    from gymnasium.wrappers import TransformAction, TransformObservation

    from stackelberg_envs.faces.gymnasium_views import FollowerEnv

    env: Any = FollowerEnv(view.game, commitment=view.commitment, observe_commitment=observe_commitment)
    time = env.observation_layout["time"]

    def hide_time(observation: Any) -> Any:
        observation[time] = 0.0
        return observation

    taking: Any = env
    if env.session.masked:
        # The environment's own space draws what is feasible now, so it holds the episode, which no model is to store.
        taking = TransformAction(env, lambda b: stand_ins(env.action_masks())[b], Discrete(int(env.action_space.n)))
    return env, TransformObservation(taking, hide_time, env.observation_space)


def stand_ins(feasible: NDArray[np.bool_]) -> IntArray:
    """Return the action that each one stands for, shape (..., B): itself where it is feasible, else one that is.

    Parameters
    ----------
    feasible
        Shape (..., B), one at least in each row. Its feasible actions take turns to be stood for.
    """
    own = np.arange(feasible.shape[-1])
    able = np.argsort(~feasible, axis=-1, kind="stable")  # feasible ones first
    turn = np.take_along_axis(able, own % feasible.sum(axis=-1, keepdims=True), axis=-1)
    return np.where(feasible, own, turn)


@singledispatch
def _response(game: AnyGame, env: Any, model: Any) -> Any:
    """Return what a model plays under the environment's present commitment; one function per kind of game."""
    raise ArgumentError(f"sb3: expected a TabularGame or a VectorGame, got {type(game).__name__}")


@_response.register(TabularGame)
def _response_to_tabular(game: TabularGame, env: Any, model: Any) -> Array:
    S, A, B = game.shape
    feasible = game.uncommitted.feasible
    if feasible is None:
        return _table(model, _observations(env), (game.num_contexts * S, A, B))
    named = _table(model, _observations(env), feasible.shape, feasible.reshape(-1, B))
    return np.asarray(np.einsum("zab,zabc->zac", named, np.eye(B)[stand_ins(feasible)]))


@_response.register(VectorGame)
def _response_to_vectors(game: VectorGame, env: Any, model: Any) -> Any:
    return policy_of(model, env)


def _observations(env: Any) -> NDArray[np.float32]:
    """Return what a follower sees in play in each joint state for each leader action, shape (Z * A, W)."""
    from stackelberg_envs.faces.observations import local_rows

    game, layout, simulator = env.game, env.observation_layout, env.session.simulator
    S, A, _ = game.shape
    out = np.zeros((game.num_contexts, S, A, env.observation_space.shape[0]), dtype=np.float32)
    for s in range(S):
        row = np.zeros(out.shape[-1], dtype=np.float32)
        simulator.write_state(row, None, s)
        out[:, s] = row
    out[..., layout["phase"]] = (0.0, 1.0)
    if "leader_action" in layout:
        out[..., layout["leader_action"]] = np.eye(A)
    if "context" in layout:
        out[..., layout["context"]] = np.eye(game.num_contexts)[:, None, None]
    if "commitment" in layout:
        rows = local_rows(game, env.commitment) if env.observer.observes == "local" else None
        shown = env.commitment.ravel() if rows is None else np.asarray(rows)[:, None]
        out[..., layout["commitment"]] = shown
    return out.reshape(-1, out.shape[-1])


def _table(
    model: Any,
    observations: NDArray[np.float32],
    shape: tuple[int, ...],
    masks: NDArray[np.bool_] | None = None,
) -> Array:
    """Return the model's policy, shape (Z, A, B); within masks, shape (Z * A, B), where the algorithm takes them."""
    asks = masks is not None and "action_masks" in signature(model.predict).parameters
    given: dict[str, Any] = {"action_masks": masks} if asks else {}
    if not hasattr(model.policy, "get_distribution"):
        actions, _ = model.predict(observations, deterministic=True, **given)
        return np.eye(shape[-1])[np.asarray(actions, dtype=np.intp)].reshape(shape)
    torch = importlib.import_module("torch")
    with torch.no_grad():
        tensor, _ = model.policy.obs_to_tensor(observations)
        drawn = model.policy.get_distribution(tensor, **given).distribution
        probabilities = drawn.probs.numpy().astype(np.float64)
    return np.asarray(probabilities / probabilities.sum(axis=1, keepdims=True)).reshape(shape)
