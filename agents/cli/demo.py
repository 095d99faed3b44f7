"""The demonstration behind ``make demo``: one run of the command line, with an explanation before it."""

from __future__ import annotations

import json
import shlex
from typing import Any

__all__ = ["DEMO", "INTRODUCTION", "words_of"]

#: The run, as arguments of :func:`agents.run`.
DEMO: dict[str, Any] = {
    "game": "stackelberg/FourRooms-v0",
    "game_arguments": {"temperature": 0.007, "penalty": 5.0},
    "leader": "bchg",
    "leader_options": {"learning_rate": 0.1},
    "follower": "soft_q_learning",
    "follower_options": {
        "steps": 100_000,
        "first_steps": 5_000_000,
        "least_step": 0.02,
        "exploration": 0.3,
    },
    "updates": 300,
    "steps_per_update": 5_000,
    "seed": 0,
}

INTRODUCTION = """\
A follower walks through four rooms to its goal and learns for itself, by trial and error, the way that pays \
it best. A leader may place incentives in the cells (here: small charges for every visit) and would like the \
follower to pass over a target cell. The leader sees only trajectories: after each announcement it watches \
the follower walk, and improves the incentives from that alone.

[bold]Leader return[/bold] is what the leader earns on average, later steps counting less: 1 for each \
step of the follower on the target cell, minus the price of the incentives when the follower reaches its goal."""

#: Argument of :func:`agents.run` -> option of the command line, for those given once per entry.
_REPEATED = {
    "game_arguments": "--set",
    "leader_options": "--leader-option",
    "follower_options": "--follower-option",
}


def words_of(options: dict[str, Any], output: str | None = None) -> list[str]:
    """Return the words after ``stackelberg`` that do a run.

    Parameters
    ----------
    options
        Arguments of :func:`agents.run`, with an id as "game".
    output
        Folder for record and picture.

    Examples
    --------
    >>> words_of({"game": "stackelberg/DiscreteToy-v0", "game_arguments": {"reward": 2.0}, "updates": 50})
    ['run', 'stackelberg/DiscreteToy-v0', '--set', 'reward=2.0', '--updates', '50']
    """
    words = ["run", str(options["game"])]
    for name, value in options.items():
        if name in _REPEATED:
            for key, item in value.items():
                words += [_REPEATED[name], f"{key}={item if isinstance(item, str) else json.dumps(item)}"]
        elif name != "game" and value is not None:
            words += ["--" + name.replace("_", "-"), str(value)]
    return (
        words if output is None else [*words, *(["--output", output] if output[:1] != "-" else [f"--output={output}"])]
    )


def command_of(options: dict[str, Any], output: str | None = None) -> str:
    """Return the same as one line for a shell."""
    return shlex.join(["stackelberg", *words_of(options, output)])
