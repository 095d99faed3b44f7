"""`bchg` and `naive` where followers affect each other: from play to the gradient they can see, and up the hill."""

import numpy as np
import pytest

import agents
import stackelberg_envs as se
from agents.leaders.bchg_markov import MarkovBchg
from agents.leaders.naive import MarkovNaive
from agents.observing.brief import Information, redact
from agents.runs.briefing import make_brief
from stackelberg_envs.play.rollout import rollout
from tests.games import interacting_game, weakly_interacting_game

ROUTING = "stackelberg/TollRouting-v0"


def estimated(kind, game, xs, steps, **options):
    """Return the estimate of a leader under the last of some commitments, and the solution there."""
    config = kind.Config(**options)
    level = kind.required_information(game.commitment, config, game.publish_temperature)
    leader = kind(make_brief(game, level), config, np.random.default_rng(0))
    for seed, x in enumerate(xs):
        solved = se.solve(game, x)
        seen = rollout(game.under(x), solved.policy, np.random.default_rng(seed), steps=steps)
        dx, diagnostics = leader.gradient(redact(seen, level, solved.policy))
    return dx, diagnostics, solved, level


@pytest.mark.parametrize("private", [False, True])
def test_from_play_it_comes_to_the_gradient_with_the_others_held_fixed_and_to_no_other(private):
    game = interacting_game(publish_temperature=not private)
    dx, diagnostics, solved, level = estimated(MarkovBchg, game, [[0.3, 0.6]], 100_000)
    size = np.linalg.norm(solved.own_gradient)
    assert np.linalg.norm(dx - solved.own_gradient) < 0.05 * size
    assert np.linalg.norm(dx - solved.gradient) > 0.4 * size
    assert level == (Information.REWARDS_OBSERVED if private else Information.ACTIONS_ONLY)
    if private:
        assert diagnostics["temperature"] == pytest.approx(game.temperature, rel=0.05)
    plain = estimated(MarkovNaive, game, [[0.3, 0.6]], 100_000)[0]
    assert np.linalg.norm(plain - solved.direct_gradient) < 0.05 * size


def test_where_others_answer_it_comes_to_the_implicit_gradient():
    dx, _, solved, level = estimated(MarkovBchg, interacting_game(), [[0.3, 0.6]], 100_000, others="answer")
    assert np.linalg.norm(dx - solved.gradient) < 0.05 * np.linalg.norm(solved.gradient)
    assert level == Information.REWARDS_OBSERVED
    record = agents.run(weakly_interacting_game(), leader="bchg", updates=4, leader_options={"others": "answer"})
    assert record.information == "REWARDS_OBSERVED"
    assert record.leader_value > record.start_value


def test_what_was_seen_under_other_commitments_counts():
    game = weakly_interacting_game()
    path = [[0.3 + 0.01 * k] for k in range(10)]
    errors = [
        abs(dx - solved.own_gradient)[0] / abs(solved.own_gradient)[0]
        for xs in (path, path[-1:])
        for dx, _, solved, _ in [estimated(MarkovBchg, game, xs, 400)]
    ]
    assert errors[0] < 0.05
    assert errors[0] < errors[1]


def test_runs_on_a_registered_game_come_near_the_best():
    arguments = {"commuters": 2}
    given = {"game_arguments": arguments, "evaluate_every": 0}
    best = agents.run(ROUTING, leader="exact", updates=1, steps_per_update=1, **given).leader_value
    record = agents.run(ROUTING, leader="bchg", steps=2_500, seed=0, **given)
    game = se.make_game(ROUTING, **arguments)
    start = se.solve(game, [0.5, 0.5]).leader_value
    assert (record.leader_value - start) / (best - start) > 0.9
    assert record.information == "ACTIONS_ONLY"


def test_a_run_that_was_stopped_goes_on(tmp_path):
    game = interacting_game()
    given = {"leader": "bchg", "seed": 3, "steps_per_update": 60, "updates": 4}
    whole = agents.run(game, **given)

    def stop(progress):
        if progress.update == 2:
            raise KeyboardInterrupt

    agents.run(game, output=tmp_path, checkpoint_every=1, progress=stop, **given)
    resumed = agents.run(game, resume=tmp_path)
    np.testing.assert_array_equal(whole.curve["leader_value"], resumed.curve["leader_value"])


def test_rewards_that_are_needed_and_private_are_asked_for_by_name():
    game = interacting_game(observe_rewards=False, publish_temperature=False)
    with pytest.raises(se.errors.InformationError, match="keeps the follower's rewards private"):
        agents.run(game, leader="bchg", updates=1)
