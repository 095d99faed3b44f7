"""Preference design: a designer sets the reward model that an assistant is tuned on; people judge what it then says.

| | |
| --- | --- |
| id | `stackelberg/PreferenceDesign-v0` |
| states S | 342: an answer as far as it is written, of up to four words; and "sent" |
| leader actions A | 1 (the leader only configures) |
| follower actions B | 5: say a fact, a caveat, praise or filler; send the answer |
| contexts K | 2 prompts: a plain question, a question with a catch |
| commitment | a reward model: the weight of each kind of word in [-2, 2], shape (4,) |
| horizon | 6 |
| discounts | 1, 1 (every answer ends) |
| temperature | 0.2 |

What x changes
    The follower is paid ``x[word]`` for each word that it says. The leader is paid by how well the same weights
    predict what people prefer.
Dynamics
    The follower is an assistant that writes an answer word by word. A full answer is sent whatever it does. It is
    tuned on the reward model as language models are: it maximises its reward minus ``temperature`` times the
    divergence (KL) from the policy that it starts from. So it gives answer y to a prompt with a probability that is
    proportional to (starting probability of y) exp(reward of y / temperature).
Follower's reward
    ``x[word]`` plus ``temperature`` times the logarithm of the starting policy at what it does. With the entropy
    that is a part of every follower's objective, this is the reward minus temperature times the divergence.
Leader's reward
    When an answer y is sent, it is laid beside a recorded answer c, which the starting policy has given to the same
    prompt. People prefer y with the Bradley-Terry probability p = sigmoid(R(y) - R(c)). How much people like an
    answer, R, is hidden: one fact is worth 2 and each further one costs 0.7; praise pleases as the first word, and
    nowhere else; a caveat pleases where there is a catch and annoys elsewhere; filler annoys. The reward model,
    which only counts words, says sigmoid(d) with d = (reward of y) - (reward of c). The leader is paid the
    logarithm of the probability that its model gave to what people said, p log sigmoid(d) + (1 - p) log
    sigmoid(-d), averaged over c. All else pays 0. So J is the expected log-likelihood of recorded preferences on
    the answers that the reward model itself brings about. What people said of pairs of recorded answers, p, is data
    of the leader and a part of its commitment; what the assistant will say is not.
End
    After the answer is sent.
What is known
    Without a reward model, x = 0, J is -log 2 = -0.693147 and people prefer the assistant to a recorded answer half
    of the time. A reward model fitted to pairs of recorded answers, as is usual, pays for facts. The assistant then
    gives as many as it can, four in 59 % of its answers, and recorded answers could not tell the model what people
    say of that: J is -1.071590, and people prefer the assistant in 46.4 % of the pairs. The best known reward model
    foresees what it brings about. It pays nothing for facts and charges for all else: 74 % of the answers are one
    fact, J is -0.588989, and people prefer the assistant in 70.3 % of the pairs. The yardstick ends there from
    every start. The fact ``recorded_fit`` holds the fitted weights, ``preferences`` what people said. With default
    settings and 50,000 observed steps, two seeds each, ``certainty_equivalent`` ends at -0.589089 and -0.589015,
    ``bchg`` and ``hpgd`` at -0.589733 and -0.590041, ``naive`` at -0.597913 and -0.594841, ``cma_es`` at -0.607986
    and -0.703178 (``stackelberg sweep practice-v1 --seeds 2 --output runs/practice``).
Arguments
    ``longest``, ``temperature``, ``bound``, ``horizon``.
Sources
    The objective is that of Chakraborty et al. (2024), PARL, arXiv 2308.02585, for whole answers of which one is
    recorded; the closed form of the tuned policy is that of Rafailov et al. (2023), arXiv 2305.18290. The words and
    what people like are made for this package.
Version history
    v0: first version.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from stackelberg_envs.arrays import require_count, require_positive, require_temperature
from stackelberg_envs.envs.preference_design.answers import (
    PROMPTS,
    WORDS,
    children,
    counts,
    is_full,
    liking,
    sending,
    sent,
    starting_policy,
)
from stackelberg_envs.envs.preference_design.preferences import PreferenceLikelihood, recorded, recorded_fit
from stackelberg_envs.errors import ArgumentError
from stackelberg_envs.faces.best_known import known_facts
from stackelberg_envs.faces.registration import declare
from stackelberg_envs.games.commitments.incentives import LinearFeatures
from stackelberg_envs.games.commitments.joint import Joint
from stackelberg_envs.games.tabular import TabularGame
from stackelberg_envs.games.transitions import Transition

#: The last action, after one for each word.
SEND = len(WORDS)
#: Of answers; there are four times as many with each word more.
MOST_WORDS = 6


def make_game(
    *, longest: int = 4, temperature: float = 0.2, bound: float = 2.0, horizon: int | None = None
) -> TabularGame:
    """Preference design as a tabular game.

    Parameters
    ----------
    longest
        Most words of an answer, 1 to 6: 5 to 5461 answers.
    temperature
        Reward that a unit of divergence from the starting policy costs the follower.
    bound
        Largest size of a weight of the reward model, reward per word.
    horizon
        Steps after which an episode is truncated; default the longest answer and two, which is the least.

    Raises
    ------
    ArgumentError
        Answers of more than six words.
    GameError
        A bound or a temperature that is not positive.
    """
    longest, bound = require_count(longest, "longest"), require_positive(bound, "bound")
    temperature = require_temperature(temperature)
    if longest > MOST_WORDS:
        raise ArgumentError(f"longest: expected at most {MOST_WORDS} words, got {longest}")
    policy, sends = starting_policy(longest), sending(longest)
    S, B, K = len(policy) + 1, SEND + 1, len(PROMPTS)
    found = recorded(counts(longest), liking(longest), sent(policy, sends))
    said = np.zeros((S, 1, B, len(WORDS)))
    said[:-1, 0, :SEND] = np.where(is_full(longest)[:, None, None], 0.0, np.eye(len(WORDS)))
    start = np.vstack([policy, np.full(B, 1.0 / B)])
    return TabularGame(
        transition=_writing(children(longest)),
        leader_reward=np.zeros((S, 1, B)),
        follower_reward=temperature * np.log(start)[:, None, :],
        initial=np.eye(S)[0],
        terminal=np.eye(S)[-1],
        leader_discount=1.0,
        follower_discount=1.0,
        temperature=temperature,
        made_for={"temperature": temperature},
        commitment=Joint(
            LinearFeatures(said, -bound, bound, names=WORDS),
            PreferenceLikelihood(-bound, bound, found, sends, S),
        ),
        context_probabilities=np.full(K, 1.0 / K),
        horizon=longest + 2 if horizon is None else horizon,
        name="Preference design",
        facts={
            "prompts": PROMPTS,
            "longest": longest,
            "preferences": found,
            "recorded_fit": recorded_fit(found, -bound, bound),
            **known_facts("stackelberg/PreferenceDesign-v0", longest=longest, temperature=temperature, bound=bound),
        },
    )


def _writing(children: NDArray[np.int64]) -> Transition:
    """Return the dynamics: each word leads to a longer answer, sending to the last state."""
    S = len(children) + 1
    landing = np.full((S, 1, SEND + 1, 1), S - 1)
    landing[:-1, 0, :SEND, 0] = children
    return Transition.from_lists(landing, np.ones(landing.shape))


FACES = declare(make_game, renderer="stackelberg_envs.envs.preference_design.picture:preference_design")
raw_env, env, parallel_env, followers_env, follower_env, leader_env, vector_env = FACES
followers_aec_env, leader_vector_env = FACES.followers_aec_env, FACES.leader_vector_env
parallel_vector_env = FACES.parallel_vector_env
