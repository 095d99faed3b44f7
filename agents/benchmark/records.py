"""What one job leaves behind: one JSON text that never changes, with what was measured and where that was done."""

from __future__ import annotations

import math
from typing import Any, Literal, TypeAlias

import msgspec

from stackelberg_envs.errors import OutputError

from .jobs import Job

__all__ = ["COSTS", "CURVE_COLUMNS", "FORMAT", "JobRecord", "Provenance", "Result", "Status"]

FORMAT = 1
#: Bytes; a record has some ten thousand.
LARGEST_RECORD = 2**27

#: "lost": the process that did it died, three times. Only "finished" has a result.
Status: TypeAlias = Literal["finished", "failed", "timeout", "memory", "lost"]
Column: TypeAlias = list[float | None]

#: What a job costs, as columns of the curve and in total.
COSTS = ("leader_updates", "follower_responses", "observed_steps", "follower_steps", "seconds", "processor_seconds")
#: Columns of a curve, one entry per checkpoint; the first is before any play. None where a value is unknown.
CURVE_COLUMNS = (*COSTS, "announced_value", "recommended_value", "actual_value", "response_gap", "gradient_cosine")


class Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a finished job measured; J in reward units, steps and updates as counts, times in seconds.

    Attributes
    ----------
    information
        Name of the level of information at which the leader works.
    commitment
        The recommended commitment at the end: nested lists, in the shape of the game's commitment.
    leader_value
        J of it against the exact best response; where none is known, against a follower that has learned for
        as long as the run's own follower has, as `meanings` says.
    actual_value, episode_value, response_gap, start_value, neutral_value, best_known
        As in :class:`agents.RunRecord`.
    is_exact
        Whether the game has exact answers, so that values are not estimates.
    curve
        Columns :data:`CURVE_COLUMNS`, all of one length: at logarithmically spaced numbers of observed steps.
        "announced_value" and "recommended_value" are exact where `is_exact`; "actual_value" is that of the announced
        commitment against the follower as it played; "response_gap" what that follower loses; "gradient_cosine" the
        cosine between the leader's last estimate of dJ/dtheta and the truth. Times leave out what measuring took.
    totals
        The costs at the end, by the names in :data:`COSTS`.
    meanings
        What each value is, in words.
    """

    information: str
    commitment: list[Any]
    leader_value: float | None
    actual_value: float | None
    episode_value: float | None
    response_gap: float | None
    start_value: float | None
    neutral_value: float | None
    best_known: float | None
    is_exact: bool
    curve: dict[str, Column]
    totals: dict[str, float]
    meanings: dict[str, str]


class Provenance(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where, when and with what a job was done; none of it decides its numbers.

    Attributes
    ----------
    versions
        Of this package and of what it computes with.
    commit
        Of the package's source, with "+changes" where files differ from it; "" without a repository.
    game_digest
        Hash of the content of the game.
    machine
        Host, system, processor, number of cores.
    engine
        Name of the joblib backend.
    started
        Universal time, as ISO 8601.
    seconds, processor_seconds
        Of the whole job, measuring included.
    peak_memory
        Bytes of memory that its process had at most while it ran.
    attempt
        1, or more after a worker died.
    """

    versions: dict[str, str]
    commit: str
    game_digest: str
    machine: dict[str, str | int]
    engine: str
    started: str
    seconds: float
    processor_seconds: float
    peak_memory: int
    attempt: int = 1


class JobRecord(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One job and what came of it.

    Attributes
    ----------
    job
        What was asked for.
    address
        Its hash, by which the record is found.
    status
        "finished", or what ended it.
    error, traceback
        What ended a job that did not finish, in one line and in full.
    result
        None unless it finished.
    """

    job: Job
    address: str
    status: Status
    provenance: Provenance
    result: Result | None = None
    error: str | None = None
    traceback: str | None = None
    format: int = FORMAT

    def to_json(self) -> bytes:
        """Return the record as JSON; numbers round-trip exactly, and NaN and infinities become null."""
        return msgspec.json.format(msgspec.json.encode(_finite(msgspec.to_builtins(self))), indent=1)

    @classmethod
    def from_json(cls, data: bytes, where: str = "record") -> JobRecord:
        """Read what :meth:`to_json` wrote.

        Raises
        ------
        OutputError
            Text that is no such record, or one of another format; the message names the field.
        """
        if len(data) > LARGEST_RECORD:
            raise OutputError(f"{where}: expected a record of at most {LARGEST_RECORD} bytes, got {len(data)}")
        try:
            head = msgspec.json.decode(data, type=_Head)
            if head.format != FORMAT:
                raise OutputError(f"{where}: expected a record of format {FORMAT}, got one of {head.format}")
            record = msgspec.json.decode(data, type=cls)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            raise OutputError(f"{where}: expected the record of a job, got {exc}") from exc
        record.require_sound(where)
        return record

    def require_sound(self, where: str) -> None:
        """Raise OutputError unless the parts of the record belong together."""
        if self.address != self.job.address:
            raise OutputError(f"{where}: expected the address {self.job.address} of its job, got {self.address}")
        if (self.status == "finished") != (self.result is not None):
            raise OutputError(f"{where}: expected a result if and only if the job finished, got {self.status!r}")
        if self.result is not None:
            lengths = {name: len(column) for name, column in self.result.curve.items()}
            if sorted(lengths) != sorted(CURVE_COLUMNS) or len(set(lengths.values())) != 1:
                raise OutputError(f"{where}: expected a curve of {', '.join(CURVE_COLUMNS)}, got {lengths}")


class _Head(msgspec.Struct):
    format: int


def _finite(value: Any) -> Any:
    """Return `value` with numbers that JSON has no word for as None."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
