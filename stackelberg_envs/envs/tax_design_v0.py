"""Tax design: a government sets an income tax and three VAT rates; households work, buy and save.

| | |
| --- | --- |
| id | `stackelberg/TaxDesign-v0` |
| states | assets m in [-100, 100]; with ``num_households`` also the type of the household |
| leader actions | none (the leader only configures) |
| follower actions | MultiDiscrete [10, 5, 5, 5]: hours, and how much of each good |
| contexts K | 2: types of household |
| commitment | income tax and three VAT rates in [0, 2], shape (4,) |
| horizon | 200 |
| discounts | 0.9, 0.9 |
| temperature | 0.1 |

What x changes
    The income tax takes a part of the wages, and so changes the assets. VAT makes a purchase worth less to the
    household, and leaves its budget as it is. Both are the leader's revenue.
Dynamics
    An action (i, k_1, k_2, k_3) means h = 0.89 i hours and c_j = 1.25 k_j of each good. The assets become
    clip(m + (1 - t_0) h - sum c), and then a normal noise of standard deviation 5 is added, truncated so that they
    stay in their range. They begin at sqrt(2) N(0, 1).
Follower's reward
    u(m) - 0.1 h^2 + prod_j (c_j / (1 + t_j))^preference_j, at the assets before the step, with u(m) = ln(1 + m / 20)
    above zero and m below. The preferences of the two types are (0.6, 0.3, 0.1) and (0.1, 0.7, 0.2).
Leader's reward
    Social welfare: 15 mean_j(c_j / (1 + t_j)) / 5 + 5 ln(1 + sum_j t_j c_j / (1 + t_j) + t_0 h) + min(m, 0).
    ``count_debt=False`` leaves out the last term.
End
    Only by the time limit.
What is known
    Values, best responses and hypergradients on a grid of assets, whose error is reported (``grid_error`` of the
    solution). From 0.3 everywhere to the best rates found, J rises from 28.735778 to 38.139134.
Arguments
    ``max_rate``, ``count_debt``, ``temperature``, ``leader_discount``, ``follower_discount``, ``horizon``, ``nodes``,
    ``num_households``.
    With ``num_households=n``, n households play at once, of one type after the other, and the leader is paid their
    mean; there are then no contexts, and the type is the second entry of a household's state. Which type has the odd
    household, and which begins, is drawn anew in each episode, so that types count alike for every n.
Sources
    Thoma et al. (2024), arXiv 2406.01575, the tax design experiment, and the configuration published with it:
    all rates start at 0.3, 60,000 steps are observed per update, 1,000 updates. Final values were published as curves
    only. In the published code the household's network has one independent head for each part of the action, and the
    gradient by the income tax leaves out the household's reaction.
Version history
    v0: first version.
"""

from __future__ import annotations

import numpy as np

from stackelberg_envs.arrays import require_count, require_positive, require_temperature
from stackelberg_envs.envs.tax_design.economy import Households, TaxRules
from stackelberg_envs.envs.tax_design.game import DEFAULT_NODES, TaxGame
from stackelberg_envs.envs.tax_design.schedule import TaxSchedule
from stackelberg_envs.errors import GameError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare

#: Exponents of the goods for each type of household.
PREFERENCES = ((0.6, 0.3, 0.1), (0.1, 0.7, 0.2))
#: Of the published experiment: where every rate starts, and what the leader observes.
PUBLISHED = {"start": 0.3, "steps_per_update": 60_000, "updates": 1_000}

#: Sizes of rewards per step and of assets, between what the best response plays and a beginner, who runs into debt.
TYPICAL_REWARDS, ASSETS = {"leader_reward": 10.0, "follower_reward": 100.0}, 30.0


def make_game(
    *,
    max_rate: float = 2.0,
    count_debt: bool = True,
    temperature: float = 0.1,
    leader_discount: float = 0.9,
    follower_discount: float = 0.9,
    horizon: int = 200,
    nodes: int = DEFAULT_NODES,
    num_households: int | None = None,
) -> TaxGame:
    """Tax design as a vector game.

    Parameters
    ----------
    max_rate
        Upper bound of all four rates, above 0.
    count_debt
        Whether the leader's reward has the term min(m, 0), as published.
    temperature
        Weight of the follower's entropy, reward units; published 0.1, 0.2 and 0.3.
    leader_discount, follower_discount
        Per step.
    horizon
        Steps after which an episode is truncated.
    nodes
        Quadrature nodes per panel of the grid of assets. The error of the exact answers falls fast with their number.
    num_households
        Households that play at once, of one type after the other; the leader is paid their mean. Default one
        household, whose type is the context.

    Raises
    ------
    GameError
        A bound of the rates that is not positive, fewer than one household or than two nodes.
    """
    max_rate, temperature = require_positive(max_rate, "max_rate"), require_temperature(temperature)
    typed = num_households is not None
    rules = TaxRules(count_debt=count_debt)
    known = known_facts(
        "stackelberg/TaxDesign-v0",
        high=max_rate,
        count_debt=rules.count_debt,
        temperature=temperature,
        leader_discount=leader_discount,
        follower_discount=follower_discount,
    )
    typical = TYPICAL_REWARDS | {"state": (ASSETS, 1.0) if typed else (ASSETS,)}
    K = len(PREFERENCES)
    households = Households(np.array(PREFERENCES), np.full(K, 1.0 / K))
    return TaxGame(
        commitment=TaxSchedule(rules, households.preferences, households.noise, max_rate, typed),
        rules=rules,
        households=households,
        nodes=nodes,
        typed_states=typed,
        context_probabilities=np.ones(1) if typed else households.probabilities,
        num_followers=1 if num_households is None else require_count(num_households, "num_households", error=GameError),
        leader_discount=leader_discount,
        follower_discount=follower_discount,
        temperature=temperature,
        horizon=horizon,
        name="Tax design",
        facts={"preferences": PREFERENCES, "published": PUBLISHED, "typical": typical, **known},
    )


FACES = declare(make_game, renderer="stackelberg_envs.envs.tax_design.picture:tax_design")
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
