"""Which action spaces other libraries take, and which argument makes an environment one that they do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete, Space

from stackelberg_envs.errors import ArgumentError, unknown_name
from stackelberg_envs.faces.common import LEADER

__all__ = ["CLIENTS", "Client", "check_client"]

#: A box of [-1, 1], where learners may begin with noise of size one.
UNIT = 1.0


@dataclass(frozen=True)
class Client:
    """What a library's learners take.

    Attributes
    ----------
    kinds
        Of spaces of actions.
    alike
        Whether all agents need one and the same.
    unit_boxes
        Whether boxes have to be [-1, 1].
    """

    kinds: tuple[type[Space[Any]], ...]
    alike: bool = False
    unit_boxes: bool = False


#: Library, as its package is called -> what it takes.
CLIENTS = {
    "agilerl": Client((Box, Discrete, MultiDiscrete)),
    "benchmarl": Client((Box, Discrete)),
    "epymarl": Client((Discrete,)),
    "rllib": Client((Box, Discrete, MultiDiscrete)),
    "stable-baselines3": Client((Box, Discrete, MultiDiscrete), alike=True, unit_boxes=True),
    "supersuit": Client((Box, Discrete, MultiDiscrete), alike=True),
    "tianshou": Client((Box, Discrete, MultiDiscrete), alike=True),
    "torchrl": Client((Box, Discrete)),
}


def check_client(env: Any, client: str) -> None:
    """Check that a library takes the actions of an environment, before any work is done.

    Parameters
    ----------
    env
        A PettingZoo or Gymnasium environment.
    client
        "agilerl", "benchmarl", "epymarl", "rllib", "stable-baselines3", "supersuit", "tianshou" or "torchrl".

    Raises
    ------
    ArgumentError
        It does not, and the message says which argument, or which other interface, makes it one that does; or what came
        is no environment.
    UnknownNameError
        A library that nobody has tried.

    Examples
    --------
    >>> import stackelberg_envs as se
    >>> se.check_client(se.follower_env("stackelberg/TaxDesign-v0", flatten_actions=True), "torchrl")
    """
    given: object = client
    if not isinstance(given, str) or given not in CLIENTS:
        raise unknown_name("client", client, sorted(CLIENTS))
    takes = CLIENTS[client]
    spaces = _action_spaces(env)
    for agent, space in spaces.items():
        remedy = _remedy(agent, space, takes)
        if remedy:
            kinds = ", ".join(kind.__name__ for kind in takes.kinds)
            raise ArgumentError(f"{client}: expected flat actions among {kinds}, {agent} has {space}: {remedy}")
    if takes.alike and len(set(map(repr, spaces.values()))) > 1:
        raise ArgumentError(f"{client}: expected equal actions of all agents, got {_listed(spaces)}: {_equal(spaces)}")


def _action_spaces(env: Any) -> dict[str, Space[Any]]:
    if isinstance(env, type) or not hasattr(env, "action_space"):
        shown = repr(env) if isinstance(env, str) else type(env).__name__
        raise ArgumentError(f"env: expected a PettingZoo or Gymnasium environment, got {shown}")
    agents = getattr(env, "possible_agents", None)
    return {"the agent": env.action_space} if agents is None else {agent: env.action_space(agent) for agent in agents}


def _remedy(agent: str, space: Space[Any], takes: Client) -> str:
    """Return what makes a space one that is taken; nothing where it is."""
    if not isinstance(space, takes.kinds):
        return _other_kind(agent, space, takes)
    if not isinstance(space, Box):
        return ""
    finite = np.isfinite(space.low).all() and np.isfinite(space.high).all()
    flat = space.dtype == np.float32 and len(space.shape) == 1
    unit = bool((space.low == -UNIT).all() and (space.high == UNIT).all())
    if finite and flat and (unit or not takes.unit_boxes):
        return ""
    return "give the game a finite box" if not finite else "pass normalize=True"


def _other_kind(agent: str, space: Space[Any], takes: Client) -> str:
    if isinstance(space, MultiDiscrete) and Discrete in takes.kinds:
        return "pass flatten_actions=True"
    if agent == LEADER and Discrete in takes.kinds:
        return "pass menu=k, with which it chooses one of k commitments"
    return "no argument makes it one; se.discretise(game, grid, actions=axes) gives a game with discrete actions"


def _equal(spaces: dict[str, Space[Any]]) -> str:
    followers = [space for agent, space in spaces.items() if agent != LEADER]
    alone = "take the followers alone, followers_env or followers_aec_env"
    if isinstance(followers[0], Discrete):
        return f"pass menu={int(followers[0].n)}, or {alone}"
    return alone if len(followers) < len(spaces) else "pad them by supersuit.pad_action_space_v0"


def _listed(spaces: dict[str, Space[Any]]) -> str:
    return ", ".join(f"{agent}: {space}" for agent, space in spaces.items())
