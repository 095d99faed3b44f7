"""Ids: what is registered where, what unknown names and arguments get, and games of third parties."""

import importlib
import sys

import gymnasium
import numpy as np
import pettingzoo
import pytest

import agents
import stackelberg_envs as se
from agents.runs.fingerprints import fingerprint
from stackelberg_envs.errors import ArgumentError, GameError, UnknownNameError
from stackelberg_envs.faces import ids, registration
from stackelberg_envs.faces.best_known import best_known
from stackelberg_envs.faces.constructors import FACE_ENTRY_POINTS
from tests.games import one_state


@pytest.fixture
def leave_no_trace():
    """Forget, after the test, whatever it registered."""
    kept = dict(registration._SPECS), dict(gymnasium.registry)
    # PettingZoo has registries from 1.27 on.
    registries = []
    if hasattr(pettingzoo, "register"):
        from pettingzoo.env_registry.registration import aec_registry, parallel_registry

        registries = [aec_registry, parallel_registry]
    before = [dict(registry) for registry in registries]
    yield
    for registry, old in zip((registration._SPECS, gymnasium.registry, *registries), (*kept, *before), strict=True):
        registry.clear()
        registry.update(old)


def my_game(*, reward: float = 1.0) -> se.TabularGame:
    """One state in which the leader is paid for the second action."""
    return one_state([[0.0, reward], [0.0, 0.0]], horizon=5)


def test_every_env_file_has_an_id_a_summary_and_all_faces():
    for module in ids.env_modules():
        spec_id = ids.id_of(module)
        spec = se.spec(spec_id)
        assert spec.module == f"stackelberg_envs.envs.{module}"
        assert spec.summary.endswith(".")
        assert ids.module_name(spec_id) == module
        for face in FACE_ENTRY_POINTS:
            assert callable(getattr(getattr(se, module), face))
        assert f"`{spec_id}`" in getattr(se, module).__doc__


def test_module_and_id_make_the_same_environment():
    by_module = se.four_rooms_v0.parallel_env(penalty=2.0)
    by_id = se.parallel_env("stackelberg/FourRooms-v0", penalty=2.0)
    assert by_module.metadata == by_id.metadata
    assert by_module.metadata["name"] == "four_rooms_v0"
    assert str(by_module) == "four_rooms_v0"


#: Earlier id -> arguments that make the newest id's game what it was.
EARLIER = {
    "stackelberg/BilevelLqr-v0": {"action_bound": 100.0},
    "stackelberg/BuildingThermal-v0": {"action_bound": 100.0},
    "stackelberg/DiscreteToy-v0": {},
    "stackelberg/RandomTabular-v0": {},
}
SAID = r"v0 is deprecated and goes in version 0.3: use .*v1"


@pytest.mark.filterwarnings("ignore:.*The environment .* is out of date:DeprecationWarning")
@pytest.mark.parametrize("earlier", EARLIER)
def test_an_earlier_id_makes_its_game_and_names_its_successor(earlier):
    newest = ids.newest_id(earlier)
    assert newest == earlier.replace("v0", "v1")
    assert earlier not in se.registered_ids()
    with pytest.warns(DeprecationWarning, match=SAID):
        game = se.make_game(earlier)
    assert fingerprint(game) == fingerprint(se.make_game(newest, **EARLIER[earlier]))
    assert best_known(earlier, game.facts["setting"]) is best_known(newest, game.facts["setting"]) is not None
    with pytest.warns(DeprecationWarning, match=SAID):
        env = se.parallel_env(earlier)
    assert env.metadata["name"] == ids.module_name(earlier)
    space = env.action_space("follower_0")
    assert space == env.game.follower_action_space if EARLIER[earlier] else space == gymnasium.spaces.Discrete(3)
    with pytest.warns(DeprecationWarning, match=SAID):
        follower = gymnasium.make(earlier.replace("-v0", "Follower-v0"))
    assert follower.action_space == space
    # What files name is taken without a word.
    assert se.spec(earlier).id == earlier


@pytest.mark.parametrize("earlier", EARLIER)
def test_an_earlier_module_is_the_newest_one_with_the_defaults_of_then(earlier):
    name = ids.module_name(earlier)
    with pytest.warns(DeprecationWarning, match=SAID):
        module = importlib.import_module(f"stackelberg_envs.envs.{name}")
    with pytest.warns(DeprecationWarning, match=SAID):
        assert getattr(se, name) is module
    assert module.__doc__ == getattr(se, name.replace("v0", "v1")).__doc__
    assert fingerprint(module.make_game()) == fingerprint(se.spec(earlier).make())
    with pytest.warns(DeprecationWarning, match=SAID):
        assert module.follower_env().metadata["name"] == name


def test_a_run_of_an_earlier_id_says_so_and_finds_what_was_tuned_for_it():
    with pytest.warns(DeprecationWarning, match=SAID):
        record = agents.run("stackelberg/DiscreteToy-v0", leader="cma_es", preset="tuned", updates=1)
    assert record.game == "stackelberg/DiscreteToy-v0"
    same = agents.run("stackelberg/DiscreteToy-v1", leader="cma_es", preset="tuned", updates=1)
    assert record.leader_options == same.leader_options


def test_an_unknown_id_gets_the_nearest_ones():
    with pytest.raises(UnknownNameError, match="did you mean 'stackelberg/FourRooms-v0'"):
        se.make_game("stackelberg/FourRoms-v0")


def test_an_unknown_argument_gets_the_known_ones():
    with pytest.raises(ArgumentError, match=r"among goals, .*penalty.*; got gaols"):
        se.make_game("stackelberg/FourRooms-v0", gaols=1)
    with pytest.raises(ArgumentError, match="beside game="):
        se.env("stackelberg/FourRooms-v0", game=my_game(), penalty=1.0)


def test_a_third_party_registers_its_own(leave_no_trace):
    spec = se.register("mine/Game-v0", my_game)
    assert spec.summary == "One state in which the leader is paid for the second action."
    assert "mine/Game-v0" in se.registered_ids()
    assert se.make_game("mine/Game-v0", reward=3.0).leader_reward.max() == 3.0
    se.check_game(se.make_game("mine/Game-v0"))
    se.check_env("mine/Game-v0")
    assert gymnasium.make("mine/GameFollower-v0", reward=2.0).unwrapped.game.leader_reward.max() == 2.0
    if hasattr(pettingzoo, "make"):
        assert pettingzoo.make("parallel", "mine/Game-v0").metadata["name"] == "game_v0"


def test_a_third_party_may_name_its_function_as_text(leave_no_trace):
    se.register("mine/Text-v0", "stackelberg_envs.envs.discrete_toy_v1:make_game")
    assert se.make_game("mine/Text-v0", reward=2.0).shape == (3, 2, 3)


def test_a_third_partys_game_of_vectors_has_all_faces_too(leave_no_trace):
    se.register("mine/Swing-v0", "stackelberg_envs.envs.guided_pendulum_v0:make_game")
    se.check_env("mine/Swing-v0")
    vector = gymnasium.make_vec("mine/SwingFollower-v0", num_envs=2, horizon=5)
    assert vector.reset(seed=0)[0].shape[0] == 2
    env = se.parallel_env("mine/Swing-v0", render_mode="ansi")
    env.reset(seed=0)
    assert "commitment phase" in env.render()


@pytest.mark.parametrize("bad", ["Game-v0", "mine/Game", "mine/Game-vX", "stackelberg/FourRooms-v0"])
def test_malformed_and_taken_ids_are_refused(bad, leave_no_trace):
    with pytest.raises(ArgumentError, match="id"):
        se.register(bad, my_game)


def test_importing_again_registers_nothing_twice():
    before = set(gymnasium.registry)
    registration.register_with_clients()  # a second registration would warn, and warnings are errors
    assert set(gymnasium.registry) == before


@pytest.fixture
def own_module(tmp_path, monkeypatch, leave_no_trace):
    (tmp_path / "games_of_mine.py").write_text(
        "import stackelberg_envs as se\n"
        "def make_game(size: int = 3): return se.random_tabular(S=size, A=2, B=2, horizon=5)\n"
        "se.register('mine/Game-v0', make_game)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "games_of_mine:mine/Game-v0"
    sys.modules.pop("games_of_mine", None)


def test_a_module_before_the_id_is_imported(own_module):
    assert se.make_game(own_module, size=4).shape == (4, 2, 2)
    assert se.spec(own_module).id == "mine/Game-v0"
    faces = (se.env, se.raw_env, se.parallel_env, se.followers_env, se.follower_env, se.leader_env, se.vector_env)
    for face in faces:
        face(own_module, size=4).close()
    assert agents.run(own_module, updates=1, steps_per_update=20).game == "mine/Game-v0"


def test_a_module_that_is_none_is_refused(own_module):
    for name in ("no_such_module:a/B-v0", ":mine/Game-v0", "games_of_mine::mine/Game-v0"):
        with pytest.raises(ArgumentError, match="import: expected a module that can be imported, got"):
            se.make_game(name)
    with pytest.raises(UnknownNameError, match="unknown environment 'mine/Gama-v0'; did you mean 'mine/Game-v0'"):
        se.make_game("games_of_mine:mine/Gama-v0")


def test_arguments_are_held_to_what_the_function_declares(own_module):
    for value in (True, "4", 4.0, float("nan"), [4]):
        with pytest.raises(GameError, match="mine/Game-v0: size: expected an integer, got"):
            se.make_game(own_module, size=value)
    assert se.make_game(own_module, size=np.int64(4)).shape == (4, 2, 2)


def test_a_needed_argument_and_a_game_too_large_are_named(leave_no_trace):
    def make(size, large=False):
        if large:
            raise MemoryError("8 TiB")
        return my_game()

    se.register("mine/Game-v0", make)
    with pytest.raises(ArgumentError, match="mine/Game-v0: expected size too, which have no default"):
        se.make_game("mine/Game-v0")
    with pytest.raises(ArgumentError, match="expected a game that fits into memory, got"):
        se.make_game("mine/Game-v0", size=1, large=True)


@pytest.mark.parametrize("face", ["vector_env", "leader_vector_env", "parallel_vector_env"])
@pytest.mark.parametrize("spec_id", ["stackelberg/DiscreteToy-v1", "stackelberg/BilevelLqr-v1"])
def test_copies_that_no_memory_holds_are_refused_by_name(face, spec_id):
    with pytest.raises(ArgumentError, match="num_envs: expected at most"):
        getattr(se, face)(spec_id, num_envs=10**12)


def test_what_is_no_function_is_not_registered():
    with pytest.raises(ArgumentError, match="make_game: expected a function that returns a game, got int"):
        se.register("mine/Nothing-v0", 3)


@pytest.mark.parametrize("face", ["leader_vector_env", "parallel_vector_env"])
def test_an_argument_that_neither_game_nor_face_knows_is_told_with_those_of_both(face):
    faces = "raw_env, env, parallel_env, followers_env, follower_env, leader_env, followers_aec_env"
    message = rf"among goals, .*; got render_mode; {face} itself takes autoreset, .*; render_mode is taken by {faces}$"
    with pytest.raises(ArgumentError, match=message):
        getattr(se, face)("stackelberg/FourRooms-v0", render_mode="ansi")
    with pytest.raises(ArgumentError, match=rf"{face}: expected arguments among autoreset, .* taken by {faces}$"):
        getattr(se, face)(game=se.make_game("stackelberg/FourRooms-v0"), render_mode="ansi")
    with pytest.raises(ArgumentError, match=r"got nonsense; [^;]*$"):
        getattr(se, face)("stackelberg/FourRooms-v0", nonsense=1)
