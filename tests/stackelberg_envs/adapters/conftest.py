"""The games every face is tried on: all registered ids and the variants that change a face's shape."""

import pytest

import stackelberg_envs as se


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
        "stackelberg/DiscreteToy-v0",
        lambda: two_followers("stackelberg/DiscreteToy-v0", horizon=20),
    ),
}
#: Variants of the two-sided faces only.
SIDED = {
    "toy, per step": (
        "stackelberg/DiscreteToy-v0",
        lambda: {"commitment": "per_step", "horizon": 30},
    ),
    "toy, per step, two followers": (
        "stackelberg/DiscreteToy-v0",
        lambda: {
            "commitment": "per_step",
            **two_followers("stackelberg/DiscreteToy-v0", horizon=20),
        },
    ),
    "four rooms, menu": ("stackelberg/FourRooms-v0", lambda: {"menu": 4}),
    "four rooms, local": (
        "stackelberg/FourRooms-v0",
        lambda: {"observe_commitment": "local"},
    ),
    "toy, nothing observed": (
        "stackelberg/DiscreteToy-v0",
        lambda: {"observe_commitment": "none"},
    ),
}


def maker(case):
    spec_id, arguments = case

    def make(face, **more):
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
