"""Games that pickle, copies or other processes refuse are named; conformity checks never end in a raw traceback."""

import functools
import pickle
import threading

import numpy as np
import pytest

import stackelberg_envs as se
from stackelberg_envs.conformity.travel import require_travel
from stackelberg_envs.envs.guided_cartpole_v0 import GuidedCartPole
from stackelberg_envs.errors import ConformityError, StackelbergError
from stackelberg_envs.faces import registration
from stackelberg_envs.faces.gymnasium_views import FollowerEnv
from stackelberg_envs.faces.parallel import ParallelFace

TOY = "stackelberg/DiscreteToy-v1"
SHOP = np.array([0.0, 1.0, 0.0])


def tolled(function):
    commitment = se.FunctionCommitment(function, [0.0], [1.0], frozenset({"follower_reward"}))
    return se.make_game(TOY, horizon=9).replace(commitment=commitment, leader_policy=np.full((3, 2), 0.5))


def toll(x, shop=SHOP):
    return se.Effect(follower_reward=-x[0] * shop[:, None, None])


class Toll:
    def __init__(self, shop):
        self.shop = shop

    def __call__(self, x):
        return toll(x, self.shop)

    def method(self, x):
        return toll(x, self.shop)


def make_closure_game():
    shop = SHOP

    def inner(x):
        return se.Effect(follower_reward=-x[0] * shop[:, None, None])

    return tolled(inner)


def make_lambda_game():
    return tolled(lambda x: se.Effect(follower_reward=-x[0] * SHOP[:, None, None]))


@pytest.fixture
def leave_no_trace():
    kept = set(registration._SPECS)
    yield
    # Not those of the package: their modules, once imported, register them no more.
    for spec_id in {name for name in registration._SPECS if name.startswith("mine/")} - kept:
        del registration._SPECS[spec_id]


@pytest.mark.parametrize("function", [toll, functools.partial(toll, shop=SHOP), Toll(SHOP), Toll(SHOP).method])
def test_functions_that_other_processes_find_pass(function):
    game = tolled(function)
    se.check_game(game)
    se.check_env(se.parallel_env(game=game))


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (make_closure_game, r"make_closure_game.<locals>.inner"),
        (make_lambda_game, r"make_lambda_game.<locals>.<lambda>"),
    ],
)
def test_a_function_made_inside_another_is_named_with_what_to_write(make, name, leave_no_trace, monkeypatch):
    wanted = (
        rf"pickle, copy.deepcopy and other processes.*game\.commitment\.function is the function .*{name}, .*top level"
    )
    with pytest.raises(ConformityError, match=wanted) as caught:
        se.check_game(make())
    assert isinstance(caught.value.__cause__, (AttributeError, pickle.PicklingError))
    for face in ("parallel_env", "env", "follower_env", "leader_env", "followers_env"):
        with pytest.raises(ConformityError, match=name):
            se.check_env(getattr(se, face)(game=make()))
    monkeypatch.setattr(registration, "enter_registries", lambda *_: None)
    se.register("mine/Closure-v0", make)
    with pytest.raises(ConformityError, match=name):
        se.check_env("mine/Closure-v0")


def test_parts_deep_inside_are_named():
    game = se.make_game(TOY)
    object.__setattr__(game, "facts", {"notes": [1, {"lock": threading.Lock()}]})
    with pytest.raises(ConformityError, match=r"game\.facts\['notes'\]\[1\]\['lock'\] is of type lock, which cannot"):
        se.check_game(game)
    local = type("Inner", (), {"__qualname__": "make.<locals>.Inner"})
    with pytest.raises(
        ConformityError, match=r"game\['a'\].* is the class .*Inner, which is defined inside a function"
    ):
        require_travel({"a": local()}, "game")
    with pytest.raises(ConformityError, match=r"game\.keywords\['shop'\] is of type lock"):
        require_travel(functools.partial(toll, shop=threading.Lock()), "game")


class Forgets(Toll):
    """Comes back from a pickle with another price."""

    def __getstate__(self):
        return {"shop": 2.0 * self.shop}


class Unborn(Toll):
    def __setstate__(self, state):
        raise RuntimeError("no way back")


def test_a_twin_that_is_another_game_is_caught():
    with pytest.raises(ConformityError, match="a pickled or copied game is the same game"):
        se.check_game(tolled(Forgets(SHOP)))
    with pytest.raises(ConformityError, match=r"copy.deepcopy takes game: RuntimeError: no way back"):
        se.check_game(tolled(Unborn(SHOP)))


# --- whatever is raised in a check -----------------------------------------------------------------------

ERRORS = [ValueError("odd"), KeyError("odd"), TypeError("odd"), ZeroDivisionError("odd"), AssertionError("odd")]
ERRORS += [AttributeError("odd"), RecursionError("odd"), se.errors.GameError("odd"), StopIteration("odd")]


def raising(error):
    def function(*args, **kwargs):
        raise error

    return function


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("name", ["project", "check", "effect", "vjp", "local"])
def test_what_a_commitment_raises_breaks_a_clause(error, name, monkeypatch):
    game = se.make_game(TOY)
    monkeypatch.setattr(se.PolicyTable, name, raising(error))
    with pytest.raises(ConformityError, match="odd") as caught:
        se.check_game(game)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("name", ["initial_states", "step", "leader_actions", "state_space", "follower_action_space"])
def test_what_a_vector_game_raises_breaks_a_clause(error, name, monkeypatch):
    game = se.make_game("stackelberg/GuidedCartPole-v0")
    broken = property(raising(error)) if name.endswith("space") else raising(error)
    monkeypatch.setattr(GuidedCartPole, name, broken, raising=False)
    with pytest.raises(ConformityError, match="odd") as caught:
        se.check_game(game)
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("name", ["effect_at", "vjp_at"])
def test_what_a_sampled_commitment_raises_breaks_a_clause(error, name, monkeypatch):
    game = se.make_game("stackelberg/GuidedCartPole-v0")
    monkeypatch.setattr(type(game.commitment), name, raising(error))
    with pytest.raises(ConformityError, match="odd") as caught:
        se.check_game(game)
    assert caught.value.__cause__ is error


# A generator turns StopIteration into RuntimeError.
@pytest.mark.parametrize("error", ERRORS[:-1], ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    ("kind", "name"),
    [(ParallelFace, "reset"), (ParallelFace, "step"), (ParallelFace, "observation_space"), (FollowerEnv, "step")],
)
def test_what_an_environment_raises_breaks_a_clause(error, kind, name, monkeypatch):
    env = kind(se.make_game(TOY, horizon=5))
    monkeypatch.setattr(kind, name, raising(error))
    with pytest.raises(ConformityError, match="odd") as caught:
        se.check_env(env)
    assert caught.value.__cause__ is error


def test_a_vector_environment_that_raises_breaks_a_clause(monkeypatch):
    env = se.vector_env(TOY, num_envs=2)
    monkeypatch.setattr(env, "step", raising(ValueError("odd")))
    with pytest.raises(ConformityError, match="reset and step run on: ValueError: odd"):
        se.check_env(env)


def test_a_constructor_that_raises_breaks_a_clause(leave_no_trace, monkeypatch):
    monkeypatch.setattr(registration, "enter_registries", lambda *_: None)
    se.register("mine/Broken-v0", raising(ValueError("odd")))
    with pytest.raises(ConformityError, match="make_game makes the game: ValueError: odd"):
        se.check_env("mine/Broken-v0")


@pytest.mark.parametrize("seed", [-1, 1.5, True, "a", [1]])
def test_seeds_of_checks_are_seeds(seed):
    with pytest.raises(StackelbergError, match="seed: expected"):
        se.check_game(se.make_game(TOY), seed=seed)
    with pytest.raises(StackelbergError, match="seed: expected"):
        se.check_env(se.parallel_env(TOY), seed=seed)
