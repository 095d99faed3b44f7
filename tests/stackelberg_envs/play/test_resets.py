"""Every face refuses options and seeds it does not know, by name, and is then as it was."""

import gymnasium
import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.conformity.vector_games import UniformPolicy
from stackelberg_envs.errors import ActionError, ArgumentError, CommitmentError, StackelbergError

TABULAR, VECTORS = "stackelberg/DiscreteToy-v1", "stackelberg/GuidedPendulum-v0"
LED = ("raw_env", "env", "parallel_env", "leader_env")
GIVEN = ("followers_env", "follower_env", "vector_env")


def uniform(game, x):
    return UniformPolicy(game.follower_action_space)


def face_of(face, spec_id, **options):
    if face == "leader_env" and spec_id == VECTORS:
        options["response"] = uniform
    return getattr(se, face)(spec_id, horizon=6, **options)


@pytest.mark.parametrize("spec_id", [TABULAR, VECTORS])
@pytest.mark.parametrize("face", [*LED, *GIVEN])
def test_unknown_options_are_refused_with_the_known_names(face, spec_id):
    env = face_of(face, spec_id)
    known = "commitment" if face in GIVEN else "no options"
    x = np.zeros(env.unwrapped.game.commitment.shape)
    for options in ({"comitment": x}, {"commitment": x, "seed": 1}, {3: x}, {"reset_mask": np.ones(1, bool)}):
        with pytest.raises(ArgumentError, match=known):
            env.reset(options=options)
    for options in (3, "commitment", [("commitment", x)], [x]):
        with pytest.raises(ArgumentError, match="reset: expected a dict"):
            env.reset(options=options)
    if face in LED:
        with pytest.raises(ArgumentError, match="a commitment is the action"):
            env.reset(options={"commitment": x})
    env.reset(options={})


def test_a_misspelt_option_gets_the_right_one():
    for face, options in ((se.follower_env, {"state": 3}), (se.parallel_env, {"context": 0})):
        with pytest.raises(ArgumentError, match=r"cannot be reset to a state: .* game\.replace\(initial=\)"):
            face(TABULAR).reset(options=options)
    with pytest.raises(ArgumentError, match="got 'comitment'; did you mean 'commitment'"):
        se.follower_env(TABULAR).reset(options={"comitment": 1})


def test_a_refused_reset_leaves_everything_as_it_was():
    for face in GIVEN:
        env, twin = (face_of(face, TABULAR) for _ in range(2))
        for each in (env, twin):
            each.reset(seed=5)
        x = np.full((3, 2), 2.0)
        for bad in ({"seed": 7, "options": {"comitment": x}}, {"seed": -7}, {"seed": 7, "options": {"commitment": x}}):
            with pytest.raises(StackelbergError):
                env.reset(**bad)
        np.testing.assert_equal(env.reset(), twin.reset())


@pytest.mark.parametrize("spec_id", [TABULAR, VECTORS])
@pytest.mark.parametrize("face", [*LED, *GIVEN])
def test_seeds_are_python_or_numpy_integers(face, spec_id):
    env = face_of(face, spec_id)

    def play(seed):
        first = env.reset(seed=seed)
        if face in ("raw_env", "env"):
            env.step(env.action_space("leader_0").low)
            return env.last()[0]
        if face == "parallel_env":
            return env.step({"leader_0": env.game.commitment.low})[0]["leader_0"]
        return first[0]

    expected = play(3)
    for seed in (np.int64(3), np.uint8(3), np.int32(3)):
        np.testing.assert_equal(play(seed), expected)
    play(2**70)
    bads = [-1, np.int64(-1), True, np.True_, 1.0, np.float64(1.0), "1", b"1", {}, np.array(1.0), object()]
    bads += [[1, 2, 3], [], (1, 2)]
    for bad in bads:
        with pytest.raises(ArgumentError, match="seed: expected"):
            env.reset(seed=bad)


@pytest.mark.parametrize("spec_id", [TABULAR, VECTORS])
def test_vectors_take_a_seed_per_copy(spec_id):
    env = face_of("vector_env", spec_id, num_envs=3)

    def play(seed):
        env.reset(seed=seed)
        env.action_space.seed(0)
        return [env.step(env.action_space.sample()) for _ in range(9)]

    expected = play([1, 2, 3])
    for seeds in (1, (1, 2, 3), np.array([1, 2, 3]), [np.int64(1), np.uint8(2), 3]):
        np.testing.assert_equal(play(seeds), expected)
    stories = [repr(play(seeds)) for seeds in ([1, 2, 3], [1, 2, 4], [3, 2, 1], 4)]
    assert len(set(stories)) == 4
    env.reset(seed=[None, None, None])  # as Gymnasium passes it on: the streams go on
    env.reset(seed=[1, None, 3])
    for bad in (
        [1, 2],
        [1, 2, 3, 4],
        [1, -2, 3],
        [1, True, 3],
        [1, 2.0, 3],
        np.ones(3),
        np.ones((3, 1), int),
    ):
        with pytest.raises(ArgumentError, match="seed: expected"):
            env.reset(seed=bad)


@pytest.mark.parametrize("spec_id", [TABULAR, VECTORS])
def test_native_make_vec_takes_a_limit_of_steps(spec_id):
    name = spec_id.replace("-v", "Follower-v")
    vector = gymnasium.make_vec(name, num_envs=2, max_episode_steps=4, horizon=30)
    single = gymnasium.make(name, max_episode_steps=4, horizon=30)
    observations, _ = vector.reset(seed=[1, 2])
    assert observations.shape[0] == 2
    single.reset(seed=1)
    single.action_space.seed(0)
    for step in range(1, 10):
        observations, _, terminated, truncated, _ = vector.step(np.stack([single.action_space.sample()] * 2))
        assert not terminated.any()
        assert truncated.all() == truncated.any() == (step in (4, 9))  # the step after an end begins anew
        if step <= 4:
            row, _, _, over, _ = single.step(single.action_space.sample())
            assert over == truncated[0]
            assert row[-1] == observations[0, -1]  # the time, as a share of the horizon
    longer = gymnasium.make_vec(name, num_envs=1, max_episode_steps=99, horizon=3)
    longer.reset(seed=0)
    assert [bool(longer.step(longer.action_space.sample())[3][0]) for _ in range(3)] == [False, False, True]
    for bad in (0, -1, 2.5, True, "4"):
        with pytest.raises(ArgumentError, match="max_episode_steps"):
            face_of("vector_env", spec_id, max_episode_steps=bad)


@pytest.mark.parametrize("face", [*LED, *GIVEN])
def test_a_finished_game_needs_no_id(face):
    game = se.make_game(TABULAR, horizon=7)
    env = getattr(se, face)(game=game)
    assert env.unwrapped.game is game
    assert env.metadata["name"] == game.name
    # Beside an id the game is the one that plays, and the id says how it is drawn and called.
    both = getattr(se, face)(TABULAR, game=game)
    assert both.unwrapped.game is game
    assert both.metadata["name"] == "discrete_toy_v1"
    env.reset(seed=0)
    make = getattr(se, face)
    for bad, match in [
        (make, "an id or game="),
        (lambda: make(game), "game="),
        (lambda: make(3), "id: expected"),
        (lambda: make(game=3), "game: expected"),
        (lambda: make(game=se.TabularGame), "game: expected"),
        (lambda: make(game=game, horizon=3), "beside game="),
        (lambda: make(game=game, walls=3), "walls"),
    ]:
        with pytest.raises(ArgumentError, match=match):
            bad()


@pytest.mark.parametrize(
    ("face", "options", "match"),
    [
        ("parallel_env", {"menu": 3, "menu_seed": -1}, "menu_seed"),
        ("parallel_env", {"menu": True}, "menu"),
        ("parallel_env", {"menu": 2.5}, "menu"),
        ("parallel_env", {"menu": "abc"}, "menu"),
        ("env", {"commitment": np.zeros(2)}, "once"),
        ("env", {"render_mode": ["ansi"]}, "render_mode"),
        ("follower_env", {"observe_commitment": np.zeros(2)}, "observe_commitment"),
        ("leader_env", {"discounted": "no"}, "discounted"),
        ("leader_env", {"response": 3}, "response"),
        ("vector_env", {"copy": "no"}, "copy"),
        ("vector_env", {"num_envs": True}, "num_envs"),
    ],
)
def test_options_of_the_faces_are_checked_when_they_are_made(face, options, match):
    with pytest.raises(ArgumentError, match=match):
        getattr(se, face)(TABULAR, **options)


def test_a_commitment_in_a_reset_is_checked():
    for face in GIVEN:
        env = getattr(se, face)(TABULAR)
        for bad in ("no numbers", np.ones(3), np.full((3, 2), np.nan), 3.0, object()):
            with pytest.raises(CommitmentError, match="commitment"):
                env.reset(options={"commitment": bad})
        env.reset(options={"commitment": None})


@pytest.mark.parametrize("face", ["parallel_env", "followers_env"])
def test_actions_come_by_the_names_of_agents(face):
    env = getattr(se, face)(TABULAR, horizon=5)
    env.reset(seed=0)
    fine = {agent: env.action_space(agent).sample() for agent in env.agents}
    for bad in (fine | {"follower_7": 0}, fine | {"leder_0": 0}, list(fine), None, 3):
        with pytest.raises(ActionError, match="step: expected"):
            env.step(bad)
    assert env.session.played == 0
    env.step(fine)


def test_a_leader_of_several_followers_brings_an_action_for_each():
    game = se.make_game(TABULAR, horizon=5).replace(num_followers=2)
    for face in ("parallel_env", "raw_env"):
        env = getattr(se, face)(game=game, commitment="per_step")
        env.reset(seed=0)
        for bad in (None, 0, [0], [0, 1, 0], np.array(1), "01", [[1], [1, 2]]):
            with pytest.raises(ActionError, match=r"leader_0: expected 2 actions|leader action: expected"):
                env.step({"leader_0": bad, "follower_0": 0, "follower_1": 0} if face == "parallel_env" else bad)


def test_odd_actions_get_a_named_error():
    ragged, masked = [[1], [1, 2]], np.ma.masked_equal([0, 1], 1)
    for spec_id in (TABULAR, VECTORS):
        single, vector = face_of("follower_env", spec_id), face_of("vector_env", spec_id, num_envs=2)
        single.reset(seed=0)
        vector.reset(seed=0)
        for bad in (ragged, masked, [np.ma.masked], "ab", [True, False], [1j, 0], object(), {}, None):
            with pytest.raises(ActionError, match="action"):
                vector.step(bad)
            with pytest.raises(ActionError, match="action"):
                single.step(bad)
    dead = se.raw_env(TABULAR, horizon=1)
    dead.reset(seed=0)
    dead.step(dead.action_space("leader_0").low)
    dead.step(0)
    with pytest.raises(ActionError, match="leader_0: expected None, because its episode is over, got 0"):
        dead.step(0)
