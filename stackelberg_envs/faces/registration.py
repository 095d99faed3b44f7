"""Ids and what they make: games, and each game's faces for PettingZoo and Gymnasium.

An environment is one file in ``stackelberg_envs/envs``, named ``<name>_v<int>``; its id follows from the file
name (``four_rooms_v0`` is ``stackelberg/FourRooms-v0``). The file ends with two lines::

    FACES = declare(make_game, renderer="stackelberg_envs.envs.four_rooms.picture:four_rooms")
    raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES

The folder is walked by name when the package is imported and the files are imported when first used.

A file whose spaces change gets the next number. The ids and modules of its earlier numbers go on: they make the same
game with the defaults of then, which the file names in ``declare(make_game, earlier={0: {"argument": value}})``.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from stackelberg_envs.docstrings import docstring_of
from stackelberg_envs.errors import ArgumentError, GameError, unknown_name
from stackelberg_envs.faces.client_registries import enter_registries
from stackelberg_envs.faces.constructors import (
    FACE_ENTRY_POINTS,
    Faces,
    load,
    options_of,
    require_game,
    taken_elsewhere,
)
from stackelberg_envs.faces.ids import (
    ENVS,
    ID_PATTERN,
    earlier_ids,
    earlier_modules,
    id_of,
    module_name,
    newest_id,
    own_ids,
    successors,
    warn_if_earlier,
)
from stackelberg_envs.pictures.canvas import GENERIC_RENDERER
from stackelberg_envs.plugins import load_entry_points

if TYPE_CHECKING:
    from gymnasium import Env
    from gymnasium.vector import VectorEnv
    from pettingzoo import AECEnv, ParallelEnv

    from stackelberg_envs.faces.vector_agents import ParallelVectorEnv
    from stackelberg_envs.games.vector import AnyGame

__all__ = [
    "EnvSpec",
    "Faces",
    "declare",
    "earlier_module",
    "env",
    "follower_env",
    "followers_aec_env",
    "followers_env",
    "import_module",
    "leader_env",
    "leader_vector_env",
    "make_game",
    "parallel_env",
    "parallel_vector_env",
    "raw_env",
    "register",
    "register_with_clients",
    "registered_ids",
    "spec",
    "stored_spec",
    "vector_env",
]

#: By which installed packages announce environments.
ENTRY_POINTS = "stackelberg_envs.environments"

_SPECS: dict[str, EnvSpec] = {}


@dataclass(frozen=True)
class EnvSpec:
    """What is registered under an id.

    Attributes
    ----------
    id
        ``namespace/Name-v<int>``. The version rises when dynamics, rewards, observations or spaces change.
    make_game
        Returns the game; its keyword arguments are the arguments of the id.
    module
        The module it is defined in.
    summary
        One line for lists.
    renderer
        ``"module:name"`` of a :class:`stackelberg_envs.pictures.canvas.Renderer`.
    defaults
        Arguments of an earlier id that take other values than the newest one's, unless they are given.
    reference
        ``"module:name"`` of a function of the game that computes its reference value again; empty where there is none.
    """

    id: str
    make_game: Callable[..., AnyGame]
    module: str
    summary: str = ""
    renderer: str = GENERIC_RENDERER
    defaults: Mapping[str, Any] = field(default_factory=dict)
    reference: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """Names of the game's keyword arguments."""
        return tuple(inspect.signature(self.make_game).parameters)

    def require_known(self, names: Iterable[str], advice: Callable[[list[str]], str] = lambda unknown: "") -> None:
        """Raise ArgumentError for names that are no arguments of the game, with those that are and some advice."""
        parameters = inspect.signature(self.make_game).parameters.values()
        accepts_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
        unknown = [name for name in names if name not in self.arguments]
        if unknown and not accepts_any:
            known = ", ".join(self.arguments)
            raise ArgumentError(
                f"{self.id}: expected arguments among {known}; got {', '.join(unknown)}{advice(unknown)}"
            )

    def make(self, **kwargs: Any) -> AnyGame:
        """Return the game.

        Raises
        ------
        ArgumentError
            A keyword the game does not know, with those it does; one it needs that is missing; or a game too large for
            the memory.
        GameError
            A value of another type than the function declares.
        """
        # Importing the package registers ids and checks nothing.
        from stackelberg_envs.validation import checked, hints_of

        self.require_known(kwargs)
        parameters = inspect.signature(self.make_game).parameters.values()
        variable = inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL
        needed = [each.name for each in parameters if each.default is each.empty and each.kind not in variable]
        missing = [name for name in needed if name not in kwargs]
        if missing:
            raise ArgumentError(f"{self.id}: expected {', '.join(missing)} too, which have no default")
        kwargs = {**self.defaults, **kwargs}
        hints = hints_of(self.make_game)
        for name, value in kwargs.items():
            checked(value, hints.get(name, Any), f"{self.id}: {name}", GameError)
        try:
            return self.make_game(**kwargs)
        except MemoryError as exc:
            raise ArgumentError(f"{self.id}: expected a game that fits into memory, got {kwargs} ({exc})") from exc


def declare(
    make_game: Callable[..., AnyGame],
    *,
    renderer: str = GENERIC_RENDERER,
    earlier: Mapping[int, Mapping[str, Any]] | None = None,
    reference: str = "",
) -> Faces:
    """Register the environment file that calls this, and return its faces.

    Parameters
    ----------
    make_game
        Returns the game.
    renderer
        ``"module:name"`` of a :class:`stackelberg_envs.pictures.canvas.Renderer`.
    earlier
        Number of an earlier id -> those of its defaults that were others.
    reference
        ``"module:name"`` of a function that takes the game and computes the value of its fact "reference" again, by
        another way than the game knows it.
    """
    module = make_game.__module__
    spec_id = id_of(module.rpartition(".")[2])
    summary = docstring_of(inspect.getmodule(make_game)).partition("\n")[0]
    defaults = dict(earlier or {})
    for version, name in enumerate([*earlier_ids(spec_id), spec_id]):
        _SPECS[name] = EnvSpec(name, make_game, module, summary, renderer, defaults.get(version, {}), reference)
    return _faces_of(spec_id)


def _faces_of(spec_id: str) -> Faces:
    return Faces(**{name: functools.partial(_face, name, spec_id) for name in FACE_ENTRY_POINTS})


def earlier_module(name: str) -> ModuleType:
    """Return the module of an earlier id: the newest one's content, with the game and the faces of that id."""
    warn_if_earlier(earlier_modules()[name], module_name)
    return _earlier_module(name)


@functools.cache
def _earlier_module(name: str) -> ModuleType:
    entry = spec(earlier_modules()[name])
    newest, faces = importlib.import_module(entry.module), _faces_of(entry.id)
    module = ModuleType(f"{ENVS}.{name}", newest.__doc__)
    own = {key: value for key, value in vars(newest).items() if not key.startswith("__")}
    vars(module).update(own | {"FACES": faces, "make_game": entry.make, **vars(faces)})
    module.__spec__ = ModuleSpec(module.__name__, None)
    return module


def register(
    id: str,  # noqa: A002 - the name both registries use
    make_game: Callable[..., AnyGame] | str,
    *,
    renderer: str = GENERIC_RENDERER,
) -> EnvSpec:
    """Register a game of your own; PettingZoo and Gymnasium then know its faces too.

    Parameters
    ----------
    id
        ``namespace/Name-v<int>``.
    make_game
        Returns the game for its keyword arguments; or ``"module:name"`` of such a function.
    renderer
        ``"module:name"`` of a :class:`stackelberg_envs.pictures.canvas.Renderer`.

    Raises
    ------
    ArgumentError
        A malformed id, one that is taken, or what is no function.
    """
    if not ID_PATTERN.fullmatch(id):
        raise ArgumentError(f"id: expected 'namespace/Name-v<int>', got {id!r}")
    if id in _SPECS or newest_id(id) in own_ids():
        raise ArgumentError(f"id: {id!r} is already registered; raise the version or choose another name")
    function = load(make_game) if isinstance(make_game, str) else make_game
    if not callable(function):
        raise ArgumentError(f"make_game: expected a function that returns a game, got {type(function).__name__}")
    module, doc = getattr(function, "__module__", ""), docstring_of(function)
    _SPECS[id] = EnvSpec(id, function, module, doc.partition("\n")[0], renderer)
    enter_registries(id, vars(_faces_of(id)))
    return _SPECS[id]


def registered_ids() -> list[str]:
    """Return every registered id, sorted; earlier ids, which go on working, are not among them."""
    return sorted({*_SPECS, *own_ids()} - set(successors()))


def spec(id: str) -> EnvSpec:  # noqa: A002
    """Return what is registered under an id.

    Parameters
    ----------
    id
        An id, or ``module:id`` where importing the module registers it, as Gymnasium has it. For ids that files hold
        there is :func:`stored_spec`.

    Raises
    ------
    UnknownNameError
        Nobody registered it; the message names the nearest ids.
    ArgumentError
        Something that is no text, or a module that cannot be imported.
    """
    if not isinstance(id, str):
        raise ArgumentError(f"id: expected a registered id, got {type(id).__name__}; a finished game goes to game=")
    module, colon, id = id.rpartition(":")  # noqa: A001
    if colon:
        import_module(module)
    return stored_spec(id)


def stored_spec(id: str) -> EnvSpec:  # noqa: A002
    """Return what is registered under an id that a file holds: no module is imported because of what it says.

    An id that nobody has registered is looked for among the packages that announce environments by entry points in the
    group ``stackelberg_envs.environments``.

    Raises
    ------
    UnknownNameError
        Nobody registered it; the message names the nearest ids.
    """
    if id not in _SPECS and newest_id(id) in own_ids():
        importlib.import_module(f"{ENVS}.{own_ids()[newest_id(id)]}")
    failed = () if id in _SPECS else load_entry_points(ENTRY_POINTS)
    if id not in _SPECS:
        raise unknown_name("environment", id, registered_ids(), failed)
    return _SPECS[id]


def make_game(id: str, **kwargs: Any) -> AnyGame:  # noqa: A002
    """Return the game of an id.

    Parameters
    ----------
    id
        A registered id, or ``module:id`` for one that importing the module registers.
    kwargs
        The game's arguments; see its page.

    Raises
    ------
    UnknownNameError
        An id nobody registered.
    ArgumentError
        An argument the game does not have.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> se.make_game("stackelberg/DiscreteToy-v1", reward=2.0).shape
    (3, 2, 3)
    """
    entry = spec(id)
    warn_if_earlier(entry.id)
    return entry.make(**kwargs)


def import_module(name: str) -> None:
    """Import a user's module, which registers games, leaders or followers of its own.

    Raises
    ------
    ArgumentError
        It cannot be imported, or fails while it is.
    """
    try:
        importlib.import_module(name)
    except Exception as exc:
        raise ArgumentError(
            f"import: expected a module that can be imported, got {name!r} ({type(exc).__name__}: {exc})"
        ) from exc


def _face(face: str, spec_id: str | None, *, game: AnyGame | None = None, **kwargs: Any) -> Any:
    """Make one face: its own arguments are taken out of `kwargs`, the rest makes the game."""
    if spec_id is None and game is None:
        raise ArgumentError(f"{face}: expected an id or game=, got neither")
    entry = None if spec_id is None else spec(spec_id)
    if entry is not None:
        warn_if_earlier(entry.id)
    constructor = load(FACE_ENTRY_POINTS[face])
    options = {key: kwargs.pop(key) for key in list(kwargs) if key in options_of(constructor)}
    known = ", ".join(sorted(options_of(constructor)))
    if game is None and entry is not None:
        entry.require_known(kwargs, lambda unknown: f"; {face} itself takes {known}{taken_elsewhere(unknown)}")
        game = entry.make(**kwargs)
    elif kwargs:
        raise ArgumentError(
            f"{face}: expected arguments among {known}, and no game arguments beside game=, got {', '.join(kwargs)}"
            f"{taken_elsewhere(kwargs)}"
        )
    require_game(game)
    # The id of a game that was changed still says who draws it, and what it is called.
    if entry is not None:
        options |= {"renderer": entry.renderer, "name": module_name(entry.id)}
    return constructor(game, **options)


def raw_env(id: str | None = None, **kwargs: Any) -> AECEnv[str, Any, Any]:  # noqa: A002
    """Return the bare AEC environment of an id or of a finished game.

    Parameters
    ----------
    id
        A registered id, or ``module:id``; may be left out where ``game=`` is given.
    kwargs
        The game's arguments or ``game=``, and the face's own.

    Raises
    ------
    ArgumentError
        Neither an id nor a game, an argument that nobody knows, or arguments of the game beside ``game=``.
    UnknownNameError
        An id nobody registered.
    """
    made: AECEnv[str, Any, Any] = _face("raw_env", id, **kwargs)
    return made


def env(id: str | None = None, **kwargs: Any) -> AECEnv[str, Any, Any]:  # noqa: A002
    """Return the AEC environment of an id or a game, inside PettingZoo's checks; see :func:`raw_env`."""
    made: AECEnv[str, Any, Any] = _face("env", id, **kwargs)
    return made


def parallel_env(id: str | None = None, **kwargs: Any) -> ParallelEnv[str, Any, Any]:  # noqa: A002
    """Return the parallel environment of an id or a game: leader and followers; see :func:`raw_env`."""
    made: ParallelEnv[str, Any, Any] = _face("parallel_env", id, **kwargs)
    return made


def followers_env(id: str | None = None, **kwargs: Any) -> ParallelEnv[str, Any, Any]:  # noqa: A002
    """Return the parallel environment of the followers alone, under a given commitment; see :func:`raw_env`."""
    made: ParallelEnv[str, Any, Any] = _face("followers_env", id, **kwargs)
    return made


def followers_aec_env(id: str | None = None, **kwargs: Any) -> AECEnv[str, Any, Any]:  # noqa: A002
    """Return the followers of an id or a game, taking turns under a given commitment; see :func:`raw_env`."""
    made: AECEnv[str, Any, Any] = _face("followers_aec_env", id, **kwargs)
    return made


def leader_vector_env(id: str | None = None, **kwargs: Any) -> VectorEnv[Any, Any, Any]:  # noqa: A002
    """Return many copies of the leader's problem as one Gymnasium vector environment; see :func:`raw_env`."""
    made: VectorEnv[Any, Any, Any] = _face("leader_vector_env", id, **kwargs)
    return made


def parallel_vector_env(id: str | None = None, **kwargs: Any) -> ParallelVectorEnv:  # noqa: A002
    """Return many copies of leader and followers, with a dict of arrays for one of numbers; see :func:`raw_env`."""
    made: ParallelVectorEnv = _face("parallel_vector_env", id, **kwargs)
    return made


def follower_env(id: str | None = None, **kwargs: Any) -> Env[Any, Any]:  # noqa: A002
    """Return the Gymnasium environment of one follower, under a given commitment; see :func:`raw_env`."""
    made: Env[Any, Any] = _face("follower_env", id, **kwargs)
    return made


def leader_env(id: str | None = None, **kwargs: Any) -> Env[Any, Any]:  # noqa: A002
    """Return the Gymnasium environment of the leader, of one step, in which a response plays; see :func:`raw_env`."""
    made: Env[Any, Any] = _face("leader_env", id, **kwargs)
    return made


def vector_env(id: str | None = None, **kwargs: Any) -> VectorEnv[Any, Any, Any]:  # noqa: A002
    """Return many copies of the follower as one Gymnasium vector environment; see :func:`raw_env`."""
    made: VectorEnv[Any, Any, Any] = _face("vector_env", id, **kwargs)
    return made


def register_with_clients() -> None:
    """Make the ids of the environment files known to PettingZoo and Gymnasium; nothing is imported for it."""
    for spec_id, module in own_ids().items():
        enter_registries(spec_id, {name: f"{ENVS}.{module}:{name}" for name in FACE_ENTRY_POINTS})
        for earlier in earlier_ids(spec_id):
            enter_registries(earlier, vars(_faces_of(earlier)))
