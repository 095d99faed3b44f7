"""Security game: a defender commits to how likely each target is guarded, and an attacker chooses one.

| | |
| --- | --- |
| id | `stackelberg/SecurityGame-v0` |
| states S | 5: the choice, and one for each target |
| leader actions A | 4: where the guard stands |
| follower actions B | 4: which target is attacked |
| contexts K | 1 |
| commitment | a distribution over schedules of the guards, shape (1, A); the coverage of targets follows from it |
| horizon | 2 |
| discounts | 1, 1 |
| temperature | 0.01 |

What x changes
    How likely each schedule is. The attacker has watched for long and knows x, but not where the guards stand today.
Dynamics
    The attacker chooses a target. Then a schedule is drawn from x, both are paid, and the episode is over.
    With ``num_attackers=n`` there are n followers, who choose at the same time and answer each other by their logit
    equilibrium. Each meets the guard or not; those who find a target without one share its reward, and the defender
    loses it once. So a second attacker goes where the first one does not.
Follower's reward
    ``attacker_reward`` of the target if nobody guards it, else ``attacker_penalty``.
Leader's reward
    Minus ``defender_loss`` of the target if nobody guards it, else 0.
End
    After one round, which has two steps.
What learning leaders reach
    With defaults, 50 updates of 400 steps, seeds 0 and 1: shares of the way from even schedules to the best known
    value, as ``python benchmarks/untuned.py closed-form-v1 --each`` tells them. `certainty_equivalent`: 100 % in both;
    `bchg`: 96.9 % and 78.4 %.
What is known
    Against an attacker without errors that breaks ties for the defender, the best coverage is 23/47, 17/47, 7/47 and 0,
    or (0.489, 0.362, 0.149, 0), and the defender's value -80/47, or -1.702. The first three targets are then as good as
    each other to the attacker, at 73/47, and the fourth is worth less. The value is certified by a linear program for
    each target. At temperature 0.01 the best known commitment is worth -1.724173; as the temperature falls the value
    goes to -1.702. Against two attackers at temperature 0.01 the best known
    coverage, (0.572, 0.428, 0, 0), is worth -2.483227: exact gradients ended there from 6 of 12 starts, which is no
    proof. Even coverage is worth -3.862222.
Arguments
    ``attacker_reward``, ``attacker_penalty``, ``defender_loss`` of each target, ``guards``, ``temperature``,
    ``num_attackers``.
Sources
    Kiekintveld et al. (2009), Computing optimal randomized resource allocations for massive security games; Tambe
    (2011), Security and game theory.
Version history
    v0: first version.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from stackelberg_envs.arrays import as_float, require_count, require_shape
from stackelberg_envs.envs.security_game.attackers import attackers_game
from stackelberg_envs.envs.security_game.coverage import payoffs, schedules
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.references import Reference
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.markov import MarkovGame
from stackelberg_envs.games.simultaneous import simultaneous_game
from stackelberg_envs.games.tabular import TabularGame

ID = "stackelberg/SecurityGame-v0"
#: Setting without its temperature -> the defender's value at temperature 0.
KNOWN = {"attacker_reward": [4.0, 3.0, 2.0, 1.0], "attacker_penalty": [-1.0] * 4, "defender_loss": [4.0, 3.0, 2.0, 1.0]}
KNOWN_VALUE = -80.0 / 47.0
#: Schedules that are listed.
MOST_SCHEDULES = 1000


def make_game(
    *,
    attacker_reward: Sequence[float] = (4.0, 3.0, 2.0, 1.0),
    attacker_penalty: Sequence[float] = (-1.0, -1.0, -1.0, -1.0),
    defender_loss: Sequence[float] = (4.0, 3.0, 2.0, 1.0),
    guards: int = 1,
    temperature: float = 0.01,
    num_attackers: int = 1,
) -> TabularGame | MarkovGame:
    """Security game as a tabular game of one round, or as a game of several attackers who affect each other.

    Parameters
    ----------
    attacker_reward, attacker_penalty
        What an attack on each target pays if nobody guards it, and if somebody does, reward units.
    defender_loss
        What an attack on each target costs if nobody guards it, reward units.
    guards
        Targets that can be guarded at once.
    temperature
        Weight of the attacker's entropy, reward units.
    num_attackers
        Attackers. Several choose at once, and those at one target share its reward.

    Raises
    ------
    GameError
        Payoffs of other numbers of targets, no guard, as many guards as targets, too many schedules to list, or no
        attacker or more than tables have room for.
    """
    reward = as_float(attacker_reward, "attacker_reward")
    if reward.ndim != 1 or len(reward) < 2:
        raise GameError(f"attacker_reward: expected a number for each of two or more targets, got shape {reward.shape}")
    penalty, loss = as_float(attacker_penalty, "attacker_penalty"), as_float(defender_loss, "defender_loss")
    for array, name in ((penalty, "attacker_penalty"), (loss, "defender_loss")):
        require_shape(array, [reward.shape], name)
    guards = require_count(guards, "guards", error=GameError)
    if guards >= len(reward):
        raise GameError(f"guards: expected fewer than the {len(reward)} targets, got {guards}")
    if math.comb(len(reward), guards) > MOST_SCHEDULES:
        raise GameError(f"guards: expected at most {MOST_SCHEDULES} schedules, got {math.comb(len(reward), guards)}")
    covered = schedules(len(reward), guards)
    setting = {"attacker_reward": reward, "attacker_penalty": penalty, "defender_loss": loss}
    n = require_count(num_attackers, "num_attackers", error=GameError)
    if n > 1:
        known = known_facts(ID, guards=guards, temperature=temperature, num_attackers=n, **setting)
        told = {"states": ("choice",), **known}
        return attackers_game(covered, reward, penalty, loss, n, temperature=temperature, facts=told)
    leader, follower = payoffs(covered, -loss, np.zeros(len(loss))), payoffs(covered, reward, penalty)
    places = [f"target {i + 1}" for i in range(len(reward))]
    facts: dict[str, Any] = {
        "leader_payoff": leader,
        "follower_payoff": follower,
        "rows": tuple("guard " + "".join(str(i + 1) for i in each) for each in _places(len(reward), guards)),
        "columns": tuple(places),
        "attacker_reward": reward,
        "attacker_penalty": penalty,
        "defender_reward": -loss,
        "guards": guards,
        **known_facts(ID, guards=guards, temperature=temperature, **setting),
    }
    if guards == 1 and {name: array.tolist() for name, array in setting.items()} == KNOWN:
        source = "Kiekintveld et al. (2009): the first three targets are made equal, a linear equation"
        meaning = "temperature 0, ties for the defender"
        facts["reference"] = Reference(KNOWN_VALUE, "closed form", meaning, source).as_fact()
    return simultaneous_game(
        leader, follower, temperature=temperature, states=("choice",), name="Security game", facts=facts
    )


def _places(targets: int, guards: int) -> list[tuple[int, ...]]:
    return list(itertools.combinations(range(targets), guards))


FACES = declare(
    make_game,
    renderer="stackelberg_envs.pictures.tables:tables",
    reference="stackelberg_envs.envs.security_game.coverage:coverage_value",
)
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
