"""The games every face is tried on: all registered ids and the variants that change a face's shape."""

import pytest

import stackelberg_envs as se
from stackelberg_envs.conformity.vector_games import UniformPolicy


def two_followers(spec_id, **kwargs):
    return {"game": se.make_game(spec_id, **kwargs).replace(num_followers=2)}


CASES = {
    **{spec_id: (spec_id, dict) for spec_id in se.registered_ids()},
    "four rooms, two goals": ("stackelberg/FourRooms-v0", lambda: {"goals": ((1, 9), (11, 11))}),
    "four rooms, two followers": (
        "stackelberg/FourRooms-v0",
        lambda: two_followers("stackelberg/FourRooms-v0"),
    ),
    "toy, two followers": (
        "stackelberg/DiscreteToy-v1",
        lambda: two_followers("stackelberg/DiscreteToy-v1", horizon=20),
    ),
    "cart-pole, two followers": (
        "stackelberg/GuidedCartPole-v0",
        lambda: two_followers("stackelberg/GuidedCartPole-v0", horizon=60),
    ),
}
#: Variants of the two-sided faces only.
SIDED = {
    "toy, per step": (
        "stackelberg/DiscreteToy-v1",
        lambda: {"commitment": "per_step", "horizon": 30},
    ),
    "toy, per step, two followers": (
        "stackelberg/DiscreteToy-v1",
        lambda: {
            "commitment": "per_step",
            **two_followers("stackelberg/DiscreteToy-v1", horizon=20),
        },
    ),
    "pendulum, per step": (
        "stackelberg/GuidedPendulum-v0",
        lambda: {"commitment": "per_step", "horizon": 20},
    ),
    "pendulum, per step, two followers": (
        "stackelberg/GuidedPendulum-v0",
        lambda: {"commitment": "per_step", **two_followers("stackelberg/GuidedPendulum-v0", horizon=20)},
    ),
    "pendulum, menu": ("stackelberg/GuidedPendulum-v0", lambda: {"menu": 3}),
    "four rooms, menu": ("stackelberg/FourRooms-v0", lambda: {"menu": 4}),
    "four rooms, local": (
        "stackelberg/FourRooms-v0",
        lambda: {"observe_commitment": "local"},
    ),
    "toy, nothing observed": (
        "stackelberg/DiscreteToy-v1",
        lambda: {"observe_commitment": "none"},
    ),
}


def uniform_response(game, x):
    return UniformPolicy(game.follower_action_space)


def responding(spec_id):
    """Return what `leader_env` needs where no exact response is known."""
    return {} if getattr(se.make_game(spec_id), "has_solution", True) else {"response": uniform_response}


def maker(case):
    spec_id, arguments = case

    def make(face, **more):
        if face == "leader_env":
            more |= responding(spec_id)
        return getattr(se, face)(spec_id, **arguments(), **more)

    return make


@pytest.fixture(params=[*CASES, *SIDED])
def make_sided(request):
    """Makes the AEC or parallel face of a case: make_sided("parallel_env")."""
    return maker({**CASES, **SIDED}[request.param])


@pytest.fixture(params=list(CASES))
def make(request):
    """Makes any face of a case."""
    return maker(CASES[request.param])


@pytest.fixture
def any_response():
    """Maps an id to what `leader_env` needs where no exact response is known."""
    return responding
