"""The session: phases, the simulator's draws, and a simulator of another kind under the same session."""

import copy
import pickle
from pathlib import Path

import numpy as np
import pytest
from gymnasium.spaces import Discrete

import stackelberg_envs as se
from stackelberg_envs.conformity.vector_games import UniformPolicy
from stackelberg_envs.errors import ActionError, PhaseError
from stackelberg_envs.faces.ids import successors
from stackelberg_envs.play.session import COMMITMENT, DONE, PLAY, READY, Session
from stackelberg_envs.play.simulators import cumulative

GOLDEN = Path(__file__).parents[2] / "data" / "golden"


FOUR_ROOMS, TOY = "stackelberg/FourRooms-v0", "stackelberg/DiscreteToy-v1"


def test_phases_follow_one_another():
    session = Session(se.make_game(TOY, horizon=2))
    assert session.phase == READY
    session.reset(0)
    assert session.phase == COMMITMENT
    session.commit(np.full((3, 2), 0.5))
    assert session.phase == PLAY
    session.play([0])
    session.play([0])
    assert session.phase == DONE
    assert session.truncated


@pytest.mark.parametrize("phase", [READY, COMMITMENT, PLAY, DONE])
def test_calls_in_the_wrong_phase_are_refused(phase):
    session = Session(se.make_game(TOY, horizon=1))
    x = np.full((3, 2), 0.5)
    steps = [lambda: session.reset(0), lambda: session.commit(x), lambda: session.play([0])]
    for step in steps[: [READY, COMMITMENT, PLAY, DONE].index(phase)]:
        step()
    if phase != COMMITMENT:
        with pytest.raises(PhaseError, match="commit"):
            session.commit(x)
    if phase != PLAY:
        with pytest.raises(PhaseError, match="play"):
            session.play([0])
    with pytest.raises(PhaseError, match="lead"):
        session.lead([0])


def test_a_per_step_session_waits_for_its_leader():
    session = Session(se.make_game(TOY), per_step=True)
    session.reset(0)
    with pytest.raises(PhaseError, match="lead"):
        session.commit(np.full((3, 2), 0.5))
    session.lead([1])
    session.play([0])
    with pytest.raises(PhaseError, match="leader's action"):
        session.play([0])


def test_as_many_actions_as_followers_are_wanted():
    session = Session(se.make_game(TOY), num_followers=2)
    session.reset(0)
    session.commit(np.full((3, 2), 0.5))
    with pytest.raises(ActionError, match="2 actions, got 1"):
        session.play([0])
    with pytest.raises(ActionError, match="follower_1"):
        session.play([0, 3])
    assert session.played == 0


def test_cumulative_sums_never_lead_to_the_impossible():
    table = cumulative(np.array([[0.25, 0.75, 0.0], [0.0, 1.0, 0.0], [0.1, 0.2, 0.7]]))
    assert table[0].tolist() == [0.25, np.inf, np.inf]
    assert table[1].tolist() == [0.0, np.inf, np.inf]
    assert table[2, 2] == np.inf


def test_followers_share_the_context_and_nothing_else():
    game = se.random_tabular(S=30, K=3, seed=2)
    session = Session(game, num_followers=8)
    session.reset(0)
    contexts = set()
    for _ in range(40):
        session.reset()
        session.commit(np.zeros(4))
        contexts.add(session.context)
        assert len(set(session.states)) > 1
    assert contexts == {0, 1, 2}


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda session: pickle.loads(pickle.dumps(session))])  # noqa: S301
def test_twins_continue_equally_in_the_middle_of_an_episode(twin):
    session = Session(se.make_game(FOUR_ROOMS))
    session.reset(3)
    session.commit(np.zeros(104))
    session.play([1])
    other = twin(session)
    walks = []
    for each in (session, other):
        walk = []
        for _ in range(50):
            if each.phase == DONE:
                break
            each.play([1])
            walk.append(each.states[0])
        walks.append(walk)
    assert walks[0] == walks[1]


def shown(value):
    """A number as it is, a vector to six digits, since the last ones of sines and exponentials vary by machine."""
    return " ".join(f"{part:.6g}" for part in value) if isinstance(value, np.ndarray) else str(value)


def acting(env, rng):
    """Draws of the follower's action, the same in every version of Gymnasium."""
    space = env.action_space("follower_0")
    if isinstance(space, Discrete):
        return lambda: int(rng.integers(int(space.n)))
    policy = UniformPolicy(space)
    return lambda: policy.sample(rng, np.zeros((1, 1)), np.zeros((1, 0)), np.zeros(1, np.int32))[0]


def told(spec_id):
    """One seeded episode of the parallel face as text: round, actions, states, rewards."""
    env = se.parallel_env(spec_id)
    env.reset(seed=2026)
    rng = np.random.default_rng(2026)
    commitment = env.game.commitment
    x = commitment.project(rng.uniform(commitment.low, commitment.high))
    env.step({"leader_0": x})
    lines = [f"{spec_id} seed 2026, sum of x {x.sum():.6f}"]
    act, pay = acting(env, rng), ".6g" if isinstance(env.session.states[0], np.ndarray) else ".6f"
    while env.agents and len(lines) < 40:
        _, rewards, terminations, truncations, infos = env.step({agent: act() for agent in env.agents[1:]})
        (_, leader), *others = rewards.items()
        info, done = infos["follower_0"], ",".join(shown(infos[agent]["follower_action"]) for agent, _ in others)
        flags = "T" * terminations["leader_0"] + "t" * truncations["leader_0"]
        lines.append(
            f"{info['step']:3} k={info['context']} s={shown(info['state'])} a={shown(info['leader_action'])} "
            f"b={done} s'={shown(info['next_state'])} "
            f"rL={leader:{pay}} rF={','.join(f'{paid:{pay}}' for _, paid in others)} {flags}".rstrip()
        )
    return "\n".join(lines) + "\n"


@pytest.mark.filterwarnings("ignore:.* is deprecated and goes in version:DeprecationWarning")
@pytest.mark.parametrize("spec_id", [*se.registered_ids(), *successors()])
def test_a_seeded_episode_is_the_golden_one(spec_id):
    # A change here means that seeds no longer reproduce: raise the version of the environment.
    path = GOLDEN / f"{spec_id.partition('/')[2]}.txt"
    assert told(spec_id) == path.read_text()
