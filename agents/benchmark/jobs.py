"""Jobs: one leader on one task against one follower with one seed, named by the hash of what decides its numbers."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

__all__ = ["Job", "address_of"]

#: Hexadecimal digits of an address: 128 bits, so that two jobs never share one by chance.
ADDRESS_DIGITS = 32


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """All that decides the numbers of one run of a benchmark.

    Attributes
    ----------
    task
        Name of the task, as tables show it.
    game, game_arguments
        Id of a registered game and its arguments; or the name of a game that was passed as an object.
    game_digest
        Hash of the game's content, for games that are not of this package; "" for those that are, whose ids change
        when they do.
    entrant
        Name of the leader with its settings, as tables show it.
    leader, leader_options
        Name of the leader's class, ``module:Class`` where it is not of this package, and what differs from its
        defaults.
    leader_code
        Hash of the source file of a leader that is not of this package; "" for those that are.
    follower, follower_options, follower_code
        The same for the follower; the name is never empty, even where the game's own follower was meant.
    parametrisation
        Name; None is the one that the commitment suggests.
    steps
        Follower steps that the leader may observe.
    steps_per_update
        Follower steps that the leader sees after each commitment.
    checkpoints_per_decade
        Measurements per factor of ten of the observed steps.
    seed
        Of everything random.
    """

    task: str
    game: str
    entrant: str
    leader: str
    follower: str
    steps: int
    steps_per_update: int
    seed: int
    game_arguments: dict[str, Any] = {}
    leader_options: dict[str, Any] = {}
    follower_options: dict[str, Any] = {}
    game_digest: str = ""
    leader_code: str = ""
    follower_code: str = ""
    parametrisation: str | None = None
    checkpoints_per_decade: int = 8

    @property
    def address(self) -> str:
        """What the record of this job is found by."""
        return address_of(self)


def address_of(job: Job) -> str:
    """Return the hash of a job: of its fields as JSON, with sorted keys."""
    return hashlib.sha256(msgspec.json.encode(job, order="deterministic")).hexdigest()[:ADDRESS_DIGITS]
